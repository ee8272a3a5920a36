package dev.rais.kernels;

import static org.junit.jupiter.api.Assertions.fail;

import dev.rais.reference.Bfloat16;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Memory that is given to a kernel, between guard zones full of poison: reading them spoils the
 * result, writing them shows.
 */
final class Operand {
  /** Wider than what a block reads or writes at once. */
  private static final int GUARD = 4096;

  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;

  /** What may happen to it. */
  enum Role {
    /** It must not change. */
    INPUT,
    /** It holds poison before each run and must be overwritten everywhere. */
    OUTPUT,
    /** It starts with the same values in each run and may change. */
    UPDATED
  }

  private final String name;
  private final Role role;
  private final Element element;
  private final int count;
  private final Machine.Memory memory;

  /** Where it begins: behind the guard zone, a few elements off where misalignment is tried. */
  private final int begin;

  /** The memory before a run, guard zones included. */
  private final byte[] initial;

  /** What the first run has left. */
  private byte[] result;

  private byte[] latest;

  /**
   * Makes an operand.
   *
   * @param values its elements, bit by bit; null for poison
   * @param shift elements by which it is moved off its natural alignment
   */
  Operand(
      Machine machine,
      String name,
      Role role,
      Element element,
      int count,
      MemorySegment values,
      int shift) {
    this.name = name;
    this.role = role;
    this.element = element;
    this.count = count;
    begin = GUARD + shift * element.numBytes();
    initial = new byte[begin + count * element.numBytes() + GUARD];
    for (int i = 0; i < initial.length; i++) {
      initial[i] = element.poison(i - begin);
    }
    if (values != null) {
      MemorySegment.copy(
          values, 0, MemorySegment.ofArray(initial), begin, (long) count * element.numBytes());
    }
    latest = new byte[initial.length];
    memory = machine.allocate(initial.length);
  }

  String name() {
    return name;
  }

  int count() {
    return count;
  }

  /** The pointer for the kernel. */
  MemorySegment at() {
    return memory.at(begin);
  }

  void reset() {
    memory.write(initial);
  }

  /** Looks at what a run has left, and keeps that of the first run. */
  void inspect(String where) {
    memory.read(latest);
    int end = begin + count * element.numBytes();
    unchanged(where, "written outside of it", 0, begin);
    unchanged(where, "written outside of it", end, latest.length);
    if (role == Role.INPUT) {
      unchanged(where, "an input was changed", begin, end);
    }
    if (role == Role.OUTPUT) {
      for (int i = begin; i < end; i += element.numBytes()) {
        if (Arrays.equals(latest, i, i + element.numBytes(), initial, i, i + element.numBytes())) {
          fail(where + ", " + name + "[" + (i - begin) / element.numBytes() + "] was not written");
        }
      }
    }
    if (result == null) {
      result = latest.clone();
    }
    int different = Arrays.mismatch(result, latest);
    if (different >= 0) {
      int index = (different - begin) / element.numBytes();
      fail(
          "%s, %s[%d] is %s; at first it was %s"
              .formatted(where, name, index, value(latest, index), value(result, index)));
    }
  }

  private void unchanged(String where, String problem, int from, int to) {
    int different = Arrays.mismatch(latest, from, to, initial, from, to);
    if (different >= 0) {
      fail(where + ", " + name + ", byte " + (from + different - begin) + ": " + problem);
    }
  }

  private String value(byte[] bytes, int i) {
    MemorySegment all = MemorySegment.ofArray(bytes);
    long at = begin + (long) i * element.numBytes();
    return switch (element) {
      case BYTE -> String.valueOf(Byte.toUnsignedInt(bytes[(int) at]));
      case BFLOAT16 -> String.valueOf(Bfloat16.toFloat(all.get(SHORT, at)));
      case FLOAT -> String.valueOf(all.get(FLOAT, at));
      case INT -> String.valueOf(all.get(INT, at));
      case DOUBLE -> String.valueOf(all.get(DOUBLE, at));
      case LONG -> String.valueOf(all.get(LONG, at));
    };
  }

  private MemorySegment result() {
    if (result == null) {
      throw new IllegalStateException(name + " has no values before a run");
    }
    return MemorySegment.ofArray(result).asSlice(begin, (long) count * element.numBytes());
  }

  /** The values after the run, of floats, bfloat16s or doubles. */
  double[] values() {
    MemorySegment all = result();
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      values[i] =
          switch (element) {
            case FLOAT -> all.getAtIndex(FLOAT, i);
            case BFLOAT16 -> Bfloat16.toFloat(all.getAtIndex(SHORT, i));
            case DOUBLE -> all.getAtIndex(DOUBLE, i);
            default -> throw new IllegalStateException(name + " has no real numbers");
          };
    }
    return values;
  }

  /** The elements' bits after the run; integers are extended with their sign, bytes are not. */
  long[] bits() {
    MemorySegment all = result();
    long[] bits = new long[count];
    for (int i = 0; i < count; i++) {
      bits[i] =
          switch (element.numBytes()) {
            case 1 -> Byte.toUnsignedLong(all.get(ValueLayout.JAVA_BYTE, i));
            case 2 -> all.getAtIndex(SHORT, i);
            case 4 -> all.getAtIndex(INT, i);
            default -> all.getAtIndex(LONG, i);
          };
    }
    return bits;
  }

  void close() {
    memory.close();
  }
}
