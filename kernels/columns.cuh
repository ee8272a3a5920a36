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

// Loads of 16 bytes that a thread has under way: with 4 blocks on a multiprocessor, 64 KiB.
constexpr int kRowsAtOnce = 4;

// A chunk has a row for each of these loads; beyond, as many of such steps as make this number of
// blocks. Sums: 4 blocks fit on each of an H100's 132 multiprocessors, a device of another size is
// not far off, and what blocks leave behind stays little. Else, several times as many, so that
// multiprocessors end together.
constexpr int kSummingBlocks = 512;
constexpr int kStreamingBlocks = 2048;

// Blocks of a kernel with many numbers per channel that fit on a multiprocessor: enough for the
// loads under way without spilling registers.
template <class T, bool kMany>
constexpr int kOccupancy = kMany && sizeof(T) < sizeof(float) ? 3 : 4;

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

inline Tiling tilingOf(int32_t rows, int32_t channels, int32_t dtype, int32_t blocks) {
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
  int32_t most = max(1, blocks / t.groups);
  t.chunkRows = step * ((steps + most - 1) / most);
  t.chunks = (rows + t.chunkRows - 1) / t.chunkRows;
  return t;
}

inline Tiling summing(int32_t rows, int32_t channels, int32_t dtype) {
  return tilingOf(rows, channels, dtype, kSummingBlocks);
}

inline Tiling streaming(int32_t rows, int32_t channels, int32_t dtype) {
  return tilingOf(rows, channels, dtype, kStreamingBlocks);
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

// The first channel of a group's pack.
template <class T>
__device__ __forceinline__ int channelOf(const Tiling& t, int group, int pack) {
  return (group * t.groupPacks + pack) * kPerVector<T>;
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
    channel = channelOf<T>(t, group, static_cast<int>(threadIdx.x) % t.groupPacks);
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

// Sums each of a thread's values over the block's lanes, in double, and calls store(value, pack,
// sum) for every value of every pack of the group, each by one thread. All threads must call it.
template <int kValues, class Store>
__device__ __forceinline__ void sumLanes(const Tiling& t, const float (&values)[kValues],
                                         Store store) {
  RAIS_SHARED(float[kValues * kColumnThreads], ofThreads);
  RAIS_SHARED(double[kColumnThreads], ofParts);
  int thread = static_cast<int>(threadIdx.x);
#pragma unroll
  for (int v = 0; v < kValues; v++) {
    ofThreads[v * kColumnThreads + thread] = values[v];
  }
  __syncthreads();  // every thread's values are there
  int outputs = kValues * t.groupPacks;
  // Few outputs have many lanes each, which several threads share.
  int parts = max(1, min(t.lanes, kColumnThreads / outputs));
  int partLanes = (t.lanes + parts - 1) / parts;
  for (int i = thread; i < outputs * parts; i += kColumnThreads) {
    int part = i / outputs;
    int output = i % outputs;
    const float* from = ofThreads + output / t.groupPacks * kColumnThreads + output % t.groupPacks;
    double sum = 0;
    for (int lane = part * partLanes; lane < min(t.lanes, (part + 1) * partLanes); lane++) {
      sum += from[lane * t.groupPacks];
    }
    if (parts == 1) {
      store(output / t.groupPacks, output % t.groupPacks, sum);
    } else {
      ofParts[i] = sum;
    }
  }
  __syncthreads();  // all parts are there; and another call may write the threads' values again
  if (parts > 1 && thread < outputs) {
    double sum = 0;
    for (int part = 0; part < parts; part++) {
      sum += ofParts[part * outputs + thread];
    }
    store(thread / t.groupPacks, thread % t.groupPacks, sum);
  }
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
