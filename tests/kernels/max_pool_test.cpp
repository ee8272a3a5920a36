// Max pooling against plain loops, in Java's order: the same bits.
#include "testing.h"

using namespace testing;

namespace {

struct Options {
  int batch, height, width, channels, kernel, stride;
  bool bfloat16 = false;
  size_t misalignment = 0;
  size_t ofWinners = 0;
};

void isTheDefinition(const Options& o) {
  where = std::to_string(o.batch) + "x" + std::to_string(o.height) + "x" + std::to_string(o.width) +
          "x" + std::to_string(o.channels) + ", kernel " + std::to_string(o.kernel) + ", stride " +
          std::to_string(o.stride) + (o.bfloat16 ? ", bf16" : "") + ", misaligned by " +
          std::to_string(o.misalignment);
  int outHeight = (o.height - o.kernel) / o.stride + 1;
  int outWidth = (o.width - o.kernel) / o.stride + 1;
  auto inputs = static_cast<size_t>(o.batch * o.height * o.width * o.channels);
  auto outputs = static_cast<size_t>(o.batch * outHeight * outWidth * o.channels);
  int32_t dtype = o.bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32;
  Elements x(inputs, o.bfloat16, o.misalignment, "x"), dx(inputs, o.bfloat16, 0, "dx");
  Elements y(outputs, o.bfloat16, 0, "y"), dy(outputs, o.bfloat16, o.misalignment, "dy");
  Buffer<uint8_t> winnersMemory(outputs + o.ofWinners, "winners");
  uint8_t* winners = winnersMemory.data() + o.ofWinners;
  Random random(inputs);
  for (size_t i = 0; i < inputs; i++) {
    x.set(i, random.below(7) - 3);  // with many ties
  }
  for (size_t i = 0; i < outputs; i++) {
    dy.set(i, random.between(-1, 1));
  }
  x.set(0, NAN);
  x.set(inputs - 1, NAN);
  CHECK_OK(rais_max_pool(nullptr, o.batch, o.height, o.width, o.channels, o.kernel, o.stride, dtype,
                         x.data(), y.data(), winners));
  CHECK_OK(rais_max_pool_backward(nullptr, o.batch, o.height, o.width, o.channels, o.kernel,
                                  o.stride, dtype, dy.data(), winners, dx.data()));
  std::vector<float> expected(inputs, 0.0f);
  long wrong = 0;
  size_t output = 0;
  for (int n = 0; n < o.batch; n++) {
    for (int oy = 0; oy < outHeight; oy++) {
      for (int ox = 0; ox < outWidth; ox++) {
        for (int c = 0; c < o.channels; c++, output++) {
          auto at = [&](int i, int j) {
            return static_cast<size_t>(
                ((n * o.height + oy * o.stride + i) * o.width + ox * o.stride + j) * o.channels +
                c);
          };
          int winner = 0;
          for (int i = 0; i < o.kernel * o.kernel; i++) {
            if (x.get(at(i / o.kernel, i % o.kernel)) >
                x.get(at(winner / o.kernel, winner % o.kernel))) {
              winner = i;
            }
          }
          size_t from = at(winner / o.kernel, winner % o.kernel);
          wrong += winners[output] != winner;
          wrong += std::isnan(x.get(from)) ? !std::isnan(y.get(output))
                                           : bitsOf(y.get(output)) != bitsOf(x.get(from));
          expected[from] += dy.get(output);
        }
      }
    }
  }
  for (size_t i = 0; i < inputs; i++) {
    wrong += bitsOf(dx.get(i)) != bitsOf(dx.rounded(expected[i]));
  }
  CHECK_EQUAL(wrong, 0);
}

void badArgumentsAreNamed() {
  where = "arguments";
  Buffer<float> x(64, "x");
  Buffer<uint8_t> winners(64, "winners");
  auto call = [&](int batch, int height, int channels, int kernel, int stride) {
    return rais_max_pool(nullptr, batch, height, 4, channels, kernel, stride, RAIS_FLOAT32,
                         x.data(), x.data(), winners.data());
  };
  CHECK(call(1, 4, 1, 5, 1) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(),
                 "rais_max_pool(batch=1, height=4, width=4, channels=1, kernel=5, stride=1): "
                 "kernel must be in 1..4, but is 5");
  CHECK(call(1, 4, 1, 2, 0) == RAIS_INVALID_ARGUMENT);
  CHECK(call(0, 4, 1, 2, 1) == RAIS_INVALID_ARGUMENT);
  CHECK(call(1 << 20, 1 << 20, 1 << 20, 2, 1) == RAIS_UNSUPPORTED);
  CHECK_CONTAINS(rais_last_error(), "the input may have 2^31 - 1 elements at most");
  CHECK(rais_max_pool_backward(nullptr, 1, 4, 4, 1, 2, 2, RAIS_FLOAT32, x.data(), nullptr,
                               x.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "winners must not be null");
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (bool bfloat16 : {false, true}) {
      isTheDefinition({2, 24, 24, 20, 2, 2, bfloat16});
      isTheDefinition({3, 8, 8, 50, 2, 2, bfloat16});
      isTheDefinition({2, 9, 7, 16, 3, 2, bfloat16});
      isTheDefinition({2, 9, 7, 8, 3, 1, bfloat16, 1});
      isTheDefinition({2, 9, 7, 8, 3, 1, bfloat16, 0, 1});
      isTheDefinition({1, 11, 13, 3, 2, 3, bfloat16});  // inputs in no window
      isTheDefinition({1, 1, 1, 1, 1, 1, bfloat16});
      isTheDefinition({1, 17, 16, 4, 16, 1, bfloat16});
      isTheDefinition({2, 5, 40, 8, 5, 7, bfloat16});
    }
  });
  badArgumentsAreNamed();
  return finish();
}
