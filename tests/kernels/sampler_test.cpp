// RAIS's loop with nothing but the kernels: several hundred steps against the bits of Java's
// RaisSampler. What the host does here between launches is what docs/sampler-on-device.md tells.
#include <algorithm>
#include <memory>

#include "philox.cuh"
#include "sampler_golden.h"
#include "testing.h"

using namespace testing;

namespace {

constexpr int kLag = 16;
constexpr int kTrial = 200;

float uniformFloat(int32_t stream, int64_t iteration, int32_t slot) {
  return static_cast<float>(rais::philoxBits(golden::kSamplerSeed, stream, iteration, slot) >> 40) *
         0x1p-24f;
}

int32_t below(int bound, int32_t stream, int64_t iteration, int32_t slot) {
  return static_cast<int32_t>(
      __umul64hi(rais::philoxBits(golden::kSamplerSeed, stream, iteration, slot),
                 static_cast<uint64_t>(bound)));
}

struct Hash {
  uint64_t value = 0;

  void add(uint64_t next) { value = 31 * value + next; }
  void add(float x) { add(uint64_t{bitsOf(x)}); }
  void add(double x) { add(bitsOf(x)); }
};

// A distribution over the examples there were when it was made.
struct Distribution {
  Buffer<float> leaves;
  Buffer<double> sums;
  int64_t active = 0;
  double weightSum = 0;

  explicit Distribution(int64_t n)
      : leaves(static_cast<size_t>(rais_sum_tree_leaves(n)), "leaves"),
        sums(static_cast<size_t>(rais_sum_tree_sums(n)), "sums") {
    leaves.fill(0);
    sums.fill(0);
  }
};

struct Round {
  Buffer<int32_t> slots;
  Buffer<int64_t> position;
  int size = 0;

  explicit Round(size_t most) : slots(most, "slots"), position(1, "position") { position[0] = 0; }
};

class Sampler {
 public:
  explicit Sampler(const golden::Run& r)
      : run(r),
        n(static_cast<size_t>(r.n)),
        m(static_cast<size_t>(r.m)),
        deferrable(r.rounds ? (kLag + 2) * r.m : 0),
        history(static_cast<size_t>(rais_state_history_bytes(r.n)) / 4, "history"),
        labels(n, "labels"),
        retired((n + 31) / 32, "retired"),
        objective(n, "objective"),
        block(static_cast<size_t>(rais_state_bytes(r.classes, r.records, deferrable)), "state"),
        gain(RAIS_GAIN_LENGTH, "gain"),
        schedule(r.schedule, "schedule"),
        iteration(1, "iteration"),
        epochPosition(1, "epoch position"),
        filled(1, "filled"),
        indices(m, "indices"),
        importance(m, "importance"),
        weights(m, "weights"),
        shadow(m, "shadow"),
        features(m * RAIS_FEATURES, "features"),
        norms(m, "norms"),
        hidden(m, "hidden norms"),
        values(m, "values"),
        gradientNorm(1, "gradient norm"),
        rate(1, "learning rate"),
        accepted(1, "accepted"),
        metrics(8, "metrics"),
        distribution(std::make_unique<Distribution>(r.n)),
        spare(std::make_unique<Distribution>(r.n)),
        round(std::make_unique<Round>(n)),
        nextRound(std::make_unique<Round>(n)) {
    history.fill(0);
    retired.fill(0);
    block.fill(0x5A);
    iteration[0] = 0;
    epochPosition[0] = 0;
    active = r.n;
    weightSum = r.weighted ? 0 : r.n;
    for (size_t i = 0; i < n; i++) {
      auto slot = static_cast<int32_t>(i);
      labels[i] = std::min(below(r.classes, 200, 1, slot), below(r.classes, 200, 2, slot));
      float u = uniformFloat(200, 0, slot);
      scale.push_back(u * u * u * 2.0f + 0.001f);
      objective[i] = i % 50 == 7 ? 0 : 0.25f + uniformFloat(200, 3, slot);
      weightSum += r.weighted ? objective[i] : 0;
    }
    CHECK_OK(rais_state_init(nullptr, r.classes, r.records, deferrable, block.data()));
    recount();
    CHECK_OK(rais_gain_init(nullptr, gain.data()));
  }

