package dev.rais.backend;

import java.lang.foreign.MemorySegment;

/**
 * A sampler whose state lies in a backend's memory, with what else a training step needs there:
 * schedule, counters and metrics (docs/sampler-on-device.md). Steps are put on the backend's queue
 * and return; none waits for the one before. When a set is trained and applied is for the caller to
 * say. No example can be retired.
 */
public interface ResidentSampler extends AutoCloseable {
  /** Metrics of that many steps are kept: so far may a caller be behind. */
  int METRICS_KEPT = 32;

  /**
   * What it samples, and how.
   *
   * @param labels [n] class of each example
   * @param classes number of classes K
   * @param objective [n] weights u_i of the objective; null for 1 each
   * @param weightSum Σ u
   * @param batch examples m of a minibatch
   * @param adaptive whether norms are remembered and sampled by; else draws are uniform for ever
   * @param rounds whether draws come in rounds, or shuffled epochs; else they are independent
   * @param records |D|
   * @param deferrable most visits that wait for a round's border
   * @param roundSize K of a round, a multiple of m; 0 without rounds
   * @param seed the run's seed
   * @param gainMax bound of the gain ratio
   * @param schedule the learning rate's table (dev.rais.nn.Schedule)
   */
  record Setting(
      int[] labels,
      int classes,
      float[] objective,
      double weightSum,
      int batch,
      boolean adaptive,
      boolean rounds,
      int records,
      int deferrable,
      int roundSize,
      long seed,
      double gainMax,
      double[] schedule) {
    /** n. */
    public int examples() {
      return labels.length;
    }
  }

  /** What draws come from. */
  enum Way {
    /** The examples, all alike. */
    UNIFORM,
    /** The distribution in force. */
    WEIGHTED,
    /** Shuffled epochs, with what that distribution would have given beside. */
    CAUTIOUS
  }

  /** Parts of the state, as kernels/rais_kernels.h lays them out. */
  enum Part {
    /** int64: number of the next step. */
    ITERATION,
    /** int64: epoch · n + position in the epoch. */
    EPOCH_POSITION,
    /** 16 bytes per example. */
    HISTORY,
    /** double [1 + K]: mean norm, then of each class; NaN: unseen. */
    MEANS,
    /** float [1 + K]: means that features are made from. */
    FROZEN,
    /** float [8 · |D|]. */
    RING,
    /** int64: records ever written. */
    WRITTEN,
    /** int64: records in the ring that were no first visits. */
    REVISITS,
    /** int64: values raised to the floor. */
    FLOORED,
    /** int64: the same before the last {@link #build}. */
    FLOORED_BEFORE,
    /** int64: visits that wait; −1 where visits are made at once. */
    DEFERRED,
    /** int32 each: their examples. */
    DEFERRED_INDICES,
    /** float each. */
    DEFERRED_NORMS,
    /** double [13]: the set c, d̂, h*. */
    SET,
    /** double [6]: s̄ of what is prepared. */
    NEXT_FEATURES,
    /** float [1 + K]: frozen means of what is prepared. */
    NEXT_FROZEN,
    /** double [6]: s̄ of the set in force. */
    FEATURES,
    /** float [n]: leaves of the distribution in force. */
    LEAVES,
    /** int32 [K]: the round in use. */
    SLOTS,
    /** double [6]: moments, estimate, earned, earned at the bound. */
    MOMENTS,
    /** double. */
    BOUND_HITS,
    /** double: r. */
    GAIN_RATIO,
    /** double: t̂. */
    EFFECTIVE_ITERATIONS
  }

  /**
   * What a step showed.
   *
   * @param loss mean of the weighted losses
   * @param gainRatio r
   * @param gainEstimate r without bounds
   * @param effectiveIterations t̂ after the step
   * @param gradientSquaredNorm ‖g‖² of the final layer
   * @param accepted whether all values were finite; else the step taught nothing
   */
  record StepMetrics(
      double loss,
      double gainRatio,
      double gainEstimate,
      double effectiveIterations,
      double gradientSquaredNorm,
      boolean accepted) {}

  /**
   * What the training of a set starts from.
   *
   * @param written records ever written
   * @param revisits records in the ring that were no first visits
   * @param seen examples that were visited
   * @param meanFeatures [6] s̄
   * @param means [1 + K] frozen means
   * @param ring [8 · |D|]
   */
  record Prepared(
      long written, long revisits, long seen, double[] meanFeatures, float[] means, float[] ring) {}

  /** INT32 [m]: classes of the minibatch, filled by {@link #gather}. */
  Buffer labels();

  /** FLOAT32 [m]: loss weights of the minibatch, filled by {@link #draw}. */
  Buffer weights();

  /**
   * Puts a step on the queue. The first one of a kind is run, the second one recorded, and from
   * then on the record is replayed, where the backend can.
   *
   * @param way part of the kind, with the distribution in force
   * @param work calls {@link #draw} to {@link #update} and what lies between; must put the same
   *     work on the queue every time
   */
  void step(Way way, Runnable work);

  /** Draws a minibatch. */
  void draw(Way way);

  /**
   * Fills a batch with the drawn images.
   *
   * @param augmentation null for none
   */
  void gather(
      Buffer images,
      ImageShape shape,
      Buffer scale,
      Buffer shift,
      Augmentation augmentation,
      Buffer batch);

  /**
   * Learns from the minibatch: gain ratio, t̂, learning rate, metrics, norms.
   *
   * @param hiddenSquaredNorms [m] ‖h_j‖²; null where N_j is the norm itself
   * @param gainGradient minibatch gradient of the parameters that N_j is about; null where draws
   *     are never weighted
   */
  void learn(Way way, Buffer losses, Buffer norms, Buffer hiddenSquaredNorms, Buffer gainGradient);

  /**
   * {@link Backend#sgd(Buffer, Buffer, Buffer, Buffer, float, float, float)} with the learning rate
   * that {@link #learn} left.
   */
  void update(Buffer w, Buffer u, Buffer g, Buffer rounded, float momentum, float weightDecay);

  /** Metrics of a step of the last {@link #METRICS_KEPT}; waits until it is done. */
  StepMetrics metrics(long iteration);

  /** The training of a set starts from what is there now; with rounds, visits wait. */
  void prepare();

  /** What {@link #prepare} found; waits for it. By any thread. */
  Prepared prepared();

  /**
   * Gives every example its leaf by a set; with rounds beside those in force, and makes a round.
   *
   * @param set [13] c, d̂, h*
   */
  void build(double[] set, long round);

  /** Puts in force what was built; visits that waited are made. */
  void apply();

  /** Makes another round of the distribution in force. */
  void repeatRound(long round);

  /** The next draw of a round begins here. */
  void moveTo(long position);

  /** Makes the state that of a new sampler. */
  void reset();

  /** Writes values of a part; waits for nothing. */
  void write(Part part, MemorySegment values);

  /** Reads values of a part into a heap or native segment; waits for all steps. */
  void read(Part part, MemorySegment values);

  /** After history and counts were written: what follows from them is counted. */
  void recount();

  /** After set, its means and features, leaves and slots were written: they come into force. */
  void resume();

  /** Waits for all steps. */
  void synchronize();

  @Override
  void close();
}
