// Batch normalisation with weighted statistics, in the shapes of a ResNet-18 for CIFAR.
#include <algorithm>

#include "bench.h"
#include "reference.h"

namespace bench {
namespace {

constexpr float kEpsilon = 1e-5f;
constexpr float kMomentum = 0.1f;

struct Shape {
  int batch, positions, channels;
};

struct Kind {
  bool bfloat16;
  int fusion;
  bool running;
};

// Operands of all four functions, and the reference's sums.
struct Layer {
  Shape s;
  Kind kind;
  size_t rows, channels, count;
  Elements x, residual, dy;
  std::vector<float> weightOf, gammaOf, betaOf, runningMeanOf, runningVarianceOf;
  Rotating<char> xs, residuals, dys, ys, dxs, dresiduals, workspace;
  Rotating<float> weights, gamma, beta, mean, inverseDeviation, runningMean, runningVariance;
  Rotating<float> dgamma, dbeta, squaredNorms;

  Layer(Bench& bench, Shape shape, Kind k, Random random)
      : s(shape),
        kind(k),
        rows(static_cast<size_t>(s.batch) * static_cast<size_t>(s.positions)),
        channels(static_cast<size_t>(s.channels)),
        count(rows * channels),
        x(k.bfloat16, random.floats(count, -1, 3)),
        residual(k.bfloat16, random.floats(fused() ? count : 1, -1, 1)),
        dy(k.bfloat16, random.floats(count, -1, 1)),
        weightOf(random.floats(static_cast<size_t>(s.batch), 0.1, 3)),
        gammaOf(random.floats(channels, 0.5, 2)),
        betaOf(random.floats(channels, -1, 1)),
        runningMeanOf(random.floats(channels, 0.5, 1.5)),
        runningVarianceOf(random.floats(channels, 1, 2)),
        xs(bench.input(x.bytes)),
        residuals(bench.input(residual.bytes)),
        dys(bench.input(dy.bytes)),
        ys(bench.output<char>(x.bytes.size())),
        dxs(bench.output<char>(x.bytes.size())),
        dresiduals(bench.output<char>(residual.bytes.size())),
        workspace(bench.output<char>(static_cast<size_t>(
            rais_batch_norm_workspace_bytes(s.batch, s.positions, s.channels, dtype())))),
        weights(bench.shared(weightOf)),
        gamma(bench.shared(gammaOf)),
        beta(bench.shared(betaOf)),
        mean(bench.output<float>(channels)),
        inverseDeviation(bench.output<float>(channels)),
        runningMean(bench.input(runningMeanOf)),
        runningVariance(bench.input(runningVarianceOf)),
        dgamma(bench.output<float>(channels)),
        dbeta(bench.output<float>(channels)),
        squaredNorms(bench.input(std::vector<float>(static_cast<size_t>(s.batch), 0))) {}

  bool fused() const { return kind.fusion == RAIS_FUSION_ADD_RELU; }
  int32_t dtype() const { return kind.bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32; }

  int32_t forward(rais_stream stream, int turn) const {
    const char* added = fused() ? residuals(turn) : nullptr;
    if (kind.running) {
      return rais_batch_norm_forward_running(
          stream, s.batch, s.positions, s.channels, dtype(), kind.fusion, kEpsilon, xs(turn),
          gamma(0), beta(0), runningMean(turn), runningVariance(turn), added, ys(turn));
    }
    return rais_batch_norm_forward(stream, s.batch, s.positions, s.channels, dtype(), kind.fusion,
                                   kEpsilon, xs(turn), weights(0), gamma(0), beta(0), added,
                                   ys(turn), mean(turn), inverseDeviation(turn), runningMean(turn),
                                   runningVariance(turn), kMomentum, workspace(turn));
  }

