// Squared norms of rows against a plain loop in double.
#include "testing.h"

using namespace testing;

namespace {

void areTheDefinition(int rows, int columns, bool bfloat16, size_t misalignment) {
  where = std::to_string(rows) + " rows of " + std::to_string(columns) +
          (bfloat16 ? ", bf16" : "") + ", misaligned by " + std::to_string(misalignment);
  auto m = static_cast<size_t>(rows);
  auto n = static_cast<size_t>(columns);
  Elements x(m * n, bfloat16, misalignment, "x");
  Buffer<float> norms(m, "norms");
  Random random(m * n);
  for (size_t i = 0; i < m * n; i++) {
    x.set(i, random.between(-1, 1));
  }
  x.set(m * n - 1, rows == 5 ? INFINITY : 0);
  CHECK_OK(rais_row_squared_norms(nullptr, rows, columns, bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32,
                                  x.data(), norms.data()));
  for (size_t j = 0; j < m; j++) {
    double sum = 0;
    for (size_t k = 0; k < n; k++) {
      sum += double{x.get(j * n + k)} * x.get(j * n + k);
    }
    CHECK_CLOSE(norms[j], sum, 1e-7, 0);
  }
}

void badArgumentsAreNamed() {
  where = "arguments";
  Buffer<float> x(8, "x");
  CHECK(rais_row_squared_norms(nullptr, 2, 0, RAIS_FLOAT32, x.data(), x.data()) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(),
                 "rais_row_squared_norms(rows=2, columns=0, dtype=0): columns must be in");
  CHECK(rais_row_squared_norms(nullptr, 2, 4, 2, x.data(), x.data()) == RAIS_UNSUPPORTED);
  CHECK(rais_row_squared_norms(nullptr, 2, 4, RAIS_FLOAT32, nullptr, x.data()) ==
        RAIS_INVALID_ARGUMENT);
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (int columns : {1, 3, 4, 8, 84, 500, 512, 1024, 1025, 1032, 5000}) {
      for (int rows : {1, 5, 130}) {
        areTheDefinition(rows, columns, false, 0);
        areTheDefinition(rows, columns, true, 0);
        areTheDefinition(rows, columns, rows == 5, 1);
      }
    }
  });
  badArgumentsAreNamed();
  return finish();
}
