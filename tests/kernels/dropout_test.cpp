// Dropout against its definition, element by element: the same bits.
#include "philox.cuh"
#include "testing.h"

using namespace testing;

namespace {

constexpr int64_t kSeed = 0x0123456789ABCDEF;
constexpr int32_t kStream = 13 | 5 << 8;

void isTheDefinition(size_t count, bool bfloat16, size_t misalignment, float rate, bool inPlace,
                     int64_t iteration, bool onlyY = false) {
  where = "count " + std::to_string(count) + (bfloat16 ? ", bf16" : "") + ", rate " +
          std::to_string(rate) + ", misaligned by " + std::to_string(misalignment);
  Elements x(count, bfloat16, onlyY ? 0 : misalignment, "x");
  Elements separate(count, bfloat16, misalignment, "y");
  const Elements& y = inPlace ? x : separate;
  Buffer<int64_t> iterations(1, "iteration");
  iterations[0] = iteration;
  Random random(count);
  for (size_t i = 0; i < count; i++) {
    x.set(i, i % 50 == 7 ? NAN : random.between(-2, 2));
  }
  std::vector<float> before = x.values();
  CHECK_OK(rais_dropout(nullptr, static_cast<int64_t>(count),
                        bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32, x.data(), rate, kSeed, kStream,
                        iterations.data(), y.data()));
  double threshold = std::min(std::round(double{rate} * 4294967296.0), 4294967295.0);
  float scale = 1.0f / (1.0f - rate);
  long wrong = 0;
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    rais::PhiloxWords words = rais::philox(kSeed, kStream, iteration, static_cast<int32_t>(i / 4));
    uint32_t word = i % 4 == 0   ? words.x0
                    : i % 4 == 1 ? words.x1
                    : i % 4 == 2 ? words.x2
                                 : words.x3;
    float expected = word >= threshold ? x.rounded(before[i] * scale) : 0;
    kept += word >= threshold;
    wrong += std::isnan(expected) ? !std::isnan(y.get(i)) : bitsOf(y.get(i)) != bitsOf(expected);
  }
  CHECK_EQUAL(wrong, 0);
  if (count > 10'000) {
    CHECK_CLOSE(static_cast<double>(kept) / static_cast<double>(count), 1 - rate, 0, 0.02);
  }
}

// At the very threshold an element is kept: rates that are some element's word.
void theThresholdIsKept() {
  int found = 0;
  for (int32_t slot = 0; slot < 2000; slot++) {
    uint32_t word = rais::philox(kSeed, kStream, 0, slot).x0;
    if (word < 1u << 24) {  // exact as a float
      isTheDefinition(8000, false, 0, static_cast<float>(word) * 0x1p-32f, false, 0);
      found++;
    }
  }
  where = "threshold";
  CHECK(found > 0);
}

void badArgumentsAreNamed() {
  where = "arguments";
  Buffer<float> x(8, "x");
  Buffer<int64_t> iteration(1, "iteration");
  auto call = [&](int64_t count, float rate, const int64_t* t) {
    return rais_dropout(nullptr, count, RAIS_FLOAT32, x.data(), rate, 1, kStream, t, x.data());
  };
  CHECK(call(0, 0.5f, iteration.data()) == RAIS_INVALID_ARGUMENT);
  CHECK(call(8, 1, iteration.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "rate must be in [0, 1), but is 1");
  CHECK(call(8, -0.1f, iteration.data()) == RAIS_INVALID_ARGUMENT);
  CHECK(call(8, 0.5f, nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "iteration must not be null");
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (size_t count : {1, 3, 4, 5, 8, 1023, 1024, 2049, 20'001}) {
      for (size_t misalignment : {0, 1}) {
        isTheDefinition(count, false, misalignment, 0.5f, false, 3);
        isTheDefinition(count, true, misalignment, 0.1f, true, int64_t{3} << 33);
      }
      isTheDefinition(count, false, 1, 0.5f, false, 3, true);
    }
  });
  for (float rate : {0.0f, 1e-9f, 0.999999f, 0.99999994f}) {
    isTheDefinition(3000, false, 0, rate, false, 0);
  }
  theThresholdIsKept();
  badArgumentsAreNamed();
  return finish();
}
