package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Means over all positions of a range of examples, and their gradients. */
record GlobalAveragePool(int positions, int channels) {

  /** {@code y[j, c]} = mean over s of {@code x[j, s, c]}. */
  void forward(MemorySegment x, MemorySegment y, int from, int to) {
    double[] sums = new double[channels];
    float[] row = new float[channels];
    for (int j = from; j < to; j++) {
      Arrays.fill(sums, 0);
      for (int s = 0; s < positions; s++) {
        MemorySegment.copy(x, JAVA_FLOAT, offset((long) j * positions + s), row, 0, channels);
        for (int c = 0; c < channels; c++) {
          sums[c] += row[c];
        }
      }
      for (int c = 0; c < channels; c++) {
        row[c] = (float) (sums[c] / positions);
      }
      MemorySegment.copy(row, 0, y, JAVA_FLOAT, offset(j), channels);
    }
  }

  /** {@code dx[j, s, c] = dy[j, c] / positions}. */
  void backward(MemorySegment dy, MemorySegment dx, int from, int to) {
    float[] row = new float[channels];
    for (int j = from; j < to; j++) {
      MemorySegment.copy(dy, JAVA_FLOAT, offset(j), row, 0, channels);
      for (int c = 0; c < channels; c++) {
        row[c] /= positions;
      }
      for (int s = 0; s < positions; s++) {
        MemorySegment.copy(row, 0, dx, JAVA_FLOAT, offset((long) j * positions + s), channels);
      }
    }
  }

  private long offset(long row) {
    return row * channels * Float.BYTES;
  }
}
