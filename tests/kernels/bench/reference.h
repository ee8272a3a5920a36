// What the references of several benches need: threads, random inputs, bfloat16, Philox. Nothing here
// comes from the kernels.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "parallel.h"

namespace bench {

// splitmix64: the same numbers everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += kStep;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  float between(double low, double high) {
    return static_cast<float>(low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53));
  }
  int below(int bound) { return static_cast<int>(next() % static_cast<uint64_t>(bound)); }

  std::vector<float> floats(size_t count, double low, double high) {
    std::vector<float> values(count);
    parallel(count, [&](size_t begin, size_t end, size_t) {
      Random from(state_ + begin * kStep);
      for (size_t i = begin; i < end; i++) {
        values[i] = from.between(low, high);
      }
    });
    state_ += count * kStep;
    return values;
  }

 private:
  static constexpr uint64_t kStep = 0x9E3779B97F4A7C15;

  uint64_t state_;
};

// Of finite values: to nearest, ties to even.
inline uint16_t toBfloat16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

inline float fromBfloat16(uint16_t x) {
  uint32_t bits = static_cast<uint32_t>(x) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Elements of either type, kept as the device has them.
struct Elements {
  bool bfloat16;
  std::vector<char> bytes;

  Elements(bool isBfloat16, const std::vector<float>& values)
      : bfloat16(isBfloat16), bytes(values.size() * width()) {
    parallel(values.size(), [&](size_t begin, size_t end, size_t) {
      for (size_t i = begin; i < end; i++) {
        if (bfloat16) {
          uint16_t rounded = toBfloat16(values[i]);
          std::memcpy(&bytes[2 * i], &rounded, 2);
        } else {
          std::memcpy(&bytes[4 * i], &values[i], 4);
        }
      }
    });
  }

  Elements(bool isBfloat16, std::vector<char> from)
      : bfloat16(isBfloat16), bytes(std::move(from)) {}

  size_t width() const { return bfloat16 ? 2 : 4; }

  float operator[](size_t i) const {
    if (bfloat16) {
      uint16_t x;
      std::memcpy(&x, &bytes[2 * i], 2);
      return fromBfloat16(x);
    }
    float x;
    std::memcpy(&x, &bytes[4 * i], 4);
    return x;
  }
};

// Philox4x32-10 (Salmon et al. 2011), the four words at (iteration, slot) of a seed's stream.
struct Philox {
  uint32_t x[4];

  Philox(int64_t seed, int32_t stream, int64_t iteration, int32_t slot) {
    auto i = static_cast<uint64_t>(iteration);
    auto s = static_cast<uint64_t>(seed);
    uint32_t c[4] = {static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32),
                     static_cast<uint32_t>(slot), static_cast<uint32_t>(stream)};
    uint32_t k[2] = {static_cast<uint32_t>(s), static_cast<uint32_t>(s >> 32)};
    for (int round = 0; round < 10; round++) {
      uint64_t a = uint64_t{0xD2511F53} * c[0];
      uint64_t b = uint64_t{0xCD9E8D57} * c[2];
      c[0] = static_cast<uint32_t>(b >> 32) ^ c[1] ^ k[0];
      c[1] = static_cast<uint32_t>(b);
      c[2] = static_cast<uint32_t>(a >> 32) ^ c[3] ^ k[1];
      c[3] = static_cast<uint32_t>(a);
      k[0] += 0x9E3779B9;
      k[1] += 0xBB67AE85;
    }
    std::memcpy(x, c, sizeof x);
  }

  // In [0, 1).
  double uniform() const {
    return static_cast<double>((x[0] | static_cast<uint64_t>(x[1]) << 32) >> 11) * 0x1p-53;
  }
};

}  // namespace bench
