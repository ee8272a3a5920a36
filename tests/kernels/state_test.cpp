// The sampler's state against a plain loop over slots and examples, to the bit; what bad values do.
#include <algorithm>
#include <cmath>

#include "testing.h"

using namespace testing;

namespace {

constexpr double kAlpha = 0.01;

struct Sizes {
  int n, classes, records, deferrable, m;
  bool retired, weighted;
};

// The state's memory, and calls with it.
struct Device {
  Sizes s;
  Buffer<float> history;
  Buffer<int32_t> labels;
  Buffer<uint32_t> retired;
  Buffer<float> objective;
  Buffer<char> block;

  explicit Device(const Sizes& sizes)
      : s(sizes),
        history(static_cast<size_t>(rais_state_history_bytes(s.n)) / 4, "history"),
        labels(static_cast<size_t>(s.n), "labels"),
        retired(static_cast<size_t>(s.n + 31) / 32, "retired"),
        objective(static_cast<size_t>(s.n), "objective"),
        block(static_cast<size_t>(rais_state_bytes(s.classes, s.records, s.deferrable)), "state") {
    history.fill(0);
    retired.fill(0);
    block.fill(0x7F);  // the memory need not be cleared
    Random random(static_cast<uint64_t>(s.n + s.classes));
    for (int i = 0; i < s.n; i++) {
      auto at = static_cast<size_t>(i);
      labels[at] = std::min(random.below(s.classes), random.below(s.classes));
      objective[at] = i % 9 == 4 ? 0 : static_cast<float>(random.between(0.1, 2));
      if (s.retired && i % 5 == 2) {
        retired[at / 32] |= 1u << i % 32;
      }
    }
    CHECK_OK(rais_state_init(nullptr, s.classes, s.records, s.deferrable, block.data()));
    recount();
  }

  bool isRetired(int i) const { return (retired[static_cast<size_t>(i) / 32] >> i % 32 & 1) != 0; }

  template <class T>
  T* part(int number) const {
    int64_t offset = rais_state_offset(s.classes, s.records, s.deferrable, number);
    return reinterpret_cast<T*>(block.data() + offset);
  }
  int64_t total(int number) const { return part<int64_t>(RAIS_STATE_TOTALS)[number]; }

  const uint32_t* retiredOrNull() const { return s.retired ? retired.data() : nullptr; }
  const float* objectiveOrNull() const { return s.weighted ? objective.data() : nullptr; }

  void recount() const {
    CHECK_OK(rais_state_recount(nullptr, s.n, history.data(), labels.data(), retiredOrNull(),
                                s.classes, s.records, s.deferrable, block.data()));
  }
  void freeze() const {
    CHECK_OK(rais_state_freeze(nullptr, s.classes, s.records, s.deferrable, block.data()));
  }
  void features(const Buffer<int32_t>& indices, const Buffer<float>& out) const {
    CHECK_OK(rais_state_features(nullptr, s.n, history.data(), labels.data(), s.classes, s.records,
                                 s.deferrable, block.data(), static_cast<int>(indices.count()),
                                 indices.data(), out.data()));
  }
  void observe(const Buffer<int32_t>& indices, const Buffer<float>& weights,
               const Buffer<float>& norms, const Buffer<float>& features,
               const int32_t* accepted = nullptr) const {
    CHECK_OK(rais_state_observe(nullptr, s.n, history.data(), labels.data(), retiredOrNull(),
                                s.classes, s.records, s.deferrable, block.data(),
                                static_cast<int>(indices.count()), indices.data(), weights.data(),
                                norms.data(), features.data(), accepted));
  }
  void visit() const {
    CHECK_OK(rais_state_visit(nullptr, s.n, history.data(), labels.data(), retiredOrNull(),
                              s.classes, s.records, s.deferrable, block.data()));
  }
  void values(const Buffer<int32_t>& indices, const Buffer<float>& out) const {
    CHECK_OK(rais_state_values(nullptr, s.n, history.data(), labels.data(), retiredOrNull(),
                               objectiveOrNull(), s.classes, s.records, s.deferrable, block.data(),
                               static_cast<int>(indices.count()), indices.data(), out.data()));
  }
  void prepare(int defer) const {
    CHECK_OK(rais_state_prepare(nullptr, s.classes, s.records, s.deferrable, block.data(), defer));
  }
  void refresh() const {
    CHECK_OK(rais_state_refresh(nullptr, s.classes, s.records, s.deferrable, block.data()));
  }
  void leaves(const Buffer<float>& out) const {
    CHECK_OK(rais_state_leaves(nullptr, s.n, history.data(), labels.data(), retiredOrNull(),
                               objectiveOrNull(), s.classes, s.records, s.deferrable, block.data(),
                               out.data()));
  }
  void apply() const {
    CHECK_OK(rais_state_apply(nullptr, s.classes, s.records, s.deferrable, block.data()));
  }
};

// The same, one after the other.
struct Reference {
  struct Example {
    float last = 0, previous = 0, average = 0;
    int32_t visits = 0;
  };
  struct Record {
    float features[RAIS_FEATURES];
    float norm, weight;
  };