  void retire() {
    std::vector<int32_t> gone;
    for (int32_t i = 3; i < run.n; i += 11) {
      gone.push_back(i);
      retired[static_cast<size_t>(i) / 32] |= 1u << i % 32;
      // As Java keeps them: sums of doubles that were subtracted from.
      active--;
      weightSum = run.weighted ? weightSum - objective[static_cast<size_t>(i)] : double(active);
      for (Distribution* d : {distribution.get(), spare.get()}) {
        d->active--;
        d->weightSum -= run.weighted ? objective[static_cast<size_t>(i)] : 1.0f;
      }
    }
    Buffer<int32_t> which(gone, "retired now");
    Buffer<float> zeros(gone.size(), "zeros");
    zeros.fill(0);
    for (Distribution* d : {distribution.get(), spare.get()}) {
      CHECK_OK(rais_sum_tree_update(nullptr, run.n, d->leaves.data(), d->sums.data(),
                                    static_cast<int32_t>(gone.size()), which.data(), zeros.data(),
                                    nullptr));
    }
    recount();
  }

  void draw(int t) {
    if (pending && !(run.rounds && refreshed) && t >= applyAt) {
      apply(t);
    }
    bool uniform = !refreshed || cautious;
    if (uniform && (run.rounds || cautious)) {
      CHECK_OK(rais_epoch_take(nullptr, run.n, retired.data(), golden::kSamplerSeed,
                               golden::kStreamShuffle, epochPosition.data(), run.m,
                               indices.data()));
    } else if (uniform) {
      CHECK_OK(rais_uniform_draw(nullptr, run.n, retired.data(), golden::kSamplerSeed,
                                 golden::kStreamUniform, iteration.data(), run.m, indices.data()));
    } else if (run.rounds) {
      takeRound(t);
    } else {
      CHECK_OK(rais_sum_tree_draw(nullptr, run.n, distribution->leaves.data(),
                                  distribution->sums.data(), distribution->active,
                                  golden::kSamplerSeed, golden::kStreamWeighted, iteration.data(),
                                  run.m, indices.data(), nullptr));
      weigh(0, run.m);
    }
    if (uniform) {
      CHECK_OK(rais_draw_weights(nullptr, run.n, nullptr, nullptr, active, objectiveOrNull(),
                                 weightSum, run.m, indices.data(), importance.data(),
                                 weights.data(), nullptr));
    }
    if (cautious) {
      CHECK_OK(rais_draw_weights(nullptr, run.n, distribution->leaves.data(),
                                 distribution->sums.data(), distribution->active, nullptr, 0, run.m,
                                 indices.data(), nullptr, nullptr, shadow.data()));
      if (run.rounds) {
        // What the round would have been used for.
        round->position[0] = std::min<int64_t>(round->size, round->position[0] + run.m);
        if (round->position[0] == round->size) {
          border(t);
        }
      }
      cautiousIterations++;
    }
    if (!refreshed) {
      CHECK_OK(rais_state_freeze(nullptr, run.classes, run.records, deferrable, block.data()));
    }
    CHECK_OK(rais_state_features(nullptr, run.n, history.data(), labels.data(), run.classes,
                                 run.records, deferrable, block.data(), run.m, indices.data(),
                                 features.data()));
    shadowed = cautious;
  }

