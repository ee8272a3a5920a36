// The sampler's state, the gain ratio and minibatches: a step's small launches, whose time is
// latency, one by one and as the sequence that a step is; and the refresh, which is bandwidth.
#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "bench.h"
#include "reference.h"

namespace bench {
namespace {

constexpr int64_t kSeed = 0x0123456789ABCDEF;
constexpr int32_t kDrawStream = 4;
constexpr int kHistoryBlock = 1024;
constexpr double kFloor = 0.001;

struct Shape {
  int64_t n;
  int m, classes, records;
};

// A sampler in the middle of training: most examples were visited, means are known, a set was
// trained and applied.
struct Sampler {
  Shape s;
  size_t n, m;
  std::vector<float> history0;
  std::vector<int32_t> labels0;
  std::vector<double> means0, set0;
  std::vector<int32_t> indices0;  // distinct
  std::vector<float> norms0, importance0;
  Rotating<float> history;
  Rotating<int32_t> labels;
  Rotating<char> block;
  Rotating<float> leaves;
  Rotating<double> sums, gain, schedule, gradientNorm;
  Rotating<int64_t> iteration, position;
  Rotating<int32_t> indices, accepted, slots, filled;
  Rotating<float> importance, norms, hidden, features, values, rate;
  Rotating<rais_step_metrics> metrics;

  Sampler(Bench& bench, Shape shape)
      : s(shape),
        n(static_cast<size_t>(s.n)),
        m(static_cast<size_t>(s.m)),
        history0(visited(s.n, Random(21))),
        labels0(any(n, s.classes, Random(22))),
        means0(meansOf(s.classes, Random(23))),
        set0({0.1, 0.2, 0.3, 0.05, 0.2, 0.1, 0.2, 0.1, 0.3, 0.1, 0.2, 0.1, 0.04}),
        indices0(distinct(s.n, m)),
        norms0(Random(24).floats(m, 0.1, 3)),
        importance0(Random(25).floats(m, 0.2, 3)),
        history(bench.input(history0)),
        labels(bench.input(labels0)),
        block(bench.output<char>(
            static_cast<size_t>(rais_state_bytes(s.classes, s.records, deferrable())))),
        leaves(bench.output<float>(static_cast<size_t>(rais_sum_tree_leaves(s.n)))),
        sums(bench.output<double>(static_cast<size_t>(rais_sum_tree_sums(s.n)))),
        gain(bench.output<double>(RAIS_GAIN_LENGTH)),
        schedule(bench.shared<double>({0.1, 1e9, 1, 1, 0, 0})),
        gradientNorm(bench.shared<double>({0.05})),
        iteration(bench.input(std::vector<int64_t>{0})),
        position(bench.input(std::vector<int64_t>{0})),
        indices(bench.input(indices0)),
        accepted(bench.output<int32_t>(1)),
        slots(bench.input(any(std::min<size_t>(n, 1 << 20), static_cast<int>(s.n), Random(26)))),
        filled(bench.input(std::vector<int32_t>{0})),
        importance(bench.input(importance0)),
        norms(bench.input(norms0)),
        hidden(bench.input(Random(27).floats(m, 0, 10))),
        features(bench.output<float>(m * RAIS_FEATURES)),
        values(bench.output<float>(m)),
        rate(bench.output<float>(1)),
        metrics(bench.output<rais_step_metrics>(64)) {
    for (size_t i = 0; i < block.copies(); i++) {
      auto turn = static_cast<int>(i);
      require(rais_state_init(nullptr, s.classes, s.records, deferrable(), block(turn)));
      require(rais_gain_init(nullptr, gain(turn)));
      device::finish();
      device::copyIn(part(turn, RAIS_STATE_MEANS), means0.data(), means0.size() * sizeof(double));
      device::copyIn(part(turn, RAIS_STATE_SET), set0.data(), set0.size() * sizeof(double));
      require(recount(nullptr, turn));
      require(refresh(nullptr, turn));
      require(drawFeatures(nullptr, turn));
    }
    device::finish();
  }

