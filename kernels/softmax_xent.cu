// The fused loss layer: softmax cross-entropy, gradient norms, weighted gradients and correctness
// (docs/algorithm.md section 4). Logits are read once and gradients written once: rows stay on the
// chip meanwhile, in registers or in shared memory, as far as they fit there.
#include "call.h"
#include "softmax_xent.cuh"

namespace rais {
namespace {

// ---- Rows of up to 256 classes: tiles of whole rows ----
//
// A block copies its rows to shared memory and their gradients back, in vectors that need not care
// where a row begins. In between, 1, 4 or 16 lanes have a row, in registers.

constexpr int kTileThreads = 256;
constexpr int kTileClasses = 256;
constexpr int kTileElements = 4096;  // at most 16 classes a lane

// Elements from memory to floats in shared memory; all loads are under way before the first is
// used.
template <class T>
__device__ __forceinline__ void loadTile(const T* from, int count, bool aligned, float* tile) {
  constexpr int kCount = kPerVector<T>;
  constexpr int kPacks = kTileElements / kTileThreads / kCount;
  int whole = aligned ? count / kCount : 0;
  Pack<T, kCount> packs[kPacks];
#pragma unroll
  for (int u = 0; u < kPacks; u++) {
    int p = static_cast<int>(threadIdx.x) + u * kTileThreads;
    if (p < whole) {
      packs[u] = Pack<T, kCount>::load(from + p * kCount);
    }
  }
#pragma unroll
  for (int u = 0; u < kPacks; u++) {
    int p = static_cast<int>(threadIdx.x) + u * kTileThreads;
    if (p < whole) {
      float values[kCount];
      packs[u].unpack(values);
#pragma unroll
      for (int i = 0; i < kCount; i += 4) {
        *reinterpret_cast<float4*>(tile + p * kCount + i) =
            make_float4(values[i], values[i + 1], values[i + 2], values[i + 3]);
      }
    }
  }
  for (int i = whole * kCount + static_cast<int>(threadIdx.x); i < count; i += kTileThreads) {
    tile[i] = toFloat(from[i]);
  }
}

template <class T>
__device__ __forceinline__ void saveTile(T* to, int count, bool aligned, const float* tile) {
  constexpr int kCount = kPerVector<T>;
  int whole = aligned ? count / kCount : 0;
  for (int p = threadIdx.x; p < whole; p += kTileThreads) {
    float values[kCount];
#pragma unroll
    for (int i = 0; i < kCount; i += 4) {
      float4 four = *reinterpret_cast<const float4*>(tile + p * kCount + i);
      values[i] = four.x;
      values[i + 1] = four.y;
      values[i + 2] = four.z;
      values[i + 3] = four.w;
    }
    Pack<T, kCount>::of(values).save(to + p * kCount);
  }
  for (int i = whole * kCount + static_cast<int>(threadIdx.x); i < count; i += kTileThreads) {
    store(to + i, tile[i]);
  }
}

template <class T, int kLanes, int kPerLane>
__global__ void __launch_bounds__(kTileThreads)
    tileRows(LossOperands o, bool aligned, const T* logits, T* gradients) {
  RAIS_DYNAMIC_SHARED(float, tile);
  constexpr int kRows = kTileThreads / kLanes;
  int first = static_cast<int>(blockIdx.x) * kRows;
  int rows = min(kRows, o.rows - first);
  int64_t start = static_cast<int64_t>(first) * o.classes;
  int row = static_cast<int>(threadIdx.x) / kLanes;
  int lane = static_cast<int>(threadIdx.x) % kLanes;
  int j = first + row;
  Example example = row < rows ? Example::of(o, j) : Example{o.ignoredLabel, 0, 0};
  loadTile(logits + start, rows * o.classes, aligned, tile);
  __syncthreads();  // the rows are there
  float* own = tile + row * o.classes;
  bool ignored = example.label == o.ignoredLabel;
  unsigned working = __ballot_sync(kAllLanes, !ignored);
  if (!ignored) {
    Label label = Label::of(o, own, example.label);
    float z[kPerLane];
#pragma unroll
    for (int i = 0; i < kPerLane; i++) {
      int k = lane + i * kLanes;
      z[i] = k < o.classes ? own[k] : 0;
    }
    bool smooth = o.smoothing != 0;
    Others others;
    others.look<kLanes>(z, lane, o.classes, label, smooth);
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) {
      others.max = fmaxf(others.max, __shfl_xor_sync(working, others.max, offset));
    }
    others.sumUp<T>(z);
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) {
      others.addCounts(others.fromLane(working, offset));
    }
    Row result(o, example, others, label);
    float squares = result.differences<kLanes>(z, lane, o.classes, label);
    if (smooth) {
#pragma unroll
      for (int offset = kLanes / 2; offset > 0; offset /= 2) {
        squares += __shfl_xor_sync(working, squares, offset);
      }
      result.setSmoothNorm(squares);
    }
    __syncwarp(working);  // the lanes of a row have all read its label's logit
#pragma unroll
    for (int i = 0; i < kPerLane; i++) {
      int k = lane + i * kLanes;
      if (k < o.classes) {
        own[k] = result.factor * z[i];
      }
    }
    if (lane == 0) {
      result.write(o, j);
    }
  } else if (row < rows) {
    for (int k = lane; k < o.classes; k += kLanes) {
      own[k] = 0;
    }
    if (lane == 0) {
      writeIgnored(o, j);
    }
  }
  if (gradients != nullptr) {
    __syncthreads();  // the gradients are there
    saveTile(gradients + start, rows * o.classes, aligned, tile);
  }
}

