// The sum over a grid in one launch: the last block to finish adds up what the others left, in the
// order of their numbers. So the bits depend on the size of the grid alone.
#pragma once

#include "reduce.cuh"

namespace rais {

// Part of the order of summation, so it depends on nothing but the count. 8 blocks fit on each of
// an H100's 132 multiprocessors.
constexpr int kMaxSumBlocks = 1024;

// What blocks leave for the last one to sum.
struct GridSum {
  unsigned finished;  // zero between launches
  double partial[kMaxSumBlocks];
};

// Adds up value over all threads of a grid of at most kMaxSumBlocks blocks. Every thread calls it.
template <int kThreads>
__device__ __forceinline__ void sumOverGrid(double value, GridSum* workspace, double* result) {
  RAIS_SHARED(bool, last);
  value = blockSum<kThreads>(value);
  if (threadIdx.x == 0) {
    workspace->partial[blockIdx.x] = value;
    __threadfence();  // the partial sum is to be seen before the count that announces it
    last = atomicAdd(&workspace->finished, 1u) == gridDim.x - 1;
    if (last) {
      // The other blocks' partial sums are read after their count: by this thread, and behind the
      // barrier by all.
      __threadfence();
    }
  }
  __syncthreads();  // all threads know whether theirs is the last block
  if (last) {
    double sum = 0;
    for (int i = threadIdx.x; i < static_cast<int>(gridDim.x); i += kThreads) {
      sum += __ldcg(&workspace->partial[i]);
    }
    sum = blockSum<kThreads>(sum);
    if (threadIdx.x == 0) {
      *result = sum;
      workspace->finished = 0;  // for the next launch
    }
  }
}

}  // namespace rais
