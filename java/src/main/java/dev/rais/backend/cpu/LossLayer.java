package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.rais.backend.Backend;
import java.lang.foreign.MemorySegment;

/**
 * The fused loss layer for a range of rows (see {@link Backend#lossLayer}); segments that are not
 * wanted are null.
 */
record LossLayer(
    int classes,
    MemorySegment logits,
    MemorySegment labels,
    MemorySegment weights,
    float scale,
    MemorySegment losses,
    MemorySegment norms,
    MemorySegment gradients,
    MemorySegment correctness)
    implements Workers.Body {

  @Override
  public void run(int from, int to) {
    float[] row = new float[classes];
    for (int j = from; j < to; j++) {
      int label = labels.getAtIndex(JAVA_INT, j);
      if (label < 0 || label >= classes) {
        throw new IndexOutOfBoundsException(
            "loss layer: label "
                + label
                + " of row "
                + j
                + " is not a class from 0 to "
                + (classes - 1));
      }
      MemorySegment.copy(logits, JAVA_FLOAT, (long) j * classes * 4, row, 0, classes);
      oneRow(j, label, row);
    }
  }

  private void oneRow(int j, int label, float[] row) {
    float labelLogit = row[label];
    float maximum = row[0];
    int ahead = 0;
    float defect = 0; // NaN once a logit is not finite
    for (int k = 0; k < classes; k++) {
      float z = row[k];
      maximum = Math.max(maximum, z);
      defect += 0 * z;
      if (z > labelLogit || (z == labelLogit && k < label)) {
        ahead++;
      }
    }
    // In double: the norm subtracts numbers near 1, where float would lose the small norms that
    // decide which examples are drawn least.
    double sum = 0;
    for (int k = 0; k < classes; k++) {
      double e = Math.exp((double) row[k] - maximum);
      row[k] = (float) e;
      sum += e;
    }
    double inverse = 1 / sum;
    double others = 0;
    double squares = 0;
    for (int k = 0; k < classes; k++) {
      if (k != label) {
        double s = row[k] * inverse;
        others += s;
        squares += s * s;
      }
    }
    // 1 − s_label as the sum of the others: no cancellation when the label is nearly certain.
    squares += others * others;
    losses.setAtIndex(JAVA_FLOAT, j, (float) (Math.log(sum) + maximum - labelLogit + defect));
    norms.setAtIndex(JAVA_FLOAT, j, (float) Math.sqrt(squares));
    int flags = ahead == 0 ? Backend.TOP_1 | Backend.TOP_5 : ahead < 5 ? Backend.TOP_5 : 0;
    if (defect != 0) {
      flags = 0; // comparisons with NaN are false: a diverged network would look perfect
    }
    correctness.set(JAVA_BYTE, j, (byte) flags);
    if (gradients != null) {
      double factor = scale * (weights == null ? 1f : weights.getAtIndex(JAVA_FLOAT, j));
      for (int k = 0; k < classes; k++) {
        row[k] = (float) (factor * row[k] * inverse);
      }
      row[label] = (float) (-factor * others);
      MemorySegment.copy(row, 0, gradients, JAVA_FLOAT, (long) j * classes * 4, classes);
    }
  }
}