// ---- Up to 1024 classes: a warp per row, in registers ----

constexpr int kWarpClasses = 1024;
constexpr int kWarpRows = 4;  // in a block: a minibatch spreads over many multiprocessors

template <class T, int kPerLane>
__global__ void __launch_bounds__(kWarpRows* kWarpSize)
    warpRows(LossOperands o, const T* logits, T* gradients) {
  int j = static_cast<int>(blockIdx.x) * kWarpRows + static_cast<int>(threadIdx.x) / kWarpSize;
  int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  if (j >= o.rows) {
    return;  // with its whole warp
  }
  const T* row = logits + static_cast<int64_t>(j) * o.classes;
  T* gradientRow = gradients == nullptr ? nullptr : gradients + static_cast<int64_t>(j) * o.classes;
  Example example = Example::of(o, j);
  float z[kPerLane];
#pragma unroll
  for (int i = 0; i < kPerLane; i++) {
    int k = lane + i * kWarpSize;
    z[i] = k < o.classes ? toFloat(row[k]) : 0;
  }
  if (example.label == o.ignoredLabel) {
    if (lane == 0) {
      writeIgnored(o, j);
    }
    for (int k = lane; gradients != nullptr && k < o.classes; k += kWarpSize) {
      store(&gradientRow[k], 0);
    }
    return;
  }
  Label label = Label::of(o, row, example.label);
  bool smooth = o.smoothing != 0;
  Others others;
  others.look<kWarpSize>(z, lane, o.classes, label, smooth);
  others.max = warpReduce(others.max, [](float a, float b) { return fmaxf(a, b); });
  others.sumUp<T>(z);
#pragma unroll
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
    others.addCounts(others.fromLane(kAllLanes, offset));
  }
  Row result(o, example, others, label);
  float squares = result.differences<kWarpSize>(z, lane, o.classes, label);
  if (smooth) {
    result.setSmoothNorm(warpSum(squares));
  }
  if (gradients != nullptr) {
    __syncwarp();  // gradients may overwrite the logits: all lanes have read the label's
#pragma unroll
    for (int i = 0; i < kPerLane; i++) {
      int k = lane + i * kWarpSize;
      if (k < o.classes) {
        store(&gradientRow[k], result.factor * z[i]);
      }
    }
  }
  if (lane == 0) {
    result.write(o, j);
  }
}

// ---- More classes: a block per row, in shared memory ----
//
// What does not fit there is read again for the gradient, backwards: what was read last may still
// be in the cache.

constexpr int kMaxRowThreads = 1024;
constexpr int kPacksAtOnce = 4;

// A row in packs of 16 bytes. The first and the last one may be partly outside of it.
template <class T>
struct PackedRow {
  static constexpr int kCount = kPerVector<T>;
  using P = Pack<T, kCount>;

  int64_t start;  // of the row, in elements
  int before;     // elements of the first pack that belong to the row before
  int classes;
  int packs;

