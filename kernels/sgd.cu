// Momentum SGD with weight decay for all parameters in one launch.
#include "call.h"
#include "grid_sum.cuh"

namespace rais {
namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 4;  // one vector of 16 bytes from each of w, u and g

constexpr size_t kVector = 16;

struct Step {
  float learningRate;
  float momentum;
  float weightDecay;

  __device__ __forceinline__ void apply(float& w, float& u, float g) const {
    u = momentum * u - learningRate * (g + weightDecay * w);
    w += u;
  }
};

__device__ __forceinline__ uint16_t bfloat16Bits(float x) {
  __nv_bfloat16 rounded = __float2bfloat16_rn(x);
  uint16_t bits;
  memcpy(&bits, &rounded, sizeof bits);
  return bits;
}

// Bound by memory: 20 bytes per parameter. kAligned: whole vectors may be loaded.
template <bool kAligned>
__global__ void __launch_bounds__(kThreads)
    sgdStep(int64_t count, float* __restrict__ w, float* __restrict__ u,
            const float* __restrict__ g, const float* __restrict__ learningRate, float momentum,
            float weightDecay, uint16_t* __restrict__ wBfloat16,
            double* __restrict__ gradientSquaredNorm, GridSum* workspace) {
  Step step = {*learningRate, momentum, weightDecay};
  double squares = 0;
  int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads * kPerThread;
  int64_t first = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kPerThread;
  for (int64_t i = first; i < count; i += stride) {
    if (kAligned && i + kPerThread <= count) {
      float4 w4 = *reinterpret_cast<float4*>(w + i);
      float4 u4 = *reinterpret_cast<float4*>(u + i);
      float4 g4 = *reinterpret_cast<const float4*>(g + i);
      step.apply(w4.x, u4.x, g4.x);
      step.apply(w4.y, u4.y, g4.y);
      step.apply(w4.z, u4.z, g4.z);
      step.apply(w4.w, u4.w, g4.w);
      *reinterpret_cast<float4*>(w + i) = w4;
      *reinterpret_cast<float4*>(u + i) = u4;
      if (wBfloat16 != nullptr) {
        uint2 packed;
        packed.x = bfloat16Bits(w4.x) | static_cast<unsigned>(bfloat16Bits(w4.y)) << 16;
        packed.y = bfloat16Bits(w4.z) | static_cast<unsigned>(bfloat16Bits(w4.w)) << 16;
        *reinterpret_cast<uint2*>(wBfloat16 + i) = packed;
      }
      squares += static_cast<double>(g4.x) * g4.x;
      squares += static_cast<double>(g4.y) * g4.y;
      squares += static_cast<double>(g4.z) * g4.z;
      squares += static_cast<double>(g4.w) * g4.w;
    } else {
      for (int64_t k = i; k < min(i + kPerThread, count); k++) {
        float weight = w[k];
        float velocity = u[k];
        step.apply(weight, velocity, g[k]);
        w[k] = weight;
        u[k] = velocity;
        if (wBfloat16 != nullptr) {
          wBfloat16[k] = bfloat16Bits(weight);
        }
        squares += static_cast<double>(g[k]) * g[k];
      }
    }
  }
  if (gradientSquaredNorm != nullptr) {
    sumOverGrid<kThreads>(squares, workspace, gradientSquaredNorm);
  }
}

bool alignedTo(const void* pointer, size_t alignment) {
  return reinterpret_cast<uintptr_t>(pointer) % alignment == 0;
}

}  // namespace
}  // namespace rais

using namespace rais;

int64_t rais_sgd_workspace_bytes(int64_t count) { return count > 0 ? sizeof(GridSum) : 0; }

int32_t rais_sgd(rais_stream stream, int64_t count, float* w, float* u, const float* g,
                 const float* learning_rate, float momentum, float weight_decay,
                 uint16_t* w_bfloat16, double* gradient_squared_norm, void* workspace) {
  Call call("rais_sgd", {{"count", count}});
  call.inRange("count", count, 1, INT64_MAX / 8)
      .pointer("w", w, alignof(float))
      .pointer("u", u, alignof(float))
      .pointer("g", g, alignof(float))
      .pointer("learning_rate", learning_rate, alignof(float))
      .inRange("momentum", momentum, 0.0, 1.0)
      .inRange("weight_decay", weight_decay, 0.0, static_cast<double>(INFINITY))
      .nullable("w_bfloat16", w_bfloat16, alignof(uint16_t))
      .nullable("gradient_squared_norm", gradient_squared_norm, alignof(double))
      .nullable("workspace", workspace, kVector);
  if (gradient_squared_norm != nullptr) {
    call.pointer("workspace", workspace, kVector);
  }
  if (!call.ok()) {
    return call.status();
  }
  bool aligned = alignedTo(w, kVector) && alignedTo(u, kVector) && alignedTo(g, kVector) &&
                 alignedTo(w_bfloat16, sizeof(uint2));
  int64_t perBlock = kThreads * kPerThread;
  auto blocks = static_cast<unsigned>(
      min(static_cast<int64_t>(kMaxSumBlocks), (count + perBlock - 1) / perBlock));
  auto step = aligned ? sgdStep<true> : sgdStep<false>;
  RAIS_LAUNCH(step, blocks, kThreads, 0, stream, count, w, u, g, learning_rate, momentum,
              weight_decay, w_bfloat16, gradient_squared_norm, static_cast<GridSum*>(workspace));
  return call.launched();
}