  const Device& d;
  std::vector<Example> examples;
  double mean = NAN;
  std::vector<double> means;
  std::vector<float> frozen, terms, nextFrozen, nextTerms;
  std::vector<double> meanFeatures;
  std::vector<Record> ring;
  std::vector<std::pair<int32_t, float>> deferred;
  bool deferring = false;
  int64_t written = 0, floored = 0;

  explicit Reference(const Device& device)
      : d(device),
        examples(static_cast<size_t>(d.s.n)),
        means(static_cast<size_t>(d.s.classes), NAN),
        frozen(static_cast<size_t>(1 + d.s.classes)),
        terms(static_cast<size_t>(8 + 2 * d.s.classes)),
        meanFeatures(RAIS_FEATURES),
        ring(static_cast<size_t>(d.s.records)) {}

  size_t label(int i) const { return static_cast<size_t>(d.labels[static_cast<size_t>(i)]); }

  std::vector<float> freeze() const {
    std::vector<float> result = {static_cast<float>(std::isnan(mean) ? 0 : mean)};
    for (double of : means) {
      result.push_back(static_cast<float>(std::isnan(of) ? std::isnan(mean) ? 0 : mean : of));
    }
    return result;
  }

  void features(int i, float* out) const {
    const Example& e = examples[static_cast<size_t>(i)];
    float of = frozen[1 + label(i)];
    out[0] = frozen[0];
    out[1] = of;
    out[2] = e.visits == 0 ? of : e.last;
    out[3] = e.visits == 0 ? of : e.previous;
    out[4] = e.visits == 0 ? of : e.average;
    out[5] = e.visits == 0 ? of : 0;
  }

  void visit(int i, float norm) {
    Example& e = examples[static_cast<size_t>(i)];
    if (!d.isRetired(i) || !d.s.retired) {
      e.previous = e.visits == 0 ? norm : e.last;
      e.average = e.visits == 0 ? norm : 0.5f * (e.average + norm);
      e.last = norm;
      e.visits++;
    }
  }

