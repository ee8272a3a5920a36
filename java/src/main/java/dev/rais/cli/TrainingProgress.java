package dev.rais.cli;

import dev.rais.train.Metrics;
import dev.rais.train.TrainingListener;

/** Shows a run as it goes: a bar on a terminal, else a line at every evaluation. */
final class TrainingProgress implements TrainingListener, AutoCloseable {
  private static final double STEPS_PER_EPOCH = 1000;

  private final Console console;
  private final double totalEpochs;
  private final LiveBar bar;
  // Written by the training thread, read by the bar's.
  private volatile Progress latest;
  private volatile Metrics evaluated;

  TrainingProgress(Console console, double totalEpochs) {
    this.console = console;
    this.totalEpochs = totalEpochs;
    bar =
        console.live()
            ? new LiveBar(
                console, Math.round(totalEpochs * STEPS_PER_EPOCH), this::left, this::right)
            : null;
  }

  @Override
  public void progressed(Progress progress) {
    latest = progress;
    if (bar != null) {
      bar.advanceTo(Math.round(progress.epochsEquivalent() * STEPS_PER_EPOCH));
    }
  }

  @Override
  public void evaluated(Metrics metrics) {
    evaluated = metrics;
    if (bar == null) {
      console
          .err()
          .println(
              Texts.format(
                  "epochs %.2f/%s equivalent, %.2f real: loss %.4f, test error %s, gain ratio"
                      + " %.2f, %s images/s",
                  metrics.epochsEquivalent(),
                  Texts.shortest(totalEpochs),
                  metrics.epochs(),
                  metrics.trainLoss(),
                  Texts.percent(metrics.testError()),
                  metrics.gainRatio(),
                  Texts.count(latest.imagesPerSecond())));
    }
  }

  private String left() {
    Progress now = latest;
    return Texts.format(
        "epochs %.2f/%s",
        now == null ? 0 : Math.min(now.epochsEquivalent(), totalEpochs),
        Texts.shortest(totalEpochs));
  }

  private String right(double remaining) {
    Progress now = latest;
    if (now == null) {
      return "starting";
    }
    Metrics last = evaluated;
    return Texts.format(
        "loss %.3f, gain %.2f, %s images/s%s, ETA %s",
        now.loss(),
        now.gainRatio(),
        Texts.count(now.imagesPerSecond()),
        last == null ? "" : ", error " + Texts.percent(last.testError()),
        Double.isNaN(remaining) ? "-" : Texts.clock(remaining));
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
  }
}
