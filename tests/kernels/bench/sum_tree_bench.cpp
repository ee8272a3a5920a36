// The sum tree: build, a step's draw and update, a round. Draws and updates touch few bytes here
// and there, so their time is what counts. Every turn draws in an iteration of its own: nothing
// that one turn has brought into the cache helps the next.
#include <algorithm>

#include "bench.h"
#include "reference.h"

namespace bench {
namespace {

constexpr int64_t kSeed = 0x0123456789ABCDEF;
constexpr int32_t kDrawStream = 4;
constexpr int32_t kOffsetStream = 5;
constexpr int32_t kOrderStream = 6;
constexpr int kIterations = 4096;

// A tree of n leaves, built, and the running sums of its leaves.
struct Tree {
  int64_t n;
  std::vector<float> values;
  std::vector<double> before;  // sum of the leaves before each, and behind the last
  Rotating<float> leaves;
  Rotating<double> sums;
  Rotating<int64_t> iterations;

  static std::vector<float> padded(Random random, int64_t n) {
    std::vector<float> values = random.floats(static_cast<size_t>(n), 0, 1);
    for (size_t i = 0; i < values.size(); i += 5) {
      values[i] = 0;
    }
    values.resize(static_cast<size_t>(rais_sum_tree_leaves(n)));
    return values;
  }

  static std::vector<int64_t> numbers() {
    std::vector<int64_t> all(kIterations);
    for (size_t i = 0; i < all.size(); i++) {
      all[i] = static_cast<int64_t>(i);
    }
    return all;
  }

  Tree(Bench& bench, int64_t size)
      : n(size),
        values(padded(Random(3), size)),
        leaves(bench.input(values)),
        sums(bench.output<double>(static_cast<size_t>(rais_sum_tree_sums(size)))),
        iterations(bench.shared(numbers())) {
    before.push_back(0);
    for (float value : values) {
      before.push_back(before.back() + value);
    }
  }

  int32_t build(rais_stream stream, int turn) const {
    return rais_sum_tree_build(stream, n, leaves(turn), sums(turn), nullptr);
  }

  void buildAll() const {
    for (size_t i = 0; i < sums.copies(); i++) {
      build(nullptr, static_cast<int>(i));
    }
    device::finish();
  }

  const int64_t* iteration(int turn) const { return iterations(0) + turn % kIterations; }

  // That position x is in the leaf, up to rounding, and that the leaf can be drawn.
  void checkDraw(Check& check, const char* what, size_t j, int32_t index, double x) const {
    auto i = static_cast<size_t>(index);
    double slack = 1e-9 * before.back();
    check.holds(what, j,
                index >= 0 && index < n && values[i] > 0 && x >= before[i] - slack &&
                    x <= before[i + 1] + slack);
  }

