package dev.rais.backend.cpu;

import jdk.incubator.vector.FloatVector;

/**
 * The transforms of {@link WinogradConvolution} for one tile or one filter, with vectors along the
 * channels. A matrix is transformed by columns and then by rows: a method that did both would have
 * more loads and stores than C2 inlines ({@link VectorLossRows}). Points p = 4 i + j of what is
 * transformed lie {@code plane} bytes from one another, rows of a scratch matrix side by side.
 * Touch this class only where {@link VectorLoops} are used.
 *
 * <p>With the matrices of Lavin and Gray (2016) for tiles of 2 × 2 outputs: V = Bᵀ d B of 4 × 4
 * inputs, U = G g Gᵀ of a 3 × 3 filter, y = Aᵀ M A of the products M = U ⊙ V; and, as the products
 * are linear in each, dM = A dy Aᵀ and dg = Gᵀ dU G.
 */
final class VectorWinogradLoops {
  private static final long VECTOR = (long) VectorMemory.LANES * Float.BYTES;

  private VectorWinogradLoops() {}

  private static FloatVector load(long address) {
    return VectorMemory.load(address);
  }

  private static void store(FloatVector vector, long address) {
    VectorMemory.store(vector, address);
  }

  /** Sets {@code numBytes} to 0. */
  static void clear(long at, long numBytes) {
    FloatVector zero = FloatVector.zero(VectorMemory.FLOATS);
    for (long c = 0; c < numBytes; c += VECTOR) {
      store(zero, at + c);
    }
  }

  /**
   * V of one tile.
   *
   * @param pixels addresses of its 16 inputs
   * @param scratch room for 16 inputs
   * @param v where point 0 goes
   * @param line bytes of an input: of all its channels
   */
  static void input(long[] pixels, long scratch, long v, long plane, long line) {
    for (int j = 0; j < 4; j++) {
      inputColumn(
          pixels[j], pixels[4 + j], pixels[8 + j], pixels[12 + j], scratch + j * line, line);
    }
    for (int i = 0; i < 4; i++) {
      inputRow(scratch + 4 * i * line, v + 4 * i * plane, plane, line);
    }
  }

  private static void inputColumn(long d0, long d1, long d2, long d3, long to, long line) {
    long row = 4 * line;
    for (long c = 0; c < line; c += VECTOR) {
      FloatVector x1 = load(d1 + c);
      FloatVector x2 = load(d2 + c);
      store(load(d0 + c).sub(x2), to + c);
      store(x1.add(x2), to + row + c);
      store(x2.sub(x1), to + 2 * row + c);
      store(x1.sub(load(d3 + c)), to + 3 * row + c);
    }
  }

  private static void inputRow(long from, long v, long plane, long line) {
    for (long c = 0; c < line; c += VECTOR) {
      FloatVector x1 = load(from + line + c);
      FloatVector x2 = load(from + 2 * line + c);
      store(load(from + c).sub(x2), v + c);
      store(x1.add(x2), v + plane + c);
      store(x2.sub(x1), v + 2 * plane + c);
      store(x1.sub(load(from + 3 * line + c)), v + 3 * plane + c);
    }
  }

  /**
   * The 2 × 2 outputs of one tile.
   *
   * @param m where its point 0 lies
   * @param scratch room for 8 outputs
   * @param y where the first goes
   * @param row bytes from there to the one below
   * @param line bytes of an output: of all its channels
   */
  static void output(long m, long plane, long scratch, long y, long row, long line) {
    for (int j = 0; j < 4; j++) {
      outputColumn(m + j * plane, 4 * plane, scratch + j * line, 4 * line, line);
    }
    for (int i = 0; i < 2; i++) {
      outputColumn(scratch + 4 * i * line, line, y + i * row, line, line);
    }
  }

  /** Aᵀ times four that lie {@code stride} bytes apart, to two that lie {@code apart}. */
  private static void outputColumn(long from, long stride, long to, long apart, long line) {
    for (long c = 0; c < line; c += VECTOR) {
      FloatVector m1 = load(from + stride + c);
      FloatVector m2 = load(from + 2 * stride + c);
      store(load(from + c).add(m1.add(m2)), to + c);
      store(m1.sub(m2).sub(load(from + 3 * stride + c)), to + apart + c);
    }
  }

