// Philox and the Feistel permutation, device code against the Java classes and published vectors.
#include "feistel.cuh"
#include "golden.h"
#include "testing.h"

using namespace rais;
using namespace testing;

namespace {

void publishedVectors() {
  where = "Random123's known answers";
  struct {
    uint32_t in[6], out[4];
  } cases[] = {{{0, 0, 0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
               {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
               {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0},
                {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
  for (auto& [in, out] : cases) {
    PhiloxWords words = philoxBlock(in[0], in[1], in[2], in[3], in[4], in[5]);
    CHECK_EQUAL(words.x0, out[0]);
    CHECK_EQUAL(words.x1, out[1]);
    CHECK_EQUAL(words.x2, out[2]);
    CHECK_EQUAL(words.x3, out[3]);
  }
}

void philoxIsJavas() {
  where = "Philox";
  for (const golden::PhiloxCase& c : golden::kPhilox) {
    CHECK_EQUAL(philoxBits(c.seed, c.stream, c.iteration, c.slot), c.bits);
    PhiloxWords words = philox(c.seed, c.stream, c.iteration, c.slot);
    CHECK_EQUAL(words.x2 | static_cast<uint64_t>(words.x3) << 32, c.highBits);
    CHECK_EQUAL(bitsOf(philoxUniform(c.seed, c.stream, c.iteration, c.slot)), c.uniform);
  }
}

void feistelIsJavas() {
  for (const golden::FeistelCase& c : golden::kFeistel) {
    where = "Feistel of size " + std::to_string(c.size);
    Feistel permutation = feistel(c.size, c.seed, c.round, c.stream);
    uint64_t hash = 0;
    for (int64_t i = 0; i < c.size && i < 5000; i++) {
      hash = 31 * hash + static_cast<uint64_t>(feistelAt(permutation, i));
    }
    CHECK_EQUAL(hash, c.hash);
    CHECK_EQUAL(feistelAt(permutation, c.size - 1), c.last);
  }
}

}  // namespace

int main() {
  publishedVectors();
  philoxIsJavas();
  feistelIsJavas();
  return finish();
}
