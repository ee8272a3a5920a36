package dev.rais.sampling;

/**
 * Options of {@link RaisSampler}.
 *
 * @param draw how indices are drawn
 * @param recordCapacity |D|: observations that the uncertainty set is trained on; 0 for the
 *     default, 20,000 but at most n
 * @param roundFraction K/n: draws per round as a share of the examples, 1/64 to 4
 * @param gainMax r_max: bound of the gain ratio, at least 1
 * @param async whether a newly trained set is used as soon as it is ready. False waits for it at a
 *     fixed iteration, so that a seed repeats exactly
 * @param caution whether draws are uniform while the measured gain says that others do not pay
 * @param ablation a part that is left out, for experiments
 */
public record RaisOptions(
    DrawMode draw,
    int recordCapacity,
    double roundFraction,
    double gainMax,
    boolean async,
    boolean caution,
    Ablation ablation) {
  /** Most draws of a round, as a multiple of n. */
  static final double MAX_ROUND_FRACTION = 4;

  /** Checks the ranges. */
  public RaisOptions {
    java.util.Objects.requireNonNull(draw);
    java.util.Objects.requireNonNull(ablation);
    if (recordCapacity < 0) {
      throw new IllegalArgumentException(
          "the record capacity must not be negative, but is " + recordCapacity);
    }
    if (!(roundFraction >= 1.0 / 64 && roundFraction <= MAX_ROUND_FRACTION)) {
      throw new IllegalArgumentException(
          "the round fraction must be from 1/64 to 4, but is " + roundFraction);
    }
  }

  /** Without ablation. */
  public RaisOptions(
      DrawMode draw,
      int recordCapacity,
      double roundFraction,
      double gainMax,
      boolean async,
      boolean caution) {
    this(draw, recordCapacity, roundFraction, gainMax, async, caution, Ablation.NONE);
  }

  /** The defaults: rounds of n/2 draws, |D| = 20,000, r_max = 10, repeatable, cautious. */
  public static RaisOptions defaults() {
    return new RaisOptions(DrawMode.ROUNDS, 0, 0.5, 10, false, true, Ablation.NONE);
  }

  /** With another way of drawing. */
  public RaisOptions withDraw(DrawMode mode) {
    return new RaisOptions(mode, recordCapacity, roundFraction, gainMax, async, caution, ablation);
  }

  /** With another record capacity |D|. */
  public RaisOptions withRecordCapacity(int capacity) {
    return new RaisOptions(draw, capacity, roundFraction, gainMax, async, caution, ablation);
  }

  /** With another share K/n. */
  public RaisOptions withRoundFraction(double fraction) {
    return new RaisOptions(draw, recordCapacity, fraction, gainMax, async, caution, ablation);
  }

  /** With another bound of the gain ratio. */
  public RaisOptions withGainMax(double bound) {
    return new RaisOptions(draw, recordCapacity, roundFraction, bound, async, caution, ablation);
  }

  /** With or without waiting for a newly trained set. */
  public RaisOptions withAsync(boolean whenReady) {
    return new RaisOptions(
        draw, recordCapacity, roundFraction, gainMax, whenReady, caution, ablation);
  }

  /** With or without falling back to uniform draws. */
  public RaisOptions withCaution(boolean cautious) {
    return new RaisOptions(draw, recordCapacity, roundFraction, gainMax, async, cautious, ablation);
  }

  /** With a part left out. */
  public RaisOptions withAblation(Ablation left) {
    return new RaisOptions(draw, recordCapacity, roundFraction, gainMax, async, caution, left);
  }
}