  /** dM of one tile, of operands like those of {@link #output}. */
  static void outputGradient(long dy, long row, long scratch, long dm, long plane, long line) {
    for (int j = 0; j < 2; j++) {
      spread(dy + j * line, row, scratch + j * line, 2 * line, line);
    }
    for (int i = 0; i < 4; i++) {
      spread(scratch + 2 * i * line, line, dm + 4 * i * plane, plane, line);
    }
  }

  /** A times two that lie {@code stride} bytes apart, to four that lie {@code apart}. */
  private static void spread(long from, long stride, long to, long apart, long line) {
    for (long c = 0; c < line; c += VECTOR) {
      FloatVector e0 = load(from + c);
      FloatVector e1 = load(from + stride + c);
      store(e0, to + c);
      store(e0.add(e1), to + apart + c);
      store(e0.sub(e1), to + 2 * apart + c);
      store(e1.neg(), to + 3 * apart + c);
    }
  }

  /**
   * U of one filter.
   *
   * @param g its 9 weights, each of {@code line} bytes
   * @param scratch room for 12 of them
   */
  static void filter(long g, long scratch, long u, long plane, long line) {
    for (int j = 0; j < 3; j++) {
      filterColumn(g + j * line, 3 * line, scratch + j * line, 3 * line, line);
    }
    for (int i = 0; i < 4; i++) {
      filterColumn(scratch + 3 * i * line, line, u + 4 * i * plane, plane, line);
    }
  }

  /** G times three that lie {@code stride} bytes apart, to four that lie {@code apart}. */
  private static void filterColumn(long from, long stride, long to, long apart, long line) {
    for (long c = 0; c < line; c += VECTOR) {
      FloatVector g0 = load(from + c);
      FloatVector g2 = load(from + 2 * stride + c);
      FloatVector outer = g0.add(g2).mul(0.5f);
      FloatVector inner = load(from + stride + c).mul(0.5f);
      store(g0, to + c);
      store(outer.add(inner), to + apart + c);
      store(outer.sub(inner), to + 2 * apart + c);
      store(g2, to + 3 * apart + c);
    }
  }

  /**
   * dg of one filter.
   *
   * @param scratch room for 12 weights
   * @param adds whether it is added to what is there
   */
  static void filterGradient(long du, long plane, long scratch, long dg, long line, boolean adds) {
    for (int j = 0; j < 4; j++) {
      gather(du + j * plane, 4 * plane, scratch + j * line, 4 * line, line);
    }
    for (int i = 0; i < 3; i++) {
      long from = scratch + 4 * i * line;
      if (adds) {
        gatherTo(from, line, dg + 3 * i * line, line);
      } else {
        gather(from, line, dg + 3 * i * line, line, line);
      }
    }
  }

  /** Gᵀ times four that lie {@code stride} bytes apart, to three that lie {@code apart}. */
  private static void gather(long from, long stride, long to, long apart, long line) {
    for (long c = 0; c < line; c += VECTOR) {
      FloatVector u1 = load(from + stride + c);
      FloatVector u2 = load(from + 2 * stride + c);
      FloatVector sum = u1.add(u2).mul(0.5f);
      store(load(from + c).add(sum), to + c);
      store(u1.sub(u2).mul(0.5f), to + apart + c);
      store(load(from + 3 * stride + c).add(sum), to + 2 * apart + c);
    }
  }

  /** The same, added to a row of three. */
  private static void gatherTo(long from, long stride, long to, long line) {
    for (long c = 0; c < line; c += VECTOR) {
      FloatVector u1 = load(from + stride + c);
      FloatVector u2 = load(from + 2 * stride + c);
      FloatVector sum = u1.add(u2).mul(0.5f);
      store(load(to + c).add(load(from + c).add(sum)), to + c);
      store(load(to + line + c).add(u1.sub(u2).mul(0.5f)), to + line + c);
      store(load(to + 2 * line + c).add(load(from + 3 * stride + c).add(sum)), to + 2 * line + c);
    }
  }
}