  // Computes what the network would, then learns from it.
  void observe(int t) {
    for (size_t j = 0; j < m; j++) {
      auto slot = static_cast<int32_t>(2 * j);
      float u = uniformFloat(201, t, slot);
      norms[j] = u < 0.02f ? 0 : scale[static_cast<size_t>(indices[j])] * (0.5f + u);
      hidden[j] = uniformFloat(201, t, slot + 1) * 10.0f;
    }
    double g = rais::philoxUniform(golden::kSamplerSeed, 201, t, -1);
    gradientNorm[0] = t < run.noisyUntil ? 1 + g : 0.004 + 0.02 * g;
    CHECK_OK(rais_gain(nullptr, run.m, weights.data(), run.weighted ? importance.data() : nullptr,
                       shadowed ? shadow.data() : nullptr, norms.data(), hidden.data(), nullptr,
                       gradientNorm.data(), 3, schedule.data(),
                       static_cast<int32_t>(schedule.count() - 2) / 4,
                       part<int64_t>(RAIS_STATE_TOTALS) + RAIS_TOTAL_FLOORED, iteration.data(),
                       gain.data(), rate.data(), accepted.data(), metrics.data(), 8));
    CHECK_OK(rais_state_observe(nullptr, run.n, history.data(), labels.data(), retired.data(),
                                run.classes, run.records, deferrable, block.data(), run.m,
                                indices.data(), importance.data(), norms.data(), features.data(),
                                accepted.data()));
    if (refreshed && !run.rounds) {
      CHECK_OK(rais_state_values(nullptr, run.n, history.data(), labels.data(), retired.data(),
                                 objectiveOrNull(), run.classes, run.records, deferrable,
                                 block.data(), run.m, indices.data(), values.data()));
      CHECK_OK(rais_sum_tree_update(nullptr, run.n, distribution->leaves.data(),
                                    distribution->sums.data(), run.m, indices.data(), values.data(),
                                    nullptr));
    }
    judge(t);
    if (!pending && isDue(t)) {
      prepare(t);
    }
  }

  void addTo(Hash& hash) const {
    for (size_t j = 0; j < m; j++) {
      hash.add(static_cast<uint64_t>(static_cast<int64_t>(indices[j])));
      hash.add(weights[j]);
      hash.add(importance[j]);
    }
    for (size_t i = 0; i < features.count(); i++) {
      hash.add(features[i]);
    }
    hash.add(rate[0]);
    hash.add(gain[RAIS_GAIN_RATIO]);
    hash.add(gain[RAIS_GAIN_ITERATIONS]);
  }

  void checkState(const golden::StateHashes& expected) const {
    Hash words;
    for (size_t i = 0; i < history.count(); i++) {
      words.add(history[i]);
    }
    CHECK_EQUAL(words.value, expected.history);
    Hash means;
    const auto* mean = part<double>(RAIS_STATE_MEANS);
    means.add(mean[0]);
    for (int k = 1; k <= run.classes; k++) {
      means.add(uint64_t{!std::isnan(mean[k])});
      means.add(std::isnan(mean[k]) ? 0.0 : mean[k]);
    }
    CHECK_EQUAL(means.value, expected.means);
    Hash frozen;
    for (int k = 0; k <= run.classes; k++) {
      frozen.add(part<float>(RAIS_STATE_FROZEN)[k]);
    }
    CHECK_EQUAL(frozen.value, expected.frozen);
    Hash ring;
    const auto* totals = part<int64_t>(RAIS_STATE_TOTALS);
    ring.add(static_cast<uint64_t>(totals[RAIS_TOTAL_WRITTEN]));
    ring.add(static_cast<uint64_t>(totals[RAIS_TOTAL_REVISITS]));
    for (int i = 0; i < 8 * run.records; i++) {
      ring.add(part<float>(RAIS_STATE_RING)[i]);
    }
    CHECK_EQUAL(ring.value, expected.ring);
    Hash leaves;
    for (size_t i = 0; i < n && refreshed; i++) {
      leaves.add(distribution->leaves[i]);
    }
    CHECK_EQUAL(leaves.value, expected.leaves);
    Hash moments;
    for (size_t i = RAIS_GAIN_UNIFORM; i <= RAIS_GAIN_EARNED_AT_BOUND; i++) {
      moments.add(gain[i]);
    }
    CHECK_EQUAL(moments.value, expected.gain);
    CHECK_EQUAL(pending ? flooredBefore : totals[RAIS_TOTAL_FLOORED], expected.floored);
    CHECK_EQUAL(totals[RAIS_TOTAL_REFUSED], 0);
    CHECK_EQUAL(totals[RAIS_TOTAL_LOST], 0);
    // What is counted as it changes is what a count finds.
    std::vector<int64_t> before(totals, totals + RAIS_TOTALS);
    std::vector<int32_t> counts(part<int32_t>(RAIS_STATE_COUNTS),
                                part<int32_t>(RAIS_STATE_COUNTS) + 2 * run.classes);
    recount();
    CHECK(std::memcmp(before.data(), totals, sizeof(int64_t) * RAIS_TOTALS) == 0);
    CHECK(std::memcmp(counts.data(), part<int32_t>(RAIS_STATE_COUNTS),
                      sizeof(int32_t) * counts.size()) == 0);
  }

