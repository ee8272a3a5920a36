// A minibatch out of a data set of CIFAR's size: normalised, and as training varies it. Every turn
// gathers other images. Out of pinned host memory it is measured both ways: fetched first, as
// training does it, and read by the kernel itself.
#include "bench.h"
#include "reference.h"

namespace bench {
namespace {

constexpr int64_t kSeed = 0x0123456789ABCDEF;
constexpr int32_t kStream = 12;

struct Shape {
  int n, m, side;
};

enum class From { kDevice, kHost, kHostFetched };

Work prepare(Bench& bench, Shape s, bool varied, bool bfloat16, From from) {
  constexpr int kChannels = 3;
  constexpr int kPadding = 4;
  auto size = static_cast<size_t>(s.side * s.side * kChannels);
  Random random(5);
  std::vector<uint8_t> pixels(static_cast<size_t>(s.n) * size);
  for (uint8_t& pixel : pixels) {
    pixel = static_cast<uint8_t>(random.next());
  }
  std::vector<int32_t> labelOf(static_cast<size_t>(s.n));
  for (int32_t& label : labelOf) {
    label = random.below(10);
  }
  std::vector<float> scaleOf = {0.016f, 0.0161f, 0.015f}, shiftOf = {-1.9f, -2, -1.7f};
  auto onDevice = bench.shared(pixels);
  auto onHost = device::pinned(from == From::kDevice ? std::vector<uint8_t>(1) : pixels);
  auto labels = bench.shared(labelOf);
  auto scale = bench.shared(scaleOf);
  auto shift = bench.shared(shiftOf);
  auto iteration = bench.shared<int64_t>({7});
  auto rows = static_cast<size_t>(s.m);
  auto indices = bench.output<int32_t>(rows);
  std::vector<int32_t> firstIndices;
  for (size_t turn = 0; turn < indices.copies(); turn++) {
    std::vector<int32_t> chosen(rows);
    for (int32_t& index : chosen) {
      index = random.below(s.n);
    }
    indices.write(static_cast<int>(turn), chosen);
    if (turn == 0) {
      firstIndices = chosen;
    }
  }
  auto batch = bench.output<char>(rows * size * (bfloat16 ? 2 : 4));
  auto batchLabels = bench.output<int32_t>(rows);
  auto fetched = bench.output<uint8_t>(rows * size);
  auto slots = bench.output<int32_t>(rows);
  auto gather = [=](rais_stream stream, int64_t count, const uint8_t* images, const int32_t* which,
                    int turn, bool labelled) {
    return rais_gather_augment(stream, count, s.side, s.side, kChannels, images,
                               labelled ? labels(0) : nullptr, s.m, which, scale(0), shift(0),
                               varied ? kPadding : 0, varied, 0, kSeed, kStream, iteration(0),
                               bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32, batch(turn),
                               labelled ? batchLabels(turn) : nullptr);
  };
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    if (from != From::kHostFetched) {
      const uint8_t* images = from == From::kHost ? onHost.get() : onDevice(0);
      return gather(stream, s.n, images, indices(turn), turn, true);
    }
    int32_t status =
        rais_fetch_images(stream, s.n, static_cast<int32_t>(size), onHost.get(), labels(0), s.m,
                          indices(turn), fetched(turn), slots(turn), batchLabels(turn));
    return status == RAIS_OK ? gather(stream, s.m, fetched(turn), slots(turn), turn, false)
                             : status;
  };
  work.check = [=](Check& check) {
    Elements actual(bfloat16, batch.read());
    std::vector<int32_t> actualLabels = batchLabels.read();
    size_t i = 0;
    for (size_t j = 0; j < rows; j++) {
      auto image = static_cast<size_t>(firstIndices[j]);
      check.holds("batch labels", j, actualLabels[j] == labelOf[image]);
      Philox words(kSeed, kStream, 7, static_cast<int32_t>(j));
      auto shiftBy = [&](uint32_t word) {
        return varied ? static_cast<int>(word * uint64_t{2 * kPadding + 1} >> 32) - kPadding : 0;
      };
      int dy = shiftBy(words.x[0]), dx = shiftBy(words.x[1]);
      bool mirrored = varied && words.x[3] >= 0x80000000u;
      for (int y = 0; y < s.side; y++) {
        for (int x = 0; x < s.side; x++) {
          int fromY = y + dy, fromX = (mirrored ? s.side - 1 - x : x) + dx;
          bool inside = fromY >= 0 && fromY < s.side && fromX >= 0 && fromX < s.side;
          for (size_t channel = 0; channel < kChannels; channel++, i++) {
            int byte =
                inside ? pixels[image * size +
                                static_cast<size_t>(fromY * s.side + fromX) * kChannels + channel]
                       : 0;
            float product = static_cast<float>(byte) * scaleOf[channel];
            float expected = product + shiftOf[channel];
            if (bfloat16) {
              expected = fromBfloat16(toBfloat16(expected));
            }
            check.holds("batch", i, actual[i] == expected);
          }
        }
      }
    }
  };
  return work;
}

}  // namespace

void gatherAugment(Bench& bench) {
  for (Shape s : bench.shapes<Shape>({{50'000, 512, 32}, {50'000, 4096, 32}}, {{20, 7, 9}})) {
    for (bool varied : {false, true}) {
      for (bool bfloat16 : {false, true}) {
        double bytes = double{1} * s.m * (s.side * s.side * 3 * (bfloat16 ? 3 : 5) + 12);
        bench.measure({"gather_augment",
                       text("m=%d %dx%dx3 %s%s", s.m, s.side, s.side, bfloat16 ? "bf16" : "fp32",
                            varied ? ", shifted and mirrored" : ""),
                       bytes, bytes},
                      [&] { return prepare(bench, s, varied, bfloat16, From::kDevice); });
      }
    }
    std::string shape = text("m=%d %dx%dx3 fp32, varied, of the host", s.m, s.side, s.side);
    double footprint = double{1} * s.m * s.side * s.side * 3 * 6;
    bench.measure({"gather_augment", shape, 0, footprint},
                  [&] { return prepare(bench, s, true, false, From::kHost); });
    bench.measure({"fetch_images+gather_augment", shape, 0, footprint},
                  [&] { return prepare(bench, s, true, false, From::kHostFetched); });
  }
}

}  // namespace bench
