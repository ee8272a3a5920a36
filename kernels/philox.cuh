// Philox4x32-10, bit for bit Java's dev.rais.random.Philox, whose class comment is the contract.
#pragma once

#include "platform.h"

namespace rais {

struct PhiloxWords {
  uint32_t x0, x1, x2, x3;
};

__device__ __forceinline__ PhiloxWords philoxBlock(uint32_t c0, uint32_t c1, uint32_t c2,
                                                   uint32_t c3, uint32_t k0, uint32_t k1) {
#pragma unroll
  for (int round = 0; round < 10; round++) {
    uint32_t high0 = __umulhi(0xD2511F53u, c0);
    uint32_t low0 = 0xD2511F53u * c0;
    uint32_t high1 = __umulhi(0xCD9E8D57u, c2);
    uint32_t low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {c0, c1, c2, c3};
}

// The four words at (iteration, slot) of one stream of a seed.
__device__ __forceinline__ PhiloxWords philox(int64_t seed, int32_t stream, int64_t iteration,
                                              int32_t slot) {
  auto s = static_cast<uint64_t>(seed);
  auto i = static_cast<uint64_t>(iteration);
  return philoxBlock(static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32),
                     static_cast<uint32_t>(slot), static_cast<uint32_t>(stream),
                     static_cast<uint32_t>(s), static_cast<uint32_t>(s >> 32));
}

// Words 0 and 1 as 64 bits: Java's bits().
__device__ __forceinline__ uint64_t philoxBits(int64_t seed, int32_t stream, int64_t iteration,
                                               int32_t slot) {
  PhiloxWords words = philox(seed, stream, iteration, slot);
  return words.x0 | static_cast<uint64_t>(words.x1) << 32;
}

// In [0, 1), a multiple of 2^-53.
__device__ __forceinline__ double philoxUniform(int64_t seed, int32_t stream, int64_t iteration,
                                                int32_t slot) {
  return static_cast<double>(philoxBits(seed, stream, iteration, slot) >> 11) * 0x1p-53;
}

}  // namespace rais
