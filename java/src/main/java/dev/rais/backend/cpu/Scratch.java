package dev.rais.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Map;

/**
 * Arrays that one thread keeps from call to call, so that no operation allocates its panels anew.
 * What they hold on return is unspecified.
 */
final class Scratch {
  /** What an array is for; two that are in use at once need different names. */
  enum Use {
    /** Weights, as rows of a product's second operand. */
    WEIGHTS,
    /** Patches, as rows of a product's second operand. */
    PATCHES,
    /** The first operand of a product. */
    LEFT,
    /** Rows of a product that only this thread sees. */
    RESULT,
    /** Rows of a product that all threads fill. */
    SHARED_RESULT,
    /** One example with its padding. */
    IMAGE,
    /** Dense rows on their way from or to a buffer. */
    TRANSFER,
    /** A matrix of products between the positions of one example. */
    GRAM,
    /** One row of sums. */
    SUMS,
    /** Values and sums of one row of a batch norm. */
    ROW,
    /** First operand of an elementwise operation. */
    X,
    /** Second operand of an elementwise operation. */
    Y,
    /** Third operand of an elementwise operation. */
    Z
  }

  private static final long ALIGNMENT = 64;

  private MemorySegment memory = MemorySegment.NULL;
  private final Map<Use, float[]> arrays = new EnumMap<>(Use.class);
  private final Map<Use, int[]> ints = new EnumMap<>(Use.class);
  private final Map<Use, short[]> shorts = new EnumMap<>(Use.class);
  private final Map<Use, float[][]> matrices = new EnumMap<>(Use.class);

  /**
   * Native memory of at least this size, from a line of the cache on. It is freed with this object:
   * loops over memory that one must close ask before every access whether that was done.
   */
  MemorySegment memory(long numBytes) {
    if (memory.byteSize() < numBytes) {
      memory = Arena.ofAuto().allocate(numBytes, ALIGNMENT);
    }
    return memory;
  }

  /** An array of at least this size. */
  float[] array(Use use, int size) {
    float[] array = arrays.get(use);
    if (array == null || array.length < size) {
      array = new float[size];
      arrays.put(use, array);
    }
    return array;
  }

  /** An array of integers of at least this size. */
  int[] ints(Use use, int size) {
    int[] array = ints.get(use);
    if (array == null || array.length < size) {
      array = new int[size];
      ints.put(use, array);
    }
    return array;
  }

  /** An array of short integers of at least this size. */
  short[] shorts(Use use, int size) {
    short[] array = shorts.get(use);
    if (array == null || array.length < size) {
      array = new short[size];
      shorts.put(use, array);
    }
    return array;
  }

  /** At least {@code count} rows, the first {@code count} of at least this length. */
  float[][] rows(Use use, int count, int length) {
    float[][] rows = matrices.get(use);
    if (rows == null || rows.length < count) {
      float[][] more = new float[count][];
      if (rows != null) {
        System.arraycopy(rows, 0, more, 0, rows.length);
      }
      rows = more;
      matrices.put(use, rows);
    }
    for (int i = 0; i < count; i++) {
      if (rows[i] == null || rows[i].length < length) {
        rows[i] = new float[length];
      }
    }
    return rows;
  }
}
