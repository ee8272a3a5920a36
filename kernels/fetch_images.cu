// Chosen images of a byte data set side by side, as they are: out of host memory, each byte crosses
// to the device once.
#include "call.h"
#include "elements.cuh"
#include "platform.h"

namespace rais {
namespace {

constexpr int kThreads = 128;

// As in gather_augment.cu, to which an index of this kind means an image that is not there.
constexpr int32_t kNoLabel = INT32_MIN;
constexpr int32_t kNoSlot = -1;

constexpr int32_t kMaxImageBytes = 1 << 30;

struct Chosen {
  int64_t count;
  const int32_t* labels;
  const int32_t* indices;
  int32_t* slots;
  int32_t* batchLabels;
};

// Several blocks per image, a word for each thread: neighbours read neighbouring words, and all
// that is read is on its way at the same time, as the way is long.
template <class Word>
__global__ void __launch_bounds__(kThreads)
    fetchWords(Chosen chosen, int32_t words, int parts, const Word* images, Word* fetched) {
  int slot = static_cast<int>(blockIdx.x) / parts;
  int part = static_cast<int>(blockIdx.x) % parts;
  int64_t index = chosen.indices[slot];
  bool known = index >= 0 && index < chosen.count;
  if (part == 0 && threadIdx.x == 0) {
    chosen.slots[slot] = known ? slot : kNoSlot;
    if (chosen.batchLabels != nullptr) {
      chosen.batchLabels[slot] = known ? chosen.labels[index] : kNoLabel;
    }
  }
  const Word* from = images + (known ? index * words : 0);
  Word* to = fetched + int64_t{slot} * words;
  for (int k = part * kThreads + static_cast<int>(threadIdx.x); k < words; k += parts * kThreads) {
    to[k] = known ? from[k] : Word{};
  }
}

template <size_t kBytes>
void launchFetch(rais_stream stream, const Chosen& chosen, int32_t imageBytes,
                 const uint8_t* images, int32_t rows, uint8_t* fetched) {
  using Word = typename WordOf<kBytes>::Type;
  auto words = static_cast<int32_t>(imageBytes / kBytes);
  // As many blocks as images have words for, and a grid can have.
  auto parts = min((words + kThreads - 1) / kThreads, INT32_MAX / rows);
  auto fetch = fetchWords<Word>;
  RAIS_LAUNCH(fetch, static_cast<unsigned>(rows * parts), kThreads, 0, stream, chosen, words, parts,
              reinterpret_cast<const Word*>(images), reinterpret_cast<Word*>(fetched));
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_fetch_images(rais_stream stream, int64_t count, int32_t image_bytes,
                          const uint8_t* images, const int32_t* labels, int32_t rows,
                          const int32_t* indices, uint8_t* fetched, int32_t* slots,
                          int32_t* batch_labels) {
  Call call("rais_fetch_images", {{"count", count}, {"image_bytes", image_bytes}, {"rows", rows}});
  call.inRange("count", count, 1, int64_t{INT32_MAX})
      .inRange("image_bytes", int64_t{image_bytes}, 1, int64_t{kMaxImageBytes})
      .inRange("rows", int64_t{rows}, 1, int64_t{RAIS_MAX_DRAWS})
      .pointer("images", images, 1)
      .nullable("labels", labels, alignof(int32_t))
      .pointer("indices", indices, alignof(int32_t))
      .pointer("fetched", fetched, 1)
      .pointer("slots", slots, alignof(int32_t))
      .nullable("batch_labels", batch_labels, alignof(int32_t));
  if (batch_labels != nullptr) {
    call.pointer("labels", labels, alignof(int32_t));
  }
  if (!call.ok()) {
    return call.status();
  }
  Chosen chosen = {count, labels, indices, slots, batch_labels};
  auto fits = [&](size_t bytes) {
    return image_bytes % bytes == 0 && alignedTo(images, bytes) && alignedTo(fetched, bytes);
  };
  auto fetch = fits(16)  ? launchFetch<16>
               : fits(8) ? launchFetch<8>
               : fits(4) ? launchFetch<4>
               : fits(2) ? launchFetch<2>
                         : launchFetch<1>;
  fetch(stream, chosen, image_bytes, images, rows, fetched);
  return call.launched();
}
