// Weighted batch normalisation against its formulas in double, and its gradient against
// differences.
#include "testing.h"

using namespace testing;

namespace {

constexpr float kEpsilon = 1e-5f;
constexpr float kMomentum = 0.1f;

struct Options {
  int batch, positions, channels;
  int32_t fusion = RAIS_FUSION_NONE;
  bool weighted = true;
  bool bfloat16 = false;
  size_t misalignment = 0;
  double center = 0.5;
  bool inPlace = false;     // dx in dy's memory
  size_t ofResidual = 0;    // its misalignment, if the others have none
  bool fromOutput = false;  // with RAIS_FUSION_RELU, y tells where the rectifier was open, not x
};

std::string nameOf(const Options& o) {
  return std::to_string(o.batch) + "x" + std::to_string(o.positions) + "x" +
         std::to_string(o.channels) + ", fusion " + std::to_string(o.fusion) +
         (o.weighted ? ", weighted" : "") + (o.fromOutput ? ", mask from y" : "") +
         (o.bfloat16 ? ", bf16" : "") + ", around " + std::to_string(o.center) +
         ", misaligned by " + std::to_string(o.misalignment);
}

// The operands of a layer.
struct Layer {
  Options o;
  size_t m, s, c, count;
  int32_t dtype;
  Elements x, residual, y, dy, dx, dresidual;
  Buffer<float> weights, gamma, beta, mean, inverseDeviation, runningMean, runningVariance;
  Buffer<float> dgamma, dbeta, squaredNorms;
  Buffer<char> workspace;

  explicit Layer(const Options& options)
      : o(options),
        m(static_cast<size_t>(o.batch)),
        s(static_cast<size_t>(o.positions)),
        c(static_cast<size_t>(o.channels)),
        count(m * s * c),
        dtype(o.bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32),
        x(count, o.bfloat16, o.misalignment, "x"),
        residual(count, o.bfloat16, std::max(o.misalignment, o.ofResidual), "residual"),
        y(count, o.bfloat16, o.misalignment, "y"),
        dy(count, o.bfloat16, o.misalignment, "dy"),
        dx(count, o.bfloat16, o.misalignment, "dx"),
        dresidual(count, o.bfloat16, o.misalignment, "dresidual"),
        weights(m, "weights"),
        gamma(c, "gamma"),
        beta(c, "beta"),
        mean(c, "mean"),
        inverseDeviation(c, "inverse deviation"),
        runningMean(c, "running mean"),
        runningVariance(c, "running variance"),
        dgamma(c, "dgamma"),
        dbeta(c, "dbeta"),
        squaredNorms(m, "squared norms"),
        workspace(static_cast<size_t>(
                      rais_batch_norm_workspace_bytes(o.batch, o.positions, o.channels, dtype)),
                  "workspace") {
    where = nameOf(o);
    Random random(count + m);
    for (size_t i = 0; i < count; i++) {
      x.set(i, o.center + random.between(-1.7, 1.7));
      residual.set(i, random.between(-1, 1));
      dy.set(i, random.between(-1, 1));
    }
    for (size_t j = 0; j < m; j++) {
      weights[j] = m > 3 && j == 2 ? 0 : static_cast<float>(random.between(0.1, 3));
      squaredNorms[j] = static_cast<float>(j);
    }
    for (size_t k = 0; k < c; k++) {
      gamma[k] = static_cast<float>(random.between(-2, 2));
      beta[k] = static_cast<float>(random.between(-1, 1));
      runningMean[k] = static_cast<float>(o.center + random.between(-0.5, 0.5));
      runningVariance[k] = static_cast<float>(random.between(0.5, 2));
    }
  }

