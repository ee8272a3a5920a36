// Batch normalisation with weighted statistics (docs/algorithm.md section 6), forward: alone, or
// with the rectifier, or with the addition of a residual and the rectifier.
//
// Two passes over x with a small kernel in between that makes statistics of the chunks' sums. The
// second pass starts with the rows that the first has read last: they may still be in the cache.
#include "batch_norm.cuh"

namespace rais {
namespace {

__device__ __forceinline__ float medianOf(float a, float b, float c) {
  return fmaxf(fminf(a, b), fminf(fmaxf(a, b), c));
}

// Sums of a chunk, for every channel, relative to a value of the chunk's own: nothing cancels,
// however far the mean is from 0. It is the median of three rows, since one may hold an outlier of
// little weight: what all others have in common would then be lost in the difference from it.
template <class T, bool kWhole>
__global__ void __launch_bounds__(kColumnThreads, kOccupancy<T, !kWhole>)
    sumMoments(Tiling tiling, ExampleWeights weights, const T* x, BatchNormWorkspace workspace) {
  constexpr int kCount = kPerVector<T>;
  auto chunk = static_cast<int>(blockIdx.y);
  Tile<T> tile(tiling, blockIdx.x, chunk);
  int begin = chunk * tiling.chunkRows;
  int last = min(tiling.rows, begin + tiling.chunkRows) - 1;
  float shift[kCount];
  float middle[kCount];
  float end[kCount];
  loadPack<kWhole>(x + tile.at(tiling, begin), tile.channels).unpack(shift);
  loadPack<kWhole>(x + tile.at(tiling, begin + (last - begin) / 2), tile.channels).unpack(middle);
  loadPack<kWhole>(x + tile.at(tiling, last), tile.channels).unpack(end);
#pragma unroll
  for (int i = 0; i < kCount; i++) {
    shift[i] = medianOf(shift[i], middle[i], end[i]);
  }
  if (tile.lane == 0 && tile.first < tile.end) {
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      if (i < tile.channels) {
        workspace.shift[static_cast<int64_t>(tile.channel + i) * tiling.chunks + chunk] = shift[i];
      }
    }
  }
  float sums[2 * kCount + 1] = {};
  Pack<T, kCount> packs[kRowsAtOnce];
  float w[kRowsAtOnce];
  downTile<kRowsAtOnce>(
      tile, tiling.lanes,
      [&](int u, int row) {
        packs[u] = loadPack<kWhole>(x + tile.at(tiling, row), tile.channels);
        w[u] = weights.ofRow(row);
      },
      [&](int u, int) {
        float values[kCount];
        packs[u].unpack(values);
        sums[2 * kCount] += w[u];
#pragma unroll
        for (int i = 0; i < kCount; i++) {
          float difference = values[i] - shift[i];
          sums[i] += w[u] * difference;
          sums[kCount + i] += w[u] * difference * difference;
        }
      });
  sumLanes(tiling, sums, [&](int v, int pack, double sum) {
    int channel = channelOf<T>(tiling, blockIdx.x, pack) + v % kCount;
    if (v == 2 * kCount) {
      // The same for all channels.
      if (pack == 0 && blockIdx.x == 0) {
        workspace.chunkWeights[chunk] = sum;
      }
    } else if (channel < tiling.channels) {
      double* to = v < kCount ? workspace.first : workspace.second;
      to[static_cast<int64_t>(channel) * tiling.chunks + chunk] = sum;
    }
  });
}

struct Statistics {
  float* mean;
  float* inverseDeviation;
  float* runningMean;
  float* runningVariance;
  float momentum;
  float epsilon;
};

// One warp per channel.
__global__ void __launch_bounds__(kFinishThreads)
    finishMoments(Tiling tiling, ExampleWeights weights, BatchNormWorkspace workspace,
                  Statistics statistics) {
  int channel = finishChannel();
  if (channel >= tiling.channels) {
    return;  // with its whole warp
  }
  int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  int64_t from = static_cast<int64_t>(channel) * tiling.chunks;
  const double* first = workspace.first + from;
  const double* second = workspace.second + from;
  const float* shift = workspace.shift + from;
  double total = 0;
  double sum = 0;
#pragma unroll 4
  for (int i = lane; i < tiling.chunks; i += kWarpSize) {
    total += workspace.chunkWeights[i];
    sum += workspace.chunkWeights[i] * shift[i] + first[i];
  }
  total = warpSum(total);
  double mean = warpSum(sum) / total;
  // Around the mean: w (x - mean)^2 = w ((x - shift) - difference)^2.
  double squares = 0;
#pragma unroll 4
  for (int i = lane; i < tiling.chunks; i += kWarpSize) {
    double difference = mean - shift[i];
    squares +=
        second[i] - 2 * difference * first[i] + difference * difference * workspace.chunkWeights[i];
  }
  squares = warpSum(squares);
  double variance = squares < 0 ? 0 : squares / total;
  double weightSum = weights.sum();
  double shares = weights.sumOfSquares() / (weightSum * weightSum);  // sum of squared weights
  if (lane != 0) {
    return;
  }
  statistics.mean[channel] = static_cast<float>(mean);
  statistics.inverseDeviation[channel] =
      static_cast<float>(1 / sqrt(variance + static_cast<double>(statistics.epsilon)));
  if (statistics.runningMean != nullptr) {
    double estimate = shares >= 1 ? variance : variance / (1 - shares);
    float& runningMean = statistics.runningMean[channel];
    float& runningVariance = statistics.runningVariance[channel];
    runningMean += static_cast<float>(statistics.momentum * (mean - runningMean));
    runningVariance += static_cast<float>(statistics.momentum * (estimate - runningVariance));
  }
}

// The output; kResidual: with the residual added. Statistics are those of the batch, or running
// ones if inverseDeviation is null.
template <class T, bool kWhole, bool kResidual>
__global__ void __launch_bounds__(kColumnThreads, 4)
    normalise(Tiling tiling, const T* x, const float* gamma, const float* beta, const float* mean,
              const float* inverseDeviation, const float* variance, float epsilon,
              const T* residual, bool rectified, T* y) {
  constexpr int kCount = kPerVector<T>;
  constexpr int kRows = kResidual ? kRowsAtOnce / 2 : kRowsAtOnce;
  // The rows that were read last come first.
  Tile<T> tile(tiling, blockIdx.x, tiling.chunks - 1 - static_cast<int>(blockIdx.y));
  float center[kCount];
  float factor[kCount];
  float shift[kCount];
#pragma unroll
  for (int i = 0; i < kCount; i++) {
    if (i < tile.channels) {
      int channel = tile.channel + i;
      center[i] = mean[channel];
      factor[i] = factorOf(gamma[channel], inverseDeviation == nullptr
                                               ? inverseDeviationOf(variance[channel], epsilon)
                                               : inverseDeviation[channel]);
      shift[i] = beta[channel];
    }
  }
  Pack<T, kCount> packs[kRows];
  Pack<T, kCount> residuals[kResidual ? kRows : 1];
  downTile<kRows>(
      tile, tiling.lanes,
      [&](int u, int row) {
        packs[u] = loadPack<kWhole>(x + tile.at(tiling, row), tile.channels);
        if constexpr (kResidual) {
          residuals[u] = loadPack<kWhole>(residual + tile.at(tiling, row), tile.channels);
        }
      },
      [&](int u, int row) {
        float values[kCount];
        float added[kCount] = {};
        packs[u].unpack(values);
        if constexpr (kResidual) {
          residuals[u].unpack(added);
        }
#pragma unroll
        for (int i = 0; i < kCount; i++) {
          float value = normalised(values[i], center[i], factor[i], shift[i]);
          if constexpr (kResidual) {
            value += added[i];
          }
          values[i] = rectified && value <= 0 ? 0 : value;  // a NaN stays one
        }
        savePack<kWhole>(y + tile.at(tiling, row), tile.channels, values);
      });
}

template <class T>
struct Operands {
  const T* x;
  const float* gamma;
  const float* beta;
  const T* residual;
  T* y;
};

template <class T>
void launchNormalise(rais_stream stream, int32_t rows, int32_t channels, const Operands<T>& o,
                     int32_t fusion, const float* mean, const float* inverseDeviation,
                     const float* variance, float epsilon) {
  bool whole = rowsAligned<T>(channels, {o.x, o.residual, o.y});
  bool residual = fusion == RAIS_FUSION_ADD_RELU;
  auto kernel = whole ? (residual ? normalise<T, true, true> : normalise<T, true, false>)
                      : (residual ? normalise<T, false, true> : normalise<T, false, false>);
  Tiling tiling = streaming(rows, channels, kDtype<T>);
  RAIS_LAUNCH(kernel, gridOf(tiling), kColumnThreads, 0, stream, tiling, o.x, o.gamma, o.beta, mean,
              inverseDeviation, variance, epsilon, o.residual, fusion != RAIS_FUSION_NONE, o.y);
}

template <class T>
void launchForward(rais_stream stream, const ExampleWeights& weights, int32_t channels,
                   const Operands<T>& o, int32_t fusion, const Statistics& statistics,
                   void* memory) {
  int32_t rows = weights.batch * weights.positions;
  Tiling tiling = summing(rows, channels, kDtype<T>);
  BatchNormWorkspace workspace = batchNormWorkspace(tiling, memory);
  auto sum = rowsAligned<T>(channels, {o.x}) ? sumMoments<T, true> : sumMoments<T, false>;
  RAIS_LAUNCH(sum, gridOf(tiling), kColumnThreads, 0, stream, tiling, weights, o.x, workspace);
  RAIS_LAUNCH(finishMoments, finishBlocks(channels), kFinishThreads, 0, stream, tiling, weights,
              workspace, statistics);
  launchNormalise(stream, rows, channels, o, fusion, statistics.mean, statistics.inverseDeviation,
                  nullptr, 0);
}

template <class T>
Operands<T> operandsOf(const void* x, const float* gamma, const float* beta, const void* residual,
                       void* y) {
  return {static_cast<const T*>(x), gamma, beta, static_cast<const T*>(residual),
          static_cast<T*>(y)};
}

Call& checkOperands(Call& call, int32_t dtype, int32_t fusion, float epsilon, const void* x,
                    const float* gamma, const float* beta, const void* residual, const void* y) {
  call.inRange("epsilon", epsilon, 0.0, static_cast<double>(INFINITY))
      .pointer("x", x, elementBytes(dtype))
      .pointer("gamma", gamma, alignof(float))
      .pointer("beta", beta, alignof(float))
      .nullable("residual", residual, elementBytes(dtype))
      .pointer("y", y, elementBytes(dtype));
  if (fusion == RAIS_FUSION_ADD_RELU) {
    call.pointer("residual", residual, elementBytes(dtype));
  }
  return call;
}

}  // namespace
}  // namespace rais

