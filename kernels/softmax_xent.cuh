// The arithmetic of the fused loss layer (docs/algorithm.md section 4), for one row.
//
// Everything is computed from the classes other than the label, relative to the largest of their
// logits M: with t_k = exp(z_k - M), T = sum t_k and d = z_label - M,
//   s_k = t_k / (T + e^d),   1 - s_label = T / (T + e^d),
// so that the norm of an example that is learned well keeps all its digits: nothing near 1 is
// subtracted, and nothing underflows before the norm itself does.
#pragma once

#include <cfloat>
#include <cmath>

#include "elements.cuh"
#include "reduce.cuh"

namespace rais {

struct LossOperands {
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

// What is given for a row. It is read before the logits are waited for.
struct Example {
  int32_t label;
  float weight;
  float hiddenSquaredNorm;

  static __device__ __forceinline__ Example of(const LossOperands& o, int j) {
    return {o.labels[j], o.weights == nullptr ? 1 : o.weights[j],
            o.hiddenSquaredNorms == nullptr ? 0 : o.hiddenSquaredNorms[j]};
  }
};

// The label of a row and its logit.
struct Label {
  int32_t index;
  float logit;
  float above;  // the next larger number

  // row has the logits at wherever T is.
  template <class T>
  static __device__ __forceinline__ Label of(const LossOperands& o, const T* row, int32_t index) {
    float logit = index >= 0 && index < o.classes ? toFloat(row[index]) : nanf("");
    int bits = __float_as_int(logit);
    return {index, logit, __int_as_float(logit > 0 ? bits + 1 : logit < 0 ? bits - 1 : 1)};
  }
};

// exp of what is at most 0. The argument of the quick one is rounded once more, which costs up to
// 1e-7 |x| of the result: nothing next to what bfloat16 leaves of a logit.
template <class T>
__device__ __forceinline__ float exponential(float x) {
  return std::is_same_v<T, float> ? expf(x) : __expf(x);
}

// What is gathered from classes other than the label.
struct Others {
  float max = -FLT_MAX;  // not -infinity, whose difference with itself is NaN
  float sum = 0;         // of t_k
  float squares = 0;     // of t_k^2
  float shifted = 0;     // of z_k - z_label
  float defect = 0;      // NaN if a logit is not finite
  int ahead = 0;         // classes that rank before the label

  // Takes in those of classes first, first + kStep, ... that are in [0, end), as far as the maximum
  // and the rank go. The others, and the label, become -infinity: they add nothing to a sum of t_k.
  template <int kStep, int kCount>
  __device__ __forceinline__ void look(float (&z)[kCount], int first, int end, const Label& label,
                                       bool smooth) {
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      int k = first + i * kStep;
      bool there = static_cast<unsigned>(k) < static_cast<unsigned>(end);
      if (there) {
        defect = __fmaf_rn(z[i], 0, defect);
        if (smooth) {
          shifted += z[i] - label.logit;  // 0 for the label
        }
      }
      if (!there || k == label.index) {
        z[i] = -HUGE_VALF;
      }
      ahead += z[i] >= (k < label.index ? label.logit : label.above);
      max = fmaxf(max, z[i]);
    }
  }

  // The same for neighbours that are all there, without the label.
  template <int kCount>
  __device__ __forceinline__ void lookAway(const float (&z)[kCount], int first, const Label& label,
                                           bool smooth) {
    float threshold = first < label.index ? label.logit : label.above;
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      defect = __fmaf_rn(z[i], 0, defect);
      if (smooth) {
        shifted += z[i] - label.logit;
      }
      ahead += z[i] >= threshold;
      max = fmaxf(max, z[i]);
    }
  }

  // z_k become t_k, and are summed.
  template <class T, int kCount>
  __device__ __forceinline__ void sumUp(float (&z)[kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      z[i] = exponential<T>(z[i] - max);
      sum += z[i];
      squares += z[i] * z[i];
    }
  }

