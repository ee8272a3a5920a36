// The fused loss layer: softmax cross-entropy, gradient norms, weighted gradients and correctness
// (docs/algorithm.md section 4).
//
// Everything is computed from the classes other than the label, relative to the largest of their
// logits M: with t_k = exp(z_k - M), T = sum t_k and d = z_label - M,
//   s_k = t_k / (T + e^d),   1 - s_label = T / (T + e^d),
// so that the norm of an example that is learned well keeps all its digits: nothing near 1 is
// subtracted, and nothing underflows before the norm itself does.
#include <cfloat>
#include <cmath>

#include "call.h"
#include "reduce.cuh"

namespace rais {
namespace {

// Rows of up to 1024 classes: one warp each, the logits in registers, read once. Blocks of 4 warps
// spread a minibatch over many multiprocessors.
constexpr int kRowsPerBlock = 4;

// Longer rows: one block each, read twice. The second pass, for the gradient, finds in the L2 cache
// what fits there.
constexpr int kLongRowThreads = 512;

constexpr size_t kVector = 16;  // bytes of a vector load

struct Operands {
  int32_t rows;
  int32_t classes;
  const int32_t* labels;
  int32_t ignoredLabel;
  const float* weights;
  const float* hiddenSquaredNorms;
  float scale;
  float smoothing;
  float* losses;
  float* norms;
  uint8_t* correctness;
};

__device__ __forceinline__ float toFloat(float x) { return x; }
__device__ __forceinline__ float toFloat(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ __forceinline__ void store(float* to, float x) { *to = x; }
__device__ __forceinline__ void store(__nv_bfloat16* to, float x) { *to = __float2bfloat16_rn(x); }

// The label of a row and its logit.
struct Label {
  int32_t index;
  float logit;
  bool valid;
};

template <class T>
__device__ __forceinline__ Label readLabel(const Operands& o, const T* row, int j) {
  int32_t index = o.labels[j];
  bool valid = index >= 0 && index < o.classes;
  return {index, valid ? toFloat(row[index]) : nanf(""), valid};
}

// What is gathered from classes other than the label.
struct Others {
  float max = -FLT_MAX;  // not -infinity, whose difference with itself is NaN
  float sum = 0;         // of t_k
  float squares = 0;     // of t_k^2
  float shifted = 0;     // of z_k - z_label
  int ahead = 0;         // classes that rank before the label
  int defects = 0;       // not 0 if a logit is not finite

  // Takes in classes first, first + step, ... as far as there are such.
  template <int kCount>
  __device__ __forceinline__ void add(const float (&z)[kCount], int first, int step, int classes,
                                      const Label& label) {
    float largest = max;
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      int k = first + i * step;
      if (k < classes && k != label.index) {
        largest = fmaxf(largest, z[i]);
      }
    }
    rescale(largest);
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      int k = first + i * step;
      if (k < classes && k != label.index) {
        float t = expf(z[i] - max);
        sum += t;
        squares += t * t;
        shifted += z[i] - label.logit;
        ahead += z[i] > label.logit || (z[i] == label.logit && k < label.index);
        defects |= !(fabsf(z[i]) <= FLT_MAX);
      }
    }
  }

  __device__ __forceinline__ void rescale(float largest) {
    float factor = expf(max - largest);
    sum *= factor;
    squares *= factor * factor;
    max = largest;
  }

  // Commutative to the last bit.
  __device__ __forceinline__ void merge(Others other) {
    float largest = fmaxf(max, other.max);
    rescale(largest);
    other.rescale(largest);
    sum += other.sum;
    squares += other.squares;
    shifted += other.shifted;
    ahead += other.ahead;
    defects |= other.defects;
  }

  __device__ __forceinline__ void mergeWarp() {
#pragma unroll
    for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
      Others other;
      other.max = __shfl_xor_sync(kAllLanes, max, offset);
      other.sum = __shfl_xor_sync(kAllLanes, sum, offset);
      other.squares = __shfl_xor_sync(kAllLanes, squares, offset);
      other.shifted = __shfl_xor_sync(kAllLanes, shifted, offset);
      other.ahead = __shfl_xor_sync(kAllLanes, ahead, offset);
      other.defects = __shfl_xor_sync(kAllLanes, defects, offset);
      merge(other);
    }
  }
};

// What a row comes to.
struct Row {
  float max;
  float scale;            // s_k = exp(z_k - max) * scale
  float uniform;          // what label smoothing adds to every y_k
  float labelDifference;  // s_label - y_label
  float loss;
  float norm;  // without label smoothing
  float hidden;
  float factor;  // of the gradient; NaN for a defect
  int flags;