  static void require(int32_t status) {
    if (status != RAIS_OK) {
      throw std::runtime_error(rais_last_error());
    }
  }

  static std::vector<float> visited(int64_t n, Random random) {
    std::vector<float> history(static_cast<size_t>(rais_state_history_bytes(n)) / sizeof(float));
    for (int64_t i = 0; i < n; i++) {
      bool seen = i % 20 != 7;
      float* columns = &history[at(i)];
      for (int column = 0; column < 3; column++) {
        columns[column * kHistoryBlock] = seen ? random.between(0.01, 3) : 0;
      }
      int32_t visits = seen ? 3 : 0;
      std::memcpy(&columns[3 * kHistoryBlock], &visits, sizeof visits);
    }
    return history;
  }

  static std::vector<int32_t> any(size_t count, int below, Random random) {
    std::vector<int32_t> values(count);
    for (int32_t& value : values) {
      value = random.below(below);
    }
    return values;
  }

  static std::vector<double> meansOf(int classes, Random random) {
    std::vector<double> means(static_cast<size_t>(classes) + 1);
    for (double& mean : means) {
      mean = random.between(0.5, 2);
    }
    return means;
  }

  static std::vector<int32_t> distinct(int64_t n, size_t m) {
    std::vector<int32_t> indices(m);
    auto step = static_cast<int32_t>(n / static_cast<int64_t>(m));
    for (size_t j = 0; j < m; j++) {
      indices[j] = static_cast<int32_t>(j) * step + static_cast<int32_t>(j % 3) % step;
    }
    return indices;
  }

  static size_t at(int64_t i) {
    return static_cast<size_t>(i / kHistoryBlock * (4 * kHistoryBlock) + i % kHistoryBlock);
  }

  int deferrable() const { return 17 * s.m; }

  char* part(int turn, int number) const {
    return block(turn) + rais_state_offset(s.classes, s.records, deferrable(), number);
  }

  template <class T>
  std::vector<T> readPart(int number, size_t count) const {
    std::vector<T> values(count);
    device::copyOut(values.data(), part(0, number), count * sizeof(T));
    return values;
  }

  // ---- Launches ----

  int32_t recount(rais_stream stream, int turn) const {
    return rais_state_recount(stream, s.n, history(turn), labels(turn), nullptr, s.classes,
                              s.records, deferrable(), block(turn));
  }

  int32_t makeLeaves(rais_stream stream, int turn) const {
    return rais_state_leaves(stream, s.n, history(turn), labels(turn), nullptr, nullptr, s.classes,
                             s.records, deferrable(), block(turn), leaves(turn));
  }

  // All of it, with independent draws.
  int32_t refresh(rais_stream stream, int turn) const {
    int32_t status = rais_state_prepare(stream, s.classes, s.records, deferrable(), block(turn), 0);
    status = status != RAIS_OK
                 ? status
                 : rais_state_refresh(stream, s.classes, s.records, deferrable(), block(turn));
    status = status != RAIS_OK
                 ? status
                 : rais_state_apply(stream, s.classes, s.records, deferrable(), block(turn));
    status = status != RAIS_OK ? status : makeLeaves(stream, turn);
    return status != RAIS_OK ? status
                             : rais_sum_tree_build(stream, s.n, leaves(turn), sums(turn), nullptr);
  }

  int32_t draw(rais_stream stream, int turn) const {
    return rais_sum_tree_draw(stream, s.n, leaves(turn), sums(turn), s.n, kSeed, kDrawStream,
                              iteration(turn), s.m, indices(turn), nullptr);
  }

  int32_t weigh(rais_stream stream, int turn) const {
    return rais_draw_weights(stream, s.n, leaves(turn), sums(turn), s.n, nullptr, 0, s.m,
                             indices(turn), importance(turn), nullptr, nullptr);
  }

