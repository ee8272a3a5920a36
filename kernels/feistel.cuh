// A keyed permutation of [0, size), bit for bit Java's dev.rais.random.FeistelPermutation, whose
// class comment is the contract.
#pragma once

#include "philox.cuh"

namespace rais {

// One permutation; all threads that use it share it.
struct Feistel {
  int64_t size;
  int lowBits;
  uint32_t leftMask;
  uint32_t rightMask;
  uint32_t keys[8];
};

__device__ __forceinline__ Feistel feistel(int64_t size, int64_t seed, int64_t round,
                                           int32_t stream) {
  Feistel f;
  f.size = size;
  int bits = max(8, 64 - __clzll(size - 1));
  int highBits = bits / 2;
  f.lowBits = bits - highBits;
  f.leftMask = (1u << highBits) - 1;
  f.rightMask = (1u << f.lowBits) - 1;
  for (int block = 0; block < 2; block++) {
    PhiloxWords words = philox(seed, stream, round, block);
    f.keys[4 * block] = words.x0;
    f.keys[4 * block + 1] = words.x1;
    f.keys[4 * block + 2] = words.x2;
    f.keys[4 * block + 3] = words.x3;
  }
  return f;
}

__device__ __forceinline__ uint32_t feistelMix(uint32_t h) {
  h ^= h >> 16;
  h *= 0x85EBCA6Bu;
  h ^= h >> 13;
  h *= 0xC2B2AE35u;
  return h ^ h >> 16;
}

// Where index, in [0, size), goes.
__device__ __forceinline__ int64_t feistelAt(const Feistel& f, int64_t index) {
  auto x = static_cast<uint64_t>(index);
  do {
    auto left = static_cast<uint32_t>(x >> f.lowBits);
    uint32_t right = static_cast<uint32_t>(x) & f.rightMask;
#pragma unroll
    for (int r = 0; r < 8; r += 2) {
      left ^= feistelMix(right ^ f.keys[r]) & f.leftMask;
      right ^= feistelMix(left ^ f.keys[r + 1]) & f.rightMask;
    }
    x = static_cast<uint64_t>(left) << f.lowBits | right;
  } while (x >= static_cast<uint64_t>(f.size));
  return static_cast<int64_t>(x);
}

}  // namespace rais
