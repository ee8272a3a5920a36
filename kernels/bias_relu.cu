// The bias of a layer and the rectifier behind it, forward and backward.
#include "call.h"
#include "columns.cuh"

namespace rais {
namespace {

// y = x + bias, then max(y, 0) if rectified; a NaN stays one.
template <class T, bool kWhole>
__global__ void __launch_bounds__(kColumnThreads, 4)
    addBias(Tiling tiling, const T* x, const float* bias, bool rectified, T* y) {
  constexpr int kCount = kPerVector<T>;
  Tile<T> tile(tiling, blockIdx.x, blockIdx.y);
  float shift[kCount];
  loadChannels(bias + tile.channel, tile.channels, shift);
  Pack<T, kCount> packs[kRowsAtOnce];
  downTile<kRowsAtOnce>(
      tile, tiling.lanes,
      [&](int u, int row) { packs[u] = loadPack<kWhole>(x + tile.at(tiling, row), tile.channels); },
      [&](int u, int row) {
        float values[kCount];
        packs[u].unpack(values);
#pragma unroll
        for (int i = 0; i < kCount; i++) {
          float sum = values[i] + shift[i];
          values[i] = rectified && sum <= 0 ? 0 : sum;
        }
        savePack<kWhole>(y + tile.at(tiling, row), tile.channels, values);
      });
}

// dx = dy where y > 0 (everywhere if y is null), and what its columns sum to, by chunks:
// partial[channel, chunk].
template <class T, bool kWhole>
__global__ void __launch_bounds__(kColumnThreads, kOccupancy<T, !kWhole>)
    sumGradients(Tiling tiling, const T* y, const T* dy, T* dx, double* partial) {
  constexpr int kCount = kPerVector<T>;
  constexpr int kRows = kRowsAtOnce / 2;
  Tile<T> tile(tiling, blockIdx.x, blockIdx.y);
  float sums[kCount] = {};
  Pack<T, kCount> gradients[kRows];
  Pack<T, kCount> outputs[kRows];
  downTile<kRows>(
      tile, tiling.lanes,
      [&](int u, int row) {
        gradients[u] = loadPack<kWhole>(dy + tile.at(tiling, row), tile.channels);
        if (y != nullptr) {
          outputs[u] = loadPack<kWhole>(y + tile.at(tiling, row), tile.channels);
        }
      },
      [&](int u, int row) {
        float values[kCount];
        gradients[u].unpack(values);
        if (y != nullptr) {
          float output[kCount];
          outputs[u].unpack(output);
#pragma unroll
          for (int i = 0; i < kCount; i++) {
            values[i] = output[i] > 0 ? values[i] : 0;
          }
        }
#pragma unroll
        for (int i = 0; i < kCount; i++) {
          sums[i] += values[i];
        }
        if (dx != nullptr) {
          savePack<kWhole>(dx + tile.at(tiling, row), tile.channels, values);
        }
      });
  sumLanes(tiling, sums, [&](int i, int pack, double sum) {
    int channel = channelOf<T>(tiling, blockIdx.x, pack) + i;
    if (channel < tiling.channels) {
      partial[static_cast<int64_t>(channel) * tiling.chunks + blockIdx.y] = sum;
    }
  });
}

__global__ void __launch_bounds__(kFinishThreads)
    finishSums(Tiling tiling, const double* partial, float* dbias) {
  int channel = finishChannel();
  if (channel >= tiling.channels) {
    return;  // with its whole warp
  }
  double sum = sumChunks(partial + static_cast<int64_t>(channel) * tiling.chunks, tiling.chunks);
  if (threadIdx.x % kWarpSize == 0) {
    dbias[channel] = static_cast<float>(sum);
  }
}

template <class T>
void launchForward(rais_stream stream, int32_t rows, int32_t channels, const void* x,
                   const float* bias, bool rectified, void* y) {
  Tiling tiling = streaming(rows, channels, kDtype<T>);
  auto add = rowsAligned<T>(channels, {x, y}) ? addBias<T, true> : addBias<T, false>;
  RAIS_LAUNCH(add, gridOf(tiling), kColumnThreads, 0, stream, tiling, static_cast<const T*>(x),
              bias, rectified, static_cast<T*>(y));
}

template <class T>
void launchBackward(rais_stream stream, int32_t rows, int32_t channels, const void* y,
                    const void* dy, void* dx, float* dbias, double* partial) {
  Tiling tiling = summing(rows, channels, kDtype<T>);
  auto sum = rowsAligned<T>(channels, {y, dy, dx}) ? sumGradients<T, true> : sumGradients<T, false>;
  RAIS_LAUNCH(sum, gridOf(tiling), kColumnThreads, 0, stream, tiling, static_cast<const T*>(y),
              static_cast<const T*>(dy), static_cast<T*>(dx), partial);
  RAIS_LAUNCH(finishSums, finishBlocks(channels), kFinishThreads, 0, stream, tiling, partial,
              dbias);
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_bias_relu(rais_stream stream, int32_t rows, int32_t channels, int32_t dtype,
                       const void* x, const float* bias, int32_t rectified, void* y) {
  Call call("rais_bias_relu", {{"rows", rows}, {"channels", channels}, {"dtype", dtype}});
  call.inRange("rows", int64_t{rows}, 1, kMaxRows)
      .inRange("channels", int64_t{channels}, 1, kMaxChannels)
      .elementType("dtype", dtype)
      .pointer("x", x, elementBytes(dtype))
      .pointer("bias", bias, alignof(float))
      .inRange("rectified", int64_t{rectified}, 0, 1)
      .pointer("y", y, elementBytes(dtype));
  if (!call.ok()) {
    return call.status();
  }
  if (dtype == RAIS_FLOAT32) {
    launchForward<float>(stream, rows, channels, x, bias, rectified != 0, y);
  } else {
    launchForward<__nv_bfloat16>(stream, rows, channels, x, bias, rectified != 0, y);
  }
  return call.launched();
}

int64_t rais_bias_relu_workspace_bytes(int32_t rows, int32_t channels, int32_t dtype) {
  if (!isMatrix(rows, channels, dtype)) {
    return 0;
  }
  return int64_t{channels} * summing(rows, channels, dtype).chunks *
         static_cast<int64_t>(sizeof(double));
}

int32_t rais_bias_relu_backward(rais_stream stream, int32_t rows, int32_t channels, int32_t dtype,
                                const void* y, const void* dy, void* dx, float* dbias,
                                void* workspace) {
  Call call("rais_bias_relu_backward", {{"rows", rows}, {"channels", channels}, {"dtype", dtype}});
  call.inRange("rows", int64_t{rows}, 1, kMaxRows)
      .inRange("channels", int64_t{channels}, 1, kMaxChannels)
      .elementType("dtype", dtype)
      .nullable("y", y, elementBytes(dtype))
      .pointer("dy", dy, elementBytes(dtype))
      .nullable("dx", dx, elementBytes(dtype))
      .pointer("dbias", dbias, alignof(float))
      .pointer("workspace", workspace, kVectorBytes);
  if (!call.ok()) {
    return call.status();
  }
  auto* partial = static_cast<double*>(workspace);
  if (dtype == RAIS_FLOAT32) {
    launchBackward<float>(stream, rows, channels, y, dy, dx, dbias, partial);
  } else {
    launchBackward<__nv_bfloat16>(stream, rows, channels, y, dy, dx, dbias, partial);
  }
  return call.launched();
}
