// Global average pooling against plain loops in double.
#include "testing.h"

using namespace testing;

namespace {

// ofMeans: the misalignment of y and dy.
void isTheDefinition(int batch, int positions, int channels, bool bfloat16, size_t misalignment,
                     size_t ofMeans) {
  where = std::to_string(batch) + "x" + std::to_string(positions) + "x" + std::to_string(channels) +
          (bfloat16 ? ", bf16" : "") + ", misaligned by " + std::to_string(misalignment);
  auto m = static_cast<size_t>(batch);
  auto s = static_cast<size_t>(positions);
  auto c = static_cast<size_t>(channels);
  int32_t dtype = bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32;
  Elements x(m * s * c, bfloat16, misalignment, "x"), dx(m * s * c, bfloat16, misalignment, "dx");
  Elements y(m * c, bfloat16, ofMeans, "y"), dy(m * c, bfloat16, ofMeans, "dy");
  Random random(m * s * c);
  for (size_t i = 0; i < m * s * c; i++) {
    x.set(i, random.between(-1, 2));
  }
  for (size_t i = 0; i < m * c; i++) {
    dy.set(i, random.between(-1, 1));
  }
  CHECK_OK(
      rais_global_average_pool(nullptr, batch, positions, channels, dtype, x.data(), y.data()));
  CHECK_OK(rais_global_average_pool_backward(nullptr, batch, positions, channels, dtype, dy.data(),
                                             dx.data()));
  double unit = bfloat16 ? 4e-3 : 1e-7;
  long wrong = 0;
  for (size_t j = 0; j < m; j++) {
    for (size_t k = 0; k < c; k++) {
      double sum = 0;
      for (size_t p = 0; p < s; p++) {
        sum += x.get((j * s + p) * c + k);
        wrong += dx.get((j * s + p) * c + k) !=
                 dx.rounded(dy.get(j * c + k) / static_cast<float>(positions));
      }
      CHECK_CLOSE(y.get(j * c + k), sum / positions, unit, 5e-7);
    }
  }
  CHECK_EQUAL(wrong, 0);
}

void badArgumentsAreNamed() {
  where = "arguments";
  Buffer<float> x(8, "x");
  CHECK(rais_global_average_pool(nullptr, 1, 0, 8, RAIS_FLOAT32, x.data(), x.data()) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(),
                 "rais_global_average_pool(batch=1, positions=0, channels=8, dtype=0): positions "
                 "must be in");
  CHECK(rais_global_average_pool(nullptr, 1 << 20, 1 << 20, 8, RAIS_FLOAT32, x.data(), x.data()) ==
        RAIS_UNSUPPORTED);
  CHECK(rais_global_average_pool_backward(nullptr, 1, 1, 8, RAIS_FLOAT32, x.data(), nullptr) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "dx must not be null");
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (bool bfloat16 : {false, true}) {
      for (size_t misalignment : {0, 1}) {
        isTheDefinition(3, 16, 512, bfloat16, misalignment, misalignment);
        isTheDefinition(3, 16, 512, bfloat16, misalignment, 1 - misalignment);
        isTheDefinition(5, 64, 64, bfloat16, misalignment, misalignment);
        isTheDefinition(2, 49, 100, bfloat16, misalignment, misalignment);
        isTheDefinition(7, 1, 3, bfloat16, misalignment, misalignment);
        isTheDefinition(1, 5, 1, bfloat16, misalignment, misalignment);
        isTheDefinition(2, 1500, 16, bfloat16, misalignment, misalignment);
      }
    }
  });
  badArgumentsAreNamed();
  return finish();
}