  void observe(const Buffer<int32_t>& indices, const Buffer<float>& weights,
               const Buffer<float>& norms, std::vector<float>& features_) {
    size_t m = indices.count();
    std::vector<double> batchNorms(means.size()), batchWeights(means.size());
    double sum = 0;
    double weight = 0;
    for (size_t j = 0; j < m; j++) {
      double w = weights[j];
      size_t k = label(indices[j]);
      batchNorms[k] += w * norms[j];
      batchWeights[k] += w;
      sum += w * norms[j];
      weight += w;
    }
    bool first = std::isnan(mean);
    mean = first ? sum / weight : mean + kAlpha * (sum / weight - mean);
    for (size_t k = 0; k < means.size(); k++) {
      if (batchWeights[k] > 0) {
        double old = std::isnan(means[k]) ? mean : means[k];
        double a = std::min(0.5, kAlpha * batchWeights[k]);
        means[k] = old + a * (batchNorms[k] / batchWeights[k] - old);
      }
    }
    if (first) {
      frozen = freeze();
    }
    if (features_[0] == 0) {
      for (size_t j = 0; j < m; j++) {
        features(indices[j], &features_[RAIS_FEATURES * j]);
      }
    }
    for (size_t j = 0; j < m; j++) {
      Record& record = ring[static_cast<size_t>(written++) % ring.size()];
      std::copy_n(&features_[RAIS_FEATURES * j], RAIS_FEATURES, record.features);
      record.norm = norms[j];
      record.weight = weights[j];
      if (deferring) {
        deferred.emplace_back(indices[j], norms[j]);
      }
    }
    for (size_t j = 0; j < m && !deferring; j++) {
      visit(indices[j], norms[j]);
    }
  }

  int64_t revisits() const {
    int64_t count = 0;
    for (size_t at = 0; at < std::min(ring.size(), static_cast<size_t>(written)); at++) {
      count += ring[at].features[5] == 0;
    }
    return count;
  }

  void prepare() {
    nextFrozen = freeze();
    double active = 0, classMeans = 0, neverSeen = 0;
    std::vector<int> of(means.size()), unseen(means.size());
    // Sums of these floats are exact in long double as long as they are few and alike.
    long double sums[3] = {};
    for (int i = 0; i < d.s.n; i++) {
      if (!d.s.retired || !d.isRetired(i)) {
        const Example& e = examples[static_cast<size_t>(i)];
        active++;
        of[label(i)]++;
        unseen[label(i)] += e.visits == 0;
        sums[0] += e.last;
        sums[1] += e.previous;
        sums[2] += e.average;
      }
    }
    for (size_t k = 0; k < means.size(); k++) {
      classMeans += of[k] * static_cast<double>(nextFrozen[1 + k]);
      neverSeen += unseen[k] * static_cast<double>(nextFrozen[1 + k]);
    }
    neverSeen /= active;
    meanFeatures = {nextFrozen[0], classMeans / active, 0, 0, 0, neverSeen};
    for (size_t s = 0; s < 3; s++) {
      meanFeatures[2 + s] = static_cast<double>(sums[s]) / active + neverSeen;
    }
  }

  static double dot(const double* c, const double* f) {
    double sum = 0;
    for (int k = 0; k < RAIS_FEATURES; k++) {
      sum += c[k] * f[k];
    }
    return sum;
  }

  // By the mean features that the device found.
  void refresh(const double* set, const double* mf) {
    double e = set[12] == 0 ? 0 : std::sqrt(set[12] / dot(set + 6, mf));
    double a[RAIS_FEATURES];
    for (int k = 0; k < RAIS_FEATURES; k++) {
      a[k] = set[k] + e * set[6 + k];
    }
    double meanValue = dot(set, mf) + e * dot(set + 6, mf);
    bool zero = !(meanValue > 0);
    nextTerms = {static_cast<float>(a[2]),
                 static_cast<float>(a[3]),
                 static_cast<float>(a[4]),
                 zero ? 1 : static_cast<float>(0.001 * meanValue),
                 zero ? 1.0f : 0.0f,
                 0,
                 0,
                 0};
    double filledIn = a[2] + a[3] + a[4] + a[5];
    for (size_t k = 0; k < means.size(); k++) {
      double of = nextFrozen[1 + k];
      double visited = a[0] * nextFrozen[0] + a[1] * of;
      nextTerms.push_back(static_cast<float>(visited));
      nextTerms.push_back(static_cast<float>(visited + filledIn * of));
    }
  }

