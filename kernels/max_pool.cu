// Max pooling with square, unpadded windows, forward and backward: Java's dev.rais.backend.MaxPool,
// the same bits. Only comparisons and sums, in Java's order.
#include "call.h"
#include "divide.cuh"
#include "elements.cuh"

namespace rais {
namespace {

constexpr int kThreads = 256;
constexpr int kMaxKernel = 16;  // a winner is a byte

struct Pooling {
  int32_t height;
  int32_t width;
  int32_t outHeight;
  int32_t outWidth;
  int32_t channels;
  int32_t kernel;
  int32_t stride;
};

// As a thread's number has it: image, row, column and the first of kCount channels.
struct Place {
  int image, y, x, channel;
};

class Places {
 public:
  Places(int32_t height, int32_t width, int32_t packs, int perPack)
      : perPack_(perPack), byPack_(packs), byWidth_(width), byHeight_(height) {}

  __device__ __forceinline__ Place at(int32_t thread) const {
    int pixel = byPack_.quotient(thread);
    int row = byWidth_.quotient(pixel);
    int image = byHeight_.quotient(row);
    return {image, byHeight_.remainder(row, image), byWidth_.remainder(pixel, row),
            byPack_.remainder(thread, pixel) * perPack_};
  }

 private:
  int32_t perPack_;
  Divisor byPack_;
  Divisor byWidth_;
  Divisor byHeight_;
};

// Where in its window the winner of each output lies, row by row: a byte each.
template <int kCount>
struct Winners {
  uint8_t place[kCount];

  static __device__ __forceinline__ Winners load(const uint8_t* from) {
    Winners w;
    if constexpr (kCount == 1) {
      w.place[0] = *from;
    } else {
      using Word = typename WordOf<kCount>::Type;
      Word word = *reinterpret_cast<const Word*>(from);
      memcpy(w.place, &word, kCount);
    }
    return w;
  }

