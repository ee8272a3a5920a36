// Dropout with Philox: the bits of Java's Backend.dropout.
#include <cmath>

#include "call.h"
#include "elements.cuh"
#include "philox.cuh"

namespace rais {
namespace {

constexpr int kThreads = 256;
constexpr int kPerBlock = 4;  // elements that share a block of random words

struct Rate {
  uint32_t threshold;  // kept from here on
  float scale;
};

__device__ __forceinline__ float dropped(uint32_t word, float x, const Rate& rate) {
  return word >= rate.threshold ? x * rate.scale : 0;
}

// A thread has kBlocks times four elements; kAligned: as one vector.
template <class T, int kBlocks, bool kAligned>
__global__ void __launch_bounds__(kThreads)
    dropOut(int64_t count, const T* x, Rate rate, int64_t seed, int32_t stream,
            const int64_t* iteration, T* y) {
  constexpr int kCount = kBlocks * kPerBlock;
  int64_t thread = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  int64_t first = thread * kCount;
  if (first >= count) {
    return;
  }
  bool whole = kAligned && first + kCount <= count;
  float values[kCount] = {};
  if (whole) {
    Pack<T, kCount>::load(x + first).unpack(values);
  } else {
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      values[i] = first + i < count ? toFloat(x[first + i]) : 0;
    }
  }
#pragma unroll
  for (int b = 0; b < kBlocks; b++) {
    PhiloxWords words =
        philox(seed, stream, *iteration, static_cast<int32_t>(thread * kBlocks + b));
    float* four = values + b * kPerBlock;
    four[0] = dropped(words.x0, four[0], rate);
    four[1] = dropped(words.x1, four[1], rate);
    four[2] = dropped(words.x2, four[2], rate);
    four[3] = dropped(words.x3, four[3], rate);
  }
  if (whole) {
    Pack<T, kCount>::of(values).save(y + first);
  } else {
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      if (first + i < count) {
        store(y + first + i, values[i]);
      }
    }
  }
}

template <class T>
void launchDropout(rais_stream stream, int64_t count, const void* x, const Rate& rate, int64_t seed,
                   int32_t randomStream, const int64_t* iteration, void* y) {
  constexpr int kBlocks = kPerVector<T> / kPerBlock;
  int64_t perBlock = int64_t{kThreads} * kPerVector<T>;
  bool aligned = alignedTo(x, kVectorBytes) && alignedTo(y, kVectorBytes);
  auto drop = aligned ? dropOut<T, kBlocks, true> : dropOut<T, kBlocks, false>;
  RAIS_LAUNCH(drop, static_cast<unsigned>((count + perBlock - 1) / perBlock), kThreads, 0, stream,
              count, static_cast<const T*>(x), rate, seed, randomStream, iteration,
              static_cast<T*>(y));
}

// Slots, four elements each, are numbered by 31 bits.
constexpr int64_t kMaxCount = int64_t{kPerBlock} << 31;

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_dropout(rais_stream stream, int64_t count, int32_t dtype, const void* x, float rate,
                     int64_t seed, int32_t random_stream, const int64_t* iteration, void* y) {
  Call call("rais_dropout", {{"count", count}, {"dtype", dtype}});
  call.inRange("count", count, 1, kMaxCount)
      .elementType("dtype", dtype)
      .pointer("x", x, elementBytes(dtype))
      .inRange("rate", rate, 0.0, 1.0)
      .pointer("iteration", iteration, alignof(int64_t))
      .pointer("y", y, elementBytes(dtype));
  if (!call.ok()) {
    return call.status();
  }
  double threshold = std::floor(static_cast<double>(rate) * 0x1p32 + 0.5);
  Rate kept = {threshold < 0x1p32 ? static_cast<uint32_t>(threshold) : UINT32_MAX,
               1.0f / (1.0f - rate)};
  if (dtype == RAIS_FLOAT32) {
    launchDropout<float>(stream, count, x, kept, seed, random_stream, iteration, y);
  } else {
    launchDropout<__nv_bfloat16>(stream, count, x, kept, seed, random_stream, iteration, y);
  }
  return call.launched();
}
