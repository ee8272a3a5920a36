package dev.rais.report;

import dev.rais.sampling.Calibration;
import dev.rais.train.Draws;
import dev.rais.train.Metrics;
import dev.rais.train.RunDirectory;
import dev.rais.train.RunRecord;
import dev.rais.train.Summary;
import dev.rais.train.TrainingConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/** Runs made up for tests of what is computed from runs. */
final class Runs {
  private Runs() {}

  /** A run whose test errors at 1, 2, ... epochs are these, at so many seconds per epoch. */
  static RunRecord run(String sampler, long seed, double secondsPerEpoch, double... errors) {
    return run(
        TrainingConfig.builder("data", "mlp", sampler).seed(seed).build(), secondsPerEpoch, errors);
  }

  static RunRecord run(TrainingConfig config, double secondsPerEpoch, double... errors) {
    List<Metrics> metrics = new ArrayList<>();
    for (int e = 1; e <= errors.length; e++) {
      metrics.add(metrics(e, secondsPerEpoch * e, errors[e - 1]));
    }
    double best = metrics.stream().mapToDouble(Metrics::testError).min().orElseThrow();
    Summary summary =
        new Summary(
            config.sampler(),
            config.model(),
            config.data(),
            "some backend",
            config.seed(),
            config.batchSize(),
            10 * errors.length,
            errors.length,
            2.0 * errors.length,
            0.1,
            errors[errors.length - 1],
            0,
            best,
            1,
            1000,
            secondsPerEpoch * errors.length,
            secondsPerEpoch * errors.length + 1,
            0.02,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0);
    return new RunRecord(
        Path.of(config.sampler() + "-" + config.seed()),
        config,
        metrics,
        Optional.of(summary),
        Optional.empty());
  }

  /** The same run as it was after so many evaluations, still under way. */
  static RunRecord underWay(RunRecord run, int evaluations) {
    return new RunRecord(
        run.directory(),
        run.config(),
        run.metrics().subList(0, evaluations),
        Optional.empty(),
        Optional.empty());
  }

  /** The same run, had it diverged after so many evaluations. */
  static RunRecord diverged(RunRecord run, int evaluations) {
    RunRecord before = underWay(run, evaluations);
    return new RunRecord(
        run.directory(),
        run.config(),
        before.metrics(),
        Optional.empty(),
        Optional.of(
            new RunDirectory.Divergence(
                10L * evaluations + 1, 10L * evaluations, evaluations, "loss is NaN")));
  }

  private static Metrics metrics(int epoch, double seconds, double error) {
    List<Double> shares = new ArrayList<>(Collections.nCopies(Draws.BINS, 0.0));
    shares.set(Draws.UNIFORM_BIN, 0.75);
    shares.set(Draws.UNIFORM_BIN - 2, 0.25);
    Draws draws =
        new Draws(
            0.8,
            shares,
            List.of(100L * epoch, 50L * epoch),
            new Calibration(100, 0.9, 1.1, List.of(0.1, 0.5), List.of(0.12, 0.45)));
    return new Metrics(
        10L * epoch,
        epoch,
        2.0 * epoch,
        1 + epoch / 10.0,
        0.1 / epoch,
        error * 3,
        error * 4,
        error,
        0,
        0,
        0,
        0,
        false,
        0,
        0,
        0,
        seconds,
        draws);
  }
}