  float leaf(int i, const std::vector<float>& t, bool whole) {
    auto at = static_cast<size_t>(i);
    if (d.s.retired && d.isRetired(i)) {
      return 0;
    }
    const Example& e = examples[at];
    float v = t[8 + 2 * label(i) + (e.visits == 0 ? 1 : 0)] + t[0] * e.last + t[1] * e.previous +
              t[2] * e.average;
    if (whole && t[4] != 0) {
      v = 1;
    } else if (v < t[3]) {
      v = t[3];
      floored++;
    }
    return d.s.weighted ? d.objective[at] * v : v;
  }

  // Compares everything that steps change.
  void check() const {
    for (int i = 0; i < d.s.n; i++) {
      const Example& e = examples[static_cast<size_t>(i)];
      auto at = static_cast<size_t>(i / 1024 * 4096 + i % 1024);
      CHECK_EQUAL(bitsOf(d.history[at]), bitsOf(e.last));
      CHECK_EQUAL(bitsOf(d.history[at + 1024]), bitsOf(e.previous));
      CHECK_EQUAL(bitsOf(d.history[at + 2048]), bitsOf(e.average));
      CHECK_EQUAL(bitsOf(d.history[at + 3072]), e.visits);
    }
    const auto* found = d.part<double>(RAIS_STATE_MEANS);
    CHECK(std::isnan(mean) ? std::isnan(found[0]) : bitsOf(found[0]) == bitsOf(mean));
    for (size_t k = 0; k < means.size(); k++) {
      CHECK(std::isnan(means[k]) ? std::isnan(found[1 + k])
                                 : bitsOf(found[1 + k]) == bitsOf(means[k]));
    }
    const auto* batch = d.part<double>(RAIS_STATE_BATCH);
    for (int k = 0; k < 2 * d.s.classes; k++) {
      CHECK_EQUAL(bitsOf(batch[k]), 0);
    }
    CHECK(std::memcmp(d.part<float>(RAIS_STATE_FROZEN), frozen.data(), 4 * frozen.size()) == 0);
    CHECK(std::memcmp(d.part<float>(RAIS_STATE_TERMS), terms.data(), 4 * terms.size()) == 0);
    const auto* columns = d.part<float>(RAIS_STATE_RING);
    for (size_t at = 0; at < std::min(ring.size(), static_cast<size_t>(written)); at++) {
      for (size_t k = 0; k < RAIS_FEATURES; k++) {
        CHECK_EQUAL(bitsOf(columns[k * ring.size() + at]), bitsOf(ring[at].features[k]));
      }
      CHECK_EQUAL(bitsOf(columns[6 * ring.size() + at]), bitsOf(ring[at].norm));
      CHECK_EQUAL(bitsOf(columns[7 * ring.size() + at]), bitsOf(ring[at].weight));
    }
    CHECK_EQUAL(d.total(RAIS_TOTAL_WRITTEN), written);
    CHECK_EQUAL(d.total(RAIS_TOTAL_REVISITS), revisits());
    CHECK_EQUAL(d.total(RAIS_TOTAL_FLOORED), floored);
    // What was kept up to date is what a count finds.
    const auto* totals = d.part<int64_t>(RAIS_STATE_TOTALS);
    const auto* counts = d.part<int32_t>(RAIS_STATE_COUNTS);
    std::vector<int64_t> totalsBefore(totals, totals + RAIS_TOTALS);
    std::vector<int32_t> countsBefore(counts, counts + 2 * d.s.classes);
    d.recount();
    CHECK(std::equal(totalsBefore.begin(), totalsBefore.end(), totals));
    CHECK(std::equal(countsBefore.begin(), countsBefore.end(), counts));
  }
};

void isTheDefinition(const Sizes& s) {
  where = "n " + std::to_string(s.n) + ", classes " + std::to_string(s.classes) + ", records " +
          std::to_string(s.records) + ", m " + std::to_string(s.m);
  Device d(s);
  Reference r(d);
  auto m = static_cast<size_t>(s.m);
  Buffer<int32_t> indices(m, "indices");
  Buffer<float> weights(m, "weights"), norms(m, "norms"), features(m * RAIS_FEATURES, "features"),
      values(m, "values"), leaves(static_cast<size_t>(s.n), "leaves");
  Random random(static_cast<uint64_t>(s.m));
  r.check();
  constexpr int kSteps = 9;
  for (int t = 0; t < kSteps; t++) {
    for (size_t j = 0; j < m; j++) {
      // Few different ones, so that examples come up twice and more.
      indices[j] = random.below(2) == 0 ? random.below(s.n) : random.below(std::min(s.n, 4));
      weights[j] = static_cast<float>(random.between(0.01, 5));
      norms[j] = random.below(9) == 0 ? 0 : static_cast<float>(std::exp(random.between(-9, 3)));
    }
    bool uniform = t < 4;
    if (uniform) {
      d.freeze();
      r.frozen = r.freeze();
    }
    d.features(indices, features);
    std::vector<float> expected(m * RAIS_FEATURES);
    for (size_t j = 0; j < m; j++) {
      r.features(indices[j], &expected[RAIS_FEATURES * j]);
    }
    CHECK(std::memcmp(features.data(), expected.data(), 4 * expected.size()) == 0);
    if (t == 2 || t == 7) {
      // Another minibatch was drawn after this one and is observed before.
      std::vector<float> others(features.data(), features.data() + features.count());
      Buffer<float> deviceOthers(others, "others");
      d.observe(indices, weights, norms, deviceOthers);
      r.observe(indices, weights, norms, others);
      norms[0] += 1;
    }
    d.observe(indices, weights, norms, features);
    r.observe(indices, weights, norms, expected);
    CHECK(std::memcmp(features.data(), expected.data(), 4 * expected.size()) == 0);
    if (!uniform) {
      d.values(indices, values);
      for (size_t j = 0; j < m; j++) {
        CHECK_EQUAL(bitsOf(values[j]), bitsOf(r.leaf(indices[j], r.terms, false)));
      }
    }
    r.check();
    if (t == 3 || t == 6) {  // once visits wait, and once they do not
      bool defer = t == 3 && s.deferrable > 0;
      d.prepare(defer ? 1 : 0);
      r.prepare();
      r.deferring = defer;
      const auto* mf = d.part<double>(RAIS_STATE_NEXT_FEATURES);
      for (size_t k = 0; k < RAIS_FEATURES; k++) {
        CHECK_CLOSE(mf[k], r.meanFeatures[k], k < 2 || k > 4 ? 0 : 2e-16, 0);
      }
      auto* set = d.part<double>(RAIS_STATE_SET);
      for (int k = 0; k < 13; k++) {
        set[k] = random.below(3) == 0 ? 0 : random.between(0, k == 12 ? 0.01 : 1);
        // Once of the last norm alone: 0 for some, which the floor raises.
        set[k] = t == 3 && k % 6 != 2 ? 0 : set[k];
      }
      set[2] += t == 3 ? 1 : 0;
      d.refresh();
      r.refresh(set, mf);
      CHECK(std::memcmp(d.part<float>(RAIS_STATE_NEXT_TERMS), r.nextTerms.data(),
                        4 * r.nextTerms.size()) == 0);
      d.leaves(leaves);
      for (int i = 0; i < s.n; i++) {
        CHECK_EQUAL(bitsOf(leaves[static_cast<size_t>(i)]), bitsOf(r.leaf(i, r.nextTerms, true)));
      }
      if (t == 6) {  // the terms in force are those before
        d.values(indices, values);
        for (size_t j = 0; j < m; j++) {
          CHECK_EQUAL(bitsOf(values[j]), bitsOf(r.leaf(indices[j], r.terms, false)));
        }
      }
      d.apply();
      r.frozen = r.nextFrozen;
      r.terms = r.nextTerms;
      r.check();
    }
    if (t == 5 && r.deferring) {
      CHECK_EQUAL(d.total(RAIS_TOTAL_DEFERRED), r.deferred.size());
      d.visit();
      for (auto [index, norm] : r.deferred) {
        r.visit(index, norm);
      }
      r.deferring = false;
      r.check();
    }
  }
  CHECK_EQUAL(d.total(RAIS_TOTAL_DEFERRED), -1);
  CHECK_EQUAL(d.total(RAIS_TOTAL_LOST), 0);
  CHECK_EQUAL(d.total(RAIS_TOTAL_REFUSED), 0);
  CHECK(r.floored > 0 || s.n < 33);
}

// Floats from the smallest to the largest come and go; the sums stay exact.
void sumsAreExact() {
  where = "exact sums";
  Sizes s = {4000, 2, 10, 0, 1000, false, false};
  Device d(s);
  Buffer<int32_t> indices(1000, "indices");
  Buffer<float> weights(1000, "weights"), norms(1000, "norms"),
      features(1000 * RAIS_FEATURES, "features");
  weights.fill(1);
  Random random(8);
  auto observe = [&](auto norm) {
    for (size_t j = 0; j < 1000; j++) {
      indices[j] = static_cast<int32_t>((j * 7) % 4000);
      norms[j] = norm(j);
    }
    features.fill(0);
    d.observe(indices, weights, norms, features);
  };
  // To the largest float and beyond, where a sum of them in float or of units in 64 bits ends.
  observe([](size_t) { return 3.4028235e38f; });
  d.prepare(0);
  CHECK_CLOSE(
      d.part<double>(RAIS_STATE_NEXT_FEATURES)[2] - d.part<double>(RAIS_STATE_NEXT_FEATURES)[5],
      0.25 * 3.4028235e38, 1e-6, 0);
  observe([&](size_t) { return static_cast<float>(std::exp(random.between(-103, 88))); });
  observe([](size_t) { return 1e-45f; });
  observe([](size_t) { return 1e-45f; });
  observe([](size_t) { return 1e-45f; });
  const auto* sums = d.part<int64_t>(RAIS_STATE_TOTALS) + RAIS_TOTAL_SUMS;
  for (int s_ = 0; s_ < 2; s_++) {  // last and previous; the average remembers
    CHECK_EQUAL(sums[9 * s_], 1000);
    for (int i = 1; i < 9; i++) {
      CHECK_EQUAL(sums[9 * s_ + i], 0);
    }
  }
}

void badMinibatchesTeachNothing() {
  where = "bad minibatches";
  Sizes s = {50, 3, 20, 100, 6, false, false};
  Device d(s);
  d.labels[40] = 3;  // no class: as if retired
  d.labels[41] = -1;
  d.recount();
  CHECK_EQUAL(d.total(RAIS_TOTAL_ACTIVE), 48);
  Buffer<int32_t> indices(std::vector<int32_t>{1, 2, 3, 1, 2, 9}, "indices");
  Buffer<float> weights(6, "weights"), norms(6, "norms"), features(36, "features");
  weights.fill(2);
  norms.fill(0.5f);
  features.fill(0);
  d.observe(indices, weights, norms, features);
  std::vector<char> before(d.block.data(), d.block.data() + d.block.count());
  std::vector<float> history(d.history.data(), d.history.data() + d.history.count());
  int64_t refused = 0;
  auto isRefused = [&](const int32_t* accepted = nullptr) {
    d.observe(indices, weights, norms, features, accepted);
    CHECK_EQUAL(d.total(RAIS_TOTAL_REFUSED), ++refused);
    d.part<int64_t>(RAIS_STATE_TOTALS)[RAIS_TOTAL_REFUSED] = 0;
    CHECK(std::memcmp(before.data(), d.block.data(), before.size()) == 0);
    CHECK(std::memcmp(history.data(), d.history.data(), 4 * history.size()) == 0);
    d.part<int64_t>(RAIS_STATE_TOTALS)[RAIS_TOTAL_REFUSED] = refused;
  };
  for (float bad : {NAN, INFINITY, -1e-30f}) {
    norms[5] = bad;
    isRefused();
    norms[5] = 0.5f;
  }
  for (float bad : {NAN, INFINITY, -1.0f, 0.0f}) {
    weights[0] = bad;
    isRefused();
    weights[0] = 2;
  }
  for (int32_t bad : {-1, 50, 1 << 30, INT32_MIN, 40, 41}) {
    indices[2] = bad;
    isRefused();
    indices[2] = 3;
  }
  Buffer<int32_t> accepted(1, "accepted");
  accepted[0] = 0;
  isRefused(accepted.data());
  accepted[0] = 1;
  d.observe(indices, weights, norms, features, accepted.data());
  CHECK_EQUAL(d.total(RAIS_TOTAL_REFUSED), refused);
  CHECK_EQUAL(d.total(RAIS_TOTAL_WRITTEN), 12);

  indices[0] = -1;
  indices[1] = 50;
  indices[2] = 41;
  Buffer<float> values(6, "values");
  features.fill(7);
  d.features(indices, features);
  d.values(indices, values);
  for (size_t k = 0; k < 3 * RAIS_FEATURES; k++) {
    CHECK_CLOSE(features[k], 0, 0, 0);
  }
  CHECK(features[3 * RAIS_FEATURES] > 0);
  CHECK(std::isnan(values[0]) && std::isnan(values[1]) && values[2] == 0);
}

void visitsWithoutRoomAreCounted() {
  where = "room for visits";
  Sizes s = {50, 3, 20, 8, 6, false, false};
  Device d(s);
  Buffer<int32_t> indices(std::vector<int32_t>{1, 2, 3, 1, 2, 9}, "indices");
  Buffer<float> weights(6, "weights"), norms(6, "norms"), features(36, "features");
  weights.fill(1);
  features.fill(0);
  d.prepare(1);
  for (int t = 0; t < 3; t++) {
    for (size_t j = 0; j < 6; j++) {
      norms[j] = static_cast<float>(6 * t + 1) + static_cast<float>(j);
    }
    d.observe(indices, weights, norms, features);
    CHECK_EQUAL(d.total(RAIS_TOTAL_SEEN), 0);
  }
  CHECK_EQUAL(d.total(RAIS_TOTAL_DEFERRED), 8);
  CHECK_EQUAL(d.total(RAIS_TOTAL_LOST), 10);
  d.prepare(1);  // they go on waiting
  CHECK_EQUAL(d.total(RAIS_TOTAL_DEFERRED), 8);
  d.visit();
  CHECK_EQUAL(d.total(RAIS_TOTAL_DEFERRED), -1);
  CHECK_EQUAL(d.total(RAIS_TOTAL_SEEN), 4);
  const auto* visits = reinterpret_cast<const int32_t*>(d.history.data()) + 3072;
  CHECK_EQUAL(visits[1], 3);  // twice in the first minibatch, once in what was kept of the second
  CHECK_EQUAL(visits[2], 3);
  CHECK_EQUAL(visits[9], 1);
  CHECK_CLOSE(d.history[1], 7, 0, 0);
  CHECK_CLOSE(d.history[1024 + 1], 4, 0, 0);
  CHECK_CLOSE(d.history[2048 + 1], 0.5 * (0.5 * (1 + 4) + 7), 0, 0);
  CHECK_CLOSE(d.history[2], 8, 0, 0);
  CHECK_CLOSE(d.history[9], 6, 0, 0);
  d.visit();  // none waits
  CHECK_EQUAL(visits[1], 3);
}

void aSetOfZerosDrawsUniformly() {
  where = "zeros";
  Sizes s = {300, 2, 20, 0, 6, true, true};
  Device d(s);
  Buffer<float> leaves(300, "leaves");
  d.prepare(0);
  std::memset(d.part<char>(RAIS_STATE_SET), 0, 13 * 8);
  d.refresh();
  d.leaves(leaves);
  for (int i = 0; i < 300; i++) {
    auto at = static_cast<size_t>(i);
    CHECK_EQUAL(bitsOf(leaves[at]), bitsOf(d.isRetired(i) ? 0.0f : d.objective[at]));
  }
  CHECK_EQUAL(d.total(RAIS_TOTAL_FLOORED), 0);
  const auto* terms = d.part<float>(RAIS_STATE_NEXT_TERMS);
  for (int k = 0; k < 12; k++) {
    CHECK_CLOSE(terms[k], k == 3 || k == 4 ? 1 : 0, 0, 0);
  }
}

void badArgumentsAreNamed() {
  where = "arguments";
  CHECK_EQUAL(rais_state_bytes(0, 10, 0), 0);
  CHECK_EQUAL(rais_state_bytes(10, 0, 0), 0);
  CHECK_EQUAL(rais_state_bytes(10, 10, -1), 0);
  CHECK_EQUAL(rais_state_offset(10, 10, 0, 13), -1);
  CHECK_EQUAL(rais_state_offset(10, 10, 0, -1), -1);
  CHECK_EQUAL(rais_state_history_bytes(0), 0);
  CHECK_EQUAL(rais_state_history_bytes(1), 16384);
  CHECK_EQUAL(rais_state_history_bytes(1025), 32768);
  int64_t last = 0;
  for (int part = 1; part < 13; part++) {
    int64_t offset = rais_state_offset(7, 33, 5, part);
    CHECK(offset > last && offset % 16 == 0);
    last = offset;
  }
  CHECK(rais_state_bytes(7, 33, 5) >= last + 20);

  Sizes s = {50, 3, 20, 0, 6, false, false};
  Device d(s);
  Buffer<int32_t> indices(6, "indices");
  Buffer<float> x(36, "x");
  CHECK(rais_state_init(nullptr, 3, 20, 0, nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(),
                 "rais_state_init(classes=3, records=20, deferrable=0): state must not be null");
  CHECK(rais_state_init(nullptr, 3, 20, 0, d.block.data() + 8) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "state must be aligned to 16 bytes");
  CHECK(rais_state_freeze(nullptr, 300'000, 20, 0, d.block.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "classes must be in 1..200000, but is 300000");
  CHECK(rais_state_prepare(nullptr, 3, 20, 0, d.block.data(), 2) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "defer must be in 0..1, but is 2");
  CHECK(rais_state_observe(nullptr, 50, d.history.data(), d.labels.data(), nullptr, 3, 20, 0,
                           d.block.data(), 6, indices.data(), x.data(), nullptr, x.data(),
                           nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(),
                 "rais_state_observe(size=50, classes=3, count=6): norms must not be null");
  CHECK(rais_state_features(nullptr, 0, d.history.data(), d.labels.data(), 3, 20, 0, d.block.data(),
                            6, indices.data(), x.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "size must be in 1..2147483639, but is 0");
  CHECK(rais_state_leaves(nullptr, 50, d.history.data(), nullptr, nullptr, nullptr, 3, 20, 0,
                          d.block.data(), x.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "labels must not be null");
  CHECK(rais_state_values(nullptr, 50, d.history.data(), d.labels.data(), nullptr, nullptr, 3, 20,
                          0, d.block.data(), 0, indices.data(), x.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "count must be in 1..16777216, but is 0");
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (const Sizes& sizes : {
             Sizes{1, 1, 1, 0, 1, false, false},
             Sizes{5, 2, 3, 100, 7, false, true},      // more slots than records and examples
             Sizes{33, 4, 50, 99, 33, true, false},    // just above a warp
             Sizes{1024, 3, 64, 0, 31, false, false},  // a block of history
             Sizes{1025, 300, 5000, 7000, 2049, true, true},  // above a chunk of slots
             Sizes{3000, 1500, 70, 400, 130, true, true},     // classes above a block
         }) {
      isTheDefinition(sizes);
    }
    sumsAreExact();
    badMinibatchesTeachNothing();
    visitsWithoutRoomAreCounted();
    aSetOfZerosDrawsUniformly();
  });
  badArgumentsAreNamed();
  return finish();
}