using namespace rais;

int64_t rais_batch_norm_workspace_bytes(int32_t batch, int32_t positions, int32_t channels,
                                        int32_t dtype) {
  if (batch < 1 || positions < 1 || !isMatrix(int64_t{batch} * positions, channels, dtype)) {
    return 0;
  }
  return batchNormWorkspaceBytes(summing(batch * positions, channels, dtype));
}

int32_t rais_batch_norm_forward(rais_stream stream, int32_t batch, int32_t positions,
                                int32_t channels, int32_t dtype, int32_t fusion, float epsilon,
                                const void* x, const float* example_weights, const float* gamma,
                                const float* beta, const void* residual, void* y, float* mean,
                                float* inverse_deviation, float* running_mean,
                                float* running_variance, float momentum, void* workspace) {
  Call call("rais_batch_norm_forward", {{"batch", batch},
                                        {"positions", positions},
                                        {"channels", channels},
                                        {"dtype", dtype},
                                        {"fusion", fusion}});
  checkBatchNorm(call, batch, positions, channels, dtype, fusion);
  checkOperands(call, dtype, fusion, epsilon, x, gamma, beta, residual, y)
      .nullable("example_weights", example_weights, alignof(float))
      .pointer("mean", mean, alignof(float))
      .pointer("inverse_deviation", inverse_deviation, alignof(float))
      .nullable("running_mean", running_mean, alignof(float))
      .nullable("running_variance", running_variance, alignof(float))
      .pointer("workspace", workspace, kVectorBytes);
  if (running_mean != nullptr || running_variance != nullptr) {
    call.pointer("running_mean", running_mean, alignof(float))
        .pointer("running_variance", running_variance, alignof(float))
        .inRange("momentum", momentum, 0.0, std::nextafter(1.0, 2.0));
  }
  if (!call.ok()) {
    return call.status();
  }
  ExampleWeights weights = {example_weights, batch, positions, Divisor(positions)};
  Statistics statistics = {mean,   inverse_deviation, running_mean, running_variance, momentum,
                           epsilon};
  if (dtype == RAIS_FLOAT32) {
    launchForward(stream, weights, channels, operandsOf<float>(x, gamma, beta, residual, y), fusion,
                  statistics, workspace);
  } else {
    launchForward(stream, weights, channels, operandsOf<__nv_bfloat16>(x, gamma, beta, residual, y),
                  fusion, statistics, workspace);
  }
  return call.launched();
}

