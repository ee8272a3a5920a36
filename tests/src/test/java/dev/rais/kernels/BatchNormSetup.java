package dev.rais.kernels;

import static dev.rais.backend.ErrorBounds.doubles;
import static dev.rais.backend.cuda.Kernels.BFLOAT16;
import static dev.rais.backend.cuda.Kernels.FLOAT32;

import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import java.util.ArrayList;
import java.util.List;

/**
 * How a batch normalisation is called, forward or backward, and its operands.
 *
 * @param center mean of the inputs, which have a deviation of about 1
 */
record BatchNormSetup(
    BatchNormShape shape, int dtype, boolean weighted, boolean inPlace, double center) {
  static final float EPSILON = 1e-5f;

  private static final int[][] SHAPES = {
    // batch, positions, channels
    {2, 1, 1},
    {1, 7, 3},
    {5, 1, 33},
    {7, 5, 13},
    {2, 9, 31},
    {13, 49, 5},
    {1, 1023, 3},
    {65, 1, 10},
    {2, 3, 1025},
    {33, 33, 32},
    {2, 1024, 16},
    {3, 16, 128},
  };

  /** Every shape with every fusion, in both types, with weights and without. */
  static List<BatchNormSetup> all() {
    List<BatchNormSetup> all = new ArrayList<>();
    for (int[] n : SHAPES) {
      for (Fusion fusion : Fusion.values()) {
        var shape = new BatchNormShape(n[0], n[1], n[2], EPSILON, fusion);
        for (int dtype : new int[] {FLOAT32, BFLOAT16}) {
          all.add(new BatchNormSetup(shape, dtype, true, dtype == BFLOAT16, 0.5));
        }
        all.add(new BatchNormSetup(shape, FLOAT32, false, true, 100));
      }
    }
    return all;
  }

  @Override
  public String toString() {
    return "[%d, %d, %d], %s, %s%s%s, mean %s"
        .formatted(
            shape.batch(),
            shape.positions(),
            shape.channels(),
            shape.fusion(),
            Trial.nameOf(dtype),
            weighted ? ", weighted" : "",
            inPlace ? ", in place" : "",
            center);
  }

  int count() {
    return (int) shape.count();
  }

  boolean added() {
    return shape.fusion() == Fusion.ADD_RELU;
  }

  /** How far off an input may seem: its mean is a float. */
  double blur() {
    return 1.5e-7 * (Math.abs(center) + 1);
  }

  /** Relative error of a result: some float operations, and how it is stored. */
  double unit() {
    return 1e-6 + (dtype == BFLOAT16 ? 0x1p-8 : 0);
  }

  float[] inputs(Trial t) {
    float[] x = new float[count()];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) (center + t.random().nextGaussian());
    }
    return x;
  }

  /** Importance weights from 0.05 to 20; null for none. */
  float[] weights(Trial t) {
    if (!weighted) {
      return null;
    }
    float[] weights = t.uniform(shape.batch(), -3, 3);
    for (int j = 0; j < weights.length; j++) {
      weights[j] = (float) Math.exp(weights[j]);
    }
    return weights;
  }

  /** Means of running statistics. */
  float[] centers(Trial t) {
    return t.uniform(shape.channels(), center - 1, center + 1);
  }

  static double[] doublesOrNull(float[] values) {
    return values == null ? null : doubles(values);
  }

  static float[] floats(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  static Operand inputOrNull(Trial t, String name, float[] values) {
    return values == null ? null : t.input(name, values);
  }

  Operand workspace(Trial t) {
    return t.scratch(
        "workspace",
        Element.BYTE,
        t.kernels()
            .layers()
            .batchNormWorkspaceBytes(shape.batch(), shape.positions(), shape.channels(), dtype));
  }
}
