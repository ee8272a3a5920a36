// Batch normalisation with weighted statistics (docs/algorithm.md section 6), backward.
//
// Two passes, as forward, for the sums over dy and for dx. Whether the rectifier let an element
// pass is computed again from x where beta is given, else taken from y: behind a residual only
// once, as the first pass leaves the residual's gradient, which the second reads in place of dy and
// y.
#include "batch_norm.cuh"

namespace rais {
namespace {

enum class Mask { none, fromInput, fromOutput };

// What belongs to a thread's channels.
template <int kCount>
struct Channels {
  float mean[kCount];
  float factor[kCount];
  float beta[kCount];  // for the mask from x

  __device__ __forceinline__ bool open(int i, float x) const {
    return normalised(x, mean[i], factor[i], beta[i]) > 0;
  }
};

template <bool kBeta, int kCount>
__device__ __forceinline__ Channels<kCount> channelsAt(int channel, int channels,
                                                       const float* gamma, const float* beta,
                                                       const float* mean,
                                                       const float* inverseDeviation) {
  Channels<kCount> c = {};
#pragma unroll
  for (int i = 0; i < kCount; i++) {
    if (i < channels) {
      c.mean[i] = mean[channel + i];
      c.factor[i] = factorOf(gamma[channel + i], inverseDeviation[channel + i]);
      if (kBeta) {
        c.beta[i] = beta[channel + i];
      }
    }
  }
  return c;
}

// Sums of a chunk, for every channel: of dy, and of dy (x - mean).
template <class T, bool kWhole, Mask kMask>
__global__ void __launch_bounds__(kColumnThreads,
                                  kOccupancy<T, !kWhole || kMask == Mask::fromOutput>)
    sumGradients(Tiling tiling, const T* x, const T* y, const T* dy, const float* gamma,
                 const float* beta, const float* mean, const float* inverseDeviation, T* dresidual,
                 BatchNormWorkspace workspace) {
  constexpr int kCount = kPerVector<T>;
  constexpr int kRows = kRowsAtOnce / 2;
  Tile<T> tile(tiling, blockIdx.x, blockIdx.y);
  auto c = channelsAt<kMask == Mask::fromInput, kCount>(tile.channel, tile.channels, gamma, beta,
                                                        mean, inverseDeviation);
  float sums[2 * kCount] = {};
  Pack<T, kCount> inputs[kRows];
  Pack<T, kCount> gradients[kRows];
  Pack<T, kCount> outputs[kMask == Mask::fromOutput ? kRows : 1];
  downTile<kRows>(
      tile, tiling.lanes,
      [&](int u, int row) {
        inputs[u] = loadPack<kWhole>(x + tile.at(tiling, row), tile.channels);
        gradients[u] = loadPack<kWhole>(dy + tile.at(tiling, row), tile.channels);
        if constexpr (kMask == Mask::fromOutput) {
          outputs[u] = loadPack<kWhole>(y + tile.at(tiling, row), tile.channels);
        }
      },
      [&](int u, int row) {
        float values[kCount];
        float gradient[kCount];
        inputs[u].unpack(values);
        gradients[u].unpack(gradient);
        if constexpr (kMask == Mask::fromInput) {
#pragma unroll
          for (int i = 0; i < kCount; i++) {
            gradient[i] = c.open(i, values[i]) ? gradient[i] : 0;
          }
        } else if constexpr (kMask == Mask::fromOutput) {
          float output[kCount];
          outputs[u].unpack(output);
#pragma unroll
          for (int i = 0; i < kCount; i++) {
            gradient[i] = output[i] > 0 ? gradient[i] : 0;
          }
          if (dresidual != nullptr) {
            savePack<kWhole>(dresidual + tile.at(tiling, row), tile.channels, gradient);
          }
        }
#pragma unroll
        for (int i = 0; i < kCount; i++) {
          sums[i] += gradient[i];
          sums[kCount + i] += gradient[i] * (values[i] - c.mean[i]);
        }
      });
  sumLanes(tiling, sums, [&](int v, int pack, double sum) {
    int channel = channelOf<T>(tiling, blockIdx.x, pack) + v % kCount;
    if (channel < tiling.channels) {
      double* to = v < kCount ? workspace.first : workspace.second;
      to[static_cast<int64_t>(channel) * tiling.chunks + blockIdx.y] = sum;
    }
  });
}

// One warp per channel. With k the sums over all rows divided by the sum of the weights,
//   dx = factor dy - w (factor k1 + factor k2 xhat) = factor dy - w (c0 + c1 (x - mean)).
__global__ void __launch_bounds__(kFinishThreads)
    finishGradients(Tiling tiling, ExampleWeights weights, const float* gamma,
                    const float* inverseDeviation, BatchNormWorkspace workspace, float* dgamma,
                    float* dbeta) {
  int channel = finishChannel();
  if (channel >= tiling.channels) {
    return;  // with its whole warp
  }
  int64_t from = static_cast<int64_t>(channel) * tiling.chunks;
  double sum = sumChunks(workspace.first + from, tiling.chunks);
  double inverse = inverseDeviation[channel];
  double normalisedSum = inverse * sumChunks(workspace.second + from, tiling.chunks);
  double weightSum = weights.sum();
  if (threadIdx.x % kWarpSize == 0) {
    dbeta[channel] = static_cast<float>(sum);
    dgamma[channel] = static_cast<float>(normalisedSum);
    double share = gamma[channel] * inverse / weightSum;
    float* c = workspace.coefficients + 2 * static_cast<int64_t>(channel);
    c[0] = static_cast<float>(share * sum);
    c[1] = static_cast<float>(share * normalisedSum * inverse);
  }
}

template <class T, bool kWhole, Mask kMask>
__global__ void __launch_bounds__(kColumnThreads, kOccupancy<T, true>)
    writeGradients(Tiling tiling, ExampleWeights weights, const T* x, const T* y, const T* dy,
                   const float* gamma, const float* beta, const float* mean,
                   const float* inverseDeviation, const float* coefficients, T* dx) {
  constexpr int kCount = kPerVector<T>;
  constexpr int kRows = kRowsAtOnce / 2;
  // The rows that were read last come first.
  Tile<T> tile(tiling, blockIdx.x, tiling.chunks - 1 - static_cast<int>(blockIdx.y));
  auto c = channelsAt<kMask == Mask::fromInput, kCount>(tile.channel, tile.channels, gamma, beta,
                                                        mean, inverseDeviation);
  float c0[kCount];
  float c1[kCount];
#pragma unroll
  for (int i = 0; i < kCount; i++) {
    const float* both = coefficients + 2 * static_cast<int64_t>(tile.channel + i);
    c0[i] = i < tile.channels ? both[0] : 0;
    c1[i] = i < tile.channels ? both[1] : 0;
  }
  Pack<T, kCount> inputs[kRows];
  Pack<T, kCount> gradients[kRows];
  Pack<T, kCount> outputs[kMask == Mask::fromOutput ? kRows : 1];
  float w[kRows];
  downTile<kRows>(
      tile, tiling.lanes,
      [&](int u, int row) {
        inputs[u] = loadPack<kWhole>(x + tile.at(tiling, row), tile.channels);
        gradients[u] = loadPack<kWhole>(dy + tile.at(tiling, row), tile.channels);
        if constexpr (kMask == Mask::fromOutput) {
          outputs[u] = loadPack<kWhole>(y + tile.at(tiling, row), tile.channels);
        }
        w[u] = weights.ofRow(row);
      },
      [&](int u, int row) {
        float values[kCount];
        float gradient[kCount];
        float output[kCount];
        inputs[u].unpack(values);
        gradients[u].unpack(gradient);
        if constexpr (kMask == Mask::fromOutput) {
          outputs[u].unpack(output);
        }
#pragma unroll
        for (int i = 0; i < kCount; i++) {
          bool open = kMask == Mask::none        ? true
                      : kMask == Mask::fromInput ? c.open(i, values[i])
                                                 : output[i] > 0;
          float g = open ? gradient[i] : 0;
          gradient[i] = c.factor[i] * g - w[u] * (c0[i] + c1[i] * (values[i] - c.mean[i]));
        }
        savePack<kWhole>(dx + tile.at(tiling, row), tile.channels, gradient);
      });
}

// With statistics that are constants: one block per example, which goes through the groups of
// channels.
template <class T, bool kWhole>
__global__ void __launch_bounds__(kColumnThreads)
    runningGradients(Tiling tiling, Mask mask, float epsilon, const T* x, const T* y, const T* dy,
                     const float* gamma, const float* beta, const float* runningMean,
                     const float* runningVariance, T* dx, T* dresidual, float* squaredNorms) {
  constexpr int kCount = kPerVector<T>;
  int64_t start = static_cast<int64_t>(blockIdx.x) * tiling.rows * tiling.channels;
  double squares = 0;
  for (int group = 0; group < tiling.groups; group++) {
    Tile<T> tile(tiling, group, 0);
    Channels<kCount> c = {};
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      if (i < tile.channels) {
        int channel = tile.channel + i;
        c.mean[i] = runningMean[channel];
        c.factor[i] =
            factorOf(gamma[channel], inverseDeviationOf(runningVariance[channel], epsilon));
        c.beta[i] = mask == Mask::fromInput ? beta[channel] : 0;
      }
    }
    float sums[2 * kCount] = {};
    for (int row = tile.first; row < tile.end; row += tiling.lanes) {
      int64_t at = start + tile.at(tiling, row);
      float values[kCount];
      float gradient[kCount];
      loadPack<kWhole>(x + at, tile.channels).unpack(values);
      loadPack<kWhole>(dy + at, tile.channels).unpack(gradient);
      if (mask == Mask::fromInput) {
#pragma unroll
        for (int i = 0; i < kCount; i++) {
          gradient[i] = c.open(i, values[i]) ? gradient[i] : 0;
        }
      } else if (mask == Mask::fromOutput) {
        float output[kCount];
        loadPack<kWhole>(y + at, tile.channels).unpack(output);
#pragma unroll
        for (int i = 0; i < kCount; i++) {
          gradient[i] = output[i] > 0 ? gradient[i] : 0;
        }
        if (dresidual != nullptr) {
          savePack<kWhole>(dresidual + at, tile.channels, gradient);
        }
      }
#pragma unroll
      for (int i = 0; i < kCount; i++) {
        sums[i] += gradient[i];
        sums[kCount + i] += gradient[i] * (values[i] - c.mean[i]);
        gradient[i] *= c.factor[i];
      }
      if (dx != nullptr) {
        savePack<kWhole>(dx + at, tile.channels, gradient);
      }
    }
    sumLanes(tiling, sums, [&](int v, int pack, double sum) {
      int channel = channelOf<T>(tiling, group, pack) + v % kCount;
      if (channel < tiling.channels) {
        double inverse = v < kCount ? 1 : inverseDeviationOf(runningVariance[channel], epsilon);
        squares += sum * inverse * (sum * inverse);
      }
    });
  }
  squares = blockSum<kColumnThreads>(squares);
  if (threadIdx.x == 0) {
    squaredNorms[blockIdx.x] += static_cast<float>(squares);
  }
}

template <class T>
struct Operands {
  const T* x;
  const T* y;
  const T* dy;
  const float* gamma;
  const float* beta;
  T* dx;
  T* dresidual;

