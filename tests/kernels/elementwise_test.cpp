// Operations on single elements, one by one.
#include "testing.h"

using namespace testing;

namespace {

// Numbers of both signs, zeros, and what is not finite.
void fill(const Elements& x, uint64_t seed) {
  Random random(seed);
  for (size_t i = 0; i < x.count(); i++) {
    x.set(i, i % 17 == 3    ? 0.0
             : i % 17 == 5  ? -0.0
             : i % 97 == 50 ? INFINITY
             : i % 97 == 60 ? NAN
                            : random.between(-2, 2));
  }
}

void checkSame(float actual, float expected) {
  CHECK(std::isnan(expected) ? std::isnan(actual) : bitsOf(actual) == bitsOf(expected));
}

void areTheDefinitions(size_t count, bool bfloat16, size_t misalignment, size_t ofB) {
  where = "count " + std::to_string(count) + (bfloat16 ? ", bf16" : "") + ", misaligned by " +
          std::to_string(misalignment) + " and " + std::to_string(ofB);
  auto n = static_cast<int64_t>(count);
  int32_t dtype = bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32;
  Elements a(count, bfloat16, misalignment, "a"), b(count, bfloat16, ofB, "b");
  Elements y(count, bfloat16, misalignment, "y");
  fill(a, count);
  fill(b, count + 1);
  CHECK_OK(rais_relu(nullptr, n, dtype, a.data(), y.data()));
  for (size_t i = 0; i < count; i++) {
    checkSame(y.get(i), std::isnan(a.get(i)) ? NAN : a.get(i) > 0 ? a.get(i) : 0);
  }
  CHECK_OK(rais_relu_backward(nullptr, n, dtype, b.data(), a.data(), y.data()));
  for (size_t i = 0; i < count; i++) {
    checkSame(y.get(i), b.get(i) > 0 ? a.get(i) : 0);
  }
  std::vector<float> before = a.values();
  CHECK_OK(rais_add(nullptr, n, dtype, a.data(), b.data(), a.data()));
  for (size_t i = 0; i < count; i++) {
    checkSame(a.get(i), a.rounded(before[i] + b.get(i)));
  }
}

void typesAreConverted(size_t count, size_t misalignment) {
  where =
      "conversion of " + std::to_string(count) + ", misaligned by " + std::to_string(misalignment);
  auto n = static_cast<int64_t>(count);
  Elements x(count, false, misalignment, "x"), back(count, false, 0, "back");
  Elements y(count, true, misalignment, "y");
  fill(x, count);
  CHECK_OK(rais_to_bfloat16(nullptr, n, static_cast<float*>(x.data()),
                            static_cast<uint16_t*>(y.data())));
  CHECK_OK(rais_to_float32(nullptr, n, static_cast<uint16_t*>(y.data()),
                           static_cast<float*>(back.data())));
  for (size_t i = 0; i < count; i++) {
    CHECK_EQUAL(static_cast<uint16_t*>(y.data())[i], __float2bfloat16_rn(x.get(i)).bits);
    checkSame(back.get(i), y.get(i));
  }
}

void badArgumentsAreNamed() {
  where = "arguments";
  Buffer<float> x(8, "x");
  CHECK(rais_relu(nullptr, 0, RAIS_FLOAT32, x.data(), x.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "rais_relu(count=0, dtype=0): count must be in 1..");
  CHECK(rais_relu(nullptr, 8, 5, x.data(), x.data()) == RAIS_UNSUPPORTED);
  CHECK(rais_relu_backward(nullptr, 8, RAIS_FLOAT32, nullptr, x.data(), x.data()) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "y must not be null");
  CHECK(rais_add(nullptr, 8, RAIS_FLOAT32, x.data(), reinterpret_cast<char*>(x.data()) + 2,
                 x.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "b must be aligned to 4 bytes");
  CHECK(rais_to_bfloat16(nullptr, -1, x.data(), nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK(rais_to_float32(nullptr, 8, nullptr, x.data()) == RAIS_INVALID_ARGUMENT);
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (size_t count : {1, 3, 4, 8, 31, 1023, 1024, 1025, 4096, 8191, 8192, 8193, 20'001}) {
      for (size_t misalignment : {0, 1}) {
        areTheDefinitions(count, false, misalignment, 0);
        areTheDefinitions(count, true, misalignment, 1);
        areTheDefinitions(count, true, misalignment, 0);
        typesAreConverted(count, misalignment);
      }
    }
  });
  badArgumentsAreNamed();
  return finish();
}
