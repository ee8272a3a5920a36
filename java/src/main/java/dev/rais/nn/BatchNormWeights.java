package dev.rais.nn;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** How batch norms count the examples of a weighted minibatch in their statistics. */
public enum BatchNormWeights {
  /** By importance weights, so that the statistics are those of the data (docs/algorithm.md §6). */
  WEIGHTED,

  /** All alike, as if examples were not weighted: to see what the weights do. */
  PLAIN;

  /** The name in options. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** All names. */
  public static List<String> names() {
    return Arrays.stream(values()).map(BatchNormWeights::id).toList();
  }
}
