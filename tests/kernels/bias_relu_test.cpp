// Bias and rectifier against plain loops in double.
#include "testing.h"

using namespace testing;

namespace {

struct Options {
  int rows;
  int channels;
  bool bfloat16 = false;
  bool rectified = true;
  size_t misalignment = 0;
  bool inPlace = false;
  bool onlyY = false;  // is misaligned
};

void isTheDefinition(const Options& o) {
  where = std::to_string(o.rows) + " rows of " + std::to_string(o.channels) +
          (o.bfloat16 ? ", bf16" : "") + (o.rectified ? ", rectified" : "") + ", misaligned by " +
          std::to_string(o.misalignment);
  auto rows = static_cast<size_t>(o.rows);
  auto channels = static_cast<size_t>(o.channels);
  size_t count = rows * channels;
  int32_t dtype = o.bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32;
  size_t misalignment = o.onlyY ? 0 : o.misalignment;
  Elements x(count, o.bfloat16, misalignment, "x"), dy(count, o.bfloat16, misalignment, "dy");
  Elements separate(o.inPlace ? 1 : count, o.bfloat16, o.misalignment, "y");
  Elements separateDx(o.inPlace ? 1 : count, o.bfloat16, misalignment, "dx");
  const Elements& y = o.inPlace ? x : separate;
  const Elements& dx = o.inPlace ? dy : separateDx;
  Buffer<float> bias(channels, "bias"), dbias(channels, "dbias");
  Random random(count);
  for (size_t i = 0; i < count; i++) {
    x.set(i, random.between(-1, 1));
    dy.set(i, random.between(-1, 1));
  }
  for (size_t c = 0; c < channels; c++) {
    bias[c] = static_cast<float>(random.between(-1, 1));
  }
  std::vector<float> input = x.values();
  std::vector<float> incoming = dy.values();
  CHECK_OK(rais_bias_relu(nullptr, o.rows, o.channels, dtype, x.data(), bias.data(), o.rectified,
                          y.data()));
  long wrong = 0;
  for (size_t i = 0; i < count; i++) {
    float sum = input[i] + bias[i % channels];
    wrong += y.get(i) != y.rounded(o.rectified ? std::max(sum, 0.0f) : sum);
  }
  CHECK_EQUAL(wrong, 0);

  Buffer<char> workspace(
      static_cast<size_t>(rais_bias_relu_workspace_bytes(o.rows, o.channels, dtype)), "workspace");
  std::vector<float> first;
  for (int repeat = 0; repeat < 2; repeat++) {
    for (size_t i = 0; i < count; i++) {
      dy.set(i, incoming[i]);
    }
    CHECK_OK(rais_bias_relu_backward(nullptr, o.rows, o.channels, dtype,
                                     o.rectified ? y.data() : nullptr, dy.data(), dx.data(),
                                     dbias.data(), workspace.data()));
    for (size_t c = 0; c < channels; c++) {
      double sum = 0, sizes = 0;
      for (size_t i = c; i < count; i += channels) {
        double expected = !o.rectified || y.get(i) > 0 ? incoming[i] : 0;
        wrong += dx.get(i) != expected;
        sum += expected;
        sizes += std::fabs(expected);
      }
      CHECK_CLOSE(dbias[c], sum, 1e-7, 1e-6 * sizes);
    }
    CHECK_EQUAL(wrong, 0);
    if (repeat == 0) {
      first.assign(dbias.data(), dbias.data() + channels);
    }
    CHECK(std::memcmp(first.data(), dbias.data(), channels * sizeof(float)) == 0);
  }
  // Without dx, only the sums.
  CHECK_OK(rais_bias_relu_backward(nullptr, o.rows, o.channels, dtype, nullptr, dx.data(), nullptr,
                                   dbias.data(), workspace.data()));
  CHECK(std::memcmp(first.data(), dbias.data(), channels * sizeof(float)) == 0);
}

void aNaNStaysOne() {
  where = "NaN";
  Buffer<float> x({NAN, -1, INFINITY, 1, 2, 3, 4, 5}, "x"), bias({0, 0, 0, NAN}, "bias"), y(8, "y");
  CHECK_OK(rais_bias_relu(nullptr, 2, 4, RAIS_FLOAT32, x.data(), bias.data(), 1, y.data()));
  CHECK(std::isnan(y[0]) && y[1] == 0 && std::isinf(y[2]) && std::isnan(y[3]));
  CHECK(y[4] == 2 && std::isnan(y[7]));
}

void badArgumentsAreNamed() {
  where = "arguments";
  Buffer<float> x(8, "x");
  float* p = x.data();
  CHECK(rais_bias_relu(nullptr, 0, 4, RAIS_FLOAT32, p, p, 1, p) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "rais_bias_relu(rows=0, channels=4, dtype=0): rows must be in");
  CHECK(rais_bias_relu(nullptr, 2, 4, RAIS_FLOAT32, p, nullptr, 1, p) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "bias must not be null");
  CHECK(rais_bias_relu_backward(nullptr, 2, 4, RAIS_FLOAT32, p, p, p, p, nullptr) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "workspace must not be null");
  CHECK(rais_bias_relu_backward(nullptr, 2, 4, 9, p, p, p, p, p) == RAIS_UNSUPPORTED);
  CHECK_EQUAL(rais_bias_relu_workspace_bytes(0, 4, RAIS_FLOAT32), 0);
  CHECK_EQUAL(rais_bias_relu_workspace_bytes(4, 4, 3), 0);
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (int channels : {1, 3, 4, 10, 20, 64, 132, 500, 1000}) {
      for (int rows : {1, 65, 1030}) {
        isTheDefinition({rows, channels, rows % 2 == 0, true});
        isTheDefinition({rows, channels, rows % 2 != 0, false, 1});
        isTheDefinition({rows, channels, false, true, 0, true});
        isTheDefinition({rows, channels, false, true, 1, false, true});
      }
    }
  });
  isTheDefinition({40'001, 12});        // more rows than the blocks have at once
  isTheDefinition({40'001, 16, true});  // the same in the other type
  isTheDefinition({3, 70'000});         // more groups than blocks are wanted
  aNaNStaysOne();
  badArgumentsAreNamed();
  return finish();
}
