// Images that are fetched are those of the data set, whatever their size and place; gathering from
// them gives the batch that gathering from the data set gives.
#include <sys/mman.h>

#include "testing.h"

using namespace testing;

namespace {

constexpr int kCount = 40;

std::string shape(int bytes, int rows, size_t misalignment) {
  return std::to_string(rows) + " of " + std::to_string(bytes) + " bytes, misaligned by " +
         std::to_string(misalignment);
}

std::vector<uint8_t> pixels(size_t count) {
  Random random(count);
  std::vector<uint8_t> images(count);
  for (uint8_t& pixel : images) {
    pixel = static_cast<uint8_t>(random.next() | 1);  // none is 0, as what is not there
  }
  return images;
}

void isThatOfTheDataSet(int bytes, int rows, size_t misalignment, bool labelled) {
  where = shape(bytes, rows, misalignment);
  auto size = static_cast<size_t>(bytes);
  auto m = static_cast<size_t>(rows);
  Buffer<uint8_t> images(pixels(misalignment + size * kCount), "images");
  Buffer<uint8_t> fetched(misalignment + size * m, "fetched");
  Buffer<int32_t> labels(kCount, "labels"), indices(m, "indices"), slots(m, "slots"),
      batchLabels(m, "batch labels");
  Random random(7);
  for (size_t i = 0; i < kCount; i++) {
    labels[i] = random.below(1000);
  }
  for (size_t j = 0; j < m; j++) {
    indices[j] = random.below(kCount);
  }
  indices[0] = kCount - 1;
  if (m > 2) {
    indices[m / 2] = kCount;
    indices[m - 1] = -1;
  }
  fetched.fill(0xEE);
  CHECK_OK(rais_fetch_images(nullptr, kCount, bytes, images.data() + misalignment,
                             labelled ? labels.data() : nullptr, rows, indices.data(),
                             fetched.data() + misalignment, slots.data(),
                             labelled ? batchLabels.data() : nullptr));
  long wrong = 0;
  for (size_t j = 0; j < m; j++) {
    bool known = indices[j] >= 0 && indices[j] < kCount;
    CHECK_EQUAL(slots[j], known ? static_cast<int32_t>(j) : -1);
    if (labelled) {
      CHECK_EQUAL(batchLabels[j], known ? labels[static_cast<size_t>(indices[j])] : INT32_MIN);
    }
    for (size_t k = 0; k < size; k++) {
      size_t from = static_cast<size_t>(indices[j]) * size + k;
      wrong += fetched[misalignment + j * size + k] != (known ? images[misalignment + from] : 0);
    }
  }
  CHECK_EQUAL(wrong, 0);
}

// Offsets are of 64 bits: the last image lies more than 2^31 words of one byte from the first.
void lastOfALargeSetIsFound() {
  where = "a large set";
  constexpr size_t kSize = 1 << 20;
  constexpr size_t kImages = 2100;
  constexpr size_t kBytes = kSize * kImages + 1;
  // Pages that nobody writes take no memory.
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(memory != MAP_FAILED);
  uint8_t* images = static_cast<uint8_t*>(memory) + 1;  // so that words are bytes
  uint8_t* last = images + kSize * (kImages - 1);
  last[0] = 3;
  last[kSize - 1] = 5;
  Buffer<uint8_t> fetched(kSize, "fetched");
  Buffer<int32_t> indices(1, "indices"), slots(1, "slots");
  indices[0] = kImages - 1;
  CHECK_OK(rais_fetch_images(nullptr, kImages, kSize, images, nullptr, 1, indices.data(),
                             fetched.data(), slots.data(), nullptr));
  CHECK_EQUAL(fetched[0], 3);
  CHECK_EQUAL(fetched[kSize - 1], 5);
  munmap(memory, kBytes);
}

void gatheringFromThemIsGathering() {
  constexpr int kHeight = 9, kWidth = 6, kChannels = 2, kSize = kHeight * kWidth * kChannels;
  constexpr int kRows = 11;
  where = "fetched and gathered";
  Buffer<uint8_t> images(pixels(kSize * kCount), "images");
  Buffer<uint8_t> fetched(kSize * kRows, "fetched");
  Buffer<int32_t> indices(kRows, "indices"), slots(kRows, "slots");
  for (size_t j = 0; j < kRows; j++) {
    indices[j] = static_cast<int32_t>(j * 17 % kCount);
  }
  indices[4] = kCount;
  Buffer<float> scale(std::vector<float>{0.5f, 0.25f}, "scale");
  Buffer<float> shift(std::vector<float>{-1, 2}, "shift");
  Buffer<int64_t> iteration(std::vector<int64_t>{9}, "iteration");
  Buffer<float> expected(kSize * kRows, "expected"), found(kSize * kRows, "found");
  auto gather = [&](int64_t count, const uint8_t* from, const int32_t* which, float* batch) {
    CHECK_OK(rais_gather_augment(nullptr, count, kHeight, kWidth, kChannels, from, nullptr, kRows,
                                 which, scale.data(), shift.data(), 2, 1, 3, 5, 12,
                                 iteration.data(), RAIS_FLOAT32, batch, nullptr));
  };
  gather(kCount, images.data(), indices.data(), expected.data());
  CHECK_OK(rais_fetch_images(nullptr, kCount, kSize, images.data(), nullptr, kRows, indices.data(),
                             fetched.data(), slots.data(), nullptr));
  gather(kRows, fetched.data(), slots.data(), found.data());
  CHECK(std::memcmp(expected.data(), found.data(), sizeof(float) * kSize * kRows) == 0);
}

void badArgumentsAreNamed() {
  where = "arguments";
  Buffer<uint8_t> images(12, "images"), fetched(4, "fetched");
  Buffer<int32_t> one(1, "indices"), slots(1, "slots");
  auto call = [&](int64_t count, int32_t bytes, int32_t rows, const uint8_t* from,
                  int32_t* batchLabels) {
    return rais_fetch_images(nullptr, count, bytes, from, nullptr, rows, one.data(), fetched.data(),
                             slots.data(), batchLabels);
  };
  CHECK(call(0, 4, 1, images.data(), nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(),
                 "rais_fetch_images(count=0, image_bytes=4, rows=1): count must be in "
                 "1..2147483647, but is 0");
  CHECK(call(3, 0, 1, images.data(), nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "image_bytes must be in 1..1073741824, but is 0");
  CHECK(call(3, (1 << 30) + 1, 1, images.data(), nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK(call(3, 4, 0, images.data(), nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "rows must be in 1..16777216, but is 0");
  CHECK(call(3, 4, 1, nullptr, nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "images must not be null");
  CHECK(call(3, 4, 1, images.data(), slots.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "labels must not be null");
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    // Every size of words, and every misalignment of them; below, at and above a block.
    for (int bytes : {1, 2, 3, 4, 8, 12, 16, 31, 127, 128, 129, 784, 2048, 3072, 2055, 4104}) {
      for (size_t misalignment : {0, 1, 2, 4, 8}) {
        isThatOfTheDataSet(bytes, 9, misalignment, true);
      }
    }
    isThatOfTheDataSet(3072, 1, 0, false);
    isThatOfTheDataSet(75, 33, 0, false);
  });
  lastOfALargeSetIsFound();
  gatheringFromThemIsGathering();
  badArgumentsAreNamed();
  return finish();
}