  __device__ __forceinline__ Row(const Operands& o, int j, const Others& others,
                                 const Label& label) {
    max = others.max;
    float d = label.logit - max;
    if (d > 0) {
      float t = expf(-d);
      loss = log1pf(others.sum * t);
      scale = t / (1 + others.sum * t);
    } else {
      float all = others.sum + expf(d);
      loss = logf(all) - d;
      scale = 1 / all;
    }
    float missing = others.sum * scale;  // 1 - s_label
    uniform = o.smoothing / o.classes;
    labelDifference = uniform * (o.classes - 1) - missing;
    loss -= uniform * others.shifted;
    hidden = o.hiddenSquaredNorms == nullptr ? 1 : sqrtf(o.hiddenSquaredNorms[j] + 1);
    norm = sqrtf(others.squares + others.sum * others.sum) * scale;
    factor = o.scale * (o.weights == nullptr ? 1 : o.weights[j]);
    flags = others.ahead == 0 ? RAIS_TOP_1 | RAIS_TOP_5 : others.ahead < 5 ? RAIS_TOP_5 : 0;
    if (others.defects != 0 || !(fabsf(label.logit) <= FLT_MAX)) {
      // Comparisons with NaN are false: a diverged network would look perfect.
      loss = norm = factor = nanf("");
      flags = 0;
    }
  }

  // s_k - y_k.
  __device__ __forceinline__ float difference(float z, int k, const Label& label) const {
    return k == label.index ? labelDifference : expf(z - max) * scale - uniform;
  }

  // With label smoothing, the norm from the squares of all differences.
  __device__ __forceinline__ void setSmoothNorm(float squares) {
    norm = factor == factor ? sqrtf(squares) : factor;
  }

  __device__ __forceinline__ void write(const Operands& o, int j) const {
    o.losses[j] = loss;
    o.norms[j] = norm * hidden;
    o.correctness[j] = static_cast<uint8_t>(flags);
  }
};

__device__ __forceinline__ void writeIgnored(const Operands& o, int j) {
  o.losses[j] = 0;
  o.norms[j] = 0;
  o.correctness[j] = 0;
}

// One warp per row; a lane has classes lane, lane + 32, ..., so that a warp reads whole lines.
template <class T, int kPerLane>
__global__ void __launch_bounds__(kRowsPerBlock* kWarpSize)
    shortRows(Operands o, const T* logits, T* gradients) {
  int j = blockIdx.x * kRowsPerBlock + threadIdx.x / kWarpSize;
  int lane = threadIdx.x % kWarpSize;
  if (j >= o.rows) {
    return;  // with its whole warp
  }
  const T* row = logits + static_cast<int64_t>(j) * o.classes;
  T* gradientRow = gradients == nullptr ? nullptr : gradients + static_cast<int64_t>(j) * o.classes;
  if (o.labels[j] == o.ignoredLabel) {
    if (lane == 0) {
      writeIgnored(o, j);
    }
    for (int k = lane; gradients != nullptr && k < o.classes; k += kWarpSize) {
      store(&gradientRow[k], 0);
    }
    return;
  }
  Label label = readLabel(o, row, j);
  float z[kPerLane];
#pragma unroll
  for (int i = 0; i < kPerLane; i++) {
    int k = lane + i * kWarpSize;
    z[i] = k < o.classes ? toFloat(row[k]) : 0;
  }
  Others others;
  others.add(z, lane, kWarpSize, o.classes, label);
  others.mergeWarp();
  Row result(o, j, others, label);
  if (gradients != nullptr || o.smoothing != 0) {
    __syncwarp();  // gradients may overwrite the logits: all lanes have read the label's
    float squares = 0;
#pragma unroll
    for (int i = 0; i < kPerLane; i++) {
      int k = lane + i * kWarpSize;
      if (k < o.classes) {
        float difference = result.difference(z[i], k, label);
        squares += difference * difference;
        if (gradients != nullptr) {
          store(&gradientRow[k], result.factor * difference);
        }
      }
    }
    if (o.smoothing != 0) {
      result.setSmoothNorm(warpSum(squares));
    }
  }
  if (lane == 0) {
    result.write(o, j);
  }
}

// As many elements as fit into 16 bytes, loaded and stored at once.
template <class T>
struct alignas(kVector) Pack {
  static constexpr int kCount = kVector / sizeof(T);
  T element[kCount];
};

// How the threads of a block go through a row: in packs where rows are aligned, else each thread
// takes several elements that lie one block apart, so that several loads are under way.
template <class T, bool kAligned>
struct Walk {
  static constexpr int kCount = Pack<T>::kCount;
  static constexpr int kStep = kAligned ? 1 : kLongRowThreads;
  static constexpr int kStride = kLongRowThreads * kCount;

  static __device__ __forceinline__ int first() {
    return kAligned ? threadIdx.x * kCount : threadIdx.x;
  }

  static __device__ __forceinline__ void load(const T* row, int first, int classes,
                                              float (&z)[kCount]) {
    if (kAligned) {
      Pack<T> pack = *reinterpret_cast<const Pack<T>*>(row + first);
#pragma unroll
      for (int i = 0; i < kCount; i++) {
        z[i] = toFloat(pack.element[i]);
      }
    } else {
#pragma unroll
      for (int i = 0; i < kCount; i++) {
        int k = first + i * kStep;
        z[i] = k < classes ? toFloat(row[k]) : 0;
      }
    }
  }

