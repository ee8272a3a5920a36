// The sum tree and rounds: the bits of the Java classes, and what bad values do.
#include "sum_tree.cuh"

#include <sys/mman.h>

#include "golden.h"
#include "philox.cuh"
#include "testing.h"

using namespace testing;

namespace {

float uniformFloat(int32_t stream, int64_t iteration, int32_t slot) {
  return static_cast<float>(rais::philoxBits(golden::kSeed, stream, iteration, slot) >> 40) *
         0x1p-24f;
}

// A tree in memory that has not been cleared.
struct Tree {
  int64_t size;
  Buffer<float> leaves;
  Buffer<double> sums;

  explicit Tree(int64_t n)
      : size(n),
        leaves(static_cast<size_t>(rais_sum_tree_leaves(n)), "leaves"),
        sums(static_cast<size_t>(rais_sum_tree_sums(n)), "sums") {}

  double total() const { return sums[static_cast<size_t>(rais_sum_tree_root(size))]; }

  uint64_t checksum() const {
    uint64_t hash = 0;
    for (size_t i = 0; i < sums.count(); i++) {
      hash = 31 * hash + bitsOf(sums[i]);
    }
    return hash;
  }
};

void isJavas() {
  for (const golden::TreeCase& c : golden::kTrees) {
    where = "tree of " + std::to_string(c.size);
    auto n = static_cast<size_t>(c.size);
    Tree tree(c.size);
    for (size_t i = 0; i < n; i++) {
      float u = uniformFloat(100, 1, static_cast<int32_t>(i));
      tree.leaves[i] = i % 3 == 1 ? 0 : u * u * u * u + 1e-6f;
    }
    CHECK_OK(rais_sum_tree_build(nullptr, c.size, tree.leaves.data(), tree.sums.data(), nullptr));
    CHECK_EQUAL(tree.checksum(), c.built);

    constexpr int kUpdates = 200;
    Buffer<int32_t> touched(kUpdates, "indices");
    Buffer<float> values(kUpdates, "values");
    for (int j = 0; j < kUpdates; j++) {
      touched[j] = static_cast<int32_t>(
          __umul64hi(rais::philoxBits(golden::kSeed, 101, 0, j), static_cast<uint64_t>(c.size)));
      values[j] = uniformFloat(101, 0, j);
    }
    CHECK_OK(rais_sum_tree_update(nullptr, c.size, tree.leaves.data(), tree.sums.data(), kUpdates,
                                  touched.data(), values.data(), nullptr));
    CHECK_EQUAL(tree.checksum(), c.updated);

    Buffer<int64_t> counter(1, "counter");
    counter[0] = 12;
    Buffer<int32_t> indices(static_cast<size_t>(c.draws), "drawn");
    Buffer<float> weights(static_cast<size_t>(c.draws), "weights");
    CHECK_OK(rais_sum_tree_draw(nullptr, c.size, tree.leaves.data(), tree.sums.data(), c.size,
                                golden::kSeed, golden::kWeightedDraw, counter.data(), c.draws,
                                indices.data(), weights.data()));
    uint64_t indexHash = 0;
    uint64_t weightHash = 0;
    for (size_t j = 0; j < indices.count(); j++) {
      indexHash = 31 * indexHash + static_cast<uint64_t>(indices[j]);
      weightHash = 31 * weightHash + bitsOf(weights[j]);
    }
    CHECK_EQUAL(indexHash, c.drawIndices);
    CHECK_EQUAL(weightHash, c.drawWeights);

    counter[0] = 9;
    Buffer<int32_t> slots(static_cast<size_t>(c.roundSize), "slots");
    Buffer<float> slotWeights(static_cast<size_t>(c.roundSize), "slot weights");
    CHECK_OK(rais_round_generate(nullptr, c.size, tree.leaves.data(), tree.sums.data(), c.size,
                                 golden::kSeed, golden::kRoundOffset, golden::kRoundOrder,
                                 counter.data(), c.roundSize, slots.data(), slotWeights.data()));
    uint64_t slotHash = 0;
    for (size_t k = 0; k < slots.count(); k++) {
      slotHash = 31 * slotHash + static_cast<uint64_t>(slots[k]);
      float leaf = tree.leaves[static_cast<size_t>(slots[k])];
      double np = static_cast<double>(c.size) * (leaf / tree.total());
      CHECK_EQUAL(bitsOf(slotWeights[k]), bitsOf(static_cast<float>(1 / np)));
    }
    CHECK_EQUAL(slotHash, c.roundIndices);
  }
}

// Above the size from which levels get launches of their own; sums against a plain loop. Leaves of
// very different sizes, so that every order of summation gives other bits.
void largeTreesAreSums() {
  constexpr int64_t n = 1'200'003;
  where = "large tree";
  Tree tree(n);
  Random random(5);
  for (int64_t i = 0; i < n; i++) {
    tree.leaves[static_cast<size_t>(i)] =
        std::ldexp(static_cast<float>(random.uniform()), random.below(80) - 40);
  }
  CHECK_OK(rais_sum_tree_build(nullptr, n, tree.leaves.data(), tree.sums.data(), nullptr));
  rais::TreeShape shape = rais::treeShape(n);
  std::vector<double> below(tree.leaves.data(), tree.leaves.data() + tree.leaves.count());
  for (int level = 0; level < shape.levels; level++) {
    std::vector<double> sums;
    for (size_t first = 0; first + 15 < below.size(); first += 16) {
      double groups[4];
      for (size_t g = 0; g < 4; g++) {
        const double* four = &below[first + 4 * g];
        groups[g] = (four[0] + four[1]) + (four[2] + four[3]);
      }
      sums.push_back(((groups[0] + groups[1]) + groups[2]) + groups[3]);
    }
    sums.resize((sums.size() + 15) / 16 * 16, 0);
    auto offset = static_cast<size_t>(shape.offset[level]);
    CHECK(std::memcmp(&sums[0], &tree.sums[offset], sums.size() * sizeof(double)) == 0);
    below = sums;
  }
  long double total = 0;
  for (size_t i = 0; i < tree.leaves.count(); i++) {
    total += tree.leaves[i];
  }
  CHECK_CLOSE(tree.total(), static_cast<double>(total), 1e-14, 0);
}

// Zeros that take up no memory before they are written.
template <class T>
class Zeros {
 public:
  explicit Zeros(int64_t count) : bytes_(static_cast<size_t>(count) * sizeof(T)) {
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    data_ = memory == MAP_FAILED ? nullptr : static_cast<T*>(memory);
    CHECK(data_ != nullptr);
  }
  ~Zeros() {
    if (data_ != nullptr) {
      munmap(data_, bytes_);
    }
  }
  Zeros(const Zeros&) = delete;
  Zeros& operator=(const Zeros&) = delete;