  bool added() const { return o.fusion == RAIS_FUSION_ADD_RELU; }
  const void* yOrNull() const { return added() || o.fromOutput ? y.data() : nullptr; }
  const float* betaOrNull() const {
    return o.fusion == RAIS_FUSION_RELU && !o.fromOutput ? beta.data() : nullptr;
  }
  const void* residualOrNull() const { return added() ? residual.data() : nullptr; }
  double weight(size_t row) const { return o.weighted ? weights[row / s] : 1; }

  void forward() {
    CHECK_OK(rais_batch_norm_forward(nullptr, o.batch, o.positions, o.channels, dtype, o.fusion,
                                     kEpsilon, x.data(), o.weighted ? weights.data() : nullptr,
                                     gamma.data(), beta.data(), residualOrNull(), y.data(),
                                     mean.data(), inverseDeviation.data(), runningMean.data(),
                                     runningVariance.data(), kMomentum, workspace.data()));
  }

  void backward(void* to) {
    CHECK_OK(rais_batch_norm_backward(
        nullptr, o.batch, o.positions, o.channels, dtype, o.fusion, x.data(), yOrNull(), dy.data(),
        o.weighted ? weights.data() : nullptr, gamma.data(), betaOrNull(), mean.data(),
        inverseDeviation.data(), to, dgamma.data(), dbeta.data(),
        added() ? dresidual.data() : nullptr, workspace.data()));
  }
};

// What forward must give for one channel.
struct Channel {
  double weightSum = 0, shareSquares = 0, mean = 0, variance = 0;

  Channel(const Layer& l, size_t k) {
    for (size_t row = 0; row < l.m * l.s; row++) {
      weightSum += l.weight(row);
    }
    for (size_t row = 0; row < l.m * l.s; row++) {
      double share = l.weight(row) / weightSum;
      shareSquares += share * share;
      mean += share * l.x.get(row * l.c + k);
    }
    for (size_t row = 0; row < l.m * l.s; row++) {
      double difference = l.x.get(row * l.c + k) - mean;
      variance += l.weight(row) / weightSum * difference * difference;
    }
  }

  double factor(const Layer& l, size_t k) const {
    return l.gamma[k] / std::sqrt(variance + double{kEpsilon});
  }

  double beforeRectifier(const Layer& l, size_t row, size_t k) const {
    double value = (l.x.get(row * l.c + k) - mean) * factor(l, k) + l.beta[k];
    return l.added() ? value + l.residual.get(row * l.c + k) : value;
  }

