// The gain ratio and learning rate against a plain loop, to the bit; what bad values do.
#include <algorithm>

#include "testing.h"

using namespace testing;

namespace {

// Whether the cases come to where the ratio is free, and to where it is bounded.
bool seenBetween = false;
bool seenAtBound = false;

// GainEstimator, one after the other.
struct Reference {
  double moments[3] = {};
  double estimate = 1, earned = 0, earnedAtBound = 0, ratio = 1, iterations = 0;
  int64_t hits = 0;

  void observe(const std::vector<float>& a, const std::vector<float>& w, const float* shadow,
               const std::vector<float>& squares, double g, double gainMax) {
    auto m = static_cast<double>(a.size());
    double u = 0;
    double r = 0;
    for (size_t j = 0; j < a.size(); j++) {
      double product = double{a[j]} * (double{a[j]} / w[j]) * squares[j];
      u += product;
      r += shadow == nullptr ? product * w[j] : product / shadow[j];
    }
    u /= m;
    r /= m;
    g -= shadow == nullptr ? 0 : (u - r) / m;
    double now[] = {u, r, g};
    for (int k = 0; k < 3; k++) {
      moments[k] += 0.01 * (now[k] - moments[k]);
    }
    estimate = moments[2] > 0 ? 1 + (moments[0] - moments[1]) / (m * moments[2]) : 1;
    ratio = shadow != nullptr ? 1 : std::clamp(estimate, 1.0, gainMax);
    earned += ratio;
    if (shadow == nullptr && estimate > gainMax) {
      hits++;
      earnedAtBound += ratio;
    }
    iterations += ratio;
  }
};

struct Device {
  Buffer<double> gain{RAIS_GAIN_LENGTH, "gain"};
  Buffer<double> norm{1, "gradient norm"};
  Buffer<int64_t> iteration{1, "iteration"}, floored{1, "floored"};
  Buffer<float> rate{1, "rate"};
  Buffer<int32_t> accepted{1, "accepted"};
  Buffer<rais_step_metrics> metrics{3, "metrics"};