  size_t sets = 0;  // applied so far
  int cautiousIterations = 0;

  int64_t boundHits() const { return static_cast<int64_t>(gain[RAIS_GAIN_BOUND_HITS]); }

 private:
  template <class T>
  T* part(int number) const {
    return reinterpret_cast<T*>(block.data() +
                                rais_state_offset(run.classes, run.records, deferrable, number));
  }

  const float* objectiveOrNull() const { return run.weighted ? objective.data() : nullptr; }

  void recount() const {
    CHECK_OK(rais_state_recount(nullptr, run.n, history.data(), labels.data(), retired.data(),
                                run.classes, run.records, deferrable, block.data()));
  }

  // Weights of the slots from first on, by the distribution in force.
  void weigh(int first, int count) {
    if (count > 0) {
      CHECK_OK(rais_draw_weights(nullptr, run.n, distribution->leaves.data(),
                                 distribution->sums.data(), distribution->active, objectiveOrNull(),
                                 distribution->weightSum, count, indices.data() + first,
                                 importance.data() + first, weights.data() + first, nullptr));
    }
  }

  // A minibatch that a round's end cuts goes on in the next one; only where examples were retired.
  void takeRound(int t) {
    filled[0] = 0;
    while (true) {
      int first = filled[0];
      CHECK_OK(rais_round_take(nullptr, round->size, round->slots.data(), run.n,
                               distribution->leaves.data(), round->position.data(), run.m,
                               filled.data(), indices.data()));
      weigh(first, filled[0] - first);
      if (filled[0] == run.m) {
        return;
      }
      border(t);
    }
  }

  void border(int t) {
    CHECK(pending);
    apply(t);
  }

  bool isDue(int t) const {
    const auto* totals = part<int64_t>(RAIS_STATE_TOTALS);
    if (!refreshed) {
      return totals[RAIS_TOTAL_REVISITS] >= std::max(1, run.records / 4);
    }
    if (run.rounds) {
      int lag = std::clamp(round->size / run.m / kLag, 1, kLag);
      return round->size - round->position[0] <= lag * run.m;
    }
    return t + 1 - lastTrainingStart >= (run.records + run.m - 1) / run.m;
  }

  // The host would now train a set on a copy of the ring; here it is the one that Java trained.
  void prepare(int t) {
    if (sets < run.sets.size()) {
      CHECK_EQUAL(t, run.sets[sets].prepared);
    }
    pending = true;
    lastTrainingStart = t + 1;
    applyAt = t + 1 + kLag;
    int64_t number = rounds++;
    CHECK_OK(rais_state_prepare(nullptr, run.classes, run.records, deferrable, block.data(),
                                run.rounds ? 1 : 0));
    flooredBefore = part<int64_t>(RAIS_STATE_TOTALS)[RAIS_TOTAL_FLOORED];
    if (!run.rounds || sets == run.sets.size()) {
      return;
    }
    build(*spare);
    int wanted = static_cast<int>(std::llround(0.5 * static_cast<double>(active)));
    nextRound->size = std::max(1, wanted / run.m) * run.m;
    nextRound->position[0] = 0;
    Buffer<int64_t> at(1, "number of the round");
    at[0] = number;
    CHECK_OK(rais_round_generate(nullptr, run.n, spare->leaves.data(), spare->sums.data(),
                                 spare->active, golden::kSamplerSeed, golden::kStreamOffset,
                                 golden::kStreamOrder, at.data(), nextRound->size,
                                 nextRound->slots.data(), nullptr));
  }

