package dev.rais.backend.cpu;

import dev.rais.backend.Backend;

/**
 * One row of the loss layer for logits of any size, finite or not: every exponential in double, one
 * by one.
 *
 * @param loss −log s_label
 * @param norm ‖s − y‖
 * @param flags correctness
 */
record CarefulLossRow(float loss, float norm, byte flags) {

  /**
   * Computes a row.
   *
   * @param row logits; on return the gradients
   * @param factor of the gradients
   */
  static CarefulLossRow of(float[] row, int classes, int label, double factor) {
    float labelLogit = row[label];
    float largest = Float.NEGATIVE_INFINITY;
    int ahead = 0;
    float defect = 0; // NaN once a logit is not finite
    for (int k = 0; k < classes; k++) {
      float z = row[k];
      defect += 0 * z;
      if (k != label) {
        largest = Math.max(largest, z);
        if (z > labelLogit || (z == labelLogit && k < label)) {
          ahead++;
        }
      }
    }
    double sum = 0;
    double squares = 0;
    for (int k = 0; k < classes; k++) {
      if (k != label) {
        double t = Math.exp((double) row[k] - largest);
        row[k] = (float) t;
        sum += t;
        squares += t * t;
      }
    }
    double distance = (double) labelLogit - largest;
    double e = Math.exp(-Math.abs(distance));
    double inverse = distance > 0 ? e / (1 + sum * e) : 1 / (sum + e);
    double loss = distance > 0 ? Math.log1p(sum * e) : Math.log(sum + e) - distance;
    for (int k = 0; k < classes; k++) {
      row[k] = (float) (factor * inverse * row[k]);
    }
    row[label] = (float) (-factor * inverse * sum);
    return new CarefulLossRow(
        (float) (loss + defect),
        (float) (Math.sqrt(squares + sum * sum) * inverse),
        // Comparisons with NaN are false: a diverged network would look perfect.
        defect == 0 ? flags(ahead) : 0);
  }

  /** Correctness of a label with so many classes before it. */
  static byte flags(int ahead) {
    return (byte) (ahead == 0 ? Backend.TOP_1 | Backend.TOP_5 : ahead < 5 ? Backend.TOP_5 : 0);
  }
}
