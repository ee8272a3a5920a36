package dev.rais.sampling;

/**
 * Whether importance sampling pays (docs/algorithm.md §5): judged by the estimated gain ratio of
 * each minibatch. A change of mind takes effect a fixed number of minibatches later, so that the
 * estimates of a device need not be waited for.
 */
final class Caution {
  /** Weighted minibatches before their gain is judged: two time constants of its averages. */
  private static final int TRIAL = 200;

  /** Below this estimated gain ratio importance sampling is taken not to pay. */
  private static final double PAYS_NOT = 1.05;

  /** Above this estimated gain ratio it is tried again. */
  private static final double PAYS_AGAIN = 1.1;

  private static final long NEVER = Long.MAX_VALUE;

  private final boolean enabled;
  private boolean cautious;

  /** Draw from which on minibatches are judged: the first one since the last change. */
  private long trialFrom = NEVER;

  private long trialLength;

  /** Draw at which a change of mind takes effect. */
  private long changeAt = NEVER;

  /**
   * @param enabled whether draws may become uniform at all
   */
  Caution(boolean enabled) {
    this.enabled = enabled;
  }

  /** Whether draws are uniform because others would not pay. */
  boolean isCautious() {
    return cautious;
  }

  /** The first set comes into force at the draw of this number. */
  void begin(long draw) {
    trialFrom = draw;
  }

  /** Before the draw of this number: a change whose time has come takes effect. */
  void drawing(long draw) {
    if (draw >= changeAt) {
      cautious = !cautious;
      trialFrom = draw;
      trialLength = 0;
      changeAt = NEVER;
    }
  }

  /**
   * Takes in what a minibatch showed.
   *
   * @param iteration number of its draw
   * @param estimate of the gain ratio, without bounds
   */
  void judge(long iteration, double estimate) {
    if (!enabled || iteration < trialFrom || changeAt != NEVER) {
      return;
    }
    boolean change;
    if (cautious) {
      change = estimate > PAYS_AGAIN;
    } else {
      trialLength++;
      change = trialLength >= TRIAL && estimate < PAYS_NOT;
    }
    if (change) {
      changeAt = iteration + 1 + RefreshTimes.LAG;
    }
  }

  long trialFrom() {
    return trialFrom;
  }

  long trialLength() {
    return trialLength;
  }

  void save(SamplerState state) {
    state.put("rais.changeAt", changeAt);
  }

  /** Takes over a state; those of earlier versions know no change to come. */
  void load(SamplerState state, boolean cautious, long trialFrom, long trialLength) {
    this.cautious = cautious;
    this.trialFrom = state.has("refresh.c") ? trialFrom : NEVER;
    this.trialLength = trialLength;
    changeAt = state.has("rais.changeAt") ? state.longs("rais.changeAt", 1)[0] : NEVER;
  }
}
