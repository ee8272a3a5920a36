package dev.rais.sampling;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** A part of RAIS that is left out or changed, to see in experiments what it is good for. */
public enum Ablation {
  /** RAIS as it is. */
  NONE(-1, 1),

  /** Without the running mean of all norms among the features. */
  NO_MEAN(ExampleHistory.MEAN, 1),

  /** Without the class mean of the norm. */
  NO_CLASS_MEAN(ExampleHistory.CLASS_MEAN, 1),

  /** Without the norm seen last. */
  NO_LAST(ExampleHistory.LAST, 1),

  /** Without the norm before the last. */
  NO_PREVIOUS(ExampleHistory.PREVIOUS, 1),

  /** Without each example's moving average. */
  NO_AVERAGE(ExampleHistory.AVERAGE, 1),

  /** Without the feature of examples never seen. */
  NO_NEVER_SEEN(ExampleHistory.NEVER_SEEN, 1),

  /** k = 0: the prediction alone, no allowance for its error. */
  K_ZERO(-1, 0),

  /** Half of k. */
  K_HALF(-1, 0.5),

  /** Twice k. */
  K_TWICE(-1, 2),

  /** The learning rate is not scaled, and a step counts as one step. */
  FIXED_RATE(-1, 1),

  /** The gain ratio is measured on the logits, that is on the final bias's gradient alone. */
  LOGIT_GAIN(-1, 1),

  /**
   * The gain ratio is measured on all parameters, with each example's exact gradient norm. Its
   * passes for that are not counted among the run's.
   */
  EXACT_GAIN(-1, 1);

  private final int feature;
  private final double scale;

  Ablation(int feature, double scale) {
    this.feature = feature;
    this.scale = scale;
  }

  /** The feature that is left out; negative for none. */
  int feature() {
    return feature;
  }

  /** What k is multiplied by. */
  double scale() {
    return scale;
  }

  /** The name in options. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /**
   * The one of this name.
   *
   * @throws IllegalArgumentException if there is none
   */
  public static Ablation of(String id) {
    return Arrays.stream(values())
        .filter(ablation -> ablation.id().equals(id))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "expected one of " + String.join(", ", ids()) + ", not " + id));
  }

  /** All names. */
  public static List<String> ids() {
    return Arrays.stream(values()).map(Ablation::id).toList();
  }
}