  Device() {
    gain.fill(NAN);
    iteration[0] = 0;
    floored[0] = 11;
    std::memset(metrics.data(), 0, 3 * sizeof(rais_step_metrics));
    CHECK_OK(rais_gain_init(nullptr, gain.data()));
  }
};

void isTheDefinition(size_t m, bool importance, bool shadowed, bool hidden, double gainMax) {
  where = "m " + std::to_string(m) + (importance ? ", importance" : "") +
          (shadowed ? ", shadow" : "") + (hidden ? ", hidden" : "");
  Device d;
  Reference reference;
  Buffer<double> schedule(std::vector<double>{0.1, 40, 1, 0.5, 0, 0.5}, "schedule");
  Buffer<float> a(m, "weights"), w(m, "importance"), shadow(m, "shadow"), norms(m, "norms"),
      h(m, "hidden"), losses(m, "losses");
  Random random(m);
  double largest = m % 2 == 0 ? 4 : 1.3;  // where weights are large, r would be below 1
  CHECK_CLOSE(d.gain[RAIS_GAIN_RATIO], 1, 0, 0);
  CHECK_CLOSE(d.gain[RAIS_GAIN_ESTIMATE], 1, 0, 0);
  for (int t = 0; t < 20; t++) {
    std::vector<float> squares;
    double loss = 0;
    for (size_t j = 0; j < m; j++) {
      a[j] = static_cast<float>(random.between(0.1, largest));
      w[j] = importance ? static_cast<float>(random.between(0.1, largest)) : a[j];
      shadow[j] = static_cast<float>(random.between(1, 6));
      norms[j] = static_cast<float>(random.between(0, 2));
      h[j] = static_cast<float>(random.between(0, 9));
      losses[j] = static_cast<float>(random.between(0, 3));
      squares.push_back(hidden ? norms[j] * norms[j] * (h[j] + 1) : norms[j] * norms[j]);
      loss += a[j] * losses[j];
    }
    if (t == 7) {
      a[0] = 0;  // an example that the objective leaves out
      if (!importance) {
        a[0] = w[0] = 1;
      }
      loss = 0;
      for (size_t j = 0; j < m; j++) {
        loss += a[j] * losses[j];
      }
    }
    d.norm[0] = t == 0 || t == 12 ? 0
                                  : (shadowed ? random.between(30, 60) : random.between(0, 0.5)) /
                                        static_cast<double>(m);
    double before = reference.iterations;
    reference.observe({a.data(), a.data() + m}, {w.data(), w.data() + m},
                      shadowed ? shadow.data() : nullptr, squares, d.norm[0], gainMax);
    CHECK_OK(rais_gain(nullptr, static_cast<int32_t>(m), a.data(), importance ? w.data() : nullptr,
                       shadowed ? shadow.data() : nullptr, norms.data(),
                       hidden ? h.data() : nullptr, t % 2 == 0 ? losses.data() : nullptr,
                       d.norm.data(), gainMax, schedule.data(), 1, d.floored.data(),
                       d.iteration.data(), d.gain.data(), d.rate.data(), d.accepted.data(),
                       d.metrics.data(), 3));
    CHECK_EQUAL(bitsOf(d.gain[RAIS_GAIN_UNIFORM]), bitsOf(reference.moments[0]));
    CHECK_EQUAL(bitsOf(d.gain[RAIS_GAIN_WEIGHTED]), bitsOf(reference.moments[1]));
    CHECK_EQUAL(bitsOf(d.gain[RAIS_GAIN_BATCH]), bitsOf(reference.moments[2]));
    CHECK_EQUAL(bitsOf(d.gain[RAIS_GAIN_ESTIMATE]), bitsOf(reference.estimate));
    CHECK_EQUAL(bitsOf(d.gain[RAIS_GAIN_EARNED]), bitsOf(reference.earned));
    CHECK_EQUAL(bitsOf(d.gain[RAIS_GAIN_EARNED_AT_BOUND]), bitsOf(reference.earnedAtBound));
    CHECK_EQUAL(d.gain[RAIS_GAIN_BOUND_HITS], reference.hits);
    CHECK_EQUAL(bitsOf(d.gain[RAIS_GAIN_RATIO]), bitsOf(reference.ratio));
    CHECK_EQUAL(bitsOf(d.gain[RAIS_GAIN_ITERATIONS]), bitsOf(reference.iterations));
    CHECK_EQUAL(d.accepted[0], 1);
    CHECK_EQUAL(d.iteration[0], t + 1);
    double expected =
        reference.ratio * 0.1 * 0.5 * (1 + std::cos(M_PI * std::min(1.0, before / 40)));
    CHECK_CLOSE(d.rate[0], expected, 2e-7, 1e-16);
    const rais_step_metrics& slot = d.metrics[static_cast<size_t>(t % 3)];
    CHECK_EQUAL(slot.step, t + 1);
    CHECK_EQUAL(bitsOf(slot.loss),
                t % 2 == 0 ? bitsOf(loss / static_cast<double>(m)) : bitsOf(slot.loss));
    CHECK(t % 2 == 0 || std::isnan(slot.loss));
    CHECK_EQUAL(bitsOf(slot.gain_ratio), bitsOf(reference.ratio));
    CHECK_EQUAL(bitsOf(slot.gain_estimate), bitsOf(reference.estimate));
    CHECK_EQUAL(bitsOf(slot.effective_iterations), bitsOf(reference.iterations));
    CHECK_EQUAL(bitsOf(slot.gradient_squared_norm), bitsOf(d.norm[0]));
    CHECK_EQUAL(slot.bound_hits, reference.hits);
    CHECK_EQUAL(slot.floored, 11);
    CHECK_EQUAL(slot.refused, 0);
    CHECK_EQUAL(bitsOf(slot.learning_rate), bitsOf(d.rate[0]));
    CHECK_EQUAL(slot.flags, 0);
    if (t > 0) {
      CHECK_EQUAL(d.metrics[static_cast<size_t>((t - 1) % 3)].step, t);  // of the step before
    }
  }
  seenBetween |= !shadowed && reference.ratio > 1 && reference.ratio < gainMax;
  seenAtBound |= reference.hits > 0;
}

// A schedule's rate at t, seen through a minibatch of weight 1, which has r = 1.
double rateAt(const std::vector<double>& table, double t) {
  Device d;
  Buffer<double> schedule(table, "schedule");
  Buffer<float> one(1, "one");
  one[0] = 1;
  d.norm[0] = 1;
  d.gain[RAIS_GAIN_ITERATIONS] = t;
  CHECK_OK(rais_gain(nullptr, 1, one.data(), nullptr, nullptr, one.data(), nullptr, nullptr,
                     d.norm.data(), 10, schedule.data(),
                     static_cast<int32_t>((table.size() - 2) / 4), nullptr, d.iteration.data(),
                     d.gain.data(), d.rate.data(), nullptr, nullptr, 0));
  return d.rate[0];
}

void schedulesAreTheirPieces() {
  where = "steps";
  std::vector<double> steps = {0.5, 100, 0.5, 1, 0, 0, 0.8, 0.1, 0, 0, 1, 0.01, 0, 0};
  CHECK_CLOSE(rateAt(steps, 0), 0.5, 0, 0);
  CHECK_CLOSE(rateAt(steps, 49), 0.5, 0, 0);
  CHECK_CLOSE(rateAt(steps, 50), 0.05f, 0, 0);
  CHECK_CLOSE(rateAt(steps, 79), 0.05f, 0, 0);
  CHECK_CLOSE(rateAt(steps, 80), 0.005f, 0, 0);
  CHECK_CLOSE(rateAt(steps, 500), 0.005f, 0, 0);
  where = "constant";
  CHECK_CLOSE(rateAt({0.25, 7, 1, 1, 0, 0}, 9), 0.25, 0, 0);
  where = "warm-up, then a cosine";
  std::vector<double> warm = {0.4, 1000, 0.1, 0.2, 0.8, 0, 1, 0.5, 0, 0.5};
  CHECK_CLOSE(rateAt(warm, 0), 0.08f, 0, 0);
  CHECK_CLOSE(rateAt(warm, 50), 0.24f, 1e-7, 0);
  CHECK_CLOSE(rateAt(warm, 100), 0.4f, 0, 0);
  CHECK_CLOSE(rateAt(warm, 550), 0.2f, 0, 0);
  CHECK_CLOSE(rateAt(warm, 1000), 0, 0, 0);
  CHECK_CLOSE(rateAt(warm, 1200), 0, 0, 0);
  where = "cosine";
  for (int t = 0; t <= 1000; t += 3) {
    CHECK_CLOSE(rateAt({1, 1000, 1, 0.5, 0, 0.5}, t), 0.5 + 0.5 * std::cos(M_PI * t / 1000), 1e-7,
                1e-16);
  }
}

void badMinibatchesAreRefused() {
  where = "refused";
  Device d;
  Buffer<double> schedule(std::vector<double>{0.1, 40, 1, 1, 0, 0}, "schedule");
  Buffer<float> a(5, "weights"), w(5, "importance"), shadow(5, "shadow"), norms(5, "norms"),
      h(5, "hidden"), losses(5, "losses");
  for (auto* buffer : {&a, &w, &shadow, &norms, &h, &losses}) {
    buffer->fill(1);
  }
  d.norm[0] = 0.1;
  int64_t refused = 0;
  auto step = [&](int32_t flags) {
    std::vector<double> before(d.gain.data(), d.gain.data() + RAIS_GAIN_REFUSED);
    int64_t iteration = d.iteration[0];
    CHECK_OK(rais_gain(nullptr, 5, a.data(), w.data(), shadow.data(), norms.data(), h.data(),
                       losses.data(), d.norm.data(), 4, schedule.data(), 1, nullptr,
                       d.iteration.data(), d.gain.data(), d.rate.data(), d.accepted.data(),
                       d.metrics.data(), 3));
    const rais_step_metrics& slot = d.metrics[static_cast<size_t>(iteration % 3)];
    CHECK_EQUAL(d.iteration[0], iteration + 1);
    CHECK_EQUAL(slot.flags, flags);
    CHECK_EQUAL(d.accepted[0], flags == 0);
    refused += flags != 0;
    CHECK_EQUAL(slot.refused, refused);
    CHECK_EQUAL(d.gain[RAIS_GAIN_REFUSED], refused);
    CHECK_EQUAL(slot.floored, 0);
    bool same = std::memcmp(before.data(), d.gain.data(), 8 * before.size()) == 0;
    CHECK(same == (flags != 0));
    CHECK_CLOSE(d.rate[0], flags != 0 ? 0 : 0.1f, 0, 0);
  };
  step(0);
  auto each = [&](Buffer<float>& values, std::initializer_list<float> bad, int32_t flags) {
    for (float x : bad) {
      values[3] = x;
      step(flags);
      values[3] = 1;
    }
  };
  each(norms, {NAN, INFINITY, -1}, RAIS_STEP_BAD_NORM);
  each(norms, {3e19f}, RAIS_STEP_BAD_NORM);  // its square is infinite
  each(h, {NAN, INFINITY, -3}, RAIS_STEP_BAD_NORM);
  each(a, {-1}, RAIS_STEP_BAD_WEIGHT);
  each(a, {NAN, INFINITY}, RAIS_STEP_BAD_WEIGHT | RAIS_STEP_BAD_LOSS);
  each(w, {NAN, INFINITY, 0, -1}, RAIS_STEP_BAD_WEIGHT);
  each(shadow, {NAN, INFINITY, 0, -1}, RAIS_STEP_BAD_WEIGHT);
  each(losses, {NAN, INFINITY}, RAIS_STEP_BAD_LOSS);
  each(losses, {-1}, 0);
  each(a, {0}, 0);
  for (double bad : {double{NAN}, double{INFINITY}, -1.0}) {
    d.norm[0] = bad;
    step(RAIS_STEP_BAD_GRADIENT);
  }
  d.norm[0] = 0.1;
  norms[0] = NAN;
  losses[0] = NAN;
  step(RAIS_STEP_BAD_NORM | RAIS_STEP_BAD_LOSS);
  norms[0] = losses[0] = 1;
  step(0);
}

void badArgumentsAreNamed() {
  where = "arguments";
  Device d;
  Buffer<float> x(8, "x");
  float* p = x.data();
  auto call = [&](int32_t count, const float* weights, double gainMax, int32_t pieces,
                  int32_t slots) {
    return rais_gain(nullptr, count, weights, nullptr, nullptr, p, nullptr, nullptr, d.norm.data(),
                     gainMax, d.norm.data(), pieces, nullptr, d.iteration.data(), d.gain.data(), p,
                     nullptr, d.metrics.data(), slots);
  };
  CHECK(call(0, p, 10, 1, 3) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(),
                 "rais_gain(count=0, pieces=1, metrics_slots=3): count must be in 1..");
  CHECK(call(1, nullptr, 10, 1, 3) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "weights must not be null");
  CHECK(call(1, p, 0.5, 1, 3) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "gain_max must be in [1, inf), but is 0.5");
  CHECK(call(1, p, 10, 0, 3) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "pieces must be in 1..65536, but is 0");
  CHECK(call(1, p, 10, 1, 0) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "metrics_slots must be in 1..");
  CHECK(rais_gain_init(nullptr, nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "rais_gain_init(): gain must not be null");
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (size_t m : {1, 2, 33, 256, 1025, 2600}) {
      isTheDefinition(m, false, false, false, 1.001);
      isTheDefinition(m, true, false, true, 3);
      isTheDefinition(m, false, false, true, 1e9);
      isTheDefinition(m, true, true, true, 1.02);
    }
    badMinibatchesAreRefused();
  });
  CHECK(seenBetween && seenAtBound);
  schedulesAreTheirPieces();
  badArgumentsAreNamed();
  return finish();
}
