// Squared norms of the rows of a matrix: of the last layer's inputs, for the norms of its
// gradients.
#include "call.h"
#include "elements.cuh"
#include "reduce.cuh"

namespace rais {
namespace {

// Rows of up to this many elements have a warp each, longer ones a block.
constexpr int kWarpColumns = 1024;
constexpr int kThreads = 128;

// Summed in double: it costs nothing next to the reading, except that of millions of elements on
// devices with few double units.
template <class T, int kRowThreads, int kCount>
__global__ void __launch_bounds__(kThreads)
    rowSquaredNorms(int32_t rows, int32_t columns, const T* x, float* squaredNorms) {
  int64_t row = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) / kRowThreads;
  if (row >= rows) {
    return;  // with its whole warp or block
  }
  int thread = static_cast<int>(threadIdx.x) % kRowThreads;
  const T* from = x + row * columns;
  double sum = 0;
#pragma unroll 4
  for (int k = thread * kCount; k < columns; k += kRowThreads * kCount) {
    float values[kCount];
    Pack<T, kCount>::load(from + k).unpack(values);
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      sum += static_cast<double>(values[i]) * values[i];
    }
  }
  sum = kRowThreads == kWarpSize ? warpSum(sum) : blockSum<kThreads>(sum);
  if (thread == 0) {
    squaredNorms[row] = static_cast<float>(sum);
  }
}

template <class T, int kCount>
void launchRows(rais_stream stream, int32_t rows, int32_t columns, const T* x,
                float* squaredNorms) {
  bool warps = columns <= kWarpColumns;
  auto norms = warps ? rowSquaredNorms<T, kWarpSize, kCount> : rowSquaredNorms<T, kThreads, kCount>;
  int64_t perBlock = warps ? kThreads / kWarpSize : 1;
  RAIS_LAUNCH(norms, static_cast<unsigned>((rows + perBlock - 1) / perBlock), kThreads, 0, stream,
              rows, columns, x, squaredNorms);
}

template <class T>
void launchNorms(rais_stream stream, int32_t rows, int32_t columns, const void* x,
                 float* squaredNorms) {
  auto* from = static_cast<const T*>(x);
  if (columns % kPerVector<T> == 0 && alignedTo(x, kVectorBytes)) {
    launchRows<T, kPerVector<T>>(stream, rows, columns, from, squaredNorms);
  } else {
    launchRows<T, 1>(stream, rows, columns, from, squaredNorms);
  }
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_row_squared_norms(rais_stream stream, int32_t rows, int32_t columns, int32_t dtype,
                               const void* x, float* squared_norms) {
  Call call("rais_row_squared_norms", {{"rows", rows}, {"columns", columns}, {"dtype", dtype}});
  call.inRange("rows", int64_t{rows}, 1, int64_t{INT32_MAX})
      .inRange("columns", int64_t{columns}, 1, int64_t{1} << 30)
      .elementType("dtype", dtype)
      .pointer("x", x, elementBytes(dtype))
      .pointer("squared_norms", squared_norms, alignof(float));
  if (!call.ok()) {
    return call.status();
  }
  if (dtype == RAIS_FLOAT32) {
    launchNorms<float>(stream, rows, columns, x, squared_norms);
  } else {
    launchNorms<__nv_bfloat16>(stream, rows, columns, x, squared_norms);
  }
  return call.launched();
}
