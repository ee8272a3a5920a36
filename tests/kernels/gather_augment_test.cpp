// Gathered batches against Augmentation's formulas, pixel by pixel: the same bits.
#include "philox.cuh"
#include "testing.h"

using namespace testing;

namespace {

constexpr int32_t kStream = 12;
constexpr int64_t kSeed = 0x0123456789ABCDEF;
constexpr int kCount = 40;

struct Options {
  int height, width, channels;
  int rows;
  int padding = 0;
  bool flip = false;
  int cutout = 0;
  bool bfloat16 = false;
  size_t misalignment = 0;  // of images, in bytes, and of the batch, in elements
  int64_t iteration = 7;
};

void isTheDefinition(const Options& o) {
  where = std::to_string(o.height) + "x" + std::to_string(o.width) + "x" +
          std::to_string(o.channels) + ", padding " + std::to_string(o.padding) + ", cutout " +
          std::to_string(o.cutout) + (o.flip ? ", flip" : "") + (o.bfloat16 ? ", bf16" : "") +
          ", misaligned by " + std::to_string(o.misalignment);
  int size = o.height * o.width * o.channels;
  Random random(static_cast<uint64_t>(size));
  Buffer<uint8_t> images(static_cast<size_t>(size * kCount) + o.misalignment, "images");
  for (size_t i = 0; i < images.count(); i++) {
    images[i] = static_cast<uint8_t>(random.next());
  }
  auto c = static_cast<size_t>(o.channels);
  Buffer<float> scale(c, "scale"), shift(c, "shift");
  for (size_t i = 0; i < c; i++) {
    scale[i] = static_cast<float>(random.between(0.005, 0.02));
    shift[i] = static_cast<float>(random.between(-2, 0));
  }
  auto m = static_cast<size_t>(o.rows);
  Buffer<int32_t> indices(m, "indices"), labels(kCount, "labels"), batchLabels(m, "batch labels");
  for (size_t i = 0; i < kCount; i++) {
    labels[i] = random.below(10);
  }
  for (size_t j = 0; j < m; j++) {
    indices[j] = random.below(kCount);
  }
  indices[m / 2] = m > 2 ? kCount : 0;
  indices[m - 1] = m > 3 ? -1 : kCount - 1;
  Buffer<int64_t> iteration(1, "iteration");
  iteration[0] = o.iteration;
  size_t values = m * static_cast<size_t>(size);
  size_t bytes = o.bfloat16 ? 2 : 4;
  Buffer<char> batch((values + o.misalignment) * bytes, "batch");
  char* start = batch.data() + o.misalignment * bytes;
  bool plain = o.padding == 0 && !o.flip && o.cutout == 0;
  CHECK_OK(rais_gather_augment(
      nullptr, kCount, o.height, o.width, o.channels, images.data() + o.misalignment, labels.data(),
      o.rows, indices.data(), scale.data(), shift.data(), o.padding, o.flip, o.cutout, kSeed,
      kStream, plain ? nullptr : iteration.data(), o.bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32, start,
      batchLabels.data()));
  long wrong = 0;
  for (size_t j = 0; j < m; j++) {
    bool known = indices[j] >= 0 && indices[j] < kCount;
    CHECK_EQUAL(batchLabels[j], known ? labels[static_cast<size_t>(indices[j])] : INT32_MIN);
    rais::PhiloxWords x = rais::philox(kSeed, kStream, o.iteration, static_cast<int32_t>(j));
    auto shifts = static_cast<uint64_t>(2 * o.padding + 1);
    auto dy = static_cast<int>(x.x0 * shifts >> 32) - o.padding;
    auto dx = static_cast<int>(x.x1 * shifts >> 32) - o.padding;
    auto cy = static_cast<int>((x.x2 >> 16) * static_cast<uint64_t>(o.height) >> 16);
    auto cx = static_cast<int>((x.x2 & 0xFFFF) * static_cast<uint64_t>(o.width) >> 16);
    bool mirrored = o.flip && x.x3 >= 0x80000000u;
    for (int y = 0; y < o.height; y++) {
      for (int column = 0; column < o.width; column++) {
        for (int channel = 0; channel < o.channels; channel++) {
          bool cut = y >= cy - o.cutout / 2 && y < cy - o.cutout / 2 + o.cutout &&
                     column >= cx - o.cutout / 2 && column < cx - o.cutout / 2 + o.cutout;
          int fromY = y + dy;
          int fromX = (mirrored ? o.width - 1 - column : column) + dx;
          int byte = 0;
          if (plain) {
            fromY = y;
            fromX = column;
          }
          if (known && fromY >= 0 && fromY < o.height && fromX >= 0 && fromX < o.width) {
            byte = images[o.misalignment +
                          static_cast<size_t>(indices[j] * size +
                                              (fromY * o.width + fromX) * o.channels + channel)];
          }
          float product = static_cast<float>(byte) * scale[static_cast<size_t>(channel)];
          float expected = product + shift[static_cast<size_t>(channel)];
          if (cut && !plain) {
            expected = 0;
          }
          if (!known) {
            expected = NAN;
          }
          size_t i = j * static_cast<size_t>(size) +
                     static_cast<size_t>((y * o.width + column) * o.channels + channel);
          if (o.bfloat16) {
            uint16_t actual;
            std::memcpy(&actual, start + 2 * i, 2);
            wrong += actual != __float2bfloat16_rn(expected).bits;
          } else {
            float actual;
            std::memcpy(&actual, start + 4 * i, 4);
            wrong +=
                std::isnan(expected) ? !std::isnan(actual) : bitsOf(actual) != bitsOf(expected);
          }
        }
      }
    }
  }
  CHECK_EQUAL(wrong, 0);
}

void badArgumentsAreNamed() {
  where = "arguments";
  Buffer<uint8_t> images(12, "images");
  Buffer<float> x(12, "x");
  Buffer<int32_t> indices(1, "indices");
  auto call = [&](int height, int channels, int rows, int padding, int flip, int dtype,
                  const uint8_t* pixels, float* batch, int32_t* batchLabels) {
    return rais_gather_augment(nullptr, 3, height, 2, channels, pixels, nullptr, rows,
                               indices.data(), x.data(), x.data(), padding, flip, 0, 1, kStream,
                               nullptr, dtype, batch, batchLabels);
  };
  CHECK(call(0, 1, 1, 0, 0, 0, images.data(), x.data(), nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(),
                 "rais_gather_augment(count=3, height=0, width=2, channels=1, rows=1, dtype=0): "
                 "height must be in 1..65535, but is 0");
  CHECK(call(2, 1 << 30, 1, 0, 0, 0, images.data(), x.data(), nullptr) == RAIS_UNSUPPORTED);
  CHECK_CONTAINS(rais_last_error(), "an image may have 2^30 values at most");
  CHECK(call(2, 1, 0, 0, 0, 0, images.data(), x.data(), nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK(call(2, 1, 1, -1, 0, 0, images.data(), x.data(), nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "padding must be in 0..65535, but is -1");
  CHECK(call(2, 1, 1, 0, 2, 0, images.data(), x.data(), nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK(call(2, 1, 1, 0, 0, 2, images.data(), x.data(), nullptr) == RAIS_UNSUPPORTED);
  CHECK_CONTAINS(rais_last_error(), "dtype must be RAIS_FLOAT32 or RAIS_BFLOAT16, but is 2");
  CHECK(call(2, 1, 1, 4, 0, 0, images.data(), x.data(), nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "iteration must not be null");
  CHECK(call(2, 1, 1, 0, 0, 0, nullptr, x.data(), nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "images must not be null");
  CHECK(call(2, 1, 1, 0, 0, 0, images.data(), x.data(), indices.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "labels must not be null");
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (bool bfloat16 : {false, true}) {
      for (size_t misalignment : {0, 1}) {
        isTheDefinition({32, 32, 3, 9, 0, false, 0, bfloat16, misalignment});
        isTheDefinition({32, 32, 3, 9, 4, true, 8, bfloat16, misalignment});
        isTheDefinition({28, 28, 1, 5, 2, false, 0, bfloat16, misalignment});
        isTheDefinition({5, 7, 3, 33, 0, false, 0, bfloat16, misalignment});
        isTheDefinition({5, 7, 3, 33, 0, true, 0, bfloat16, misalignment});
        isTheDefinition({7, 3, 1, 33, 3, true, 5, bfloat16, misalignment});
        isTheDefinition({1, 1, 1, 3, 0, false, 0, bfloat16, misalignment});
        isTheDefinition({1, 1, 5, 7, 1, true, 1, bfloat16, misalignment});
      }
    }
  });
  isTheDefinition({3, 4, 2, 20, 65535, true, 0});
  isTheDefinition({3, 4, 2, 20, 0, true, 65535});
  isTheDefinition({4, 4, 3, 20, 1, true, 2, false, 0, int64_t{5} << 40});
  isTheDefinition({1, 33, 1, 20, 40, true, 7});
  isTheDefinition({120, 90, 3, 2, 9, true, 30});
  badArgumentsAreNamed();
  return finish();
}