  int32_t drawFeatures(rais_stream stream, int turn) const {
    return rais_state_features(stream, s.n, history(turn), labels(turn), s.classes, s.records,
                               deferrable(), block(turn), s.m, indices(turn), features(turn));
  }

  int32_t takeGain(rais_stream stream, int turn) const {
    return rais_gain(stream, s.m, importance(turn), nullptr, nullptr, norms(turn), hidden(turn),
                     nullptr, gradientNorm(0), 10, schedule(0), 1, nullptr, iteration(turn),
                     gain(turn), rate(turn), accepted(turn), metrics(turn), 64);
  }

  int32_t observe(rais_stream stream, int turn) const {
    return rais_state_observe(stream, s.n, history(turn), labels(turn), nullptr, s.classes,
                              s.records, deferrable(), block(turn), s.m, indices(turn),
                              importance(turn), norms(turn), features(turn), nullptr);
  }

  int32_t freeze(rais_stream stream, int turn) const {
    return rais_state_freeze(stream, s.classes, s.records, deferrable(), block(turn));
  }

  // As with rounds while a set is trained: visits wait, and are made later.
  int32_t observeLater(rais_stream stream, int turn) const {
    int32_t status = rais_state_prepare(stream, s.classes, s.records, deferrable(), block(turn), 1);
    status = status != RAIS_OK ? status : observe(stream, turn);
    return status != RAIS_OK ? status
                             : rais_state_visit(stream, s.n, history(turn), labels(turn), nullptr,
                                                s.classes, s.records, deferrable(), block(turn));
  }

  int32_t makeValues(rais_stream stream, int turn) const {
    return rais_state_values(stream, s.n, history(turn), labels(turn), nullptr, nullptr, s.classes,
                             s.records, deferrable(), block(turn), s.m, indices(turn),
                             values(turn));
  }

  int32_t update(rais_stream stream, int turn) const {
    return rais_sum_tree_update(stream, s.n, leaves(turn), sums(turn), s.m, indices(turn),
                                values(turn), nullptr);
  }

  // All that a step adds to a network's.
  int32_t step(rais_stream stream, int turn) const {
    int32_t (Sampler::* const launches[])(rais_stream, int) const = {
        &Sampler::draw,    &Sampler::weigh,      &Sampler::drawFeatures, &Sampler::takeGain,
        &Sampler::observe, &Sampler::makeValues, &Sampler::update};
    for (auto launch : launches) {
      int32_t status = (this->*launch)(stream, turn);
      if (status != RAIS_OK) {
        return status;
      }
    }
    return RAIS_OK;
  }

  // ---- References, from the history as it was ----

  // Features of an example under the means as they were (docs/algorithm.md section 3).
  void featuresOf(int64_t i, double (&f)[RAIS_FEATURES]) const {
    const float* columns = &history0[at(i)];
    double classMean = means0[1 + static_cast<size_t>(labels0[static_cast<size_t>(i)])];
    int32_t visits;
    std::memcpy(&visits, &columns[3 * kHistoryBlock], sizeof visits);
    bool seen = visits > 0;
    f[0] = means0[0];
    f[1] = classMean;
    f[2] = seen ? columns[0] : classMean;
    f[3] = seen ? columns[kHistoryBlock] : classMean;
    f[4] = seen ? columns[2 * kHistoryBlock] : classMean;
    f[5] = seen ? 0 : classMean;
  }

  std::vector<double> meanFeatures() const {
    std::vector<double> mean(RAIS_FEATURES);
    for (int64_t i = 0; i < s.n; i++) {
      double f[RAIS_FEATURES];
      featuresOf(i, f);
      for (size_t k = 0; k < RAIS_FEATURES; k++) {
        mean[k] += f[k] / static_cast<double>(s.n);
      }
    }
    return mean;
  }

