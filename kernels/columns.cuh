// Matrices [rows, channels], as activations are when channels lie side by side: how blocks share
// them, and sums over rows for every channel. Always in the same order, which depends on the shape
// and the type of the elements alone.
//
// A thread has 16 bytes of neighbouring channels, always the same, and goes down the rows with what
// belongs to its channels in registers. The threads of a block cover at most 512 bytes of a row and
// several rows (lanes) at once. Rows are cut into chunks, one for each block.
#pragma once

#include <initializer_list>

#include "elements.cuh"
#include "reduce.cuh"

namespace rais {

constexpr int kColumnThreads = 256;
constexpr int kMaxGroupPacks = 32;
constexpr int kRowsAtOnce = 4;  // loads that a thread has under way, of each matrix

// At least a row for every one of the loads under way; beyond, as many chunks as make this number
// of blocks. 4 blocks of 256 threads fill an H100's 132 multiprocessors with loads, and a device of
// another size is not far off.
constexpr int kColumnBlocks = 512;

constexpr int64_t kMaxRows = int64_t{1} << 30;
constexpr int64_t kMaxChannels = int64_t{1} << 24;

struct Tiling {
  int32_t rows;
  int32_t channels;
  int32_t groupPacks;  // packs of 16 bytes of a row that a block has
  int32_t lanes;       // rows that a block has at once
  int32_t groups;      // blocks side by side
  int32_t chunkRows;
  int32_t chunks;  // blocks one below the other
};

inline Tiling tilingOf(int32_t rows, int32_t channels, int32_t dtype) {
  Tiling t;
  t.rows = rows;
  t.channels = channels;
  auto perPack = static_cast<int32_t>(kVectorBytes / elementBytes(dtype));
  int32_t packs = (channels + perPack - 1) / perPack;
  t.groups = (packs + kMaxGroupPacks - 1) / kMaxGroupPacks;
  t.groupPacks = (packs + t.groups - 1) / t.groups;
  t.lanes = kColumnThreads / t.groupPacks;
  int32_t step = t.lanes * kRowsAtOnce;
  int32_t steps = (rows + step - 1) / step;
  int32_t most = max(1, kColumnBlocks / t.groups);
  t.chunkRows = step * ((steps + most - 1) / most);
  t.chunks = (rows + t.chunkRows - 1) / t.chunkRows;
  return t;
}

inline bool isMatrix(int64_t rows, int64_t channels, int32_t dtype) {
  return rows >= 1 && rows <= kMaxRows && channels >= 1 && channels <= kMaxChannels &&
         (dtype == RAIS_FLOAT32 || dtype == RAIS_BFLOAT16);
}

inline dim3 gridOf(const Tiling& t) {
  return {static_cast<unsigned>(t.groups), static_cast<unsigned>(t.chunks)};
}

// Whether rows can be loaded in whole packs.
template <class T>
bool rowsAligned(int32_t channels, std::initializer_list<const void*> matrices) {
  bool aligned = channels % kPerVector<T> == 0;
  for (const void* matrix : matrices) {
    aligned = aligned && alignedTo(matrix, kVectorBytes);
  }
  return aligned;
}

// What a thread has of a chunk: kCount channels, rows first, first + lanes, ... below end. Threads
// that are left over have no rows.
template <class T>
struct Tile {
  static constexpr int kCount = kPerVector<T>;

  int channel;
  int channels;  // from there on; may be more than kCount
  int lane;
  int first;
  int end;

  __device__ __forceinline__ Tile(const Tiling& t, int group, int chunk) {
    lane = static_cast<int>(threadIdx.x) / t.groupPacks;
    channel = (group * t.groupPacks + static_cast<int>(threadIdx.x) % t.groupPacks) * kCount;
    first = chunk * t.chunkRows + lane;
    end = min(t.rows, (chunk + 1) * t.chunkRows);
    if (lane >= t.lanes || channel >= t.channels) {
      channel = 0;
      end = first;
    }
    channels = t.channels - channel;
  }