  // After the maximum has grown from before.
  template <class T>
  __device__ __forceinline__ void rescale(float before) {
    float factor = exponential<T>(before - max);
    sum *= factor;
    squares *= factor * factor;
  }

  // Commutative to the last bit.
  __device__ __forceinline__ void addCounts(const Others& other) {
    sum += other.sum;
    squares += other.squares;
    shifted += other.shifted;
    defect += other.defect;
    ahead += other.ahead;
  }

  __device__ __forceinline__ Others fromLane(unsigned mask, int offset) const {
    Others other;
    other.sum = __shfl_xor_sync(mask, sum, offset);
    other.squares = __shfl_xor_sync(mask, squares, offset);
    other.shifted = __shfl_xor_sync(mask, shifted, offset);
    other.defect = __shfl_xor_sync(mask, defect, offset);
    other.ahead = __shfl_xor_sync(mask, ahead, offset);
    return other;
  }

  // Of all lanes of a warp, for each of them.
  template <class T>
  __device__ __forceinline__ void mergeLanes() {
    float before = max;
    max = warpReduce(max, [](float a, float b) { return fmaxf(a, b); });
    rescale<T>(before);
#pragma unroll
    for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
      addCounts(fromLane(kAllLanes, offset));
    }
  }
};

// What a row comes to.
struct Row {
  float max;
  float scale;            // s_k = t_k * scale
  float uniform;          // what label smoothing adds to every y_k
  float labelDifference;  // s_label - y_label
  float loss;
  float norm;  // without label smoothing
  float hidden;
  float factor;  // of the gradient; NaN for a defect
  int flags;

  __device__ __forceinline__ Row(const LossOperands& o, const Example& example,
                                 const Others& others, const Label& label) {
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
    hidden = sqrtf(example.hiddenSquaredNorm + 1);
    norm = sqrtf(others.squares + others.sum * others.sum) * scale;
    factor = o.scale * example.weight;
    flags = others.ahead == 0 ? RAIS_TOP_1 | RAIS_TOP_5 : others.ahead < 5 ? RAIS_TOP_5 : 0;
    if (!(others.defect == 0 && fabsf(label.logit) <= FLT_MAX)) {
      // Comparisons with NaN are false: a diverged network would look perfect.
      loss = norm = factor = nanf("");
      flags = 0;
    }
  }

  // s_k - y_k of classes first, first + kStep, ... in the place of their t_k; returns the sum of
  // the squares of those in [0, end).
  template <int kStep, int kCount>
  __device__ __forceinline__ float differences(float (&t)[kCount], int first, int end,
                                               const Label& label) const {
    float squares = 0;
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      int k = first + i * kStep;
      t[i] = k == label.index ? labelDifference : t[i] * scale - uniform;
      squares += static_cast<unsigned>(k) < static_cast<unsigned>(end) ? t[i] * t[i] : 0;
    }
    return squares;
  }

  // The same for neighbours that are all there, without the label.
  template <int kCount>
  __device__ __forceinline__ float differencesAway(float (&t)[kCount]) const {
    float squares = 0;
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      t[i] = t[i] * scale - uniform;
      squares += t[i] * t[i];
    }
    return squares;
  }

  // With label smoothing, the norm from the squares of all differences.
  __device__ __forceinline__ void setSmoothNorm(float squares) {
    norm = factor == factor ? sqrtf(squares) : factor;
  }

  __device__ __forceinline__ void write(const LossOperands& o, int j) const {
    o.losses[j] = loss;
    o.norms[j] = norm * hidden;
    o.correctness[j] = static_cast<uint8_t>(flags);
  }
};

__device__ __forceinline__ void writeIgnored(const LossOperands& o, int j) {
  o.losses[j] = 0;
  o.norms[j] = 0;
  o.correctness[j] = 0;
}

}  // namespace rais
