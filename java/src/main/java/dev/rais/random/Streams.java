package dev.rais.random;

/**
 * The {@link Philox} streams in use, so that no two uses of a seed ever meet. Values are part of
 * what makes a run repeatable: they are never changed or reused.
 */
public final class Streams {
  /** Initial parameter values, at (parameter, element). */
  public static final int INITIAL_VALUES = 1;

  /** Round keys of the shuffled epochs' {@link FeistelPermutation}s, by epoch. */
  public static final int SHUFFLE = 2;

  /** Independent uniform draws, at (iteration, slot). */
  public static final int UNIFORM_DRAW = 3;

  /** Independent weighted draws, at (iteration, slot). */
  public static final int WEIGHTED_DRAW = 4;

  /** The offset of a round's systematic sample, at (round, 0). */
  public static final int ROUND_OFFSET = 5;

  /** Round keys of the order in which a round's strata are used, by round. */
  public static final int ROUND_ORDER = 6;

  /** Which training examples the training loss is measured on. */
  public static final int TRAIN_LOSS_SUBSET = 7;

  /** Which of its candidates the presampling sampler draws, at (iteration, slot). */
  public static final int PRESAMPLE_DRAW = 8;

  /** Ranks drawn by the Loshchilov-Hutter sampler, at (iteration, slot). */
  public static final int RANK_DRAW = 9;

  /** Whether selective backprop takes a candidate, at (candidate, 0). */
  public static final int CANDIDATE_SELECTION = 10;

  /** Whether InfoBatch leaves an example out of an epoch, at (epoch, example). */
  public static final int PRUNING = 11;

  /** How the image in a slot of a minibatch is varied, at (iteration, slot). */
  public static final int AUGMENTATION = 12;

  /**
   * Which elements dropout keeps, at (iteration, element / 4): one word for each element. Dropout
   * layer l of a network takes stream {@code DROPOUT | l << 8}, so 8 bits are all that the other
   * streams may use.
   */
  public static final int DROPOUT = 13;

  private Streams() {}
}
