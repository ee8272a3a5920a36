// What the kernels' test programs share: checks that tell both values, guarded buffers of typed
// elements, runs under several schedules. A program ends with 0 only if checks were made and held.
#pragma once

#include <unistd.h>

#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "host/cuda_on_host.h"
#include "host/fault.h"
#include "rais_kernels.h"

namespace testing {

inline long checks = 0;
inline long failures = 0;
inline std::string where;  // what is being tested, for messages

// For runs of broken kernels, which are expected to fail: set in the environment, a program ends at
// its first failure.
inline const bool stopsAtFailure = getenv("RAIS_STOP_AT_FAILURE") != nullptr;

// Counts a failure and says where it is; what is wrong follows, in printf's format.
inline void failed(int line, const char* format, ...) __attribute__((format(printf, 2, 3)));
inline void failed(int line, const char* format, ...) {
  if (failures++ >= 20) {
    return;
  }
  fprintf(stderr, "line %d: %s: ", line, where.c_str());
  va_list values;
  va_start(values, format);
  vfprintf(stderr, format, values);
  va_end(values);
  fprintf(stderr, "\n");
  if (stopsAtFailure) {
    _exit(1);
  }
}

inline void check(bool holds, const char* text, int line) {
  checks++;
  if (!holds) {
    failed(line, "%s", text);
  }
}

// |actual - expected| <= absolute + relative * |expected|; NaN only where NaN is expected.
inline void checkClose(double actual, double expected, double relative, double absolute, int line) {
  checks++;
  bool close = std::isnan(expected)
                   ? std::isnan(actual)
                   : actual == expected ||
                         std::fabs(actual - expected) <= absolute + relative * std::fabs(expected);
  if (!close) {
    failed(line, "is %.9g, expected %.9g", actual, expected);
  }
}

inline void checkEqual(uint64_t actual, uint64_t expected, int line) {
  checks++;
  if (actual != expected) {
    failed(line, "is 0x%llx, expected 0x%llx", static_cast<unsigned long long>(actual),
           static_cast<unsigned long long>(expected));
  }
}

inline void checkContains(const std::string& text, const char* part, int line) {
  checks++;
  if (text.find(part) == std::string::npos) {
    failed(line, "\"%s\" lacks \"%s\"", text.c_str(), part);
  }
}

#define CHECK(condition) testing::check((condition), #condition, __LINE__)
#define CHECK_CLOSE(actual, expected, relative, absolute) \
  testing::checkClose((actual), (expected), (relative), (absolute), __LINE__)
#define CHECK_EQUAL(actual, expected) \
  testing::checkEqual(static_cast<uint64_t>(actual), static_cast<uint64_t>(expected), __LINE__)
#define CHECK_CONTAINS(text, part) testing::checkContains((text), (part), __LINE__)
#define CHECK_OK(call)                                                                       \
  do {                                                                                       \
    int32_t status = (call);                                                                 \
    testing::check(status == RAIS_OK, status == RAIS_OK ? "" : rais_last_error(), __LINE__); \
  } while (false)

inline uint64_t bitsOf(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline uint32_t bitsOf(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

// Elements that a kernel cannot overrun unnoticed.
template <class T>
class Buffer {
 public:
  explicit Buffer(size_t count, const char* name = "buffer")
      : memory_(count * sizeof(T), name), count_(count) {}
  Buffer(const std::vector<T>& values, const char* name) : Buffer(values.size(), name) {
    std::memcpy(data(), values.data(), values.size() * sizeof(T));
  }
  ~Buffer() { check(memory_.whole(), "wrote outside a buffer", 0); }

  T* data() const { return static_cast<T*>(memory_.data()); }
  size_t count() const { return count_; }
  T& operator[](size_t i) const { return data()[i]; }
  void fill(T value) {
    for (size_t i = 0; i < count_; i++) {
      data()[i] = value;
    }
  }

 private:
  cuda_on_host::GuardedMemory memory_;
  size_t count_;
};

// Elements of either type, seen as floats, at an address that is as misaligned as wanted.
class Elements {
 public:
  Elements(size_t count, bool bfloat16, size_t misalignment, const char* name)
      : bfloat16_(bfloat16),
        skipped_(misalignment * (bfloat16 ? 2 : 4)),
        count_(count),
        memory_(skipped_ + count * (bfloat16 ? 2 : 4), name) {}

  void* data() const { return memory_.data() + skipped_; }
  size_t count() const { return count_; }
  float get(size_t i) const {
    return bfloat16_ ? __bfloat162float(static_cast<__nv_bfloat16*>(data())[i])
                     : static_cast<float*>(data())[i];
  }
  void set(size_t i, double x) const {
    if (bfloat16_) {
      static_cast<__nv_bfloat16*>(data())[i] = __float2bfloat16_rn(static_cast<float>(x));
    } else {
      static_cast<float*>(data())[i] = static_cast<float>(x);
    }
  }
  // A float as an element of this type.
  float rounded(float x) const { return bfloat16_ ? __bfloat162float(__float2bfloat16_rn(x)) : x; }
  std::vector<float> values() const {
    std::vector<float> all(count_);
    for (size_t i = 0; i < count_; i++) {
      all[i] = get(i);
    }
    return all;
  }

 private:
  bool bfloat16_;
  size_t skipped_;
  size_t count_;
  Buffer<char> memory_;
};

// Numbers that are the same everywhere: splitmix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double between(double low, double high) { return low + (high - low) * uniform(); }
  int below(int bound) { return static_cast<int>(next() % static_cast<uint64_t>(bound)); }

 private:
  uint64_t state_;
};

// Runs a test in the plain order of blocks and threads and in two others: a missing barrier shows.
template <class Test>
void underSchedules(Test test) {
  for (uint64_t seed : {0ull, 0x1234567ull, 0xFEDCBA98765ull}) {
    cuda_on_host::setSchedule(seed);
    test();
  }
  cuda_on_host::setSchedule(0);
}

inline int finish() {
  printf("%ld checks, %ld failed\n", checks, failures);
  return failures == 0 && checks > 0 ? 0 : 1;
}

}  // namespace testing
