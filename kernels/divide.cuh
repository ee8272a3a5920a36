// Division by a number that is known when a kernel is launched: a multiplication and a shift where
// the hardware would take some twenty instructions. Indices are split into rows and columns by it.
#pragma once

#include "platform.h"

namespace rais {

class Divisor {
 public:
  // divisor: at least 1. Granlund and Montgomery's multiplier of 33 bits, without its highest.
  explicit Divisor(int32_t divisor) : divisor_(static_cast<uint32_t>(divisor)) {
    while ((uint64_t{1} << shift_) < divisor_) {
      shift_++;
    }
    multiplier_ = static_cast<uint32_t>(
        ((uint64_t{1} << 32) * ((uint64_t{1} << shift_) - divisor_)) / divisor_ + 1);
  }

  // n / divisor for n from 0 to 2^31 - 1, as the sum below must not overflow.
  __device__ __forceinline__ int32_t quotient(int32_t n) const {
    auto u = static_cast<uint32_t>(n);
    return static_cast<int32_t>((__umulhi(u, multiplier_) + u) >> shift_);
  }

  // n mod divisor, given n / divisor.
  __device__ __forceinline__ int32_t remainder(int32_t n, int32_t quotient) const {
    return n - quotient * static_cast<int32_t>(divisor_);
  }

 private:
  uint32_t divisor_;
  uint32_t multiplier_;
  uint32_t shift_ = 0;
};

}  // namespace rais
