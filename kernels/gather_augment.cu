// Chosen images of a byte data set as a normalised batch, varied at random: Java's
// dev.rais.backend.Augmentation and Backend.gather, bit for bit.
#include "call.h"
#include "divide.cuh"
#include "elements.cuh"
#include "philox.cuh"

namespace rais {
namespace {

constexpr int kThreads = 256;
constexpr int kPacksPerThread = 2;

// A batch label for an index outside of the data set: no class, and no ignored label.
constexpr int32_t kNoLabel = INT32_MIN;

constexpr int32_t kMaxSide = 65535;
constexpr int64_t kMaxImageValues = int64_t{1} << 30;

struct Images {
  const uint8_t* pixels;
  const int32_t* labels;
  int64_t count;
  int32_t height;
  int32_t width;
  int32_t channels;
  int32_t size;  // values of one image
  Divisor byRow;
  Divisor byPixel;
  const float* scale;
  const float* shift;

  // Rounded twice: this file is compiled without contraction.
  __device__ __forceinline__ float normalised(uint8_t byte, int channel) const {
    return static_cast<float>(byte) * scale[channel] + shift[channel];
  }
};

struct Augmentation {
  int32_t padding;
  bool flip;
  int32_t cutout;
  int64_t seed;
  int32_t stream;
  const int64_t* iteration;
};

// What happens to the image of one slot.
struct Variation {
  int32_t dy, dx;
  bool mirrored;
  int32_t top, left, side;  // of the square that is cut out

  static __device__ __forceinline__ Variation of(const Augmentation& a, const Images& images,
                                                 int slot) {
    PhiloxWords words = philox(a.seed, a.stream, *a.iteration, slot);
    auto shifts = static_cast<uint32_t>(2 * a.padding + 1);
    uint32_t cy = (words.x2 >> 16) * static_cast<uint32_t>(images.height) >> 16;
    uint32_t cx = (words.x2 & 0xFFFF) * static_cast<uint32_t>(images.width) >> 16;
    Variation v;
    v.dy = static_cast<int32_t>(__umulhi(words.x0, shifts)) - a.padding;
    v.dx = static_cast<int32_t>(__umulhi(words.x1, shifts)) - a.padding;
    v.mirrored = a.flip && words.x3 >> 31 != 0;
    v.side = a.cutout;
    v.top = static_cast<int32_t>(cy) - a.cutout / 2;
    v.left = static_cast<int32_t>(cx) - a.cutout / 2;
    return v;
  }