  void checkWeight(Check& check, size_t j, int32_t index, float weight) const {
    if (index >= 0 && index < n) {
      double p = values[static_cast<size_t>(index)] / before.back();
      check.close("weights", j, weight, 1 / (static_cast<double>(n) * p), 1e-6, 0);
    }
  }
};

Work prepareBuild(Bench& bench, int64_t n) {
  Tree tree(bench, n);
  Work work;
  work.launch = [=](rais_stream stream, int turn) { return tree.build(stream, turn); };
  work.check = [=](Check& check) {
    double total = tree.sums.read()[static_cast<size_t>(rais_sum_tree_root(n))];
    check.close("the root", 0, total, tree.before.back(), 1e-10, 0);
  };
  return work;
}

Work prepareDraw(Bench& bench, int64_t n, int m) {
  Tree tree(bench, n);
  tree.buildAll();
  auto indices = bench.output<int32_t>(static_cast<size_t>(m));
  auto weights = bench.output<float>(static_cast<size_t>(m));
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return rais_sum_tree_draw(stream, n, tree.leaves(turn), tree.sums(turn), n, kSeed, kDrawStream,
                              tree.iteration(turn), m, indices(turn), weights(turn));
  };
  work.check = [=](Check& check) {
    std::vector<int32_t> drawn = indices.read();
    std::vector<float> weight = weights.read();
    for (size_t j = 0; j < drawn.size(); j++) {
      double u = Philox(kSeed, kDrawStream, 0, static_cast<int32_t>(j)).uniform();
      tree.checkDraw(check, "indices", j, drawn[j], u * tree.before.back());
      tree.checkWeight(check, j, drawn[j], weight[j]);
    }
  };
  return work;
}

// Draws, then gives the drawn leaves new values.
Work prepareStep(Bench& bench, int64_t n, int m) {
  Tree tree(bench, n);
  tree.buildAll();
  std::vector<float> fresh = Random(4).floats(static_cast<size_t>(m), 0.1, 1);
  auto indices = bench.output<int32_t>(static_cast<size_t>(m));
  auto weights = bench.output<float>(static_cast<size_t>(m));
  auto values = bench.input(fresh);
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    int32_t status =
        rais_sum_tree_draw(stream, n, tree.leaves(turn), tree.sums(turn), n, kSeed, kDrawStream,
                           tree.iteration(turn), m, indices(turn), weights(turn));
    return status != RAIS_OK ? status
                             : rais_sum_tree_update(stream, n, tree.leaves(turn), tree.sums(turn),
                                                    m, indices(turn), values(turn), nullptr);
  };
  work.check = [=](Check& check) {
    std::vector<int32_t> drawn = indices.read();
    std::vector<float> now = tree.leaves.read(), expected = tree.values;
    for (size_t j = 0; j < drawn.size(); j++) {
      double u = Philox(kSeed, kDrawStream, 0, static_cast<int32_t>(j)).uniform();
      tree.checkDraw(check, "indices", j, drawn[j], u * tree.before.back());
      if (drawn[j] >= 0 && drawn[j] < n) {
        expected[static_cast<size_t>(drawn[j])] = fresh[j];  // the last one holds
      }
    }
    double total = 0;
    for (size_t i = 0; i < expected.size(); i++) {
      total += expected[i];
      check.holds("leaves", i, now[i] == expected[i]);
    }
    double root = tree.sums.read()[static_cast<size_t>(rais_sum_tree_root(n))];
    check.close("the root", 0, root, total, 1e-10, 0);
  };
  return work;
}

Work prepareRound(Bench& bench, int64_t n, int slots) {
  Tree tree(bench, n);
  tree.buildAll();
  auto indices = bench.output<int32_t>(static_cast<size_t>(slots));
  auto weights = bench.output<float>(static_cast<size_t>(slots));
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return rais_round_generate(stream, n, tree.leaves(turn), tree.sums(turn), n, kSeed,
                               kOffsetStream, kOrderStream, tree.iteration(turn), slots,
                               indices(turn), weights(turn));
  };
  work.check = [=](Check& check) {
    std::vector<int32_t> drawn = indices.read();
    std::vector<float> weight = weights.read();
    for (size_t j = 0; j < drawn.size(); j++) {
      tree.checkWeight(check, j, drawn[j], weight[j]);
    }
    // In order of the leaves, slot k has position (k + offset) / slots.
    std::sort(drawn.begin(), drawn.end());
    double offset = Philox(kSeed, kOffsetStream, 0, 0).uniform();
    for (size_t k = 0; k < drawn.size(); k++) {
      double share = (static_cast<double>(k) + offset) / slots;
      tree.checkDraw(check, "sorted indices", k, drawn[k], share * tree.before.back());
    }
  };
  return work;
}

}  // namespace

void sumTree(Bench& bench) {
  for (int64_t n : bench.shapes<int64_t>({10'000'000, 1'000'000}, {5'003, 70'001})) {
    int m = bench.shapes<int>({1024}, {64})[0];
    int slots = static_cast<int>(std::min<int64_t>(n, 1 << 20));
    auto size = static_cast<double>(n);
    double bytes = size * (4 + 8.0 / 15);
    auto count = static_cast<long long>(n);
    bench.measure({"sum_tree_build", text("n=%lld", count), bytes, bytes},
                  [&] { return prepareBuild(bench, n); });
    bench.measure({"sum_tree_draw", text("n=%lld m=%d", count, m), 0, bytes},
                  [&] { return prepareDraw(bench, n, m); });
    bench.measure({"sum_tree_draw+update", text("n=%lld m=%d", count, m), 0, bytes},
                  [&] { return prepareStep(bench, n, m); });
    bench.measure({"round_generate", text("n=%lld K=%d", count, slots), 0, bytes},
                  [&] { return prepareRound(bench, n, slots); });
  }
}

}  // namespace bench
