// Minibatches out of rounds, shuffled epochs and uniform draws, and their weights, against plain
// loops.
#include <algorithm>

#include "feistel.cuh"
#include "testing.h"

using namespace testing;

namespace {

constexpr int64_t kSeed = 77;

struct Tree {
  int64_t size;
  Buffer<float> leaves;
  Buffer<double> sums;

  explicit Tree(int64_t n)
      : size(n),
        leaves(static_cast<size_t>(rais_sum_tree_leaves(n)), "leaves"),
        sums(static_cast<size_t>(rais_sum_tree_sums(n)), "sums") {
    Random random(static_cast<uint64_t>(n));
    for (int64_t i = 0; i < n; i++) {
      leaves[static_cast<size_t>(i)] = static_cast<float>(random.between(0.01, 3));
    }
  }

  void build() {
    CHECK_OK(rais_sum_tree_build(nullptr, size, leaves.data(), sums.data(), nullptr));
  }
  double total() const { return sums[static_cast<size_t>(rais_sum_tree_root(size))]; }
};

void roundsPassOverWhatIsRetired(int roundSize, int m, double share) {
  where = "round of " + std::to_string(roundSize) + " by " + std::to_string(m) + ", retired " +
          std::to_string(share);
  Tree tree(500);
  Random random(static_cast<uint64_t>(roundSize));
  for (size_t i = 0; i < 500; i++) {
    if (random.uniform() < share) {
      tree.leaves[i] = 0;
    }
  }
  Buffer<int32_t> slots(static_cast<size_t>(roundSize), "slots");
  std::vector<int32_t> expected;
  for (size_t k = 0; k < slots.count(); k++) {
    slots[k] = random.below(500);
    if (k % 97 == 13) {
      slots[k] = k % 2 == 0 ? -1 : 1 << 30;  // none of the tree: as if retired
    } else if (tree.leaves[static_cast<size_t>(slots[k])] > 0) {
      expected.push_back(slots[k]);
    }
  }
  Buffer<int64_t> position(1, "position");
  Buffer<int32_t> filled(1, "filled");
  Buffer<int32_t> indices(static_cast<size_t>(m), "indices");
  position[0] = 0;
  std::vector<int32_t> taken;
  while (true) {
    indices.fill(-7);
    filled[0] = 0;
    CHECK_OK(rais_round_take(nullptr, roundSize, slots.data(), 500, tree.leaves.data(),
                             position.data(), m, filled.data(), indices.data()));
    taken.insert(taken.end(), indices.data(), indices.data() + filled[0]);
    CHECK_EQUAL(filled[0], std::min<size_t>(
                               static_cast<size_t>(m),
                               expected.size() - (taken.size() - static_cast<size_t>(filled[0]))));
    if (filled[0] < m) {
      break;
    }
    // Nothing is used up that was not taken.
    size_t used = 0;
    for (size_t k = 0; k < static_cast<size_t>(position[0]); k++) {
      used += slots[k] >= 0 && slots[k] < 500 && tree.leaves[static_cast<size_t>(slots[k])] > 0;
    }
    CHECK_EQUAL(used, taken.size());
  }
  CHECK(taken == expected);
  CHECK_EQUAL(position[0], roundSize);
  for (size_t j = static_cast<size_t>(filled[0]); j < indices.count(); j++) {
    CHECK_EQUAL(indices[j], -7);  // left for the next round
  }
  // Which goes on behind them.
  if (m > 2 && expected.size() > 2) {
    std::vector<int32_t> before(indices.data(), indices.data() + indices.count());
    position[0] = 0;
    filled[0] = m - 2;
    CHECK_OK(rais_round_take(nullptr, roundSize, slots.data(), 500, tree.leaves.data(),
                             position.data(), m, filled.data(), indices.data()));
    CHECK_EQUAL(filled[0], m);
    for (size_t j = 0; j + 2 < indices.count(); j++) {
      CHECK_EQUAL(indices[j], before[j]);
    }
    CHECK_EQUAL(indices[indices.count() - 2], expected[0]);
    CHECK_EQUAL(indices[indices.count() - 1], expected[1]);
  }
}

void epochsAreShuffled(int n, int m, double share) {
  where = "epochs of " + std::to_string(n) + " by " + std::to_string(m) + ", retired " +
          std::to_string(share);
  Buffer<uint32_t> retired(static_cast<size_t>(n + 31) / 32, "retired");
  retired.fill(0);
  Random random(static_cast<uint64_t>(n + m));
  for (int i = 1; i < n; i++) {
    if (random.uniform() < share) {
      retired[static_cast<size_t>(i) / 32] |= 1u << i % 32;
    }
  }
  Buffer<int64_t> position(1, "position");
  Buffer<int32_t> indices(static_cast<size_t>(m), "indices");
  int64_t at = 0;
  position[0] = 0;
  for (int t = 0; t < 7; t++) {
    CHECK_OK(rais_epoch_take(nullptr, n, share > 0 ? retired.data() : nullptr, kSeed, 2,
                             position.data(), m, indices.data()));
    for (int j = 0; j < m;) {
      rais::Feistel order = rais::feistel(n, kSeed, at / n, 2);
      auto index = static_cast<int32_t>(rais::feistelAt(order, at % n));
      at++;
      if ((retired[static_cast<size_t>(index) / 32] >> index % 32 & 1) == 0) {
        CHECK_EQUAL(indices[static_cast<size_t>(j++)], index);
      }
    }
    // The next epoch may have been begun or not: the place is the same.
    CHECK_EQUAL(position[0], at);
  }
}

void uniformDrawsAreJavas() {
  where = "uniform draws";
  constexpr int kSize = 70;
  constexpr int kCount = 300;
  Buffer<uint32_t> retired(3, "retired");
  retired.fill(0);
  for (int i = 0; i < kSize; i += 3) {
    retired[static_cast<size_t>(i) / 32] |= 1u << i % 32;
  }
  Buffer<int64_t> iteration(1, "iteration");
  iteration[0] = 123'456;
  Buffer<int32_t> indices(kCount, "indices");
  for (bool some : {false, true}) {
    CHECK_OK(rais_uniform_draw(nullptr, kSize, some ? retired.data() : nullptr, kSeed, 3,
                               iteration.data(), kCount, indices.data()));
    for (int j = 0; j < kCount; j++) {
      uint64_t index = 0;
      for (int64_t attempt = 0;; attempt++) {
        index = __umul64hi(rais::philoxBits(kSeed, 3, 123'456 + (attempt << 48), j), kSize);
        if (!some || index % 3 != 0) {
          break;
        }
      }
      CHECK_EQUAL(indices[static_cast<size_t>(j)], index);
    }
  }
}

void allRetiredEnds() {
  where = "all retired";
  Buffer<uint32_t> retired(1, "retired");
  retired[0] = 0xFFFFFFFF;
  Buffer<int64_t> position(1, "position");
  position[0] = 0;
  Buffer<int32_t> indices(3, "indices");
  indices.fill(-7);
  CHECK_OK(
      rais_epoch_take(nullptr, 20, retired.data(), kSeed, 2, position.data(), 3, indices.data()));
  CHECK_EQUAL(static_cast<int64_t>(indices[0]), -7);
  CHECK_OK(
      rais_uniform_draw(nullptr, 20, retired.data(), kSeed, 3, position.data(), 3, indices.data()));
  for (size_t j = 0; j < 3; j++) {
    CHECK_EQUAL(indices[j], 0);
  }
}

void weightsAreTheDefinition() {
  where = "weights";
  constexpr int kCount = 131;
  Tree tree(300);
  tree.leaves[17] = 0;
  tree.build();
  Buffer<float> objective(300, "objective"), importance(kCount, "importance"),
      weights(kCount, "weights"), shadow(kCount, "shadow");
  Buffer<int32_t> indices(kCount, "indices");
  Random random(4);
  for (size_t i = 0; i < 300; i++) {
    objective[i] = static_cast<float>(random.between(0, 2));
  }
  for (size_t j = 0; j < kCount; j++) {
    indices[j] = random.below(300);
  }
  indices[0] = 17;
  indices[1] = -1;
  indices[2] = 300;
  for (bool uniform : {false, true}) {
    for (bool weighted : {false, true}) {
      importance.fill(-7);
      weights.fill(-7);
      shadow.fill(-7);
      CHECK_OK(rais_draw_weights(nullptr, 300, uniform ? nullptr : tree.leaves.data(),
                                 uniform ? nullptr : tree.sums.data(), 290,
                                 weighted ? objective.data() : nullptr, 321.5, kCount,
                                 indices.data(), importance.data(), weights.data(),
                                 uniform ? nullptr : shadow.data()));
      for (size_t j = 0; j < kCount; j++) {
        if (j == 1 || j == 2) {
          CHECK(std::isnan(importance[j]) && std::isnan(weights[j]));
          CHECK(uniform || std::isnan(shadow[j]));
          continue;
        }
        auto i = static_cast<size_t>(indices[j]);
        double np = uniform ? 1 : 290 * (double{tree.leaves[i]} / tree.total());
        double relative = weighted ? objective[i] * (290 / 321.5) : 1;
        CHECK_EQUAL(bitsOf(importance[j]), bitsOf(static_cast<float>(1 / np)));
        CHECK_EQUAL(bitsOf(weights[j]), bitsOf(static_cast<float>(relative / np)));
        if (!uniform) {
          CHECK_EQUAL(bitsOf(shadow[j]), bitsOf(np > 0 ? static_cast<float>(np) : 1.0f));
        }
      }
    }
  }
  // Each is wanted for itself.
  shadow.fill(-7);
  CHECK_OK(rais_draw_weights(nullptr, 300, tree.leaves.data(), tree.sums.data(), 290, nullptr, 0,
                             kCount, indices.data(), nullptr, nullptr, shadow.data()));
  CHECK_CLOSE(shadow[0], 1, 0, 0);
}

void badArgumentsAreNamed() {
  where = "arguments";
  Tree tree(40);
  Buffer<int64_t> position(1, "position");
  Buffer<int32_t> x(8, "x");
  CHECK(rais_round_take(nullptr, 0, x.data(), 40, tree.leaves.data(), position.data(), 4, x.data(),
                        x.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(
      rais_last_error(),
      "rais_round_take(round_size=0, size=40, count=4): round_size must be in 1..16777216");
  CHECK(rais_round_take(nullptr, 8, x.data(), 40, tree.leaves.data(), position.data(), 4, nullptr,
                        x.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "filled must not be null");
  CHECK(rais_epoch_take(nullptr, 40, nullptr, 1, 2, nullptr, 4, x.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "rais_epoch_take(size=40, count=4): position must not be null");
  CHECK(rais_uniform_draw(nullptr, 0, nullptr, 1, 2, position.data(), 4, x.data()) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "size must be in 1..");
  auto weights = [&](const float* leaves, const double* sums, const float* objective, double sum,
                     float* shadow) {
    return rais_draw_weights(nullptr, 40, leaves, sums, 40, objective, sum, 4, x.data(), nullptr,
                             nullptr, shadow);
  };
  float* p = tree.leaves.data();
  CHECK(weights(p, nullptr, nullptr, 0, nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "sums must not be null");
  CHECK(weights(nullptr, tree.sums.data(), nullptr, 0, nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "leaves must not be null");
  CHECK(weights(nullptr, nullptr, nullptr, 0, p) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "sums must not be null");
  for (double sum : {0.0, -1.0, double{NAN}, double{INFINITY}}) {
    CHECK(weights(p, tree.sums.data(), p, sum, nullptr) == RAIS_INVALID_ARGUMENT);
    CHECK_CONTAINS(rais_last_error(), "weight_sum must be in");
  }
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (double share : {0.0, 0.3, 0.97}) {
      roundsPassOverWhatIsRetired(1, 1, share);
      roundsPassOverWhatIsRetired(1000, 33, share);
      roundsPassOverWhatIsRetired(4100, 2050, share);
      epochsAreShuffled(1, 1, share);
      epochsAreShuffled(70, 33, share);
      epochsAreShuffled(500, 500, share);
      epochsAreShuffled(1500, 1400, share);
    }
    uniformDrawsAreJavas();
    allRetiredEnds();
    weightsAreTheDefinition();
  });
  badArgumentsAreNamed();
  return finish();
}
