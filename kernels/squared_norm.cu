// The squared norm of a vector: of the last layer's gradient, for the gain ratio.
#include "call.h"
#include "grid_sum.cuh"

namespace rais {
namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 4;

__global__ void __launch_bounds__(kThreads)
    squaredNorm(int64_t count, const float* __restrict__ x, double* result, GridSum* workspace) {
  double squares = 0;
  int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count;
       i += stride) {
    squares += static_cast<double>(x[i]) * x[i];
  }
  sumOverGrid<kThreads>(squares, workspace, result);
}

}  // namespace
}  // namespace rais

using namespace rais;

int64_t rais_squared_norm_workspace_bytes(int64_t count) { return count > 0 ? sizeof(GridSum) : 0; }

int32_t rais_squared_norm(rais_stream stream, int64_t count, const float* x, double* result,
                          void* workspace) {
  Call call("rais_squared_norm", {{"count", count}});
  call.inRange("count", count, 1, INT64_MAX / 8)
      .pointer("x", x, alignof(float))
      .pointer("result", result, alignof(double))
      .pointer("workspace", workspace, 16);
  if (!call.ok()) {
    return call.status();
  }
  int64_t perBlock = kThreads * kPerThread;
  auto blocks = static_cast<unsigned>(
      min(static_cast<int64_t>(kMaxSumBlocks), (count + perBlock - 1) / perBlock));
  RAIS_LAUNCH(squaredNorm, blocks, kThreads, 0, stream, count, x, result,
              static_cast<GridSum*>(workspace));
  return call.launched();
}