  __device__ __forceinline__ float at(const Images& images, const uint8_t* image, int y, int x,
                                      int channel) const {
    if (y >= top && y < top + side && x >= left && x < left + side) {
      return 0;
    }
    int fromY = y + dy;
    int fromX = (mirrored ? images.width - 1 - x : x) + dx;
    bool inside = fromY >= 0 && fromY < images.height && fromX >= 0 && fromX < images.width;
    int from = (fromY * images.width + fromX) * images.channels + channel;
    return images.normalised(inside ? image[from] : 0, channel);
  }
};

// Values k to k + kCount - 1, as far as they are within the image, of an image left as it is.
template <int kCount>
__device__ __forceinline__ void plainValues(const Images& images, const uint8_t* image, int k,
                                            float (&values)[kCount]) {
  uint8_t bytes[kCount] = {};
  if (k >= 0 && k + kCount <= images.size && reinterpret_cast<uintptr_t>(image + k) % kCount == 0) {
    if constexpr (kCount == 1) {
      bytes[0] = image[k];
    } else {
      using Word = typename WordOf<kCount>::Type;
      Word word = *reinterpret_cast<const Word*>(image + k);
      memcpy(bytes, &word, kCount);
    }
  } else {
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      if (k + i >= 0 && k + i < images.size) {
        bytes[i] = image[k + i];
      }
    }
  }
  int first = max(k, 0);
  int channel = images.byPixel.remainder(first, images.byPixel.quotient(first));
#pragma unroll
  for (int i = 0; i < kCount; i++) {
    if (k + i >= 0) {
      values[i] = images.normalised(bytes[i], channel);
      channel = channel + 1 == images.channels ? 0 : channel + 1;
    }
  }
}

template <int kCount>
__device__ __forceinline__ void variedValues(const Images& images, const uint8_t* image,
                                             const Variation& variation, int k,
                                             float (&values)[kCount]) {
  int first = max(k, 0);
  int y = images.byRow.quotient(first);
  int inRow = images.byRow.remainder(first, y);
  int x = images.byPixel.quotient(inRow);
  int channel = images.byPixel.remainder(inRow, x);
#pragma unroll
  for (int i = 0; i < kCount; i++) {
    if (k + i >= 0 && k + i < images.size) {
      values[i] = variation.at(images, image, y, x, channel);
      if (++channel == images.channels) {
        channel = 0;
        if (++x == images.width) {
          x = 0;
          y++;
        }
      }
    }
  }
}

// Several blocks per image. A batch is written in packs that are aligned within it; the first and
// the last of an image may be shared with its neighbours.
template <class T, int kCount, bool kAugmented>
__global__ void __launch_bounds__(kThreads)
    gatherImages(Images images, Augmentation augmentation, int parts, const int32_t* indices,
                 T* batch, int32_t* batchLabels) {
  RAIS_SHARED(Variation, variation);
  int slot = static_cast<int>(blockIdx.x) / parts;
  int part = static_cast<int>(blockIdx.x) % parts;
  int64_t index = indices[slot];
  bool known = index >= 0 && index < images.count;
  if (part == 0 && threadIdx.x == 0 && batchLabels != nullptr) {
    batchLabels[slot] = known ? images.labels[index] : kNoLabel;
  }
  if constexpr (kAugmented) {
    if (threadIdx.x == 0) {
      variation = Variation::of(augmentation, images, slot);
    }
    __syncthreads();  // the slot's variation is there
  }
  const uint8_t* image = images.pixels + (known ? index * images.size : 0);
  int64_t start = static_cast<int64_t>(slot) * images.size;
  auto before = static_cast<int>(start % kCount);  // of the first pack, in the image before
  int packs = (before + images.size - 1) / kCount + 1;
  for (int p = part * kThreads + static_cast<int>(threadIdx.x); p < packs; p += parts * kThreads) {
    int k = p * kCount - before;
    float values[kCount] = {};
    if (!known) {
#pragma unroll
      for (int i = 0; i < kCount; i++) {
        values[i] = nanf("");
      }
    } else if constexpr (kAugmented) {
      variedValues(images, image, variation, k, values);
    } else {
      plainValues(images, image, k, values);
    }
    T* to = batch + start + k;
    if (k >= 0 && k + kCount <= images.size) {
      Pack<T, kCount>::of(values).save(to);
    } else {
#pragma unroll
      for (int i = 0; i < kCount; i++) {
        if (k + i >= 0 && k + i < images.size) {
          store(to + i, values[i]);
        }
      }
    }
  }
}

template <class T>
void launchGather(rais_stream stream, const Images& images, const Augmentation& augmentation,
                  bool augmented, int32_t rows, const int32_t* indices, void* batch,
                  int32_t* batchLabels) {
  bool aligned = alignedTo(batch, kVectorBytes);
  int64_t perBlock = int64_t{kThreads} * kPacksPerThread * (aligned ? kPerVector<T> : 1);
  // As many blocks as images and their size call for, and a grid can have.
  int64_t wanted = (images.size + perBlock - 1) / perBlock;
  auto parts = static_cast<int>(min(wanted, int64_t{INT32_MAX} / rows));
  auto gather = aligned ? (augmented ? gatherImages<T, kPerVector<T>, true>
                                     : gatherImages<T, kPerVector<T>, false>)
                        : (augmented ? gatherImages<T, 1, true> : gatherImages<T, 1, false>);
  RAIS_LAUNCH(gather, static_cast<unsigned>(rows * parts), kThreads, 0, stream, images,
              augmentation, parts, indices, static_cast<T*>(batch), batchLabels);
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_gather_augment(rais_stream stream, int64_t count, int32_t height, int32_t width,
                            int32_t channels, const uint8_t* images, const int32_t* labels,
                            int32_t rows, const int32_t* indices, const float* scale,
                            const float* shift, int32_t padding, int32_t flip, int32_t cutout,
                            int64_t seed, int32_t random_stream, const int64_t* iteration,
                            int32_t dtype, void* batch, int32_t* batch_labels) {
  Call call("rais_gather_augment", {{"count", count},
                                    {"height", height},
                                    {"width", width},
                                    {"channels", channels},
                                    {"rows", rows},
                                    {"dtype", dtype}});
  bool augmented = padding != 0 || flip != 0 || cutout != 0;
  call.inRange("count", count, 1, int64_t{INT32_MAX})
      .inRange("height", int64_t{height}, 1, int64_t{kMaxSide})
      .inRange("width", int64_t{width}, 1, int64_t{kMaxSide})
      .inRange("channels", int64_t{channels}, 1, int64_t{INT32_MAX})
      .supported(int64_t{height} * width <= kMaxImageValues / max(channels, 1),
                 "an image may have 2^30 values at most")
      .inRange("rows", int64_t{rows}, 1, int64_t{RAIS_MAX_DRAWS})
      .inRange("padding", int64_t{padding}, 0, int64_t{kMaxSide})
      .inRange("flip", int64_t{flip}, 0, 1)
      .inRange("cutout", int64_t{cutout}, 0, int64_t{kMaxSide})
      .elementType("dtype", dtype)
      .pointer("images", images, 1)
      .nullable("labels", labels, alignof(int32_t))
      .pointer("indices", indices, alignof(int32_t))
      .pointer("scale", scale, alignof(float))
      .pointer("shift", shift, alignof(float))
      .nullable("iteration", iteration, alignof(int64_t))
      .pointer("batch", batch, elementBytes(dtype))
      .nullable("batch_labels", batch_labels, alignof(int32_t));
  if (augmented) {
    call.pointer("iteration", iteration, alignof(int64_t));
  }
  if (batch_labels != nullptr) {
    call.pointer("labels", labels, alignof(int32_t));
  }
  if (!call.ok()) {
    return call.status();
  }
  Images set = {images,
                labels,
                count,
                height,
                width,
                channels,
                height * width * channels,
                Divisor(width * channels),
                Divisor(channels),
                scale,
                shift};
  Augmentation augmentation = {padding, flip != 0, cutout, seed, random_stream, iteration};
  if (dtype == RAIS_FLOAT32) {
    launchGather<float>(stream, set, augmentation, augmented, rows, indices, batch, batch_labels);
  } else {
    launchGather<__nv_bfloat16>(stream, set, augmentation, augmented, rows, indices, batch,
                                batch_labels);
  }
  return call.launched();
}