  // What follows from the set: terms, leaves, sums.
  void build(Distribution& target) {
    std::memcpy(part<char>(RAIS_STATE_SET), run.sets[sets].bits, sizeof run.sets[sets].bits);
    CHECK_OK(rais_state_refresh(nullptr, run.classes, run.records, deferrable, block.data()));
    CHECK_OK(rais_state_leaves(nullptr, run.n, history.data(), labels.data(), retired.data(),
                               objectiveOrNull(), run.classes, run.records, deferrable,
                               block.data(), target.leaves.data()));
    CHECK_OK(
        rais_sum_tree_build(nullptr, run.n, target.leaves.data(), target.sums.data(), nullptr));
    target.active = active;
    target.weightSum = weightSum;
  }

  void apply(int t) {
    CHECK(sets < run.sets.size());
    CHECK_EQUAL(t, run.sets[sets].applied);
    if (run.rounds) {
      std::swap(distribution, spare);
      std::swap(round, nextRound);
    } else {
      CHECK_OK(rais_state_prepare(nullptr, run.classes, run.records, deferrable, block.data(), 0));
      build(*distribution);
    }
    CHECK_OK(rais_state_apply(nullptr, run.classes, run.records, deferrable, block.data()));
    if (run.rounds) {
      CHECK_OK(rais_state_visit(nullptr, run.n, history.data(), labels.data(), retired.data(),
                                run.classes, run.records, deferrable, block.data()));
    }
    pending = false;
    if (!refreshed) {
      trialFrom = t;
    }
    refreshed = true;
    sets++;
  }

  void judge(int t) {
    if (!run.caution || !refreshed) {
      return;
    }
    double estimate = gain[RAIS_GAIN_ESTIMATE];
    if (cautious) {
      if (estimate > 1.1) {
        cautious = false;
        trialFrom = t + 1;
        trialLength = 0;
      }
    } else if (t >= trialFrom) {
      trialLength++;
      cautious = trialLength >= kTrial && estimate < 1.05;
    }
  }

  const golden::Run& run;
  size_t n, m;
  int deferrable;
  std::vector<float> scale;
  Buffer<float> history;
  Buffer<int32_t> labels;
  Buffer<uint32_t> retired;
  Buffer<float> objective;
  Buffer<char> block;
  Buffer<double> gain, schedule;
  Buffer<int64_t> iteration, epochPosition;
  Buffer<int32_t> filled, indices;
  Buffer<float> importance, weights, shadow, features, norms, hidden, values;
  Buffer<double> gradientNorm;
  Buffer<float> rate;
  Buffer<int32_t> accepted;
  Buffer<rais_step_metrics> metrics;
  std::unique_ptr<Distribution> distribution, spare;
  std::unique_ptr<Round> round, nextRound;
  int64_t active;
  double weightSum;
  int64_t rounds = 0;
  int64_t flooredBefore = 0;
  bool refreshed = false, pending = false, cautious = false, shadowed = false;
  int applyAt = 0, lastTrainingStart = 0, trialFrom = 0, trialLength = 0;
};

void isJavas(const golden::Run& run, int steps) {
  Sampler sampler(run);
  Hash hash;
  size_t states = 0;
  for (int t = 0; t < steps && failures == 0; t++) {
    where = std::string(run.name) + ", step " + std::to_string(t);
    if (run.retireAt > 0 && t == run.retireAt) {
      sampler.retire();
    }
    sampler.draw(t);
    sampler.observe(t);
    sampler.addTo(hash);
    if ((t + 1) % golden::kBatchEvery == 0) {
      CHECK_EQUAL(hash.value, run.batches[static_cast<size_t>(t / golden::kBatchEvery)]);
    }
    if ((t + 1) % golden::kStateEvery == 0) {
      CHECK_EQUAL(t, run.states[states].step);
      sampler.checkState(run.states[states++]);
    }
  }
  if (steps == run.steps) {
    CHECK_EQUAL(sampler.sets, run.sets.size());
    CHECK_EQUAL(sampler.cautiousIterations, run.cautiousIterations);
    CHECK_EQUAL(sampler.boundHits(), run.boundHits);
  }
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  for (const golden::Run& run : golden::kRuns) {
    isJavas(run, run.steps);
  }
  // A few steps beyond the first sets show a race as well as all.
  underSchedules([] {
    for (const golden::Run& run : golden::kRuns) {
      isJavas(run, 2 * golden::kStateEvery);
    }
  });
  return finish();
}
