// Operations on single elements of whole buffers: rectifier, sum, conversion between types.
#include "call.h"
#include "elements.cuh"

namespace rais {
namespace {

constexpr int kThreads = 256;
constexpr int kAtOnce = 4;  // vectors that a thread has under way

struct Rectify {
  static constexpr int kInputs = 1;

  // Not max: a NaN stays one.
  __device__ __forceinline__ float operator()(float x) const { return x <= 0 ? 0 : x; }
};

struct Mask {
  static constexpr int kInputs = 2;

  __device__ __forceinline__ float operator()(float dy, float y) const { return y > 0 ? dy : 0; }
};

struct Add {
  static constexpr int kInputs = 2;

  __device__ __forceinline__ float operator()(float a, float b) const { return a + b; }
};

struct Copy {
  static constexpr int kInputs = 1;

  __device__ __forceinline__ float operator()(float x) const { return x; }
};

template <class F, class In>
__device__ __forceinline__ float apply(const In* a, const In* b, int64_t i) {
  if constexpr (F::kInputs == 2) {
    return F()(toFloat(a[i]), toFloat(b[i]));
  } else {
    return F()(toFloat(a[i]));
  }
}

// y = F(a, b), in vectors of kCount elements; b is used if F has two inputs.
template <class F, class In, class Out, int kCount>
__global__ void __launch_bounds__(kThreads)
    elementwise(int64_t count, const In* a, const In* b, Out* y) {
  constexpr int kVectors = kAtOnce / F::kInputs;
  constexpr int kStep = kThreads * kCount;
  int64_t first = static_cast<int64_t>(blockIdx.x) * kVectors * kStep;
  if (first + kVectors * kStep > count) {
    // The last block's rest is short.
    for (int64_t i = first + threadIdx.x; i < count; i += kThreads) {
      store(y + i, apply<F>(a, b, i));
    }
    return;
  }
  first += threadIdx.x * kCount;
  Pack<In, kCount> as[kVectors];
  Pack<In, kCount> bs[kVectors];
#pragma unroll
  for (int u = 0; u < kVectors; u++) {
    as[u] = Pack<In, kCount>::load(a + first + u * kStep);
    if constexpr (F::kInputs == 2) {
      bs[u] = Pack<In, kCount>::load(b + first + u * kStep);
    }
  }
#pragma unroll
  for (int u = 0; u < kVectors; u++) {
    float x[kCount];
    as[u].unpack(x);
    if constexpr (F::kInputs == 2) {
      float other[kCount];
      bs[u].unpack(other);
#pragma unroll
      for (int i = 0; i < kCount; i++) {
        x[i] = F()(x[i], other[i]);
      }
    } else {
#pragma unroll
      for (int i = 0; i < kCount; i++) {
        x[i] = F()(x[i]);
      }
    }
    Pack<Out, kCount>::of(x).save(y + first + u * kStep);
  }
}

template <class F, class In, class Out>
void launch(rais_stream stream, int64_t count, const void* a, const void* b, void* y) {
  // As many as are 16 bytes of the wider type: a warp's narrower ones still are whole sectors.
  constexpr int kCount = kVectorBytes / (sizeof(In) > sizeof(Out) ? sizeof(In) : sizeof(Out));
  bool aligned = alignedTo(a, kCount * sizeof(In)) && alignedTo(b, kCount * sizeof(In)) &&
                 alignedTo(y, kCount * sizeof(Out));
  int64_t perBlock = int64_t{kThreads} * (kAtOnce / F::kInputs) * (aligned ? kCount : 1);
  auto blocks = static_cast<unsigned>((count + perBlock - 1) / perBlock);
  auto kernel = aligned ? elementwise<F, In, Out, kCount> : elementwise<F, In, Out, 1>;
  RAIS_LAUNCH(kernel, blocks, kThreads, 0, stream, count, static_cast<const In*>(a),
              static_cast<const In*>(b), static_cast<Out*>(y));
}

template <class F>
void launchSame(rais_stream stream, int64_t count, int32_t dtype, const void* a, const void* b,
                void* y) {
  if (dtype == RAIS_FLOAT32) {
    launch<F, float, float>(stream, count, a, b, y);
  } else {
    launch<F, __nv_bfloat16, __nv_bfloat16>(stream, count, a, b, y);
  }
}

// What a grid can have, an element a thread.
constexpr int64_t kMaxCount = int64_t{1} << 39;

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_relu(rais_stream stream, int64_t count, int32_t dtype, const void* x, void* y) {
  Call call("rais_relu", {{"count", count}, {"dtype", dtype}});
  call.inRange("count", count, 1, kMaxCount)
      .elementType("dtype", dtype)
      .pointer("x", x, elementBytes(dtype))
      .pointer("y", y, elementBytes(dtype));
  if (!call.ok()) {
    return call.status();
  }
  launchSame<Rectify>(stream, count, dtype, x, nullptr, y);
  return call.launched();
}

int32_t rais_relu_backward(rais_stream stream, int64_t count, int32_t dtype, const void* y,
                           const void* dy, void* dx) {
  Call call("rais_relu_backward", {{"count", count}, {"dtype", dtype}});
  call.inRange("count", count, 1, kMaxCount)
      .elementType("dtype", dtype)
      .pointer("y", y, elementBytes(dtype))
      .pointer("dy", dy, elementBytes(dtype))
      .pointer("dx", dx, elementBytes(dtype));
  if (!call.ok()) {
    return call.status();
  }
  launchSame<Mask>(stream, count, dtype, dy, y, dx);
  return call.launched();
}

int32_t rais_add(rais_stream stream, int64_t count, int32_t dtype, const void* a, const void* b,
                 void* y) {
  Call call("rais_add", {{"count", count}, {"dtype", dtype}});
  call.inRange("count", count, 1, kMaxCount)
      .elementType("dtype", dtype)
      .pointer("a", a, elementBytes(dtype))
      .pointer("b", b, elementBytes(dtype))
      .pointer("y", y, elementBytes(dtype));
  if (!call.ok()) {
    return call.status();
  }
  launchSame<Add>(stream, count, dtype, a, b, y);
  return call.launched();
}

int32_t rais_to_bfloat16(rais_stream stream, int64_t count, const float* x, uint16_t* y) {
  Call call("rais_to_bfloat16", {{"count", count}});
  call.inRange("count", count, 1, kMaxCount)
      .pointer("x", x, alignof(float))
      .pointer("y", y, alignof(uint16_t));
  if (!call.ok()) {
    return call.status();
  }
  launch<Copy, float, __nv_bfloat16>(stream, count, x, nullptr, y);
  return call.launched();
}

int32_t rais_to_float32(rais_stream stream, int64_t count, const uint16_t* x, float* y) {
  Call call("rais_to_float32", {{"count", count}});
  call.inRange("count", count, 1, kMaxCount)
      .pointer("x", x, alignof(uint16_t))
      .pointer("y", y, alignof(float));
  if (!call.ok()) {
    return call.status();
  }
  launch<Copy, __nv_bfloat16, float>(stream, count, x, nullptr, y);
  return call.launched();
}
