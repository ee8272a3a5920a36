// Elements of either type as floats, one at a time or in vectors of up to 16 bytes.
#pragma once

#include <cstring>
#include <type_traits>

#include "platform.h"
#include "rais_kernels.h"

namespace rais {

constexpr size_t kVectorBytes = 16;  // the widest load and store

__device__ __forceinline__ float toFloat(float x) { return x; }
__device__ __forceinline__ float toFloat(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ __forceinline__ void store(float* to, float x) { *to = x; }
__device__ __forceinline__ void store(__nv_bfloat16* to, float x) { *to = __float2bfloat16_rn(x); }

template <size_t kBytes>
struct WordOf;
template <>
struct WordOf<1> {
  using Type = unsigned char;
};
template <>
struct WordOf<2> {
  using Type = unsigned short;
};
template <>
struct WordOf<4> {
  using Type = unsigned;
};
template <>
struct WordOf<8> {
  using Type = uint2;
};
template <>
struct WordOf<16> {
  using Type = uint4;
};

// kCount elements that are loaded or stored by one instruction, at an address aligned to all their
// bytes.
template <class T, int kCount>
struct Pack {
  using Word = typename WordOf<kCount * sizeof(T)>::Type;

  Word word;

  static __device__ __forceinline__ Pack load(const T* from) {
    return {*reinterpret_cast<const Word*>(from)};
  }

  // For what is not wanted again soon: it is the first to leave the cache.
  static __device__ __forceinline__ Pack loadLast(const T* from) {
    return {__ldcs(reinterpret_cast<const Word*>(from))};
  }

  __device__ __forceinline__ void save(T* to) const { *reinterpret_cast<Word*>(to) = word; }

  __device__ __forceinline__ void unpack(float (&x)[kCount]) const {
    T elements[kCount];
    memcpy(elements, &word, sizeof word);
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      x[i] = toFloat(elements[i]);
    }
  }

  static __device__ __forceinline__ Pack of(const float (&x)[kCount]) {
    Pack pack;
    if constexpr (std::is_same_v<T, __nv_bfloat16> && kCount % 2 == 0) {
      __nv_bfloat162 pairs[kCount / 2];
#pragma unroll
      for (int i = 0; i < kCount / 2; i++) {
        pairs[i] = __floats2bfloat162_rn(x[2 * i], x[2 * i + 1]);
      }
      memcpy(&pack.word, pairs, sizeof pack.word);
    } else {
      T elements[kCount];
#pragma unroll
      for (int i = 0; i < kCount; i++) {
        store(&elements[i], x[i]);
      }
      memcpy(&pack.word, elements, sizeof pack.word);
    }
    return pack;
  }
};

// Elements in 16 bytes.
template <class T>
constexpr int kPerVector = kVectorBytes / sizeof(T);

inline bool alignedTo(const void* pointer, size_t alignment) {
  return reinterpret_cast<uintptr_t>(pointer) % alignment == 0;
}

template <class T>
constexpr int32_t kDtype = std::is_same_v<T, float> ? RAIS_FLOAT32 : RAIS_BFLOAT16;

inline size_t elementBytes(int32_t dtype) {
  return dtype == RAIS_BFLOAT16 ? sizeof(__nv_bfloat16) : sizeof(float);
}

}  // namespace rais