  bool whole(int32_t channels) const { return rowsAligned<T>(channels, {x, y, dy, dx, dresidual}); }
};

template <class T>
Mask maskOf(int32_t fusion, const Operands<T>& o) {
  return fusion == RAIS_FUSION_NONE                        ? Mask::none
         : fusion == RAIS_FUSION_RELU && o.beta != nullptr ? Mask::fromInput
                                                           : Mask::fromOutput;
}

struct Statistics {
  const float* mean;
  const float* inverseDeviation;
};

template <class T, bool kWhole>
void launchPasses(rais_stream stream, const ExampleWeights& weights, int32_t channels, Mask mask,
                  const Operands<T>& o, const Statistics& s, float* dgamma, float* dbeta,
                  void* memory) {
  int32_t rows = weights.batch * weights.positions;
  Tiling sums = summing(rows, channels, kDtype<T>);
  BatchNormWorkspace workspace = batchNormWorkspace(sums, memory);
  auto sum = mask == Mask::none        ? sumGradients<T, kWhole, Mask::none>
             : mask == Mask::fromInput ? sumGradients<T, kWhole, Mask::fromInput>
                                       : sumGradients<T, kWhole, Mask::fromOutput>;
  RAIS_LAUNCH(sum, gridOf(sums), kColumnThreads, 0, stream, sums, o.x, o.y, o.dy, o.gamma, o.beta,
              s.mean, s.inverseDeviation, o.dresidual, workspace);
  RAIS_LAUNCH(finishGradients, finishBlocks(channels), kFinishThreads, 0, stream, sums, weights,
              o.gamma, s.inverseDeviation, workspace, dgamma, dbeta);
  if (o.dx == nullptr) {
    return;
  }
  const T* dy = o.dy;
  if (o.dresidual != nullptr) {
    dy = o.dresidual;
    mask = Mask::none;
  }
  auto write = mask == Mask::none        ? writeGradients<T, kWhole, Mask::none>
               : mask == Mask::fromInput ? writeGradients<T, kWhole, Mask::fromInput>
                                         : writeGradients<T, kWhole, Mask::fromOutput>;
  Tiling rest = streaming(rows, channels, kDtype<T>);
  RAIS_LAUNCH(write, gridOf(rest), kColumnThreads, 0, stream, rest, weights, o.x, o.y, dy, o.gamma,
              o.beta, s.mean, s.inverseDeviation, workspace.coefficients, o.dx);
}

template <class T>
void launchBackward(rais_stream stream, const ExampleWeights& weights, int32_t channels,
                    int32_t fusion, const Operands<T>& o, const Statistics& s, float* dgamma,
                    float* dbeta, void* workspace) {
  auto launch = o.whole(channels) ? launchPasses<T, true> : launchPasses<T, false>;
  launch(stream, weights, channels, maskOf(fusion, o), o, s, dgamma, dbeta, workspace);
}

template <class T>
void launchRunning(rais_stream stream, int32_t batch, int32_t positions, int32_t channels,
                   int32_t fusion, float epsilon, const Operands<T>& o, const float* runningMean,
                   const float* runningVariance, float* squaredNorms) {
  Tiling tiling = summing(positions, channels, kDtype<T>);
  tiling.chunkRows = positions;
  tiling.chunks = 1;
  auto kernel = o.whole(channels) ? runningGradients<T, true> : runningGradients<T, false>;
  RAIS_LAUNCH(kernel, static_cast<unsigned>(batch), kColumnThreads, 0, stream, tiling,
              maskOf(fusion, o), epsilon, o.x, o.y, o.dy, o.gamma, o.beta, runningMean,
              runningVariance, o.dx, o.dresidual, squaredNorms);
}

template <class T>
Operands<T> operandsOf(const void* x, const void* y, const void* dy, const float* gamma,
                       const float* beta, void* dx, void* dresidual) {
  return {
      static_cast<const T*>(x), static_cast<const T*>(y),  static_cast<const T*>(dy), gamma, beta,
      static_cast<T*>(dx),      static_cast<T*>(dresidual)};
}

Call& checkOperands(Call& call, int32_t dtype, int32_t fusion, const void* x, const void* y,
                    const void* dy, const float* gamma, const float* beta, const void* dx,
                    const void* dresidual) {
  call.pointer("x", x, elementBytes(dtype))
      .nullable("y", y, elementBytes(dtype))
      .pointer("dy", dy, elementBytes(dtype))
      .pointer("gamma", gamma, alignof(float))
      .nullable("beta", beta, alignof(float))
      .nullable("dx", dx, elementBytes(dtype))
      .nullable("dresidual", dresidual, elementBytes(dtype));
  if (fusion == RAIS_FUSION_ADD_RELU || (fusion == RAIS_FUSION_RELU && beta == nullptr)) {
    call.pointer("y", y, elementBytes(dtype));
  }
  if (fusion == RAIS_FUSION_ADD_RELU) {
    call.pointer("dresidual", dresidual, elementBytes(dtype))
        .supported(dx != dresidual, "dresidual must not be the same memory as dx");
  } else {
    call.supported(dresidual == nullptr, "dresidual must be null without RAIS_FUSION_ADD_RELU");
  }
  return call;
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_batch_norm_backward(rais_stream stream, int32_t batch, int32_t positions,
                                 int32_t channels, int32_t dtype, int32_t fusion, const void* x,
                                 const void* y, const void* dy, const float* example_weights,
                                 const float* gamma, const float* beta, const float* mean,
                                 const float* inverse_deviation, void* dx, float* dgamma,
                                 float* dbeta, void* dresidual, void* workspace) {
  Call call("rais_batch_norm_backward", {{"batch", batch},
                                         {"positions", positions},
                                         {"channels", channels},
                                         {"dtype", dtype},
                                         {"fusion", fusion}});
  checkBatchNorm(call, batch, positions, channels, dtype, fusion);
  checkOperands(call, dtype, fusion, x, y, dy, gamma, beta, dx, dresidual)
      .nullable("example_weights", example_weights, alignof(float))
      .pointer("mean", mean, alignof(float))
      .pointer("inverse_deviation", inverse_deviation, alignof(float))
      .pointer("dgamma", dgamma, alignof(float))
      .pointer("dbeta", dbeta, alignof(float))
      .pointer("workspace", workspace, kVectorBytes);
  if (!call.ok()) {
    return call.status();
  }
  ExampleWeights weights = {example_weights, batch, positions, Divisor(positions)};
  Statistics statistics = {mean, inverse_deviation};
  if (dtype == RAIS_FLOAT32) {
    launchBackward(stream, weights, channels, fusion,
                   operandsOf<float>(x, y, dy, gamma, beta, dx, dresidual), statistics, dgamma,
                   dbeta, workspace);
  } else {
    launchBackward(stream, weights, channels, fusion,
                   operandsOf<__nv_bfloat16>(x, y, dy, gamma, beta, dx, dresidual), statistics,
                   dgamma, dbeta, workspace);
  }
  return call.launched();
}

int32_t rais_batch_norm_backward_running(rais_stream stream, int32_t batch, int32_t positions,
                                         int32_t channels, int32_t dtype, int32_t fusion,
                                         float epsilon, const void* x, const void* y,
                                         const void* dy, const float* gamma, const float* beta,
                                         const float* running_mean, const float* running_variance,
                                         void* dx, void* dresidual, float* squared_norms) {
  Call call("rais_batch_norm_backward_running", {{"batch", batch},
                                                 {"positions", positions},
                                                 {"channels", channels},
                                                 {"dtype", dtype},
                                                 {"fusion", fusion}});
  checkBatchNorm(call, batch, positions, channels, dtype, fusion);
  checkOperands(call, dtype, fusion, x, y, dy, gamma, beta, dx, dresidual)
      .inRange("epsilon", epsilon, 0.0, static_cast<double>(INFINITY))
      .pointer("running_mean", running_mean, alignof(float))
      .pointer("running_variance", running_variance, alignof(float))
      .pointer("squared_norms", squared_norms, alignof(float));
  if (!call.ok()) {
    return call.status();
  }
  if (dtype == RAIS_FLOAT32) {
    launchRunning(stream, batch, positions, channels, fusion, epsilon,
                  operandsOf<float>(x, y, dy, gamma, beta, dx, dresidual), running_mean,
                  running_variance, squared_norms);
  } else {
    launchRunning(stream, batch, positions, channels, fusion, epsilon,
                  operandsOf<__nv_bfloat16>(x, y, dy, gamma, beta, dx, dresidual), running_mean,
                  running_variance, squared_norms);
  }
  return call.launched();
}
