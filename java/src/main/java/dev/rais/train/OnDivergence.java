package dev.rais.train;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** What becomes of a run that meets a loss or a gradient that is NaN or infinite. */
public enum OnDivergence {
  /** It ends, with the network as it was at the last evaluation. */
  STOP,

  /** The minibatch is left out; so many of them in a row end the run all the same. */
  SKIP,

  /** It goes back to its last checkpoint, and on from there with half the learning rate. */
  ROLLBACK;

  /** The name in options. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** All names. */
  public static List<String> names() {
    return Arrays.stream(values()).map(OnDivergence::id).toList();
  }
}
