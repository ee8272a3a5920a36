// The mean over all positions of an image, for every channel, forward and backward.
#include "call.h"
#include "columns.cuh"
#include "divide.cuh"

namespace rais {
namespace {

// One block per example and group of channels.
template <class T, bool kWhole>
__global__ void __launch_bounds__(kColumnThreads)
    averagePositions(Tiling tiling, const T* x, T* y) {
  constexpr int kCount = kPerVector<T>;
  int example = static_cast<int>(blockIdx.x) / tiling.groups;
  int group = static_cast<int>(blockIdx.x) % tiling.groups;
  Tile<T> tile(tiling, group, 0);
  const T* from = x + static_cast<int64_t>(example) * tiling.rows * tiling.channels;
  float sums[kCount] = {};
  Pack<T, kCount> packs[kRowsAtOnce];
  downTile<kRowsAtOnce>(
      tile, tiling.lanes,
      [&](int u, int row) {
        packs[u] = loadPack<kWhole>(from + tile.at(tiling, row), tile.channels);
      },
      [&](int u, int) {
        float values[kCount];
        packs[u].unpack(values);
#pragma unroll
        for (int i = 0; i < kCount; i++) {
          sums[i] += values[i];
        }
      });
  sumLanes(tiling, sums, [&](int i, int pack, double sum) {
    int channel = channelOf<T>(tiling, group, pack) + i;
    if (channel < tiling.channels) {
      store(y + static_cast<int64_t>(example) * tiling.channels + channel,
            static_cast<float>(sum / tiling.rows));
    }
  });
}

// Every position gets its share.
template <class T, bool kWhole>
__global__ void __launch_bounds__(kColumnThreads)
    spreadGradients(Tiling tiling, Divisor byPositions, float positions, const T* dy, T* dx) {
  constexpr int kCount = kPerVector<T>;
  Tile<T> tile(tiling, blockIdx.x, blockIdx.y);
  Pack<T, kCount> packs[kRowsAtOnce];
  downTile<kRowsAtOnce>(
      tile, tiling.lanes,
      [&](int u, int row) {
        packs[u] = loadPack<kWhole>(dy + tile.at(tiling, byPositions.quotient(row)), tile.channels);
      },
      [&](int u, int row) {
        float values[kCount];
        packs[u].unpack(values);
#pragma unroll
        for (int i = 0; i < kCount; i++) {
          values[i] /= positions;
        }
        savePack<kWhole>(dx + tile.at(tiling, row), tile.channels, values);
      });
}

template <class T>
void launchForward(rais_stream stream, int32_t batch, int32_t positions, int32_t channels,
                   const void* x, void* y) {
  Tiling tiling = summing(positions, channels, kDtype<T>);
  tiling.chunkRows = positions;
  tiling.chunks = 1;
  auto average =
      rowsAligned<T>(channels, {x, y}) ? averagePositions<T, true> : averagePositions<T, false>;
  RAIS_LAUNCH(average, static_cast<unsigned>(batch * tiling.groups), kColumnThreads, 0, stream,
              tiling, static_cast<const T*>(x), static_cast<T*>(y));
}

template <class T>
void launchBackward(rais_stream stream, int32_t batch, int32_t positions, int32_t channels,
                    const void* dy, void* dx) {
  Tiling tiling = streaming(batch * positions, channels, kDtype<T>);
  auto spread =
      rowsAligned<T>(channels, {dy, dx}) ? spreadGradients<T, true> : spreadGradients<T, false>;
  RAIS_LAUNCH(spread, gridOf(tiling), kColumnThreads, 0, stream, tiling, Divisor(positions),
              static_cast<float>(positions), static_cast<const T*>(dy), static_cast<T*>(dx));
}

bool checkShape(Call& call, int32_t batch, int32_t positions, int32_t channels, int32_t dtype) {
  return call.inRange("batch", int64_t{batch}, 1, kMaxRows)
      .inRange("positions", int64_t{positions}, 1, kMaxRows)
      .inRange("channels", int64_t{channels}, 1, kMaxChannels)
      .elementType("dtype", dtype)
      .supported(int64_t{batch} * positions <= kMaxRows, "batch * positions may be 2^30 at most")
      .supported(int64_t{batch} * channels <= int64_t{INT32_MAX},
                 "batch * channels may be 2^31 - 1 at most")
      .ok();
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_global_average_pool(rais_stream stream, int32_t batch, int32_t positions,
                                 int32_t channels, int32_t dtype, const void* x, void* y) {
  Call call("rais_global_average_pool",
            {{"batch", batch}, {"positions", positions}, {"channels", channels}, {"dtype", dtype}});
  checkShape(call, batch, positions, channels, dtype);
  call.pointer("x", x, elementBytes(dtype)).pointer("y", y, elementBytes(dtype));
  if (!call.ok()) {
    return call.status();
  }
  if (dtype == RAIS_FLOAT32) {
    launchForward<float>(stream, batch, positions, channels, x, y);
  } else {
    launchForward<__nv_bfloat16>(stream, batch, positions, channels, x, y);
  }
  return call.launched();
}

int32_t rais_global_average_pool_backward(rais_stream stream, int32_t batch, int32_t positions,
                                          int32_t channels, int32_t dtype, const void* dy,
                                          void* dx) {
  Call call("rais_global_average_pool_backward",
            {{"batch", batch}, {"positions", positions}, {"channels", channels}, {"dtype", dtype}});
  checkShape(call, batch, positions, channels, dtype);
  call.pointer("dy", dy, elementBytes(dtype)).pointer("dx", dx, elementBytes(dtype));
  if (!call.ok()) {
    return call.status();
  }
  if (dtype == RAIS_FLOAT32) {
    launchBackward<float>(stream, batch, positions, channels, dy, dx);
  } else {
    launchBackward<__nv_bfloat16>(stream, batch, positions, channels, dy, dx);
  }
  return call.launched();
}