  int32_t backward(rais_stream stream, int turn) const {
    char* dresidual = fused() ? dresiduals(turn) : nullptr;
    if (kind.running) {
      return rais_batch_norm_backward_running(
          stream, s.batch, s.positions, s.channels, dtype(), kind.fusion, kEpsilon, xs(turn),
          ys(turn), dys(turn), gamma(0), beta(0), runningMean(turn), runningVariance(turn),
          dxs(turn), dresidual, squaredNorms(turn));
    }
    return rais_batch_norm_backward(stream, s.batch, s.positions, s.channels, dtype(), kind.fusion,
                                    xs(turn), ys(turn), dys(turn), weights(0), gamma(0), beta(0),
                                    mean(turn), inverseDeviation(turn), dxs(turn), dgamma(turn),
                                    dbeta(turn), dresidual, workspace(turn));
  }

  double relative() const { return kind.bfloat16 ? 8e-3 : 3e-5; }

  // The share of every row in the sums.
  std::vector<double> shares() const {
    double sum = 0;
    for (float weight : weightOf) {
      sum += weight;
    }
    std::vector<double> result(rows);
    for (size_t r = 0; r < rows; r++) {
      result[r] = weightOf[r / static_cast<size_t>(s.positions)] / (sum * s.positions);
    }
    return result;
  }

  void checkForward(Check& check) const {
    std::vector<double> center(channels), variance(channels), share = shares();
    if (kind.running) {
      std::copy(runningMeanOf.begin(), runningMeanOf.end(), center.begin());
      std::copy(runningVarianceOf.begin(), runningVarianceOf.end(), variance.begin());
    } else {
      for (size_t i = 0; i < count; i++) {
        center[i % channels] += share[i / channels] * x[i];
      }
      for (size_t i = 0; i < count; i++) {
        double difference = x[i] - center[i % channels];
        variance[i % channels] += share[i / channels] * difference * difference;
      }
      std::vector<float> means = mean.read(), inverses = inverseDeviation.read();
      for (size_t c = 0; c < channels; c++) {
        check.close("mean", c, means[c], center[c], 1e-5, 1e-6);
        check.close("inverse deviation", c, inverses[c],
                    1 / std::sqrt(variance[c] + double{kEpsilon}), 1e-5, 0);
      }
    }
    Elements y(kind.bfloat16, ys.read());
    for (size_t i = 0; i < count; i++) {
      size_t c = i % channels;
      double value =
          gammaOf[c] * (x[i] - center[c]) / std::sqrt(variance[c] + double{kEpsilon}) + betaOf[c];
      value += fused() ? residual[i] : 0;
      value = kind.fusion == RAIS_FUSION_NONE ? value : std::max(value, 0.0);
      check.close("y", i, y[i], value, relative(), 3e-5);
    }
  }

  // Takes the mask and the batch's statistics from what forward gave, which has its own check: at
  // the rectifier's edge the last bit decides.
  void checkBackward(Check& check) const {
    std::vector<float> center = kind.running ? runningMeanOf : mean.read();
    std::vector<float> inverse = kind.running ? runningVarianceOf : inverseDeviation.read();
    for (float& value : inverse) {
      value = kind.running ? 1 / std::sqrt(value + kEpsilon) : value;
    }
    Elements y(kind.bfloat16, ys.read()), dx(kind.bfloat16, dxs.read());
    std::vector<double> share = shares(), sums(channels), products(channels);
    std::vector<float> dz(count);
    for (size_t i = 0; i < count; i++) {
      size_t c = i % channels;
      dz[i] = kind.fusion == RAIS_FUSION_NONE || y[i] > 0 ? dy[i] : 0;
      sums[c] += dz[i];
      products[c] += double{dz[i]} * (x[i] - center[c]) * inverse[c];
    }
    for (size_t i = 0; i < count; i++) {
      size_t c = i % channels;
      double normalised = (double{x[i]} - center[c]) * inverse[c];
      double share_ = kind.running ? 0 : share[i / channels];
      double expected = double{gammaOf[c]} * inverse[c] *
                        (dz[i] - share_ * sums[c] - share_ * normalised * products[c]);
      check.close("dx", i, dx[i], expected, relative(), 3e-5);
    }
    if (kind.running) {
      checkNorms(check, dz, center, inverse);
      return;
    }
    std::vector<float> gammas = dgamma.read(), betas = dbeta.read();
    double slack = 1e-5 * std::sqrt(static_cast<double>(rows));
    for (size_t c = 0; c < channels; c++) {
      check.close("dgamma", c, gammas[c], products[c], 1e-5, slack);
      check.close("dbeta", c, betas[c], sums[c], 1e-5, slack);
    }
  }

