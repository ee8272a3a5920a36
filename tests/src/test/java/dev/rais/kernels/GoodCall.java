package dev.rais.kernels;

import java.util.List;

/**
 * A call of a launcher that works, and for each argument what would not: the suite tries one bad
 * argument after the other and requires an error that names the function and the argument.
 *
 * @param function the launcher
 * @param arguments in the header's order, without the stream
 */
record GoodCall(String function, List<Argument> arguments) {
  /** An argument. */
  sealed interface Argument {}

  /**
   * Memory, zeros. Bad: misaligned, and null unless it is nullable.
   *
   * @param alignment what the header asks for
   */
  record Pointer(long numBytes, int alignment, boolean nullable) implements Argument {}

  /** A number: bad values are refused, others not tried. */
  record Value(Object good, List<Object> bad) implements Argument {}

  static GoodCall of(String function, Argument... arguments) {
    return new GoodCall(function, List.of(arguments));
  }

  /** Memory that must be there. */
  static Argument memory(long numBytes, int alignment) {
    return new Pointer(numBytes, alignment, false);
  }

  /** Memory that may be missing. */
  static Argument nullable(long numBytes, int alignment) {
    return new Pointer(numBytes, alignment, true);
  }

  /** A number from 1 to a limit. */
  static Argument size(int good, int limit) {
    return limit == Integer.MAX_VALUE
        ? value(good, 0, -1, Integer.MIN_VALUE)
        : value(good, 0, -1, Integer.MIN_VALUE, limit + 1, Integer.MAX_VALUE);
  }

  /** A number from 1 to a limit. */
  static Argument size(long good, long limit) {
    return limit == Long.MAX_VALUE
        ? value(good, 0L, -1L, Long.MIN_VALUE)
        : value(good, 0L, -1L, Long.MIN_VALUE, limit + 1, Long.MAX_VALUE);
  }

  /** The type of elements, float in the good call. */
  static Argument dtype() {
    return value(0, -1, 2, 7);
  }

  /** Any other number. */
  static Argument value(Object good, Object... bad) {
    return new Value(good, List.of(bad));
  }
}