  // v_i = <c, s_i> + sqrt(h* / <d, s>) <d, s_i>, at least 0.001 of its mean.
  std::vector<double> robustValues() const {
    std::vector<double> mean = meanFeatures(), v(n);
    double error = 0;
    for (size_t k = 0; k < RAIS_FEATURES; k++) {
      error += set0[RAIS_FEATURES + k] * mean[k];
    }
    double scale = std::sqrt(set0[2 * RAIS_FEATURES] / error);
    auto valueOf = [&](const double* f) {
      double value = 0;
      for (size_t k = 0; k < RAIS_FEATURES; k++) {
        value += (set0[k] + scale * set0[RAIS_FEATURES + k]) * f[k];
      }
      return value;
    };
    double floor = kFloor * valueOf(mean.data());
    for (int64_t i = 0; i < s.n; i++) {
      double f[RAIS_FEATURES];
      featuresOf(i, f);
      v[static_cast<size_t>(i)] = std::max(floor, valueOf(f));
    }
    return v;
  }

  void checkLeaves(Check& check) const {
    std::vector<double> expected = robustValues();
    std::vector<float> found = leaves.read();
    for (size_t i = 0; i < n; i++) {
      check.close("leaves", i, found[i], expected[i], 1e-5, 0);
    }
  }

  void checkCounts(Check& check) const {
    auto totals = readPart<int64_t>(RAIS_STATE_TOTALS, RAIS_TOTALS);
    check.holds("active", 0, totals[RAIS_TOTAL_ACTIVE] == s.n);
    check.holds("seen", 0, totals[RAIS_TOTAL_SEEN] == s.n - (s.n + 12) / 20);
    auto counts = readPart<int32_t>(RAIS_STATE_COUNTS, 2 * static_cast<size_t>(s.classes));
    std::vector<int32_t> expected(counts.size());
    for (int64_t i = 0; i < s.n; i++) {
      auto label = static_cast<size_t>(labels0[static_cast<size_t>(i)]);
      expected[label]++;
      expected[static_cast<size_t>(s.classes) + label] += i % 20 == 7;
    }
    for (size_t k = 0; k < counts.size(); k++) {
      check.holds("counts", k, counts[k] == expected[k]);
    }
  }

  void checkFrozen(Check& check) const {
    auto frozen = readPart<float>(RAIS_STATE_FROZEN, means0.size());
    for (size_t k = 0; k < frozen.size(); k++) {
      check.holds("frozen means", k, frozen[k] == static_cast<float>(means0[k]));
    }
  }

  void checkFeatures(Check& check) const {
    std::vector<float> found = features.read();
    for (size_t j = 0; j < m; j++) {
      double f[RAIS_FEATURES];
      featuresOf(indices0[j], f);
      for (size_t k = 0; k < RAIS_FEATURES; k++) {
        check.close("features", j * RAIS_FEATURES + k, found[j * RAIS_FEATURES + k], f[k], 1e-6, 0);
      }
    }
  }

  // That every example was visited once, and recorded.
  void checkHistory(Check& check) const {
    std::vector<float> now = history.read();
    auto ring = readPart<float>(RAIS_STATE_RING, 8 * static_cast<size_t>(s.records));
    auto totals = readPart<int64_t>(RAIS_STATE_TOTALS, RAIS_TOTALS);
    check.holds("refused", 0, totals[RAIS_TOTAL_REFUSED] == 0);
    for (size_t j = 0; j < m; j++) {
      const float* before = &history0[at(indices0[j])];
      const float* after = &now[at(indices0[j])];
      int32_t visits, visitsNow;
      std::memcpy(&visits, &before[3 * kHistoryBlock], sizeof visits);
      std::memcpy(&visitsNow, &after[3 * kHistoryBlock], sizeof visits);
      float norm = norms0[j];
      check.holds("visits", j, visitsNow == visits + 1);
      check.holds("last norms", j, after[0] == norm);
      check.holds("norms before", j, after[kHistoryBlock] == (visits == 0 ? norm : before[0]));
      double average = visits == 0 ? norm : 0.5 * (before[2 * kHistoryBlock] + double{norm});
      check.close("averages", j, after[2 * kHistoryBlock], average, 1e-6, 0);
      if (j < static_cast<size_t>(s.records)) {
        check.holds("records", j, ring[6 * static_cast<size_t>(s.records) + j] == norm);
      }
    }
  }

