package dev.rais.sampling;

/**
 * Decides which examples to train on, with what weight, and how much further a step takes than a
 * uniform one.
 *
 * <p>One training step: {@link #draw} a minibatch, compute the gradient (1/m) Σ w_j ∇f_j, {@link
 * #observe} its gradient norms, then update with the learning rate {@link #learningRate} gives. The
 * run ends when {@link #effectiveIterations} reaches the schedule's length T (docs/algorithm.md
 * §5).
 *
 * <p>Minibatches may be drawn ahead of the observation of earlier ones, as prefetching loaders do,
 * and observed in any order. What belongs to a minibatch (weights, probabilities, features) is that
 * of the moment of its draw, so the gradient stays unbiased.
 *
 * <p>All methods may be called from any thread; a call waits while another is under way. A run
 * repeats exactly only if the order of calls does.
 */
public interface ImportanceSampler extends AutoCloseable {
  /** A learning rate as a function of effective iterations t̂. */
  @FunctionalInterface
  interface RateSchedule {
    /** The rate at t̂, before the gain ratio is applied. */
    double at(double effectiveIterations);
  }

  /** Number of examples n that can be drawn: all but those retired. */
  int size();

  /** Number of indices given out so far: examples have indices in [0, indexBound). */
  int indexBound();

  /**
   * Draws the next minibatch.
   *
   * @param m examples to draw, 1 to n
   * @throws IllegalArgumentException if m is out of range
   * @throws IllegalStateException if this sampler needs forward passes; see {@link #draw(int,
   *     ForwardPass)}. Or if 65,536 minibatches were drawn and not observed
   */
  default Minibatch draw(int m) {
    return draw(
        m,
        indices -> {
          throw new IllegalStateException(
              "this sampler scores examples before it draws them: give draw a forward pass");
        });
  }

  /**
   * Draws the next minibatch, with forward passes where the sampler wants them.
   *
   * @param m examples to draw, 1 to n
   * @param forward called on this thread during the call, or not at all
   * @throws IllegalArgumentException if m is out of range, or a score is not a number it can be;
   *     the message names the example and the value
   */
  Minibatch draw(int m, ForwardPass forward);

  /**
   * Indices of the next examples in the order in which they will be drawn, as far as they are
   * already decided: a loader can fetch them ahead. Shuffled epochs know all that is asked for,
   * rounds what is left of the present one, independent draws nothing. A way of drawing may end
   * before they come to it, with the first uncertainty set or as caution has it: what is drawn is
   * what {@link #draw} says.
   *
   * @param count most indices wanted
   */
  default int[] upcoming(int count) {
    return new int[0];
  }

  /** What {@link #observe} wants as scores. */
  ScoreKind score();

  /** Whether {@link #observe} wants moment norms and the minibatch gradient's norm. */
  boolean usesMoments();

  /**
   * Takes in what training on a minibatch showed.
   *
   * @param batch a minibatch of this sampler's {@link #draw}; each is observed at most once
   * @param observation what this sampler wants of it; the rest may be missing
   * @throws IllegalArgumentException if a value is NaN or infinite, or a norm negative, with its
   *     place and value; if an array's length is not m; if the minibatch was observed before or is
   *     not of this sampler. The sampler is then unchanged
   */
  void observe(Minibatch batch, Observation observation);

  /**
   * {@link #observe(Minibatch, Observation)} with the parts of an observation, which see {@link
   * Observation}.
   */
  default void observe(
      Minibatch batch,
      float[] scores,
      float[] momentNormsSquared,
      double batchGradientNormSquared) {
    observe(batch, new Observation(scores, momentNormsSquared, batchGradientNormSquared));
  }

  /**
   * Observes a minibatch from the gradients of its logits alone: see {@link
   * Observation#ofLogitGradients}.
   */
  default void observe(Minibatch batch, float[] logitGradients, int classes) {
    observe(batch, Observation.ofLogitGradients(batch, logitGradients, classes));
  }

  /**
   * Takes back a minibatch that will not be observed, say because its loss was not finite: nothing
   * is learnt from it, and the schedule does not advance.
   *
   * @throws IllegalArgumentException if it was observed or discarded before or is not of this
   *     sampler
   */
  void discard(Minibatch batch);

  /** The gain ratio r_t of the minibatch observed last; 1 before the first. */
  double gainRatio();

  /** The sum t̂ of what all observed minibatches advanced the schedule by. */
  double effectiveIterations();

  /**
   * The learning rate η_t for the minibatch observed last: r_t · schedule(t̂_t) where the sampler
   * scales the rate, schedule(t̂_t) where it does not. Before the first, schedule(0).
   */
  double learningRate(RateSchedule schedule);

  /**
   * Adds examples; their indices follow on. They are drawn as soon as the sampler's way of drawing
   * allows: at once with independent draws, from the next epoch or round on otherwise.
   *
   * @param labels [count] class of each
   * @param weights [count] weight u_i of each in the objective; null for 1 each
   * @throws UnsupportedOperationException if this sampler's examples cannot change
   * @throws IllegalArgumentException if a label or weight is out of range; nothing is then added
   */
  void append(int[] labels, float[] weights);

  /**
   * Takes examples out: their probability is 0 from now on, in minibatches not yet drawn. Those
   * that were retired before stay so.
   *
   * @throws UnsupportedOperationException if this sampler's examples cannot change
   * @throws IndexOutOfBoundsException if an index is not in [0, indexBound); nothing is then
   *     retired
   * @throws IllegalArgumentException if none would be left, or only some with a weight of 0;
   *     nothing is then retired
   */
  void retire(int... indices);

  /**
   * A copy of everything that determines the draws to come, minibatches drawn and not yet observed
   * included. A sampler made with the same arguments goes on from it exactly where this one stands.
   */
  SamplerState state();

  /**
   * Takes over a state.
   *
   * @return the minibatches that were drawn and not yet observed, oldest first; they can be
   *     observed here
   * @throws IllegalArgumentException if the state is not that of a sampler made with the same
   *     arguments; this sampler is then unusable
   */
  java.util.List<Minibatch> restore(SamplerState state);

  /**
   * n p_i of every index as minibatches are drawn at present, 0 for retired ones; one pass over the
   * examples. Empty where draws follow no distribution over all of them, say because candidates are
   * scored first.
   */
  default float[] relativeProbabilities() {
    return new float[0];
  }

  /** How well the uncertainty set foretells norms; {@link Calibration#NONE} without one. */
  default Calibration calibration() {
    return Calibration.NONE;
  }

  /**
   * Waits until nothing of this sampler is under way on another thread, for whoever measures how
   * long it takes; no draw depends on it.
   */
  default void settle() {}

  /** Counts and quantities for reports. */
  SamplerStatistics statistics();

  @Override
  void close();
}