  // The packs are aligned if logits, and gradients, begin at the same place in one: at aligned.
  __device__ __forceinline__ PackedRow(int j, int columns, int aligned)
      : start(static_cast<int64_t>(j) * columns),
        before(static_cast<int>((start + aligned) % kCount)),
        classes(columns),
        packs((before + columns - 1) / kCount + 1) {}

  __device__ __forceinline__ int first(int p) const { return p * kCount - before; }

  __device__ __forceinline__ bool whole(int k) const { return k >= 0 && k + kCount <= classes; }

  __device__ __forceinline__ P load(const T* matrix, int p) const {
    int k = first(p);
    if (whole(k)) {
      return P::load(matrix + start + k);
    }
    T elements[kCount] = {};
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      if (k + i >= 0 && k + i < classes) {
        elements[i] = matrix[start + k + i];
      }
    }
    P pack;
    memcpy(&pack.word, elements, sizeof pack.word);
    return pack;
  }

  template <bool kAligned>
  __device__ __forceinline__ void save(T* matrix, int p, const float (&x)[kCount]) const {
    int k = first(p);
    if (kAligned && whole(k)) {
      P::of(x).save(matrix + start + k);
      return;
    }
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      if (k + i >= 0 && k + i < classes) {
        store(matrix + start + k + i, x[i]);
      }
    }
  }
};

// kAligned: packs of gradients are aligned as those of logits are. The first keptPacks of a row
// stay in shared memory.
template <class T, bool kAligned>
__global__ void __launch_bounds__(kMaxRowThreads)
    longRows(LossOperands o, int aligned, int keptPacks, const T* logits, T* gradients) {
  constexpr int kCount = kPerVector<T>;
  constexpr int kMaxWarps = kMaxRowThreads / kWarpSize;
  using P = Pack<T, kCount>;
  RAIS_DYNAMIC_SHARED(uint4, kept);
  RAIS_SHARED(float[kMaxWarps * sizeof(Others) / sizeof(float)], gathered);
  RAIS_SHARED(float[kMaxWarps], squaresOfWarps);
  auto* ofWarps = reinterpret_cast<Others*>(gathered);  // Others has a constructor
  auto thread = static_cast<int>(threadIdx.x);
  auto threads = static_cast<int>(blockDim.x);
  int lane = thread % kWarpSize;
  int warp = thread / kWarpSize;
  int warps = threads / kWarpSize;
  auto j = static_cast<int>(blockIdx.x);
  PackedRow<T> row(j, o.classes, aligned);
  Example example = Example::of(o, j);
  P packs[kPacksAtOnce];
  auto loadFrom = [&](int p) {
#pragma unroll
    for (int u = 0; u < kPacksAtOnce; u++) {
      int q = p + u * threads;
      if (q < row.packs) {
        packs[u] = row.load(logits, q);
      }
    }
  };
  loadFrom(thread);
  if (example.label == o.ignoredLabel) {
    if (thread == 0) {
      writeIgnored(o, j);
    }
    float zeros[kCount] = {};
    for (int p = thread; gradients != nullptr && p < row.packs; p += threads) {
      row.template save<kAligned>(gradients, p, zeros);
    }
    return;  // with its whole block
  }
  Label label = Label::of(o, logits + row.start, example.label);
  bool smooth = o.smoothing != 0;
  // Whether elements of the pack that begins at k need be told apart.
  auto mixed = [&](int k) {
    return !row.whole(k) || static_cast<unsigned>(label.index) - static_cast<unsigned>(k) <
                                static_cast<unsigned>(kCount);
  };
  Others others;
  for (int p = thread; p < row.packs; loadFrom(p)) {
#pragma unroll
    for (int u = 0; u < kPacksAtOnce; u++) {
      int q = p + u * threads;
      if (q < row.packs) {
        if (q < keptPacks) {
          memcpy(&kept[q], &packs[u].word, sizeof kept[q]);
        }
        float z[kCount];
        packs[u].unpack(z);
        int k = row.first(q);
        float before = others.max;
        if (mixed(k)) {
          others.look<1>(z, k, o.classes, label, smooth);
        } else {
          others.lookAway(z, k, label, smooth);
        }
        if (others.max > before) {
          others.rescale<T>(before);
        }
        others.sumUp<T>(z);
      }
    }
    p += kPacksAtOnce * threads;
  }
  others.mergeLanes<T>();
  if (lane == 0) {
    ofWarps[warp] = others;
  }
  // Every warp's part is there; and gradients may overwrite the logits: all have read the label's.
  __syncthreads();
  others = lane < warps ? ofWarps[lane] : Others();
  others.mergeLanes<T>();
  Row result(o, example, others, label);
  if (gradients != nullptr || smooth) {
    float squares = 0;
    int steps = (row.packs - thread + threads - 1) / threads;
    for (int n = steps - 1; n >= 0; n -= kPacksAtOnce) {
#pragma unroll
      for (int u = 0; u < kPacksAtOnce; u++) {
        int q = thread + (n - u) * threads;
        if (n - u >= 0) {
          if (q < keptPacks) {
            memcpy(&packs[u].word, &kept[q], sizeof kept[q]);
          } else {
            packs[u] = row.load(logits, q);
          }
        }
      }
#pragma unroll
      for (int u = 0; u < kPacksAtOnce; u++) {
        if (n - u >= 0) {
          int q = thread + (n - u) * threads;
          int k = row.first(q);
          float z[kCount];
          packs[u].unpack(z);
#pragma unroll
          for (int i = 0; i < kCount; i++) {
            z[i] = exponential<T>(z[i] - result.max);
          }
          squares +=
              mixed(k) ? result.differences<1>(z, k, o.classes, label) : result.differencesAway(z);
          if (gradients != nullptr) {
#pragma unroll
            for (int i = 0; i < kCount; i++) {
              z[i] *= result.factor;
            }
            row.template save<kAligned>(gradients, q, z);
          }
        }
      }
    }
    if (smooth) {
      squares = warpSum(squares);
      if (lane == 0) {
        squaresOfWarps[warp] = squares;
      }
      __syncthreads();  // every warp's squares are there
      result.setSmoothNorm(warpSum(lane < warps ? squaresOfWarps[lane] : 0));
    }
  }
  if (thread == 0) {
    result.write(o, j);
  }
}

