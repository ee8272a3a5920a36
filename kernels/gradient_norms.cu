// Exact squared norms of every example's own gradient (docs/algorithm.md section 4, "exact"): what
// the oracle draws by. Sums over rows and positions are in double beyond a few terms: they are
// differences of what is much larger.
#include "call.h"
#include "divide.cuh"
#include "elements.cuh"
#include "reduce.cuh"

namespace rais {
namespace {

constexpr int kRowThreads = 128;

// Linear: the gradient of row j is the outer product of delta_j and x_j, and delta_j for the bias.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    linearNorms(int32_t inputs, int32_t outputs, const T* x, const T* deltas, double bias,
                float* squaredNorms) {
  auto squares = [](const T* from, int32_t count) {
    double sum = 0;
    for (int32_t k = threadIdx.x; k < count; k += kRowThreads) {
      auto value = static_cast<double>(toFloat(from[k]));
      sum += value * value;
    }
    return blockSum<kRowThreads>(sum);
  };
  int64_t j = blockIdx.x;
  double input = squares(x + j * inputs, inputs);
  double delta = squares(deltas + j * outputs, outputs);
  if (threadIdx.x == 0) {
    squaredNorms[j] += static_cast<float>(delta * (input + bias));
  }
}

// Convolutions: with patch_s the inputs of output position s, and a 1 for the bias, the gradient is
// G = sum over s of delta_s (outer) patch_s. Its squared norm is the sum of the squares of G, or
// that of <patch_s, patch_t> <delta_s, delta_t> over pairs of positions: the latter is less work
// where positions are few and channels many. Either way a block has one example, and goes over
// tiles of a product of two matrices.
constexpr int kThreads = 256;
constexpr int kTile = 64;   // rows and columns of a tile
constexpr int kDepth = 16;  // terms of the products that lie in shared memory at a time
constexpr int kEach = 4;    // rows and columns of a thread: 16 by 16 threads
constexpr int kStride = kTile + 4;
constexpr int kFloatTerms = 4 * kDepth;  // that are summed in float before they join the double

struct Convolution {
  int32_t height;
  int32_t width;
  int32_t channels;
  int32_t outputs;
  int32_t kernel;
  int32_t stride;
  int32_t padding;
  int32_t positions;  // of the output
  int32_t taps;       // inputs of an output, without the bias
  int32_t columns;    // with it
  Divisor byOutWidth;
  Divisor byChannels;
  Divisor byKernel;
};

// Where the window of an output position begins; far outside if there is no such position.
struct Place {
  int32_t y, x;
};

// Which input of a window, or the bias's 1.
struct Tap {
  int32_t y, x, channel;
};
constexpr int32_t kOne = -1;  // the channels of taps that are none
constexpr int32_t kNone = -2;

// One example.
template <class T>
struct Example {
  const Convolution& c;
  const T* x;
  const T* deltas;

  __device__ __forceinline__ Place place(int32_t s) const {
    int32_t row = c.byOutWidth.quotient(s);
    return {row * c.stride - c.padding, c.byOutWidth.remainder(s, row) * c.stride - c.padding};
  }

  __device__ __forceinline__ Tap tap(int32_t q) const {
    if (q >= c.taps) {
      return {0, 0, q < c.columns ? kOne : kNone};
    }
    int32_t pixel = c.byChannels.quotient(q);
    int32_t row = c.byKernel.quotient(pixel);
    return {row, c.byKernel.remainder(pixel, row), c.byChannels.remainder(q, pixel)};
  }

  __device__ __forceinline__ float patch(int32_t s, const Place& place, const Tap& tap) const {
    if (s >= c.positions || tap.channel < 0) {
      return s < c.positions && tap.channel == kOne ? 1 : 0;
    }
    int32_t y = place.y + tap.y;
    int32_t x_ = place.x + tap.x;
    bool inside = y >= 0 && y < c.height && x_ >= 0 && x_ < c.width;
    return inside ? toFloat(x[(y * c.width + x_) * c.channels + tap.channel]) : 0;
  }

