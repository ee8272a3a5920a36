// Values from the Java classes Philox, FeistelPermutation, SumTree, Distribution and
// Round, written by golden/KernelGoldens.java, which says how; not edited by hand.
// clang-format off
#pragma once

#include <cstdint>

namespace golden {

constexpr int64_t kSeed = 0x0123456789abcdef;
constexpr int32_t kWeightedDraw = 4;
constexpr int32_t kRoundOffset = 5;
constexpr int32_t kRoundOrder = 6;

// bits and highBits of a place, and the bits of the uniform deviate there.
struct PhiloxCase {
  int64_t seed;
  int32_t stream;
  int64_t iteration;
  int32_t slot;
  uint64_t bits, highBits, uniform;
};
constexpr PhiloxCase kPhilox[] = {
    {0LL, 0, 0LL, 0, 0xe169c58d6627e8d5, 0x9b00dbd8bc57ac4c,
     0x3fec2d38b1acc4fd},
    {kSeed, 4, 0LL, 0, 0x745dcd153904b88f, 0x4a7b09b27a93f30a,
     0x3fdd1773454e412e},
    {kSeed, 4, 1LL, 127, 0x7579d0ec42f71b2d, 0x7709041031b8501b,
     0x3fdd5e743b10bdc6},
    {-1LL, -1, -1LL, -1, 0x41c83b0e408f276d, 0x6d5451fda20bc7c6,
     0x3fd0720ec39023c8},
    {7LL, 5, 5000000000LL, 3, 0x3f0efa8001da26b1, 0x609a4116744c2c29,
     0x3fcf877d4000ed10},
};

// The hash of the images of the first min(size, 5000) indices, and the last index's image.
struct FeistelCase {
  int64_t size, seed, round;
  int32_t stream;
  uint64_t hash;
  int64_t last;
};
constexpr FeistelCase kFeistel[] = {
    {1LL, kSeed, 1000003LL, 6, 0x0000000000000000, 0LL},
    {2LL, kSeed, 2000006LL, 6, 0x000000000000001f, 0LL},
    {255LL, kSeed, 255000765LL, 6, 0x66f691e1f91debd5, 190LL},
    {256LL, kSeed, 256000768LL, 6, 0x2baaad20324e1816, 60LL},
    {257LL, kSeed, 257000771LL, 6, 0xd641c3e4e0adbaae, 52LL},
    {60000LL, kSeed, 60000180000LL, 6, 0x66bec6d2ea90ccd1, 41295LL},
    {1048576LL, kSeed, 1048579145728LL, 6, 0xa353747585644e0d, 634781LL},
    {1099511640121LL, kSeed, 1099514938655920363LL, 6, 0xd9e7e33893e2e902, 280998194184LL},
};

// A tree of size leaves (leaf i: 0 if i mod 3 is 1, else u*u*u*u + 1e-6f in float, with u
// the upper 24 bits of Philox(kSeed, 100) at (1, i)), after a build, and then after updates
// of 200 leaves (index j: Philox(kSeed, 101) below size at (0, j); value u there); draws in
// iteration 12 and a round of number 9 from the updated tree. Hashes are of the bits.
struct TreeCase {
  int64_t size;
  uint64_t built, updated;
  int32_t draws;
  uint64_t drawIndices, drawWeights;
  int32_t roundSize;
  uint64_t roundIndices;
};
constexpr TreeCase kTrees[] = {
    {1, 0x1456609b20000000, 0xf1d25b0900000000, 500, 0x0000000000000000,
     0x41dcb6d460000000, 2, 0x0000000000000000},
    {2, 0x1456609b20000000, 0x3f9cf67c80000000, 500, 0x6f5bacab3d9e10ed,
     0x3ab4dcfd19c97780, 4, 0x00000000000003c2},
    {16, 0xa4947bfdd138c800, 0xaea2a849ac000000, 500, 0x4d2adf77205341b5,
     0x343b8a5b80ecf111, 32, 0x0ad4b3a95b0d429d},
    {17, 0x38857066e7e19000, 0xddf6b4f830000000, 500, 0xd031353a973a3dee,
     0x209426d9310e3b41, 34, 0x1e33121a42c44aef},
    {256, 0x8baa95bac3804210, 0x7f69872c8c6b13f0, 500, 0xde0985cf54cc225c,
     0x0eabad7ef96a1414, 512, 0xbbc51d0399b0a222},
    {257, 0xb445c925c33d8220, 0x37e45a0cb64f6d20, 500, 0xc210d9ae74ecd30d,
     0x3c019f74ed26ded1, 514, 0x06d721ebcee05aaf},
    {1000, 0x193a80b7bb14f6c8, 0x486aae83b08f2e40, 500, 0x403e6f7eb5a26b2c,
     0x0f1964a897666343, 2000, 0xe01e2280dbbb6786},
    {70000, 0xdbf6726c75c73158, 0xc3c2d0d22a1964b7, 500, 0x4741461af6acb812,
     0x9466c6884e112942, 50000, 0xaf381cd071dbebba},
};

}  // namespace golden
