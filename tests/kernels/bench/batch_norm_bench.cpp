// Batch normalisation with weighted statistics, in the shapes of a ResNet-18 for CIFAR.
#include <algorithm>
#include <array>

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

  // Rows that a thread has at least.
  size_t least() const { return 1 + (size_t{1} << 16) / channels; }

  // Adds body(r, c), of all rows, up for each channel c: to every result its own.
  template <size_t kResults, class Body>
  std::vector<std::array<double, kResults>> channelSums(const Body& body) const {
    using Sums = std::vector<std::array<double, kResults>>;
    std::vector<Sums> found(parts(rows, least()), Sums(channels));
    parallel(
        rows,
        [&](size_t begin, size_t end, size_t part) {
          for (size_t r = begin; r < end; r++) {
            for (size_t c = 0; c < channels; c++) {
              std::array<double, kResults> terms = body(r, c);
              for (size_t k = 0; k < kResults; k++) {
                found[part][c][k] += terms[k];
              }
            }
          }
        },
        least());
    for (size_t part = 1; part < found.size(); part++) {
      for (size_t c = 0; c < channels; c++) {
        for (size_t k = 0; k < kResults; k++) {
          found[0][c][k] += found[part][c][k];
        }
      }
    }
    return found[0];
  }

  // body(part, r, c) for all rows and channels.
  template <class Body>
  void each(Check& check, const Body& body) const {
    check.each(
        rows,
        [&](Check& part, size_t begin, size_t end) {
          for (size_t r = begin; r < end; r++) {
            for (size_t c = 0; c < channels; c++) {
              body(part, r, c);
            }
          }
        },
        least());
  }

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
      auto means_ = channelSums<1>([&](size_t r, size_t c) {
        return std::array<double, 1>{share[r] * x[r * channels + c]};
      });
      auto variances = channelSums<1>([&](size_t r, size_t c) {
        double difference = x[r * channels + c] - means_[c][0];
        return std::array<double, 1>{share[r] * difference * difference};
      });
      for (size_t c = 0; c < channels; c++) {
        center[c] = means_[c][0];
        variance[c] = variances[c][0];
      }
      std::vector<float> means = mean.read(), inverses = inverseDeviation.read();
      for (size_t c = 0; c < channels; c++) {
        check.close("mean", c, means[c], center[c], 1e-5, 1e-6);
        check.close("inverse deviation", c, inverses[c],
                    1 / std::sqrt(variance[c] + double{kEpsilon}), 1e-5, 0);
      }
    }
    Elements y(kind.bfloat16, ys.read());
    each(check, [&](Check& part, size_t r, size_t c) {
      size_t i = r * channels + c;
      double value =
          gammaOf[c] * (x[i] - center[c]) / std::sqrt(variance[c] + double{kEpsilon}) + betaOf[c];
      value += fused() ? residual[i] : 0;
      value = kind.fusion == RAIS_FUSION_NONE ? value : std::max(value, 0.0);
      part.close("y", i, y[i], value, relative(), 3e-5);
    });
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
    auto both = channelSums<2>([&](size_t r, size_t c) {
      size_t i = r * channels + c;
      dz[i] = kind.fusion == RAIS_FUSION_NONE || y[i] > 0 ? dy[i] : 0;
      return std::array<double, 2>{dz[i], double{dz[i]} * (x[i] - center[c]) * inverse[c]};
    });
    for (size_t c = 0; c < channels; c++) {
      sums[c] = both[c][0];
      products[c] = both[c][1];
    }
    each(check, [&](Check& part, size_t r, size_t c) {
      size_t i = r * channels + c;
      double normalised = (double{x[i]} - center[c]) * inverse[c];
      double share_ = kind.running ? 0 : share[r];
      double expected = double{gammaOf[c]} * inverse[c] *
                        (dz[i] - share_ * sums[c] - share_ * normalised * products[c]);
      part.close("dx", i, dx[i], expected, relative(), 3e-5);
    });
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
    auto positions = static_cast<size_t>(s.positions);
    check.each(
        norms.size(),
        [&](Check& part, size_t begin, size_t end) {
          for (size_t j = begin; j < end; j++) {
            std::vector<double> sums(channels), products(channels);
            for (size_t r = j * positions; r < (j + 1) * positions; r++) {
              for (size_t c = 0; c < channels; c++) {
                size_t i = r * channels + c;
                sums[c] += dz[i];
                products[c] += double{dz[i]} * (x[i] - center[c]) * inverse[c];
              }
            }
            double squares = 0;
            for (size_t c = 0; c < channels; c++) {
              squares += sums[c] * sums[c] + products[c] * products[c];
            }
            part.close("squared norms", j, norms[j], squares, 1e-4, 0);
          }
        },
        8);
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
  for (Shape s :
       bench.shapes<Shape>({{512, 1024, 64}, {512, 256, 128}, {512, 64, 256}, {512, 16, 512}},
                           {{5, 7, 24}, {3, 5, 7}})) {
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