  __device__ __forceinline__ float delta(int32_t s, int32_t o) const {
    return s < c.positions && o < c.outputs ? toFloat(deltas[s * c.outputs + o]) : 0;
  }
};

// The operands of one step over the depth. Aligned, as they are read in vectors of four.
struct alignas(kVectorBytes) Slices {
  float a[kDepth][kStride];
  float b[kDepth][kStride];
};

// A thread's part of a tile of A B': sums of a[row, d] b[column, d] over the depth. load(d) puts
// the next slices, from depth d on, into shared memory.
template <class Load>
__device__ __forceinline__ void multiply(Slices& slices, int32_t depth, Load load,
                                         double (&sums)[kEach][kEach]) {
  int row = threadIdx.x / (kTile / kEach) * kEach;
  int column = threadIdx.x % (kTile / kEach) * kEach;
#pragma unroll
  for (int i = 0; i < kEach * kEach; i++) {
    sums[i / kEach][i % kEach] = 0;
  }
  for (int32_t outer = 0; outer < depth; outer += kFloatTerms) {
    float part[kEach][kEach] = {};
    for (int32_t d = outer; d < min(depth, outer + kFloatTerms); d += kDepth) {
      __syncthreads();  // all threads are done with the slices before
      load(d);
      __syncthreads();  // the slices are there
#pragma unroll
      for (int k = 0; k < kDepth; k++) {
        float4 a = *reinterpret_cast<const float4*>(&slices.a[k][row]);
        float4 b = *reinterpret_cast<const float4*>(&slices.b[k][column]);
        float as[kEach] = {a.x, a.y, a.z, a.w};
        float bs[kEach] = {b.x, b.y, b.z, b.w};
#pragma unroll
        for (int i = 0; i < kEach * kEach; i++) {
          part[i / kEach][i % kEach] += as[i / kEach] * bs[i % kEach];
        }
      }
    }
#pragma unroll
    for (int i = 0; i < kEach * kEach; i++) {
      sums[i / kEach][i % kEach] += static_cast<double>(part[i / kEach][i % kEach]);
    }
  }
}

// The gradient itself, tile by tile: outputs by taps, the depth are positions. Threads have
// neighbouring outputs and taps, which lie together in memory.
template <class T>
__device__ double squaresOfGradient(const Example<T>& example, Slices& slices) {
  const Convolution& c = example.c;
  int lane = threadIdx.x % kTile;
  int first = threadIdx.x / kTile;
  double squares = 0;
  for (int32_t o = 0; o < c.outputs; o += kTile) {
    for (int32_t q = 0; q < c.columns; q += kTile) {
      Tap tap = example.tap(q + lane);
      double gradient[kEach][kEach];
      multiply(
          slices, c.positions,
          [&](int32_t d) {
#pragma unroll
            for (int k = first; k < kDepth; k += kThreads / kTile) {
              slices.a[k][lane] = example.delta(d + k, o + lane);
              slices.b[k][lane] = example.patch(d + k, example.place(d + k), tap);
            }
          },
          gradient);
#pragma unroll
      for (int i = 0; i < kEach * kEach; i++) {
        squares += gradient[i / kEach][i % kEach] * gradient[i / kEach][i % kEach];
      }
    }
  }
  return squares;
}

// The sum over pairs of positions. Threads have neighbouring taps and outputs, which now are the
// depth, of several positions.
template <class T>
__device__ double sumOverPairs(const Example<T>& example, Slices& slices) {
  const Convolution& c = example.c;
  constexpr int kRows = kThreads / kDepth;
  int lane = threadIdx.x % kDepth;
  int first = threadIdx.x / kDepth;
  double sum = 0;
  for (int32_t s = 0; s < c.positions; s += kTile) {
    for (int32_t t = s; t < c.positions; t += kTile) {  // the matrices are symmetric
      Place rows[kTile / kRows];
      Place columns[kTile / kRows];
#pragma unroll
      for (int i = 0; i < kTile / kRows; i++) {
        rows[i] = example.place(s + first + i * kRows);
        columns[i] = example.place(t + first + i * kRows);
      }
      double patches[kEach][kEach];
      multiply(
          slices, c.columns,
          [&](int32_t d) {
            Tap tap = example.tap(d + lane);
#pragma unroll
            for (int i = 0; i < kTile / kRows; i++) {
              int row = first + i * kRows;
              slices.a[lane][row] = example.patch(s + row, rows[i], tap);
              slices.b[lane][row] = example.patch(t + row, columns[i], tap);
            }
          },
          patches);
      double deltas[kEach][kEach];
      multiply(
          slices, c.outputs,
          [&](int32_t d) {
#pragma unroll
            for (int i = 0; i < kTile / kRows; i++) {
              int row = first + i * kRows;
              slices.a[lane][row] = example.delta(s + row, d + lane);
              slices.b[lane][row] = example.delta(t + row, d + lane);
            }
          },
          deltas);
      double tile = 0;
#pragma unroll
      for (int i = 0; i < kEach * kEach; i++) {
        tile += patches[i / kEach][i % kEach] * deltas[i / kEach][i % kEach];
      }
      sum += s == t ? tile : 2 * tile;
    }
  }
  return sum;
}

template <class T, bool kPairs>
__global__ void __launch_bounds__(kThreads)
    convolutionNorms(Convolution c, const T* x, const T* deltas, float* squaredNorms) {
  RAIS_SHARED(Slices, slices);
  int64_t j = blockIdx.x;
  Example<T> example = {c, x + j * c.height * c.width * c.channels,
                        deltas + j * c.positions * c.outputs};
  double sum = kPairs ? sumOverPairs(example, slices) : squaresOfGradient(example, slices);
  sum = blockSum<kThreads>(sum);
  if (threadIdx.x == 0) {
    // A sum over pairs of an example whose gradient vanishes may round to below 0.
    squaredNorms[j] += static_cast<float>(sum < 0 ? 0 : sum);
  }
}

// Whether the sum over pairs takes fewer multiplications, as tiles have them.
bool pairsAreLess(const Convolution& c) {
  auto tiles = [](int64_t count) { return (count + kTile - 1) / kTile; };
  int64_t direct = tiles(c.outputs) * tiles(c.columns) * c.positions;
  int64_t square = tiles(c.positions);
  return square * (square + 1) / 2 * (int64_t{c.columns} + c.outputs) < direct;
}

template <class T>
void launchConvolution(rais_stream stream, int32_t batch, const Convolution& c, const void* x,
                       const void* deltas, float* squaredNorms) {
  auto norms = pairsAreLess(c) ? convolutionNorms<T, true> : convolutionNorms<T, false>;
  RAIS_LAUNCH(norms, static_cast<unsigned>(batch), kThreads, 0, stream, c, static_cast<const T*>(x),
              static_cast<const T*>(deltas), squaredNorms);
}

Call& checkOperands(Call& call, int32_t dtype, const void* x, const void* deltas,
                    const float* squaredNorms) {
  return call
      .supported(dtype == RAIS_FLOAT32 || dtype == RAIS_BFLOAT16,
                 "dtype must be RAIS_FLOAT32 or RAIS_BFLOAT16")
      .pointer("x", x, elementBytes(dtype))
      .pointer("deltas", deltas, elementBytes(dtype))
      .pointer("squared_norms", squaredNorms, alignof(float));
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_linear_gradient_norms(rais_stream stream, int32_t rows, int32_t inputs,
                                   int32_t outputs, int32_t bias, int32_t dtype, const void* x,
                                   const void* deltas, float* squared_norms) {
  Call call("rais_linear_gradient_norms",
            {{"rows", rows}, {"inputs", inputs}, {"outputs", outputs}, {"dtype", dtype}});
  call.inRange("rows", int64_t{rows}, 1, int64_t{INT32_MAX})
      .inRange("inputs", int64_t{inputs}, 1, int64_t{1} << 30)
      .inRange("outputs", int64_t{outputs}, 1, int64_t{1} << 30)
      .inRange("bias", int64_t{bias}, 0, 1);
  if (!checkOperands(call, dtype, x, deltas, squared_norms).ok()) {
    return call.status();
  }
  auto grid = static_cast<unsigned>(rows);
  if (dtype == RAIS_FLOAT32) {
    RAIS_LAUNCH(linearNorms<float>, grid, kRowThreads, 0, stream, inputs, outputs,
                static_cast<const float*>(x), static_cast<const float*>(deltas), double(bias),
                squared_norms);
  } else {
    RAIS_LAUNCH(linearNorms<__nv_bfloat16>, grid, kRowThreads, 0, stream, inputs, outputs,
                static_cast<const __nv_bfloat16*>(x), static_cast<const __nv_bfloat16*>(deltas),
                double(bias), squared_norms);
  }
  return call.launched();
}

int32_t rais_convolution_gradient_norms(rais_stream stream, int32_t batch, int32_t height,
                                        int32_t width, int32_t channels, int32_t outputs,
                                        int32_t kernel, int32_t stride, int32_t padding,
                                        int32_t bias, int32_t dtype, const void* x,
                                        const void* deltas, float* squared_norms) {
  Call call("rais_convolution_gradient_norms", {{"batch", batch},
                                                {"height", height},
                                                {"width", width},
                                                {"channels", channels},
                                                {"outputs", outputs},
                                                {"kernel", kernel}});
  call.inRange("batch", int64_t{batch}, 1, int64_t{INT32_MAX})
      .inRange("height", int64_t{height}, 1, 65535)
      .inRange("width", int64_t{width}, 1, 65535)
      .inRange("channels", int64_t{channels}, 1, int64_t{1} << 24)
      .inRange("outputs", int64_t{outputs}, 1, int64_t{1} << 24)
      .inRange("padding", int64_t{padding}, 0, 65535)
      .inRange("kernel", int64_t{kernel}, 1,
               int64_t{2} * padding + (height < width ? height : width))
      .inRange("stride", int64_t{stride}, 1, 65535)
      .inRange("bias", int64_t{bias}, 0, 1);
  if (!checkOperands(call, dtype, x, deltas, squared_norms).ok()) {
    return call.status();
  }
  int64_t outHeight = (height + int64_t{2} * padding - kernel) / stride + 1;
  int64_t outWidth = (width + int64_t{2} * padding - kernel) / stride + 1;
  int64_t taps = int64_t{kernel} * kernel * channels;
  constexpr int64_t kMost = int64_t{1} << 30;
  call.supported(int64_t{height} * width <= kMost / channels &&
                     outHeight * outWidth <= kMost / outputs && taps <= kMost,
                 "an example's input, output and window may have 2^30 elements at most");
  if (!call.ok()) {
    return call.status();
  }
  Convolution c = {height,
                   width,
                   channels,
                   outputs,
                   kernel,
                   stride,
                   padding,
                   static_cast<int32_t>(outHeight * outWidth),
                   static_cast<int32_t>(taps),
                   static_cast<int32_t>(taps) + bias,
                   Divisor(static_cast<int32_t>(outWidth)),
                   Divisor(channels),
                   Divisor(kernel)};
  if (dtype == RAIS_FLOAT32) {
    launchConvolution<float>(stream, batch, c, x, deltas, squared_norms);
  } else {
    launchConvolution<__nv_bfloat16>(stream, batch, c, x, deltas, squared_norms);
  }
  return call.launched();
}