// ---- Launches ----

template <class T, int kLanes, int kPerLane>
void launchTiles(rais_stream stream, const LossOperands& o, bool aligned, const T* logits,
                 T* gradients) {
  constexpr int kRows = kTileThreads / kLanes;
  auto kernel = tileRows<T, kLanes, kPerLane>;
  RAIS_LAUNCH(kernel, static_cast<unsigned>((o.rows + int64_t{kRows} - 1) / kRows), kTileThreads,
              kRows * o.classes * sizeof(float), stream, o, aligned, logits, gradients);
}

// As few lanes as have a row in 16 registers each, and as do not wait for one another: they read
// the rows of a tile at the same time, which lie 2 to the power of something apart in the worst
// case.
int lanesOf(int32_t classes) {
  int step = 1;
  while (step < kWarpSize && classes % (2 * step) == 0) {
    step *= 2;
  }
  return classes <= 16 && step <= 2 ? 1 : classes <= 64 && step <= 8 ? 4 : 16;
}

template <class T>
void launchTiles(rais_stream stream, const LossOperands& o, const T* logits, T* gradients) {
  bool aligned = alignedTo(logits, kVectorBytes) && alignedTo(gradients, kVectorBytes);
  int lanes = lanesOf(o.classes);
  int perLane = (o.classes + lanes - 1) / lanes;
  auto launch = lanes == 1   ? (perLane <= 8    ? launchTiles<T, 1, 8>
                                : perLane <= 12 ? launchTiles<T, 1, 12>
                                                : launchTiles<T, 1, 16>)
                : lanes == 4 ? (perLane <= 8 ? launchTiles<T, 4, 8> : launchTiles<T, 4, 16>)
                             : (perLane <= 8 ? launchTiles<T, 16, 8> : launchTiles<T, 16, 16>);
  launch(stream, o, aligned, logits, gradients);
}

template <class T>
void launchWarps(rais_stream stream, const LossOperands& o, const T* logits, T* gradients) {
  auto blocks = static_cast<unsigned>((o.rows + int64_t{kWarpRows} - 1) / kWarpRows);
  auto kernel = o.classes <= kWarpClasses / 2 ? warpRows<T, 16> : warpRows<T, 32>;
  RAIS_LAUNCH(kernel, blocks, kWarpRows * kWarpSize, 0, stream, o, logits, gradients);
}