int32_t rais_batch_norm_forward_running(rais_stream stream, int32_t batch, int32_t positions,
                                        int32_t channels, int32_t dtype, int32_t fusion,
                                        float epsilon, const void* x, const float* gamma,
                                        const float* beta, const float* running_mean,
                                        const float* running_variance, const void* residual,
                                        void* y) {
  Call call("rais_batch_norm_forward_running", {{"batch", batch},
                                                {"positions", positions},
                                                {"channels", channels},
                                                {"dtype", dtype},
                                                {"fusion", fusion}});
  checkBatchNorm(call, batch, positions, channels, dtype, fusion);
  checkOperands(call, dtype, fusion, epsilon, x, gamma, beta, residual, y)
      .pointer("running_mean", running_mean, alignof(float))
      .pointer("running_variance", running_variance, alignof(float));
  if (!call.ok()) {
    return call.status();
  }
  int32_t rows = batch * positions;
  if (dtype == RAIS_FLOAT32) {
    launchNormalise(stream, rows, channels, operandsOf<float>(x, gamma, beta, residual, y), fusion,
                    running_mean, nullptr, running_variance, epsilon);
  } else {
    launchNormalise(stream, rows, channels, operandsOf<__nv_bfloat16>(x, gamma, beta, residual, y),
                    fusion, running_mean, nullptr, running_variance, epsilon);
  }
  return call.launched();
}
