package dev.rais.sampling;

/**
 * Forward passes that some samplers ask for while they draw: they look at more examples than they
 * hand out. The caller counts them as work.
 */
@FunctionalInterface
public interface ForwardPass {
  /**
   * Scores of examples at the present parameters, of the kind that {@link ImportanceSampler#score}
   * names; nothing is learned from them.
   *
   * @param indices which examples; any number, with repetitions
   * @return as many scores
   */
  float[] scores(int[] indices);
}
