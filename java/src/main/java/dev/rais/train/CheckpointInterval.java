package dev.rais.train;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How often a run is saved: every so many real epochs, or every so much time.
 *
 * @param epochs real epochs, (forward + 2 · backward examples) / (3n), between two checkpoints;
 *     infinite where time counts
 * @param time between two checkpoints; null where epochs count
 */
public record CheckpointInterval(double epochs, Duration time) {
  private static final Pattern TIME = Pattern.compile("(\\d+(?:\\.\\d+)?)(s|m|h)");

  /** Java's own numbers may end in a d or an f: five days would be five epochs. */
  private static final Pattern NUMBER = Pattern.compile("[0-9.eE+-]+");

  /** Every five minutes. */
  public static final CheckpointInterval DEFAULT =
      new CheckpointInterval(Double.POSITIVE_INFINITY, Duration.ofMinutes(5));

  /**
   * Reads a number of epochs ({@code 0.5}) or a time ({@code 90s}, {@code 5m}, {@code 1h}).
   *
   * @throws IllegalArgumentException if it is neither, or not above 0
   */
  public static CheckpointInterval parse(String text) {
    Matcher time = TIME.matcher(text);
    if (time.matches()) {
      double seconds =
          Double.parseDouble(time.group(1))
              * switch (time.group(2)) {
                case "h" -> 3600;
                case "m" -> 60;
                default -> 1;
              };
      if (seconds > 0 && seconds < 1e9) {
        return new CheckpointInterval(
            Double.POSITIVE_INFINITY, Duration.ofNanos((long) (seconds * 1e9)));
      }
    } else if (NUMBER.matcher(text).matches()) {
      try {
        double epochs = Double.parseDouble(text);
        if (epochs > 0 && Double.isFinite(epochs)) {
          return new CheckpointInterval(epochs, null);
        }
      } catch (NumberFormatException e) {
        // The sentence below says what it should be.
      }
    }
    throw new IllegalArgumentException(
        "checkpoint-every must be a number of epochs like 0.5 or a time like 90s, 5m or 1h, not "
            + text);
  }

  /**
   * Whether the next checkpoint is due.
   *
   * @param sinceEpochs epochs trained since the last one
   * @param sinceNanos time since the last one, by a clock that never jumps
   */
  boolean isDue(double sinceEpochs, long sinceNanos) {
    return time == null ? sinceEpochs >= epochs : sinceNanos >= time.toNanos();
  }
}