  double output(const Layer& l, size_t row, size_t k) const {
    double value = beforeRectifier(l, row, k);
    return l.o.fusion == RAIS_FUSION_NONE ? value : std::max(value, 0.0);
  }
};

void isTheDefinition(const Options& o) {
  Layer l(o);
  std::vector<float> oldMean(l.runningMean.data(), l.runningMean.data() + l.c);
  std::vector<float> oldVariance(l.runningVariance.data(), l.runningVariance.data() + l.c);
  l.forward();
  std::vector<float> incoming = l.dy.values();
  const Elements& dx = o.inPlace ? l.dy : l.dx;
  l.backward(dx.data());
  double unit = o.bfloat16 ? 4e-3 : 1e-6;
  // x is known to about this in the kernel: its mean is a float.
  double blur = 1e-7 * (std::fabs(o.center) + 1);
  for (size_t k = 0; k < l.c; k++) {
    Channel channel(l, k);
    double factor = channel.factor(l, k);
    double size = std::fabs(factor);
    CHECK_CLOSE(l.mean[k], channel.mean, 1e-7, 1e-7 * std::sqrt(channel.variance));
    CHECK_CLOSE(l.inverseDeviation[k], 1 / std::sqrt(channel.variance + double{kEpsilon}), 1e-6, 0);
    double unbiased = channel.shareSquares >= 1 ? channel.variance
                                                : channel.variance / (1 - channel.shareSquares);
    CHECK_CLOSE(l.runningMean[k], oldMean[k] + kMomentum * (channel.mean - oldMean[k]), 3e-7, 1e-7);
    CHECK_CLOSE(l.runningVariance[k], oldVariance[k] + kMomentum * (unbiased - oldVariance[k]),
                1e-6, 1e-7);
    double sum = 0, normalisedSum = 0, sizes = 0;
    for (size_t row = 0; row < l.m * l.s; row++) {
      size_t i = row * l.c + k;
      CHECK_CLOSE(l.y.get(i), channel.output(l, row, k), unit, 1e-6 + 2 * blur * size);
      bool open = o.fusion == RAIS_FUSION_NONE || l.y.get(i) > 0;
      double dz = open ? incoming[i] : 0;
      double xhat = (l.x.get(i) - channel.mean) / std::sqrt(channel.variance + double{kEpsilon});
      sum += dz;
      normalisedSum += dz * xhat;
      sizes += std::fabs(dz) * (1 + std::fabs(xhat));
      if (l.added()) {
        CHECK_EQUAL(bitsOf(l.dresidual.get(i)), bitsOf(static_cast<float>(dz)));
      }
    }
    CHECK_CLOSE(l.dbeta[k], sum, 1e-6, 1e-6 * sizes);
    CHECK_CLOSE(l.dgamma[k], normalisedSum, 1e-6, (1e-6 + blur * size) * sizes);
    for (size_t row = 0; row < l.m * l.s; row++) {
      size_t i = row * l.c + k;
      bool open = o.fusion == RAIS_FUSION_NONE || l.y.get(i) > 0;
      double dz = open ? incoming[i] : 0;
      double xhat = (l.x.get(i) - channel.mean) / std::sqrt(channel.variance + double{kEpsilon});
      double share = l.weight(row) / channel.weightSum;
      double expected = factor * (dz - share * sum - share * xhat * normalisedSum);
      CHECK_CLOSE(dx.get(i), expected, unit,
                  size * (2e-6 + 2 * blur) * (1 + share * sizes * (1 + std::fabs(xhat))));
    }
  }
}

// The same bits in every run; and running twice leaves nothing behind in the workspace.
void isDeterministic(const Options& o) {
  Layer first(o), second(o);
  first.forward();
  first.backward(first.dx.data());
  for (int repeat = 0; repeat < 2; repeat++) {
    second.forward();
    second.backward(second.dx.data());
  }
  where = "determinism, " + nameOf(o);
  CHECK(first.y.values() == second.y.values());
  CHECK(first.dx.values() == second.dx.values());
  CHECK(std::memcmp(first.dgamma.data(), second.dgamma.data(), first.c * sizeof(float)) == 0);
  // Without dx all else is the same.
  second.dgamma.fill(0);
  second.backward(nullptr);
  CHECK(std::memcmp(first.dgamma.data(), second.dgamma.data(), first.c * sizeof(float)) == 0);
}

// The gradient of sum of dy y, from differences of the formula in double.
void isTheGradient(int32_t fusion) {
  Layer l({5, 3, 2, fusion});
  where = "differences, " + nameOf(l.o);
  // Where the rectifier has a corner within the steps, differences tell nothing: those outputs do
  // not count.
  for (size_t k = 0; k < l.c; k++) {
    Channel channel(l, k);
    for (size_t row = 0; row < l.m * l.s; row++) {
      if (std::fabs(channel.beforeRectifier(l, row, k)) < 0.02) {
        l.dy.set(row * l.c + k, 0);
      }
    }
  }
  l.forward();
  l.backward(l.dx.data());
  auto loss = [&] {
    double sum = 0;
    for (size_t k = 0; k < l.c; k++) {
      Channel channel(l, k);
      for (size_t row = 0; row < l.m * l.s; row++) {
        sum += l.dy.get(row * l.c + k) * channel.output(l, row, k);
      }
    }
    return sum;
  };
  auto slope = [&](float& at) {
    const float step = 1.0f / 512;
    float before = at;
    at = before + step;
    double above = loss();
    double width = at;
    at = before - step;
    double below = loss();
    width -= at;
    at = before;
    return (above - below) / width;
  };
  auto* x = static_cast<float*>(l.x.data());
  for (size_t i = 0; i < l.count; i++) {
    CHECK_CLOSE(l.dx.get(i), slope(x[i]), 2e-3, 2e-4);
  }
  for (size_t k = 0; k < l.c; k++) {
    CHECK_CLOSE(l.dgamma[k], slope(l.gamma[k]), 2e-3, 2e-3);
    CHECK_CLOSE(l.dbeta[k], slope(l.beta[k]), 2e-3, 2e-3);
  }
}

void runningStatisticsAreConstants(const Options& o) {
  Layer l(o);
  where = "running, " + nameOf(o);
  CHECK_OK(rais_batch_norm_forward_running(
      nullptr, o.batch, o.positions, o.channels, l.dtype, o.fusion, kEpsilon, l.x.data(),
      l.gamma.data(), l.beta.data(), l.runningMean.data(), l.runningVariance.data(),
      l.residualOrNull(), l.y.data()));
  std::vector<float> incoming = l.dy.values();
  const Elements& dx = o.inPlace ? l.dy : l.dx;
  auto backward = [&](void* to) {
    CHECK_OK(rais_batch_norm_backward_running(
        nullptr, o.batch, o.positions, o.channels, l.dtype, o.fusion, kEpsilon, l.x.data(),
        l.yOrNull(), l.dy.data(), l.gamma.data(), l.betaOrNull(), l.runningMean.data(),
        l.runningVariance.data(), to, l.added() ? l.dresidual.data() : nullptr,
        l.squaredNorms.data()));
  };
  if (!o.inPlace) {
    backward(nullptr);
    for (size_t j = 0; j < l.m; j++) {
      CHECK(l.squaredNorms[j] > static_cast<float>(j));
      l.squaredNorms[j] = static_cast<float>(j);
    }
  }
  backward(dx.data());
  double unit = o.bfloat16 ? 4e-3 : 1e-6;
  for (size_t j = 0; j < l.m; j++) {
    double squares = 0;
    for (size_t k = 0; k < l.c; k++) {
      double inverse = 1 / std::sqrt(double{l.runningVariance[k]} + double{kEpsilon});
      double sum = 0, normalisedSum = 0;
      for (size_t p = 0; p < l.s; p++) {
        size_t i = (j * l.s + p) * l.c + k;
        double xhat = (l.x.get(i) - double{l.runningMean[k]}) * inverse;
        double value = l.gamma[k] * xhat + l.beta[k] + (l.added() ? l.residual.get(i) : 0);
        double expected = o.fusion == RAIS_FUSION_NONE ? value : std::max(value, 0.0);
        CHECK_CLOSE(l.y.get(i), expected, unit, 2e-6);
        bool open = o.fusion == RAIS_FUSION_NONE || l.y.get(i) > 0;
        double dz = open ? incoming[i] : 0;
        sum += dz;
        normalisedSum += dz * xhat;
        CHECK_CLOSE(dx.get(i), l.gamma[k] * inverse * dz, unit, 1e-7);
        if (l.added()) {
          CHECK_EQUAL(bitsOf(l.dresidual.get(i)), bitsOf(static_cast<float>(dz)));
        }
      }
      squares += sum * sum + normalisedSum * normalisedSum;
    }
    CHECK_CLOSE(l.squaredNorms[j], static_cast<double>(j) + squares, 1e-5, 1e-5);
  }
}

void whatIsNotFiniteShows() {
  for (double bad : {double{NAN}, double{INFINITY}}) {
    Layer l({4, 70, 8, RAIS_FUSION_RELU});
    where = "not finite";
    l.x.set(37 * l.c + 3, bad);
    l.forward();
    for (size_t row = 0; row < l.m * l.s; row++) {
      CHECK(std::isnan(l.y.get(row * l.c + 3)));
      CHECK(std::isfinite(l.y.get(row * l.c + 4)));
    }
  }
  for (float bad : {0.0f, NAN, INFINITY}) {
    Layer l({4, 70, 8});
    where = "weights of " + std::to_string(bad);
    l.weights.fill(bad);
    l.forward();
    for (size_t i = 0; i < l.count; i++) {
      CHECK(std::isnan(l.y.get(i)));
    }
  }
}

void aSingleElementHasNoVariance() {
  Layer l({1, 1, 3});
  where = "single element";
  std::vector<float> before(l.runningVariance.data(), l.runningVariance.data() + l.c);
  l.forward();
  for (size_t k = 0; k < l.c; k++) {
    CHECK_CLOSE(l.y.get(k), l.beta[k], 0, 1e-6);
    CHECK_CLOSE(l.runningVariance[k], before[k] * 0.9, 1e-6, 0);
  }
}

// Wherever among the rows that sums are taken around it lies, and whatever the others have in
// common.
void anOutlierOfLittleWeightDoesNotDrownTheRest() {
  for (size_t row : {0, 4, 8}) {
    for (float outlier : {1e4f, -1e4f}) {
      Layer l({9, 1, 4});
      where = "outlier " + std::to_string(outlier) + " in row " + std::to_string(row);
      for (size_t i = 0; i < l.count; i++) {
        l.x.set(i, 3 + 0.01 * l.x.get(i));
      }
      l.weights[row] = 1e-9f;
      for (size_t k = 0; k < l.c; k++) {
        l.x.set(row * l.c + k, outlier);
      }
      l.forward();
      for (size_t k = 0; k < l.c; k++) {
        Channel expected(l, k);
        CHECK_CLOSE(l.mean[k], expected.mean, 1e-6, 0);
        CHECK_CLOSE(l.inverseDeviation[k], 1 / std::sqrt(expected.variance + double{kEpsilon}),
                    1e-5, 0);
      }
    }
  }
}

void badArgumentsAreNamed() {
  Layer l({2, 3, 4});
  where = "arguments";
  auto forward = [&](int batch, int positions, int32_t dtype, int32_t fusion, float epsilon,
                     float* runningMean, float momentum, void* workspace) {
    return rais_batch_norm_forward(nullptr, batch, positions, 4, dtype, fusion, epsilon, l.x.data(),
                                   nullptr, l.gamma.data(), l.beta.data(), nullptr, l.y.data(),
                                   l.mean.data(), l.inverseDeviation.data(), runningMean,
                                   l.runningVariance.data(), momentum, workspace);
  };
  float* r = l.runningMean.data();
  void* w = l.workspace.data();
  CHECK(forward(0, 3, 0, 0, kEpsilon, r, 0.1f, w) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(),
                 "rais_batch_norm_forward(batch=0, positions=3, channels=4, dtype=0, fusion=0): "
                 "batch must be in");
  CHECK(forward(1 << 20, 1 << 20, 0, 0, kEpsilon, r, 0.1f, w) == RAIS_UNSUPPORTED);
  CHECK(forward(2, 3, 2, 0, kEpsilon, r, 0.1f, w) == RAIS_UNSUPPORTED);
  CHECK(forward(2, 3, 0, 3, kEpsilon, r, 0.1f, w) == RAIS_INVALID_ARGUMENT);
  CHECK(forward(2, 3, 0, 0, -1, r, 0.1f, w) == RAIS_INVALID_ARGUMENT);
  CHECK(forward(2, 3, 0, 0, kEpsilon, nullptr, 0.1f, w) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "running_mean must not be null");
  CHECK(forward(2, 3, 0, 0, kEpsilon, r, 1.5f, w) == RAIS_INVALID_ARGUMENT);
  CHECK(forward(2, 3, 0, 0, kEpsilon, r, 0.1f, nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK(forward(2, 3, 0, RAIS_FUSION_ADD_RELU, kEpsilon, r, 0.1f, w) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "residual must not be null");
  auto backward = [&](int32_t fusion, const void* y, const float* beta, void* dresidual) {
    return rais_batch_norm_backward(nullptr, 2, 3, 4, RAIS_FLOAT32, fusion, l.x.data(), y,
                                    l.dy.data(), nullptr, l.gamma.data(), beta, l.mean.data(),
                                    l.inverseDeviation.data(), l.dx.data(), l.dgamma.data(),
                                    l.dbeta.data(), dresidual, w);
  };
  CHECK(backward(RAIS_FUSION_RELU, nullptr, nullptr, nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "y must not be null");
  CHECK(backward(RAIS_FUSION_RELU, l.y.data(), nullptr, l.dresidual.data()) == RAIS_UNSUPPORTED);
  CHECK_CONTAINS(rais_last_error(), "dresidual must be null");
  CHECK(backward(RAIS_FUSION_ADD_RELU, nullptr, nullptr, l.dresidual.data()) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "y must not be null");
  CHECK(backward(RAIS_FUSION_ADD_RELU, l.y.data(), nullptr, l.dx.data()) == RAIS_UNSUPPORTED);
  CHECK_CONTAINS(rais_last_error(), "dresidual must not be the same memory as dx");
  CHECK_EQUAL(rais_batch_norm_workspace_bytes(1 << 20, 1 << 20, 4, RAIS_FLOAT32), 0);
  CHECK_EQUAL(rais_batch_norm_workspace_bytes(2, 3, 0, RAIS_FLOAT32), 0);
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (int32_t fusion : {RAIS_FUSION_NONE, RAIS_FUSION_RELU, RAIS_FUSION_ADD_RELU}) {
      for (bool bfloat16 : {false, true}) {
        isTheDefinition({8, 16, 64, fusion, true, bfloat16});
        isTheDefinition({5, 7, 3, fusion, true, bfloat16, 0, 0.5, true});
        isTheDefinition({3, 49, 136, fusion, false, bfloat16});
        isTheDefinition({2, 33, 8, fusion, true, bfloat16, 1});
        isTheDefinition({2, 33, 8, fusion, true, bfloat16, 0, 0.5, false, 1});
        isTheDefinition({4, 9, 24, fusion, true, bfloat16, 0, 0.5, true, 0, true});
        runningStatisticsAreConstants({4, 9, 64, fusion, true, bfloat16});
        runningStatisticsAreConstants({4, 9, 24, fusion, true, bfloat16, 1, 0.5, false, 0, true});
        runningStatisticsAreConstants({3, 5, 300, fusion, true, bfloat16, 0, 0.5, true});
        runningStatisticsAreConstants({2, 70, 7, fusion, true, bfloat16, 1});
      }
    }
  });
  isTheDefinition({40, 1, 10, RAIS_FUSION_RELU});
  isTheDefinition({1, 1, 1});
  isTheDefinition({64, 256, 16, RAIS_FUSION_RELU});  // several steps and chunks
  isTheDefinition({7, 9001, 4});                     // more rows than chunks have lanes
  isTheDefinition({32, 16, 64, RAIS_FUSION_RELU, true, false, 0, 1000});
  isTheDefinition({32, 16, 64, RAIS_FUSION_NONE, true, false, 0, -1e5});
  isDeterministic({16, 64, 24, RAIS_FUSION_ADD_RELU});
  isDeterministic({16, 64, 24, RAIS_FUSION_RELU, true, true});
  for (int32_t fusion : {RAIS_FUSION_NONE, RAIS_FUSION_RELU, RAIS_FUSION_ADD_RELU}) {
    isTheGradient(fusion);
  }
  whatIsNotFiniteShows();
  aSingleElementHasNoVariance();
  anOutlierOfLittleWeightDoesNotDrownTheRest();
  badArgumentsAreNamed();
  return finish();
}