  T* data() const { return data_; }

 private:
  size_t bytes_;
  T* data_;
};

// Eight levels, and offsets of more than 32 bits. All but a few leaves are 0.
void theLargestTreeIsKeptUpToDate() {
  constexpr int64_t n = RAIS_MAX_TREE_SIZE;
  where = "largest tree";
  Zeros<float> leaves(rais_sum_tree_leaves(n));
  Zeros<double> sums(rais_sum_tree_sums(n));
  if (leaves.data() == nullptr || sums.data() == nullptr) {
    return;
  }
  std::vector<int32_t> touched = {3, 5, 1'000'000'007, RAIS_MAX_TREE_SIZE - 1};
  std::vector<float> given = {1, 2, 4, 8};
  Buffer<int32_t> indices(touched, "indices");
  Buffer<float> values(given, "values");
  auto count = static_cast<int32_t>(touched.size());
  CHECK_OK(rais_sum_tree_update(nullptr, n, leaves.data(), sums.data(), count, indices.data(),
                                values.data(), nullptr));
  rais::TreeShape shape = rais::treeShape(n);
  CHECK_EQUAL(shape.levels, rais::kMaxTreeLevels);
  for (int level = 0; level < shape.levels; level++) {
    for (int32_t index : touched) {
      int64_t node = index / (int64_t{1} << (4 * level + 4));
      double expected = 0;
      for (size_t j = 0; j < touched.size(); j++) {
        expected += touched[j] / (int64_t{1} << (4 * level + 4)) == node ? given[j] : 0;
      }
      CHECK_CLOSE(sums.data()[shape.offset[level] + node], expected, 0, 0);
    }
  }
  Buffer<int64_t> counter(1, "counter");
  counter[0] = 3;
  Buffer<int32_t> drawn(100, "drawn");
  CHECK_OK(rais_sum_tree_draw(nullptr, n, leaves.data(), sums.data(), n, golden::kSeed,
                              golden::kWeightedDraw, counter.data(), 100, drawn.data(), nullptr));
  for (size_t j = 0; j < drawn.count(); j++) {
    double x =
        15 * rais::philoxUniform(golden::kSeed, golden::kWeightedDraw, 3, static_cast<int32_t>(j));
    CHECK_EQUAL(drawn[j], touched[x < 1 ? 0 : x < 3 ? 1 : x < 7 ? 2 : 3]);
  }
}

void badLeavesAreCountedAndNeverDrawn() {
  where = "bad leaves";
  Tree tree(100);
  tree.leaves.fill(1);
  tree.leaves[3] = -1;
  tree.leaves[50] = nanf("");
  tree.leaves[99] = INFINITY;
  Buffer<int32_t> invalid(1, "invalid count");
  invalid[0] = 10;
  CHECK_OK(rais_sum_tree_build(nullptr, 100, tree.leaves.data(), tree.sums.data(), invalid.data()));
  CHECK_EQUAL(invalid[0], 13);
  CHECK_CLOSE(tree.total(), 97, 0, 0);

  std::vector<int32_t> indices = {7, 100, -1, 7, 8, 7, 9, 9};
  std::vector<float> values = {5, 1, 1, NAN, 2, 4, 1, -1};
  Buffer<int32_t> deviceIndices(indices, "indices");
  Buffer<float> deviceValues(values, "values");
  CHECK_OK(rais_sum_tree_update(nullptr, 100, tree.leaves.data(), tree.sums.data(), 8,
                                deviceIndices.data(), deviceValues.data(), invalid.data()));
  CHECK_EQUAL(invalid[0], 17);
  CHECK_CLOSE(tree.leaves[7], 4, 0, 0);  // the last of three
  CHECK_CLOSE(tree.leaves[9], 0, 0, 0);  // the last of two is invalid
  CHECK_CLOSE(tree.total(), 97 - 3 + 2 + 4, 0, 0);
}

void treesOfZerosDrawNothing() {
  where = "zeros";
  Tree tree(40);
  tree.leaves.fill(0);
  Buffer<int64_t> counter(1, "counter");
  counter[0] = 0;
  Buffer<int32_t> indices(5, "indices");
  Buffer<float> weights(5, "weights");
  CHECK_OK(rais_sum_tree_build(nullptr, 40, tree.leaves.data(), tree.sums.data(), nullptr));
  CHECK_OK(rais_sum_tree_draw(nullptr, 40, tree.leaves.data(), tree.sums.data(), 40, 1, 2,
                              counter.data(), 5, indices.data(), weights.data()));
  for (size_t j = 0; j < 5; j++) {
    CHECK_EQUAL(indices[j], 0);
    CHECK(std::isnan(weights[j]));
  }
}

void badArgumentsAreNamed() {
  where = "arguments";
  Tree tree(40);
  CHECK_EQUAL(rais_sum_tree_leaves(0), 0);
  CHECK_EQUAL(rais_sum_tree_sums(int64_t{RAIS_MAX_TREE_SIZE} + 1), 0);
  CHECK(rais_sum_tree_build(nullptr, 0, tree.leaves.data(), tree.sums.data(), nullptr) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(),
                 "rais_sum_tree_build(size=0): size must be in 1..2147483639, but is 0");
  CHECK(rais_sum_tree_build(nullptr, 40, tree.leaves.data() + 1, tree.sums.data(), nullptr) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "leaves must be aligned to 16 bytes");
  CHECK(rais_sum_tree_update(nullptr, 40, tree.leaves.data(), tree.sums.data(), 3, nullptr,
                             tree.leaves.data(), nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(),
                 "rais_sum_tree_update(size=40, count=3): indices must not be null");
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    isJavas();
    badLeavesAreCountedAndNeverDrawn();
    treesOfZerosDrawNothing();
  });
  largeTreesAreSums();
  theLargestTreeIsKeptUpToDate();
  badArgumentsAreNamed();
  return finish();
}