  __device__ __forceinline__ void save(uint8_t* to) const {
    if constexpr (kCount == 1) {
      *to = place[0];
    } else {
      using Word = typename WordOf<kCount>::Type;
      Word word;
      memcpy(&word, place, kCount);
      *reinterpret_cast<Word*>(to) = word;
    }
  }
};

// A thread has kCount channels of one output.
template <class T, int kCount>
__global__ void __launch_bounds__(kThreads)
    poolMaxima(int32_t threads, Places outputs, Pooling p, const T* x, T* y, uint8_t* winners) {
  int64_t thread = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (thread >= threads) {
    return;
  }
  Place out = outputs.at(static_cast<int32_t>(thread));
  const T* window = x +
                    ((static_cast<int64_t>(out.image) * p.height + out.y * p.stride) * p.width +
                     out.x * p.stride) *
                        p.channels +
                    out.channel;
  float best[kCount];
  Winners<kCount> winner = {};
  Pack<T, kCount>::load(window).unpack(best);
  for (int i = 0; i < p.kernel; i++) {
    for (int j = 0; j < p.kernel; j++) {
      float values[kCount];
      Pack<T, kCount>::load(window + (static_cast<int64_t>(i) * p.width + j) * p.channels)
          .unpack(values);
#pragma unroll
      for (int k = 0; k < kCount; k++) {
        if (values[k] > best[k]) {
          best[k] = values[k];
          winner.place[k] = static_cast<uint8_t>(i * p.kernel + j);
        }
      }
    }
  }
  int64_t to = thread * kCount;
  Pack<T, kCount>::of(best).save(y + to);
  winner.save(winners + to);
}

// A thread has kCount channels of one input, and asks all windows with it whether it has won.
template <class T, int kCount>
__global__ void __launch_bounds__(kThreads)
    poolGradients(int32_t threads, Places inputs, Pooling p, Divisor byStride, const T* dy,
                  const uint8_t* winners, T* dx) {
  int64_t thread = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (thread >= threads) {
    return;
  }
  Place in = inputs.at(static_cast<int32_t>(thread));
  // Output rows o with o * stride <= y < o * stride + kernel.
  int top = in.y < p.kernel ? 0 : byStride.quotient(in.y - p.kernel) + 1;
  int left = in.x < p.kernel ? 0 : byStride.quotient(in.x - p.kernel) + 1;
  int bottom = min(p.outHeight - 1, byStride.quotient(in.y));
  int right = min(p.outWidth - 1, byStride.quotient(in.x));
  float sums[kCount] = {};
  for (int oy = top; oy <= bottom; oy++) {
    for (int ox = left; ox <= right; ox++) {
      int64_t from =
          ((static_cast<int64_t>(in.image) * p.outHeight + oy) * p.outWidth + ox) * p.channels +
          in.channel;
      int own = (in.y - oy * p.stride) * p.kernel + in.x - ox * p.stride;
      Winners<kCount> winner = Winners<kCount>::load(winners + from);
      float gradients[kCount];
      Pack<T, kCount>::load(dy + from).unpack(gradients);
#pragma unroll
      for (int k = 0; k < kCount; k++) {
        if (winner.place[k] == own) {
          sums[k] += gradients[k];
        }
      }
    }
  }
  Pack<T, kCount>::of(sums).save(dx + thread * kCount);
}

unsigned blocksFor(int64_t threads) {
  return static_cast<unsigned>((threads + kThreads - 1) / kThreads);
}

template <class T, int kCount>
void launchForward(rais_stream stream, int32_t batch, const Pooling& p, const T* x, T* y,
                   uint8_t* winners) {
  int32_t packs = p.channels / kCount;
  int32_t threads = batch * p.outHeight * p.outWidth * packs;
  auto pool = poolMaxima<T, kCount>;
  RAIS_LAUNCH(pool, blocksFor(threads), kThreads, 0, stream, threads,
              Places(p.outHeight, p.outWidth, packs, kCount), p, x, y, winners);
}

template <class T, int kCount>
void launchBackward(rais_stream stream, int32_t batch, const Pooling& p, const T* dy,
                    const uint8_t* winners, T* dx) {
  int32_t packs = p.channels / kCount;
  int32_t threads = batch * p.height * p.width * packs;
  auto pool = poolGradients<T, kCount>;
  RAIS_LAUNCH(pool, blocksFor(threads), kThreads, 0, stream, threads,
              Places(p.height, p.width, packs, kCount), p, Divisor(p.stride), dy, winners, dx);
}

template <class T>
bool inPacks(int32_t channels, const void* a, const void* b, const uint8_t* winners) {
  return channels % kPerVector<T> == 0 && alignedTo(a, kVectorBytes) &&
         alignedTo(b, kVectorBytes) && alignedTo(winners, kPerVector<T>);
}

template <class T>
void launchMaxima(rais_stream stream, int32_t batch, const Pooling& p, const void* x, void* y,
                  uint8_t* winners) {
  auto* from = static_cast<const T*>(x);
  auto* to = static_cast<T*>(y);
  if (inPacks<T>(p.channels, x, y, winners)) {
    launchForward<T, kPerVector<T>>(stream, batch, p, from, to, winners);
  } else {
    launchForward<T, 1>(stream, batch, p, from, to, winners);
  }
}

template <class T>
void launchGradients(rais_stream stream, int32_t batch, const Pooling& p, const void* dy,
                     const uint8_t* winners, void* dx) {
  auto* from = static_cast<const T*>(dy);
  auto* to = static_cast<T*>(dx);
  if (inPacks<T>(p.channels, dy, dx, winners)) {
    launchBackward<T, kPerVector<T>>(stream, batch, p, from, winners, to);
  } else {
    launchBackward<T, 1>(stream, batch, p, from, winners, to);
  }
}

// Checks the shape; false where pooling has nothing to do with it.
bool checkShape(Call& call, int32_t batch, int32_t height, int32_t width, int32_t channels,
                int32_t kernel, int32_t stride, int32_t dtype) {
  call.inRange("batch", int64_t{batch}, 1, int64_t{INT32_MAX})
      .inRange("height", int64_t{height}, 1, int64_t{INT32_MAX})
      .inRange("width", int64_t{width}, 1, int64_t{INT32_MAX})
      .inRange("channels", int64_t{channels}, 1, int64_t{INT32_MAX})
      .inRange("kernel", int64_t{kernel}, 1, int64_t{min(kMaxKernel, min(height, width))})
      .inRange("stride", int64_t{stride}, 1, int64_t{INT32_MAX})
      .elementType("dtype", dtype);
  return call
      .supported(!call.ok() || static_cast<double>(batch) * height * width * channels <= INT32_MAX,
                 "the input may have 2^31 - 1 elements at most")
      .ok();
}

Pooling poolingOf(int32_t height, int32_t width, int32_t channels, int32_t kernel, int32_t stride) {
  return {height, width, (height - kernel) / stride + 1, (width - kernel) / stride + 1, channels,
          kernel, stride};
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_max_pool(rais_stream stream, int32_t batch, int32_t height, int32_t width,
                      int32_t channels, int32_t kernel, int32_t stride, int32_t dtype,
                      const void* x, void* y, uint8_t* winners) {
  Call call("rais_max_pool", {{"batch", batch},
                              {"height", height},
                              {"width", width},
                              {"channels", channels},
                              {"kernel", kernel},
                              {"stride", stride}});
  checkShape(call, batch, height, width, channels, kernel, stride, dtype);
  call.pointer("x", x, elementBytes(dtype))
      .pointer("y", y, elementBytes(dtype))
      .pointer("winners", winners, 1);
  if (!call.ok()) {
    return call.status();
  }
  Pooling p = poolingOf(height, width, channels, kernel, stride);
  if (dtype == RAIS_FLOAT32) {
    launchMaxima<float>(stream, batch, p, x, y, winners);
  } else {
    launchMaxima<__nv_bfloat16>(stream, batch, p, x, y, winners);
  }
  return call.launched();
}

int32_t rais_max_pool_backward(rais_stream stream, int32_t batch, int32_t height, int32_t width,
                               int32_t channels, int32_t kernel, int32_t stride, int32_t dtype,
                               const void* dy, const uint8_t* winners, void* dx) {
  Call call("rais_max_pool_backward", {{"batch", batch},
                                       {"height", height},
                                       {"width", width},
                                       {"channels", channels},
                                       {"kernel", kernel},
                                       {"stride", stride}});
  checkShape(call, batch, height, width, channels, kernel, stride, dtype);
  call.pointer("dy", dy, elementBytes(dtype))
      .pointer("winners", winners, 1)
      .pointer("dx", dx, elementBytes(dtype));
  if (!call.ok()) {
    return call.status();
  }
  Pooling p = poolingOf(height, width, channels, kernel, stride);
  if (dtype == RAIS_FLOAT32) {
    launchGradients<float>(stream, batch, p, dy, winners, dx);
  } else {
    launchGradients<__nv_bfloat16>(stream, batch, p, dy, winners, dx);
  }
  return call.launched();
}