  void checkNorms(Check& check, const std::vector<float>& dz, const std::vector<float>& center,
                  const std::vector<float>& inverse) const {
    std::vector<float> norms = squaredNorms.read();
    size_t size = count / static_cast<size_t>(s.batch);
    for (size_t j = 0; j < norms.size(); j++) {
      std::vector<double> sums(channels), products(channels);
      for (size_t i = j * size; i < (j + 1) * size; i++) {
        size_t c = i % channels;
        sums[c] += dz[i];
        products[c] += double{dz[i]} * (x[i] - center[c]) * inverse[c];
      }
      double squares = 0;
      for (size_t c = 0; c < channels; c++) {
        squares += sums[c] * sums[c] + products[c] * products[c];
      }
      check.close("squared norms", j, norms[j], squares, 1e-4, 0);
    }
  }
};

Work prepareForward(Bench& bench, Shape s, Kind kind) {
  Layer layer(bench, s, kind, Random(6));
  Work work;
  work.launch = [=](rais_stream stream, int turn) { return layer.forward(stream, turn); };
  work.check = [=](Check& check) { layer.checkForward(check); };
  return work;
}

Work prepareBackward(Bench& bench, Shape s, Kind kind) {
  Layer layer(bench, s, kind, Random(7));
  for (size_t i = 0; i < layer.ys.copies(); i++) {
    layer.forward(nullptr, static_cast<int>(i));
  }
  device::finish();
  Work work;
  work.launch = [=](rais_stream stream, int turn) { return layer.backward(stream, turn); };
  work.check = [=](Check& check) { layer.checkBackward(check); };
  return work;
}

}  // namespace

void batchNorm(Bench& bench) {
  const char* const fusions[] = {"", ", relu", ", add + relu"};
  for (Shape s : bench.shapes<Shape>(
           {{512, 1024, 64}, {512, 256, 128}, {512, 64, 256}, {512, 16, 512}}, {{5, 7, 24}})) {
    for (bool bfloat16 : {false, true}) {
      double bytes = double{1} * s.batch * s.positions * s.channels * (bfloat16 ? 2 : 4);
      for (int fusion : {RAIS_FUSION_NONE, RAIS_FUSION_RELU, RAIS_FUSION_ADD_RELU}) {
        for (bool running : {false, true}) {
          if (running && s.channels > 64) {
            continue;  // evaluation and exact norms: one shape tells
          }
          Kind kind = {bfloat16, fusion, running};
          std::string shape = text("%dx%dx%d %s%s", s.batch, s.positions, s.channels,
                                   bfloat16 ? "bf16" : "fp32", fusions[fusion]);
          const char* suffix = running ? "_running" : "";
          bool add = fusion == RAIS_FUSION_ADD_RELU;
          double forward = bytes * ((running ? 2 : 3) + add);
          double backward = bytes * (running ? 3 + 2 * add : 5 + 2 * add);
          double footprint = bytes * (4 + 3 * add);
          bench.measure({text("batch_norm_forward%s", suffix), shape, forward, footprint},
                        [&] { return prepareForward(bench, s, kind); });
          bench.measure({text("batch_norm_backward%s", suffix), shape, backward, footprint},
                        [&] { return prepareBackward(bench, s, kind); });
        }
      }
    }
  }
}

}  // namespace bench