  static __device__ __forceinline__ void save(T* row, int first, int classes,
                                              const float (&x)[kCount]) {
    if (kAligned) {
      Pack<T> pack;
#pragma unroll
      for (int i = 0; i < kCount; i++) {
        store(&pack.element[i], x[i]);
      }
      *reinterpret_cast<Pack<T>*>(row + first) = pack;
    } else {
#pragma unroll
      for (int i = 0; i < kCount; i++) {
        int k = first + i * kStep;
        if (k < classes) {
          store(&row[k], x[i]);
        }
      }
    }
  }
};

// One block per row.
template <class T, bool kAligned>
__global__ void __launch_bounds__(kLongRowThreads)
    longRows(Operands o, const T* logits, T* gradients) {
  using W = Walk<T, kAligned>;
  constexpr int kWarps = kLongRowThreads / kWarpSize;
  RAIS_SHARED(float[kWarps * sizeof(Others) / sizeof(float)], gathered);
  RAIS_SHARED(float[kWarps], squaresOfWarps);
  auto* ofWarps = reinterpret_cast<Others*>(gathered);  // Others has a constructor
  int j = blockIdx.x;
  int lane = threadIdx.x % kWarpSize;
  int warp = threadIdx.x / kWarpSize;
  const T* row = logits + static_cast<int64_t>(j) * o.classes;
  T* gradientRow = gradients == nullptr ? nullptr : gradients + static_cast<int64_t>(j) * o.classes;
  if (o.labels[j] == o.ignoredLabel) {
    if (threadIdx.x == 0) {
      writeIgnored(o, j);
    }
    for (int k = threadIdx.x; gradients != nullptr && k < o.classes; k += kLongRowThreads) {
      store(&gradientRow[k], 0);
    }
    return;  // with its whole block
  }
  Label label = readLabel(o, row, j);
  Others others;
  float z[W::kCount];
  for (int first = W::first(); first < o.classes; first += W::kStride) {
    W::load(row, first, o.classes, z);
    others.add(z, first, W::kStep, o.classes, label);
  }
  others.mergeWarp();
  if (lane == 0) {
    ofWarps[warp] = others;
  }
  // Every warp's part is there; and gradients may overwrite the logits: all have read the label's.
  __syncthreads();
  others = lane < kWarps ? ofWarps[lane] : Others();
  others.mergeWarp();
  Row result(o, j, others, label);
  if (gradients != nullptr || o.smoothing != 0) {
    float squares = 0;
    for (int first = W::first(); first < o.classes; first += W::kStride) {
      W::load(row, first, o.classes, z);
#pragma unroll
      for (int i = 0; i < W::kCount; i++) {
        int k = first + i * W::kStep;
        float difference = k < o.classes ? result.difference(z[i], k, label) : 0;
        squares += difference * difference;
        z[i] = result.factor * difference;
      }
      if (gradients != nullptr) {
        W::save(gradientRow, first, o.classes, z);
      }
    }
    if (o.smoothing != 0) {
      squares = warpSum(squares);
      if (lane == 0) {
        squaresOfWarps[warp] = squares;
      }
      __syncthreads();  // every warp's squares are there
      result.setSmoothNorm(warpSum(lane < kWarps ? squaresOfWarps[lane] : 0));
    }
  }
  if (threadIdx.x == 0) {
    result.write(o, j);
  }
}

template <class T>
void launchRows(rais_stream stream, const Operands& o, const void* logits, void* gradients) {
  auto* z = static_cast<const T*>(logits);
  auto* dz = static_cast<T*>(gradients);
  auto blocks = static_cast<unsigned>((o.rows + kRowsPerBlock - 1) / kRowsPerBlock);
  int perLane = (o.classes + kWarpSize - 1) / kWarpSize;
  if (perLane <= 32) {
    auto warpPerRow = perLane <= 1   ? shortRows<T, 1>
                      : perLane <= 4 ? shortRows<T, 4>
                                     : shortRows<T, 32>;
    RAIS_LAUNCH(warpPerRow, blocks, kRowsPerBlock * kWarpSize, 0, stream, o, z, dz);
  } else {
    bool aligned = reinterpret_cast<uintptr_t>(z) % kVector == 0 &&
                   reinterpret_cast<uintptr_t>(dz) % kVector == 0 &&
                   o.classes * sizeof(T) % kVector == 0;
    auto blockPerRow = aligned ? longRows<T, true> : longRows<T, false>;
    RAIS_LAUNCH(blockPerRow, static_cast<unsigned>(o.rows), kLongRowThreads, 0, stream, o, z, dz);
  }
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
  Operands operands = {
      rows,  classes,         labels, ignored_label, weights,    hidden_squared_norms,
      scale, label_smoothing, losses, norms,         correctness};
  if (dtype == RAIS_FLOAT32) {
    launchRows<float>(stream, operands, logits, gradients);
  } else {
    launchRows<__nv_bfloat16>(stream, operands, logits, gradients);
  }
  return call.launched();
}