  // The first step of a new gain (docs/algorithm.md section 5).
  void checkGain(Check& check) const {
    std::vector<float> w = importance.read(), h = hidden.read();
    double uniform = 0, weighted = 0;
    for (size_t j = 0; j < m; j++) {
      double square = double{norms0[j]} * norms0[j] * (double{h[j]} + 1);
      uniform += w[j] * square / s.m;
      weighted += double{w[j]} * w[j] * square / s.m;
    }
    double r = std::clamp(1 + (uniform - weighted) / (s.m * 0.05), 1.0, 10.0);
    check.close("the gain ratio", 0, gain.read()[RAIS_GAIN_RATIO], r, 1e-5, 0);
    check.close("the learning rate", 0, rate.read()[0], 0.1 * r, 1e-5, 0);
    check.holds("accepted", 0, accepted.read()[0] == 1);
  }

  void checkValues(Check& check) const {
    std::vector<double> expected = robustValues();
    std::vector<float> found = values.read();
    for (size_t j = 0; j < m; j++) {
      check.close("values", j, found[j], expected[static_cast<size_t>(indices0[j])], 1e-5, 0);
    }
  }

  void checkWeights(Check& check) const {
    std::vector<float> leaf = leaves.read(), found = importance.read();
    double total = std::accumulate(leaf.begin(), leaf.begin() + static_cast<long>(n), 0.0);
    for (size_t j = 0; j < m; j++) {
      double p = leaf[static_cast<size_t>(indices0[j])] / total;
      check.close("weights", j, found[j], 1 / (static_cast<double>(s.n) * p), 1e-5, 0);
    }
  }

  // That the parts of a step have fitted together: what was drawn was visited and has a new leaf.
  void checkStep(Check& check) const {
    std::vector<int32_t> drawn = indices.read();
    std::vector<float> leaf = leaves.read(), value = values.read(), now = history.read();
    for (size_t j = 0; j < m; j++) {
      bool last =
          std::find(drawn.begin() + static_cast<long>(j) + 1, drawn.end(), drawn[j]) == drawn.end();
      if (last) {
        check.holds("last norms", j, now[at(drawn[j])] == norms0[j]);
        check.holds("leaves", j, leaf[static_cast<size_t>(drawn[j])] == value[j]);
      }
    }
    check.holds("iteration", 0, iteration.read()[0] == 1);
  }
};

using Launch = int32_t (Sampler::*)(rais_stream, int) const;
using Verify = void (Sampler::*)(Check&) const;

Work prepare(Bench& bench, Shape s, Launch launch, Verify verify) {
  auto sampler = std::make_shared<Sampler>(bench, s);
  Work work;
  work.launch = [=](rais_stream stream, int turn) { return (*sampler.*launch)(stream, turn); };
  work.check = [=](Check& check) { (*sampler.*verify)(check); };
  return work;
}

// The first minibatch of a round, of an epoch, and of uniform draws. Later turns go on from there.
Work prepareRound(Bench& bench, Shape s) {
  auto sampler = std::make_shared<Sampler>(bench, s);
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    // Every turn from the start: a round would soon be used up.
    device::copy(stream, sampler->position(turn), sampler->metrics(0), sizeof(int64_t));
    device::copy(stream, sampler->filled(turn), sampler->metrics(0), sizeof(int32_t));
    return rais_round_take(stream, static_cast<int32_t>(std::min<int64_t>(s.n, 1 << 20)),
                           sampler->slots(turn), s.n, sampler->leaves(turn),
                           sampler->position(turn), s.m, sampler->filled(turn),
                           sampler->indices(turn));
  };
  sampler->metrics.fill(0);
  work.check = [=](Check& check) {
    std::vector<int32_t> slots = sampler->slots.read(), taken = sampler->indices.read();
    check.holds("filled", 0, sampler->filled.read()[0] == s.m);
    for (size_t j = 0; j < taken.size(); j++) {
      check.holds("indices", j, taken[j] == slots[j]);  // none has a leaf of 0
    }
  };
  return work;
}

Work prepareEpoch(Bench& bench, Shape s, bool shuffled) {
  auto sampler = std::make_shared<Sampler>(bench, s);
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return shuffled ? rais_epoch_take(stream, s.n, nullptr, kSeed, 1, sampler->position(turn), s.m,
                                      sampler->indices(turn))
                    : rais_uniform_draw(stream, s.n, nullptr, kSeed, 2, sampler->iteration(turn),
                                        s.m, sampler->indices(turn));
  };
  work.check = [=](Check& check) {
    std::vector<int32_t> taken = sampler->indices.read();
    for (size_t j = 0; j < taken.size(); j++) {
      bool inside = taken[j] >= 0 && taken[j] < s.n;
      if (!shuffled) {
        Philox words(kSeed, 2, 0, static_cast<int32_t>(j));
        double u = (words.x[0] * 0x1p-32 + words.x[1]) * 0x1p-32;
        auto expected = static_cast<int32_t>(u * static_cast<double>(s.n));
        inside = std::abs(taken[j] - expected) <= 1;  // u has but 53 bits
      }
      check.holds("indices", j, inside);
    }
    std::sort(taken.begin(), taken.end());
    bool repeated = std::adjacent_find(taken.begin(), taken.end()) != taken.end();
    check.holds("distinct indices", 0, !shuffled || !repeated);
  };
  return work;
}

}  // namespace

