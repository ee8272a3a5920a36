// The fused loss layer against its definition in double, row by row.
#include "testing.h"

using namespace testing;

namespace {

constexpr int kIgnored = -100;

struct Options {
  int rows;
  int classes;
  bool bfloat16 = false;
  bool weights = true;
  bool hidden = false;
  bool gradients = true;
  bool inPlace = false;
  float smoothing = 0;
  double spread = 4;                // of the logits
  double margin = 0;                // added to the label's logit
  size_t misalignment = 0;          // of the logits, in elements
  size_t gradientMisalignment = 0;  // of the gradients
};

void isTheDefinition(const Options& o) {
  where = "rows " + std::to_string(o.rows) + ", classes " + std::to_string(o.classes) +
          (o.bfloat16 ? ", bf16" : "") + (o.smoothing > 0 ? ", smooth" : "") + ", margin " +
          std::to_string(o.margin);
  auto m = static_cast<size_t>(o.rows);
  auto K = static_cast<size_t>(o.classes);
  Elements logits(m * K, o.bfloat16, o.misalignment, "logits");
  Elements separate(o.inPlace ? 1 : m * K, o.bfloat16, o.gradientMisalignment, "gradients");
  const Elements& gradients = o.inPlace ? logits : separate;
  Buffer<int32_t> labels(m, "labels");
  Buffer<float> weights(m, "weights"), hidden(m, "hidden"), losses(m, "losses"), norms(m, "norms");
  Buffer<uint8_t> correctness(m, "correctness");
  Random random(m * 1000 + K);
  std::vector<double> z(m * K);
  for (size_t j = 0; j < m; j++) {
    labels[j] = j % 7 == 3 ? kIgnored : random.below(o.classes);
    weights[j] = static_cast<float>(random.between(0.1, 3));
    hidden[j] = static_cast<float>(random.between(0, 50));
    for (size_t k = 0; k < K; k++) {
      // Halves, so that ties come up.
      double logit = std::round(random.between(-o.spread, o.spread) * (j % 2 == 0 ? 2 : 1000)) /
                     (j % 2 == 0 ? 2 : 1000);
      if (static_cast<int32_t>(k) == labels[j]) {
        logit += o.margin;
      }
      logits.set(j * K + k, logit);
      z[j * K + k] = logits.get(j * K + k);
    }
  }
  float scale = 1.0f / static_cast<float>(o.rows);
  CHECK_OK(rais_softmax_xent(
      nullptr, o.rows, o.classes, o.bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32, logits.data(),
      labels.data(), kIgnored, o.weights ? weights.data() : nullptr,
      o.hidden ? hidden.data() : nullptr, scale, o.smoothing, losses.data(), norms.data(),
      o.gradients ? gradients.data() : nullptr, correctness.data()));
  for (size_t j = 0; j < m; j++) {
    bool ignored = labels[j] == kIgnored;
    auto label = static_cast<size_t>(ignored ? 0 : labels[j]);
    const double* row = &z[j * K];
    double largest = row[0];
    int ahead = 0;
    for (size_t k = 0; k < K; k++) {
      largest = std::max(largest, row[k]);
      ahead += row[k] > row[label] || (row[k] == row[label] && k < label);
    }
    double all = 0, others = 0, shifted = 0;
    for (size_t k = 0; k < K; k++) {
      all += std::exp(row[k] - largest);
      others += k == label ? 0 : std::exp(row[k] - largest);
      shifted += row[k] - row[label];
    }
    double ratio = others / std::exp(row[label] - largest);
    double e = o.smoothing;
    double loss = std::log1p(ratio) - e / static_cast<double>(K) * shifted;
    double squares = 0;
    for (size_t k = 0; k < K; k++) {
      double uniform = e / static_cast<double>(K);
      double difference = k == label ? uniform * static_cast<double>(K - 1) - others / all
                                     : std::exp(row[k] - largest) / all - uniform;
      squares += difference * difference;
      if (o.gradients) {
        double expected = ignored ? 0 : scale * (o.weights ? weights[j] : 1) * difference;
        // With smoothing, s - y subtracts numbers of the size of e.
        CHECK_CLOSE(gradients.get(j * K + k), expected, o.bfloat16 ? 5e-3 : 2e-5, 1e-7 * e);
      }
    }
    double norm = std::sqrt(squares) * (o.hidden ? std::sqrt(hidden[j] + 1.0) : 1);
    CHECK_CLOSE(losses[j], ignored ? 0 : loss, 1e-5,
                1e-5 * e * std::fabs(loss) + 2e-6 * e * o.margin);
    CHECK_CLOSE(norms[j], ignored ? 0 : norm, 1e-5, 2e-6 * e);
    int flags = ignored ? 0 : ahead == 0 ? 3 : ahead < 5 ? 2 : 0;
    CHECK_EQUAL(correctness[j], flags);
  }
}

// The label in every rank of ten classes, alone and among equals.
void ranksGiveFlags() {
  where = "ranks";
  constexpr size_t K = 10;
  Buffer<float> logits(2 * K * K, "logits"), losses(2 * K, "losses"), norms(2 * K, "norms");
  Buffer<int32_t> labels(2 * K, "labels");
  Buffer<uint8_t> correctness(2 * K, "correctness");
  for (size_t j = 0; j < 2 * K; j++) {
    labels[j] = static_cast<int32_t>(j % K);
    for (size_t k = 0; k < K; k++) {
      logits[j * K + k] = j < K ? -static_cast<float>(k) : 1;
    }
  }
  CHECK_OK(rais_softmax_xent(nullptr, 2 * K, K, RAIS_FLOAT32, logits.data(), labels.data(),
                             kIgnored, nullptr, nullptr, 1, 0, losses.data(), norms.data(), nullptr,
                             correctness.data()));
  for (size_t j = 0; j < 2 * K; j++) {
    size_t rank = j % K;
    CHECK_EQUAL(correctness[j], rank == 0 ? RAIS_TOP_1 | RAIS_TOP_5 : rank < 5 ? RAIS_TOP_5 : 0);
  }
}

void badRowsAreNaN() {
  for (int classes : {3, 30, 150, 700, 2000, 70'000}) {
    where = "bad rows of " + std::to_string(classes);
    auto K = static_cast<size_t>(classes);
    Buffer<float> logits(6 * K, "logits"), losses(6, "losses"), norms(6, "norms");
    Buffer<float> gradients(6 * K, "gradients");
    Buffer<uint8_t> correctness(6, "correctness");
    for (size_t i = 0; i < 6 * K; i++) {
      logits[i] = 0;
    }
    Buffer<int32_t> labels({0, 0, 0, classes, -2, 0}, "labels");
    logits[0] = NAN;  // the label's own
    logits[K + 1] = INFINITY;
    logits[2 * K + K / 2] = -INFINITY;
    CHECK_OK(rais_softmax_xent(nullptr, 6, classes, RAIS_FLOAT32, logits.data(), labels.data(), -1,
                               nullptr, nullptr, 1, 0, losses.data(), norms.data(),
                               gradients.data(), correctness.data()));
    for (size_t j = 0; j < 5; j++) {
      CHECK(std::isnan(losses[j]));
      CHECK(std::isnan(norms[j]));
      CHECK(std::isnan(gradients[j * K]) && std::isnan(gradients[j * K + K - 1]));
      CHECK_EQUAL(correctness[j], 0);
    }
    CHECK_CLOSE(losses[5], std::log(classes), 1e-6, 0);
    CHECK_EQUAL(correctness[5], 3);
  }
}

void badArgumentsAreNamed() {
  where = "arguments";
  Buffer<float> x(16, "x");
  Buffer<int32_t> labels(4, "labels");
  Buffer<uint8_t> correctness(4, "correctness");
  auto call = [&](int rows, int classes, int dtype, const void* logits, int ignored,
                  float smoothing) {
    return rais_softmax_xent(nullptr, rows, classes, dtype, logits, labels.data(), ignored, nullptr,
                             nullptr, 1, smoothing, x.data(), x.data(), nullptr,
                             correctness.data());
  };
  CHECK(call(4, 1, 0, x.data(), -1, 0) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(),
                 "rais_softmax_xent(rows=4, classes=1, dtype=0): classes must be in 2..200000, but "
                 "is 1");
  CHECK(call(0, 1, 0, x.data(), -1, 0) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "rows must be in");  // the first of two
  CHECK(call(4, 4, 7, x.data(), -1, 0) == RAIS_UNSUPPORTED);
  CHECK(call(4, 4, 0, nullptr, -1, 0) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "logits must not be null");
  CHECK(call(4, 4, 0, reinterpret_cast<char*>(x.data()) + 1, -1, 0) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "logits must be aligned to 4 bytes");
  CHECK(call(4, 4, 0, x.data(), 3, 0) == RAIS_INVALID_ARGUMENT);
  CHECK(call(4, 4, 0, x.data(), -1, 1) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "label_smoothing must be in [0, 1), but is 1");
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (int classes : {2,   3,   4,   10,  16,  31,   32,   33,   48,   64,   100,  128,
                        200, 256, 257, 512, 513, 1000, 1024, 1025, 1028, 4096, 9000, 10'001}) {
      for (bool bfloat16 : {false, true}) {
        isTheDefinition({9, classes, bfloat16});
        isTheDefinition({5, classes, bfloat16, false, true, true, true});
        isTheDefinition({5, classes, bfloat16, true, true, false});
        isTheDefinition({5, classes, bfloat16, true, false, true, false, 0.1f});
        isTheDefinition({5, classes, bfloat16, true, true, false, false, 0.1f});
      }
      isTheDefinition({5, classes, false, true, false, true, false, 0, 4, 0, 1, 1});
      isTheDefinition({3, classes, true, true, false, true, false, 0, 4, 0, 3, 5});
      isTheDefinition({5, classes, false, true, false, false, false, 0, 4, 0, 1});
      for (double margin : {12.0, 40.0, 70.0, -30.0}) {
        isTheDefinition({5, classes, false, true, false, true, false, 0, 4, margin});
      }
    }
  });
  underSchedules([] {
    // Several tiles, the last one not full.
    for (int classes : {2, 10, 13, 16}) {
      isTheDefinition({600, classes, false, true, true});
      isTheDefinition({600, classes, true, true, false, true, true, 0.1f});
    }
    isTheDefinition({150, 60});
    isTheDefinition({41, 250, true});
  });
  // More than shared memory takes.
  isTheDefinition({2, 60'001, false, true, true, true, false, 0.1f});
  isTheDefinition({2, 60'003, false, true, false, true, true, 0, 4, 0, 2});
  isTheDefinition({2, 200'000});
  isTheDefinition({2, 199'999, true, true, false, true, false, 0, 4, 0, 7, 7});
  ranksGiveFlags();
  badRowsAreNaN();
  badArgumentsAreNamed();
  return finish();
}
