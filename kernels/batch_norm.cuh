// What batch normalisation's forward and backward share.
#pragma once

#include "call.h"
#include "columns.cuh"
#include "divide.cuh"

namespace rais {

// The examples' importance weights, by row.
struct ExampleWeights {
  const float* weights;  // null: all 1
  int32_t batch;
  int32_t positions;
  Divisor byPositions;

  __device__ __forceinline__ float ofRow(int row) const {
    return weights == nullptr ? 1.0f : weights[byPositions.quotient(row)];
  }

  // Over all rows; every lane of the warp gets it.
  __device__ __forceinline__ double sum() const {
    return sumOf([](double w) { return w; });
  }
  __device__ __forceinline__ double sumOfSquares() const {
    return sumOf([](double w) { return w * w; });
  }

 private:
  template <class F>
  __device__ __forceinline__ double sumOf(F f) const {
    if (weights == nullptr) {
      return static_cast<double>(batch) * positions;
    }
    double sum = 0;
#pragma unroll 4
    for (int j = static_cast<int>(threadIdx.x) % kWarpSize; j < batch; j += kWarpSize) {
      sum += f(weights[j]);
    }
    return warpSum(sum) * positions;
  }
};

// The output before residual and rectifier. Backward finds out by it, from x, where the rectifier
// was open, which spares reading y: so it must have the same bits everywhere, and says itself where
// it is fused.
__device__ __forceinline__ float normalised(float x, float mean, float factor, float beta) {
  return __fmaf_rn(x - mean, factor, beta);
}

__device__ __forceinline__ float factorOf(float gamma, float inverseDeviation) {
  return __fmul_rn(gamma, inverseDeviation);
}

// Of running statistics.
__device__ __forceinline__ float inverseDeviationOf(float variance, float epsilon) {
  return 1 / sqrtf(variance + epsilon);
}

// The workspace of both passes, in doubles but for the last two; [channels, chunks] but for the
// chunks' weights and the coefficients.
struct BatchNormWorkspace {
  double* first;         // forward: sum of w (x - shift); backward: sum of dy
  double* second;        // forward: sum of w (x - shift)^2; backward: sum of dy (x - mean)
  double* chunkWeights;  // [chunks] sums of w
  float* shift;
  float* coefficients;  // [channels, 2]
};

inline int64_t batchNormPartials(const Tiling& t) { return int64_t{t.channels} * t.chunks; }

inline int64_t batchNormWorkspaceBytes(const Tiling& t) {
  auto doubleBytes = static_cast<int64_t>(sizeof(double));
  auto floatBytes = static_cast<int64_t>(sizeof(float));
  return (2 * batchNormPartials(t) + t.chunks) * doubleBytes +
         (batchNormPartials(t) + 2 * int64_t{t.channels}) * floatBytes;
}

inline BatchNormWorkspace batchNormWorkspace(const Tiling& t, void* memory) {
  int64_t partials = batchNormPartials(t);
  auto* doubles = static_cast<double*>(memory);
  auto* floats = reinterpret_cast<float*>(doubles + 2 * partials + t.chunks);
  return {doubles, doubles + partials, doubles + 2 * partials, floats, floats + partials};
}

// The checks that all launchers share.
inline Call& checkBatchNorm(Call& call, int32_t batch, int32_t positions, int32_t channels,
                            int32_t dtype, int32_t fusion) {
  return call.inRange("batch", int64_t{batch}, 1, kMaxRows)
      .inRange("positions", int64_t{positions}, 1, kMaxRows)
      .inRange("channels", int64_t{channels}, 1, kMaxChannels)
      .elementType("dtype", dtype)
      .inRange("fusion", int64_t{fusion}, int64_t{RAIS_FUSION_NONE}, int64_t{RAIS_FUSION_ADD_RELU})
      .supported(int64_t{batch} * positions <= kMaxRows, "batch * positions may be 2^30 at most");
}

}  // namespace rais
