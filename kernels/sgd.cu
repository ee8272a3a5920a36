// Momentum SGD with weight decay for all parameters in one launch.
#include <cfloat>

#include "call.h"
#include "elements.cuh"
#include "grid_sum.cuh"

namespace rais {
namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 4;  // one vector of 16 bytes from each of w and u

struct Step {
  float learningRate;
  float momentum;
  float weightDecay;

  __device__ __forceinline__ void apply(float& w, float& u, float g) const {
    u = momentum * u - learningRate * (g + weightDecay * w);
    w += u;
  }
};

__device__ __forceinline__ bool isFinite(float x) { return fabsf(x) <= FLT_MAX; }

// Bound by memory: 20 bytes per parameter with float gradients. kAligned: whole vectors may be
// loaded.
template <class G, bool kAligned>
__global__ void __launch_bounds__(kThreads)
    sgdStep(int64_t count, float* __restrict__ w, float* __restrict__ u, const G* __restrict__ g,
            const float* __restrict__ learningRate, float momentum, float weightDecay,
            __nv_bfloat16* __restrict__ wBfloat16, double* __restrict__ gradientSquaredNorm,
            int32_t* __restrict__ notFinite, GridSum* workspace) {
  using Floats = Pack<float, kPerThread>;
  Step step = {*learningRate, momentum, weightDecay};
  double squares = 0;
  bool finite = true;
  int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads * kPerThread;
  int64_t first = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kPerThread;
  for (int64_t i = first; i < count; i += stride) {
    if (kAligned && i + kPerThread <= count) {
      float weights[kPerThread];
      float velocities[kPerThread];
      float gradients[kPerThread];
      Floats::load(w + i).unpack(weights);
      Floats::load(u + i).unpack(velocities);
      Pack<G, kPerThread>::load(g + i).unpack(gradients);
#pragma unroll
      for (int k = 0; k < kPerThread; k++) {
        step.apply(weights[k], velocities[k], gradients[k]);
        finite = finite && isFinite(weights[k]);
        squares += static_cast<double>(gradients[k]) * gradients[k];
      }
      Floats::of(weights).save(w + i);
      Floats::of(velocities).save(u + i);
      if (wBfloat16 != nullptr) {
        Pack<__nv_bfloat16, kPerThread>::of(weights).save(wBfloat16 + i);
      }
    } else {
      for (int64_t k = i; k < min(i + kPerThread, count); k++) {
        float weight = w[k];
        float velocity = u[k];
        float gradient = toFloat(g[k]);
        step.apply(weight, velocity, gradient);
        w[k] = weight;
        u[k] = velocity;
        if (wBfloat16 != nullptr) {
          store(&wBfloat16[k], weight);
        }
        finite = finite && isFinite(weight);
        squares += static_cast<double>(gradient) * gradient;
      }
    }
  }
  if (!finite && notFinite != nullptr) {
    *notFinite = 1;  // by any number of threads
  }
  if (gradientSquaredNorm != nullptr) {
    sumOverGrid<kThreads>(squares, workspace, gradientSquaredNorm);
  }
}

struct Operands {
  float* w;
  float* u;
  const void* g;
  const float* learningRate;
  float momentum;
  float weightDecay;
  uint16_t* wBfloat16;
  double* gradientSquaredNorm;
  int32_t* notFinite;
  void* workspace;
};

template <class G>
void launchStep(rais_stream stream, int64_t count, const Operands& o) {
  bool aligned = alignedTo(o.w, kVectorBytes) && alignedTo(o.u, kVectorBytes) &&
                 alignedTo(o.g, kPerThread * sizeof(G)) &&
                 alignedTo(o.wBfloat16, kPerThread * sizeof(__nv_bfloat16));
  int64_t perBlock = kThreads * kPerThread;
  auto blocks = static_cast<unsigned>(
      min(static_cast<int64_t>(kMaxSumBlocks), (count + perBlock - 1) / perBlock));
  auto step = aligned ? sgdStep<G, true> : sgdStep<G, false>;
  RAIS_LAUNCH(step, blocks, kThreads, 0, stream, count, o.w, o.u, static_cast<const G*>(o.g),
              o.learningRate, o.momentum, o.weightDecay,
              reinterpret_cast<__nv_bfloat16*>(o.wBfloat16), o.gradientSquaredNorm, o.notFinite,
              static_cast<GridSum*>(o.workspace));
}

}  // namespace
}  // namespace rais

using namespace rais;

int64_t rais_sgd_workspace_bytes(int64_t count) { return count > 0 ? sizeof(GridSum) : 0; }

int32_t rais_sgd(rais_stream stream, int64_t count, float* w, float* u, int32_t gradient_dtype,
                 const void* g, const float* learning_rate, float momentum, float weight_decay,
                 uint16_t* w_bfloat16, double* gradient_squared_norm, int32_t* not_finite,
                 void* workspace) {
  Call call("rais_sgd", {{"count", count}, {"gradient_dtype", gradient_dtype}});
  call.inRange("count", count, 1, INT64_MAX / 8)
      .pointer("w", w, alignof(float))
      .pointer("u", u, alignof(float))
      .elementType("gradient_dtype", gradient_dtype)
      .pointer("g", g, elementBytes(gradient_dtype))
      .pointer("learning_rate", learning_rate, alignof(float))
      .inRange("momentum", momentum, 0.0, 1.0)
      .inRange("weight_decay", weight_decay, 0.0, static_cast<double>(INFINITY))
      .nullable("w_bfloat16", w_bfloat16, alignof(uint16_t))
      .nullable("gradient_squared_norm", gradient_squared_norm, alignof(double))
      .nullable("not_finite", not_finite, alignof(int32_t))
      .nullable("workspace", workspace, kVectorBytes);
  if (gradient_squared_norm != nullptr) {
    call.pointer("workspace", workspace, kVectorBytes);
  }
  if (!call.ok()) {
    return call.status();
  }
  Operands operands = {w,          u,
                       g,          learning_rate,
                       momentum,   weight_decay,
                       w_bfloat16, gradient_squared_norm,
                       not_finite, workspace};
  if (gradient_dtype == RAIS_FLOAT32) {
    launchStep<float>(stream, count, operands);
  } else {
    launchStep<__nv_bfloat16>(stream, count, operands);
  }
  return call.launched();
}