void sampler(Bench& bench) {
  for (Shape s : bench.shapes<Shape>({{10'000'000, 1024, 1000, 20'000}, {50'000, 128, 10, 20'000}},
                                     {{5003, 64, 7, 200}})) {
    auto n = static_cast<double>(s.n);
    double footprint = 25 * n;
    std::string size = text("n=%lld", static_cast<long long>(s.n));
    std::string shape = size + text(" m=%d", s.m);
    auto row = [&](const char* kernel, Launch launch, Verify verify) {
      bench.measure({kernel, shape, 0, footprint},
                    [&] { return prepare(bench, s, launch, verify); });
    };
    row("draw_weights", &Sampler::weigh, &Sampler::checkWeights);
    row("state_features", &Sampler::drawFeatures, &Sampler::checkFeatures);
    row("gain", &Sampler::takeGain, &Sampler::checkGain);
    row("state_observe", &Sampler::observe, &Sampler::checkHistory);
    row("state_prepare+observe+visit", &Sampler::observeLater, &Sampler::checkHistory);
    row("state_freeze", &Sampler::freeze, &Sampler::checkFrozen);
    row("state_values", &Sampler::makeValues, &Sampler::checkValues);
    row("step of the sampler", &Sampler::step, &Sampler::checkStep);
    bench.measure({"copies+round_take", shape, 0, footprint},
                  [&] { return prepareRound(bench, s); });
    bench.measure({"epoch_take", shape, 0, footprint},
                  [&] { return prepareEpoch(bench, s, true); });
    bench.measure({"uniform_draw", shape, 0, footprint},
                  [&] { return prepareEpoch(bench, s, false); });
    bench.measure({"state_recount", size, 20 * n, footprint},
                  [&] { return prepare(bench, s, &Sampler::recount, &Sampler::checkCounts); });
    bench.measure({"state_leaves", size, 24 * n, footprint},
                  [&] { return prepare(bench, s, &Sampler::makeLeaves, &Sampler::checkLeaves); });
    bench.measure({"refresh of the sampler", size, 24 * n + (4 + 8.0 / 15) * n, footprint},
                  [&] { return prepare(bench, s, &Sampler::refresh, &Sampler::checkLeaves); });
  }
}

}  // namespace bench
