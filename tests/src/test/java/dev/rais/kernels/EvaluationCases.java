package dev.rais.kernels;

import dev.rais.backend.cuda.Kernels;
import java.util.ArrayList;
import java.util.List;

/** rais_evaluation_counts: sums over minibatches. */
final class EvaluationCases implements KernelCases {
  private static final String FUNCTION = "rais_evaluation_counts";
  private static final int IGNORED = -1;

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (int rows : new int[] {1, 2, 13, 31, 32, 33, 127, 1023, 1025, 4099}) {
      for (int classes : new int[] {2, 10, 1025}) {
        cases.add(
            new Case(
                FUNCTION,
                rows + " rows, " + classes + " classes",
                t -> counts(t, rows, classes, true, false)));
      }
      cases.add(
          new Case(
              FUNCTION, rows + " rows with bad losses", t -> counts(t, rows, 10, false, true)));
    }
    return cases;
  }

  private static void counts(Trial t, int rows, int classes, boolean byClass, boolean withBad) {
    float[] losses = t.uniform(rows, 0, 5);
    byte[] flags = new byte[rows];
    int[] labels = t.below(classes, rows);
    // They are added to what is there.
    double lossSum = 17.25;
    long[] sums = {5, 4, 3, 2};
    long[] classSums = new long[2 * classes];
    for (int k = 0; k < classSums.length; k++) {
      classSums[k] = 100 - k % 7;
    }
    double expectedSum = lossSum;
    long[] expected = sums.clone();
    long[] expectedClasses = classSums.clone();
    for (int j = 0; j < rows; j++) {
      flags[j] =
          switch (t.random().nextInt(3)) {
            case 0 -> 0;
            case 1 -> Kernels.TOP_5;
            default -> (byte) (Kernels.TOP_1 | Kernels.TOP_5);
          };
      if (t.random().nextInt(8) == 0) {
        labels[j] = IGNORED;
        losses[j] = Float.NaN; // it is passed over
        continue;
      }
      if (t.random().nextInt(16) == 0) {
        labels[j] = t.random().nextBoolean() ? classes : -2; // no class
      }
      if (withBad && t.random().nextInt(8) == 0) {
        losses[j] = t.random().nextBoolean() ? Float.NaN : Float.POSITIVE_INFINITY;
        expected[Kernels.COUNT_NOT_FINITE]++;
      }
      expectedSum += losses[j];
      boolean wrong = (flags[j] & Kernels.TOP_1) == 0;
      expected[Kernels.COUNT_EXAMPLES]++;
      expected[Kernels.COUNT_TOP_1_ERRORS] += wrong ? 1 : 0;
      expected[Kernels.COUNT_TOP_5_ERRORS] += (flags[j] & Kernels.TOP_5) == 0 ? 1 : 0;
      if (labels[j] >= 0 && labels[j] < classes) {
        expectedClasses[2 * labels[j]]++;
        expectedClasses[2 * labels[j] + 1] += wrong ? 1 : 0;
      }
    }
    Operand ls = t.input("losses", losses);
    Operand fs = t.input("correctness", flags);
    Operand ys = t.input("labels", labels);
    Operand sum = t.updated("loss_sum", lossSum);
    Operand counts = t.updated("counts", sums);
    Operand classCounts = byClass ? t.updated("class_counts", classSums) : null;
    t.run(
        (kernels, stream) ->
            kernels
                .training()
                .evaluationCounts(
                    stream,
                    rows,
                    classes,
                    ls.at(),
                    fs.at(),
                    ys.at(),
                    IGNORED,
                    sum.at(),
                    counts.at(),
                    Trial.at(classCounts)));
    t.bits(counts, expected);
    if (byClass) {
      t.bits(classCounts, expectedClasses);
    }
    t.close(sum, new double[] {expectedSum}, new double[] {1e-13 * expectedSum});
  }

  @Override
  public List<GoodCall> goodCalls() {
    return List.of(
        GoodCall.of(
            FUNCTION,
            GoodCall.size(3, Kernels.MAX_DRAWS),
            GoodCall.value(5, 1, 0, -1, Kernels.MAX_CLASSES + 1),
            GoodCall.memory(12, 4),
            GoodCall.memory(3, 1),
            GoodCall.memory(12, 4),
            GoodCall.value(IGNORED, 0, 3),
            GoodCall.memory(8, 8),
            GoodCall.memory(32, 8),
            GoodCall.nullable(80, 8)));
  }
}
