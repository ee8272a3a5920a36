// Minibatches of CIFAR's size out of a data set on the device and out of one in pinned host memory,
// which kernels read over the bus.
#include "bench.h"
#include "reference.h"

namespace bench {
namespace {

constexpr int kChannels = 3;

struct Shape {
  int n, m, side;

  int bytes() const { return side * side * kChannels; }
};

enum class From { kDevice, kHost };

// A data set, and other images of it for every turn.
struct Set {
  std::vector<uint8_t> pixels;
  std::vector<int32_t> first;
  Rotating<int32_t> indices;
};

Set makeSet(Bench& bench, Shape s) {
  auto rows = static_cast<size_t>(s.m);
  Random random(5);
  Set set{std::vector<uint8_t>(static_cast<size_t>(s.n) * static_cast<size_t>(s.bytes())),
          {},
          bench.output<int32_t>(rows)};
  for (uint8_t& pixel : set.pixels) {
    pixel = static_cast<uint8_t>(random.next());
  }
  for (size_t turn = 0; turn < set.indices.copies(); turn++) {
    std::vector<int32_t> chosen(rows);
    for (int32_t& index : chosen) {
      index = random.below(s.n);
    }
    set.indices.write(static_cast<int>(turn), chosen);
    if (turn == 0) {
      set.first = chosen;
    }
  }
  return set;
}

// Where kernels read the images; keeps them there.
std::function<const uint8_t*()> place(Bench& bench, const Set& set, From from) {
  if (from == From::kHost) {
    auto onHost = device::pinned(set.pixels);
    return [=] { return onHost.get(); };
  }
  auto onDevice = bench.shared(set.pixels);
  return [=] { return onDevice(0); };
}

Work prepareFetch(Bench& bench, Shape s, From from) {
  auto size = static_cast<size_t>(s.bytes());
  auto rows = static_cast<size_t>(s.m);
  Set set = makeSet(bench, s);
  auto images = place(bench, set, from);
  auto fetched = bench.output<uint8_t>(rows * size);
  auto slots = bench.output<int32_t>(rows);
  Work work;
  work.launch = [=, indices = set.indices](rais_stream stream, int turn) {
    return rais_fetch_images(stream, s.n, s.bytes(), images(), nullptr, s.m, indices(turn),
                             fetched(turn), slots(turn), nullptr);
  };
  work.check = [=](Check& check) {
    std::vector<uint8_t> actual = fetched.read();
    std::vector<int32_t> actualSlots = slots.read();
    for (size_t j = 0; j < rows; j++) {
      auto image = static_cast<size_t>(set.first[j]);
      check.holds("slots", j, actualSlots[j] == static_cast<int32_t>(j));
      for (size_t k = 0; k < size; k++) {
        check.holds("fetched", j * size + k, actual[j * size + k] == set.pixels[image * size + k]);
      }
    }
  };
  return work;
}

}  // namespace

void fetchImages(Bench& bench) {
  for (Shape s : bench.shapes<Shape>({{50'000, 128, 32}, {50'000, 4096, 32}}, {{20, 7, 9}})) {
    double bytes = double{2} * s.m * s.bytes();
    std::string shape = text("m=%d %dx%dx%d", s.m, s.side, s.side, kChannels);
    bench.measure({"fetch_images", shape, bytes, bytes},
                  [&] { return prepareFetch(bench, s, From::kDevice); });
    bench.measure({"fetch_images", shape + ", of the host", 0, bytes},
                  [&] { return prepareFetch(bench, s, From::kHost); });
  }
}

}  // namespace bench
