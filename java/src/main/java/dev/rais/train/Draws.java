package dev.rais.train;

import dev.rais.sampling.Calibration;
import dev.rais.sampling.ImportanceSampler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * How a sampler draws at an evaluation: part of a line of metrics.jsonl.
 *
 * @param effectiveSampleSize 1 / (n Σ p_i²), a share of n: 1 where draws are uniform. NaN where
 *     draws follow no distribution over all examples
 * @param probabilities share of the examples with n p_i in [2^(k − 10), 2^(k − 9)) at position k of
 *     20, what lies beyond counted at the ends; empty where there is no such distribution
 * @param classDraws how often examples of class k were trained on so far
 * @param calibration how well the uncertainty set foretold norms
 */
public record Draws(
    double effectiveSampleSize,
    List<Double> probabilities,
    List<Long> classDraws,
    Calibration calibration) {
  /** Of evaluations about which nothing is known: those of runs that did not record it. */
  static final Draws UNKNOWN = new Draws(Double.NaN, List.of(), List.of(), Calibration.NONE);

  /** Intervals of n p_i. */
  public static final int BINS = 20;

  /** n p_i of 1 begins the interval of this number. */
  public static final int UNIFORM_BIN = 10;

  /** Copies the lists. */
  public Draws {
    probabilities = List.copyOf(probabilities);
    classDraws = List.copyOf(classDraws);
  }

  /**
   * Of a sampler at present.
   *
   * @param draws [n] how often each example was trained on so far
   * @param labels [n] classes
   */
  static Draws of(ImportanceSampler sampler, int[] draws, int[] labels, int classes) {
    Long[] classDraws = new Long[classes];
    Arrays.fill(classDraws, 0L);
    for (int i = 0; i < draws.length; i++) {
      classDraws[labels[i]] += draws[i];
    }
    float[] np = sampler.relativeProbabilities();
    double squares = 0;
    int active = 0;
    int[] counts = new int[BINS];
    for (float x : np) {
      if (x > 0) {
        active++;
        squares += (double) x * x;
        counts[Math.clamp(UNIFORM_BIN + Math.getExponent(x), 0, BINS - 1)]++;
      }
    }
    List<Double> shares = new ArrayList<>();
    if (active > 0) {
      for (int count : counts) {
        shares.add((double) count / active);
      }
    }
    return new Draws(active / squares, shares, Arrays.asList(classDraws), sampler.calibration());
  }
}