template <class T>
int placeInPack(const T* pointer) {
  return static_cast<int>(reinterpret_cast<uintptr_t>(pointer) / sizeof(T) % kPerVector<T>);
}

// Dynamic shared memory that a block can have, beside a kernel's static.
int64_t sharedBytes() {
  constexpr int64_t kStatic = 4096;
  int device = 0;
  int bytes = 0;
  if (cudaGetDevice(&device) != cudaSuccess ||
      cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device) !=
          cudaSuccess) {
    return 0;  // the launch will fail for the same reason, and tell
  }
  return bytes - kStatic;
}

template <class T>
void launchBlocks(rais_stream stream, const LossOperands& o, const T* logits, T* gradients) {
  int aligned = placeInPack(logits);
  int64_t most = sharedBytes();
  int64_t packs = min(int64_t{o.classes} / kPerVector<T> + 2, most / int64_t{kVectorBytes});
  int64_t bytes = packs * int64_t{kVectorBytes};
  // Several blocks on a multiprocessor, where their rows leave room: one computes while another
  // one's loads are under way.
  unsigned threads = bytes <= 16 * 1024 ? 256 : bytes <= 64 * 1024 ? 512 : kMaxRowThreads;
  auto kernel = gradients == nullptr || placeInPack(gradients) == aligned ? longRows<T, true>
                                                                          : longRows<T, false>;
  if (bytes > 48 * 1024) {
    // Always the same: another thread may be about to launch it with more than this call needs.
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                         static_cast<int>(most));
  }
  RAIS_LAUNCH(kernel, static_cast<unsigned>(o.rows), threads, static_cast<size_t>(bytes), stream, o,
              aligned, static_cast<int>(packs), logits, gradients);
}

template <class T>
void launchRows(rais_stream stream, const LossOperands& o, const void* logits, void* gradients) {
  auto launch = o.classes <= kTileClasses   ? launchTiles<T>
                : o.classes <= kWarpClasses ? launchWarps<T>
                                            : launchBlocks<T>;
  launch(stream, o, static_cast<const T*>(logits), static_cast<T*>(gradients));
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_softmax_xent(rais_stream stream, int32_t rows, int32_t classes, int32_t dtype,
                          const void* logits, const int32_t* labels, int32_t ignored_label,
                          const float* weights, const float* hidden_squared_norms, float scale,
                          float label_smoothing, float* losses, float* norms, void* gradients,
                          uint8_t* correctness) {
  Call call("rais_softmax_xent", {{"rows", rows}, {"classes", classes}, {"dtype", dtype}});
  size_t elementBytes = dtype == RAIS_FLOAT32 ? sizeof(float) : sizeof(__nv_bfloat16);
  call.inRange("rows", int64_t{rows}, 1, int64_t{INT32_MAX})
      .inRange("classes", int64_t{classes}, 2, int64_t{RAIS_MAX_CLASSES})
      .elementType("dtype", dtype)
      .pointer("logits", logits, elementBytes)
      .pointer("labels", labels, alignof(int32_t))
      .inRange("ignored_label", int64_t{ignored_label}, int64_t{INT32_MIN}, int64_t{-1})
      .nullable("weights", weights, alignof(float))
      .nullable("hidden_squared_norms", hidden_squared_norms, alignof(float))
      .inRange("label_smoothing", label_smoothing, 0.0, 1.0)
      .pointer("losses", losses, alignof(float))
      .pointer("norms", norms, alignof(float))
      .nullable("gradients", gradients, elementBytes)
      .pointer("correctness", correctness, 1);
  if (!call.ok()) {
    return call.status();
  }
  LossOperands operands = {
      rows,  classes,         labels, ignored_label, weights,    hidden_squared_norms,
      scale, label_smoothing, losses, norms,         correctness};
  if (dtype == RAIS_FLOAT32) {
    launchRows<float>(stream, operands, logits, gradients);
  } else {
    launchRows<__nv_bfloat16>(stream, operands, logits, gradients);
  }
  return call.launched();
}