  __device__ __forceinline__ int64_t at(const Tiling& t, int row) const {
    return static_cast<int64_t>(row) * t.channels + channel;
  }
};

// load(u, row), then use(u, row), for all rows of a tile; u is below kRows, the number of rows that
// are loaded before the first is used.
template <int kRows, class T, class Load, class Use>
__device__ __forceinline__ void downTile(const Tile<T>& tile, int lanes, Load load, Use use) {
  static_assert(kRowsAtOnce % kRows == 0);  // only the last chunk has rows that are left over
  int row = tile.first;
  for (; row + (kRows - 1) * lanes < tile.end; row += kRows * lanes) {
#pragma unroll
    for (int u = 0; u < kRows; u++) {
      load(u, row + u * lanes);
    }
#pragma unroll
    for (int u = 0; u < kRows; u++) {
      use(u, row + u * lanes);
    }
  }
  for (; row < tile.end; row += lanes) {
    load(0, row);
    use(0, row);
  }
}

// The thread's channels in one row. kWhole: a whole, aligned pack.
template <bool kWhole, class T>
__device__ __forceinline__ Pack<T, kPerVector<T>> loadPack(const T* from, int channels) {
  using P = Pack<T, kPerVector<T>>;
  if constexpr (kWhole) {
    return P::load(from);
  } else {
    T elements[kPerVector<T>] = {};
#pragma unroll
    for (int i = 0; i < kPerVector<T>; i++) {
      if (i < channels) {
        elements[i] = from[i];
      }
    }
    P pack;
    memcpy(&pack.word, elements, sizeof pack.word);
    return pack;
  }
}

template <bool kWhole, class T>
__device__ __forceinline__ void savePack(T* to, int channels, const float (&x)[kPerVector<T>]) {
  if constexpr (kWhole) {
    Pack<T, kPerVector<T>>::of(x).save(to);
  } else {
#pragma unroll
    for (int i = 0; i < kPerVector<T>; i++) {
      if (i < channels) {
        store(to + i, x[i]);
      }
    }
  }
}

// The same for a vector of floats, one for each channel.
template <int kCount>
__device__ __forceinline__ void loadChannels(const float* from, int channels, float (&x)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; i++) {
    x[i] = i < channels ? from[i] : 0;
  }
}

// Sums values over a block's lanes, for its lane 0. All threads must call it.
template <int kCount>
__device__ __forceinline__ void sumLanes(const Tiling& t, int lane, double (&values)[kCount]) {
  RAIS_SHARED(double[kCount * kColumnThreads], sums);
  double* own = sums + threadIdx.x;
#pragma unroll
  for (int i = 0; i < kCount; i++) {
    own[i * kColumnThreads] = values[i];
  }
  for (int n = t.lanes; n > 1;) {
    int half = (n + 1) / 2;
    __syncthreads();  // the level below is complete
    if (lane < n - half) {
#pragma unroll
      for (int i = 0; i < kCount; i++) {
        own[i * kColumnThreads] += own[i * kColumnThreads + half * t.groupPacks];
      }
    }
    n = half;
  }
#pragma unroll
  for (int i = 0; i < kCount; i++) {
    values[i] = own[i * kColumnThreads];
  }
  __syncthreads();  // another call may write the sums again
}

// What the chunks' blocks have left is summed by a warp for each channel.
constexpr int kFinishThreads = 128;

inline unsigned finishBlocks(int32_t channels) {
  constexpr int32_t kWarps = kFinishThreads / kWarpSize;
  return static_cast<unsigned>((channels + kWarps - 1) / kWarps);
}

// The channel of this thread's warp; at least channels if there is none.
__device__ __forceinline__ int finishChannel() {
  return (static_cast<int>(blockIdx.x) * kFinishThreads + static_cast<int>(threadIdx.x)) /
         kWarpSize;
}

// Every lane gets the sum.
__device__ __forceinline__ double sumChunks(const double* partial, int chunks) {
  double sum = 0;
#pragma unroll 8
  for (int i = static_cast<int>(threadIdx.x) % kWarpSize; i < chunks; i += kWarpSize) {
    sum += partial[i];
  }
  return warpSum(sum);
}

}  // namespace rais
