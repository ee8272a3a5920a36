// Sums over a warp and over a block. Always in the same order, so always the same bits.
#pragma once

#include "platform.h"

namespace rais {

// Every lane gets the result. combine(a, b) must not care which is which.
template <class T, class Combine>
__device__ __forceinline__ T warpReduce(T value, Combine combine) {
#pragma unroll
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
    value = combine(value, __shfl_xor_sync(kAllLanes, value, offset));
  }
  return value;
}

template <class T>
__device__ __forceinline__ T warpSum(T value) {
  return warpReduce(value, [](T a, T b) { return a + b; });
}

// Thread 0 gets the sum. All threads of a block of one dimension must call it.
template <int kThreads, class T>
__device__ __forceinline__ T blockSum(T value) {
  static_assert(kThreads % kWarpSize == 0 && kThreads <= kWarpSize * kWarpSize);
  RAIS_SHARED(T[kThreads / kWarpSize], sums);
  int lane = threadIdx.x % kWarpSize;
  int warp = threadIdx.x / kWarpSize;
  value = warpSum(value);
  if (lane == 0) {
    sums[warp] = value;
  }
  __syncthreads();  // every warp's sum is there
  value = 0;
  if (warp == 0) {
    value = warpSum(lane < kThreads / kWarpSize ? sums[lane] : T(0));
  }
  __syncthreads();  // a second call may write the sums again
  return value;
}

}  // namespace rais
