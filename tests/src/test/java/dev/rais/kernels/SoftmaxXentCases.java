package dev.rais.kernels;

import static dev.rais.backend.cuda.Kernels.BFLOAT16;
import static dev.rais.backend.cuda.Kernels.FLOAT32;

import dev.rais.backend.cuda.Kernels;
import dev.rais.reference.Reference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** rais_softmax_xent: the fused loss layer. */
final class SoftmaxXentCases implements KernelCases {
  private static final String FUNCTION = "rais_softmax_xent";
  private static final int IGNORED = -7;

  /** Around a warp, around the longest row that one warp takes, around vectors, and beyond. */
  private static final int[] CLASSES = {
    2, 3, 10, 13, 31, 32, 33, 100, 127, 1000, 1023, 1024, 1025, 1028, 2049, 10_001
  };

  private static final int[] MANY_CLASSES = {65_536, 131_071, 199_999, Kernels.MAX_CLASSES};

  /** How the layer is called; each case changes some of it. */
  private static final class Setup {
    private final int rows;
    private final int classes;
    private int dtype = FLOAT32;
    private boolean weighted = true;
    private boolean hidden;
    private boolean gradients = true;
    private boolean inPlace;
    private float smoothing;
    private int misalignment;

    /** Every third row is ignored. */
    private boolean ignoring;

    /** Whole numbers as logits: many ties. */
    private boolean ties;

    private double spread = 4;

    /** By how much the label's logit is ahead. */
    private double margin;

    Setup(int rows, int classes) {
      this.rows = rows;
      this.classes = classes;
    }
  }

  /** Changes a setup. */
  private interface Change {
    void apply(Setup setup);
  }

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (int classes : CLASSES) {
      for (int dtype : new int[] {FLOAT32, BFLOAT16}) {
        add(cases, "weighted", 9, classes, dtype, s -> {});
        add(
            cases,
            "last layer, in place, ignored rows",
            5,
            classes,
            dtype,
            s -> {
              s.hidden = true;
              s.inPlace = true;
              s.ignoring = true;
            });
        add(
            cases,
            "smoothed, misaligned",
            5,
            classes,
            dtype,
            s -> {
              s.smoothing = 0.1f;
              s.hidden = true;
              s.misalignment = 1;
            });
      }
      add(
          cases,
          "ties, no weights, no gradients",
          7,
          classes,
          FLOAT32,
          s -> {
            s.ties = true;
            s.weighted = false;
            s.gradients = false;
          });
      for (double margin : new double[] {12, 40, 70, -30}) {
        add(cases, "label ahead by " + margin, 3, classes, FLOAT32, s -> s.margin = margin);
      }
      int k = classes;
      cases.add(new Case(FUNCTION, "defects, K " + k, t -> defects(t, k)));
    }
    for (int rows : new int[] {1, 2, 13, 31, 32, 33, 127, 1023, 1025}) {
      add(cases, "rows", rows, 10, FLOAT32, s -> {});
      add(cases, "rows", rows, 33, BFLOAT16, s -> s.weighted = false);
    }
    for (int classes : MANY_CLASSES) {
      add(cases, "long rows", 2, classes, FLOAT32, s -> s.hidden = true);
      add(cases, "long rows in place", 2, classes, BFLOAT16, s -> s.inPlace = true);
    }
    add(cases, "extremes", 33, 10, FLOAT32, s -> s.spread = 80);
    add(cases, "extremes", 9, 2049, FLOAT32, s -> s.spread = 80);
    return cases;
  }

  private static void add(
      List<Case> cases, String kind, int rows, int classes, int dtype, Change change) {
    Setup setup = new Setup(rows, classes);
    setup.dtype = dtype;
    change.apply(setup);
    String name = "m %d, K %d, %s, %s".formatted(rows, classes, Trial.nameOf(dtype), kind);
    cases.add(new Case(FUNCTION, name, t -> isTheDefinition(t, setup)));
  }

  private static float[] logits(Trial t, Setup s, int[] labels) {
    float[] logits = t.uniform(s.rows * s.classes, -s.spread, s.spread);
    for (int i = 0; i < logits.length; i++) {
      if (s.ties) {
        logits[i] = Math.round(logits[i] / 2);
      }
    }
    for (int j = 0; j < s.rows; j++) {
      logits[j * s.classes + labels[j]] += (float) s.margin;
    }
    return logits;
  }

  private static void isTheDefinition(Trial t, Setup s) {
    t.misalign(s.misalignment);
    int m = s.rows;
    int k = s.classes;
    int[] labels = t.below(k, m);
    float[] logits = logits(t, s, labels);
    float[] weights = t.uniform(m, 0, 3);
    float[] hidden = t.uniform(m, 0, 50);
    float scale = 1f / m;
    int[] given = labels.clone();
    for (int j = 0; s.ignoring && j < m; j += 3) {
      given[j] = IGNORED;
    }

    Operand z =
        s.inPlace ? t.updated("logits", s.dtype, logits) : t.input("logits", s.dtype, logits);
    Operand y = t.input("labels", given);
    Operand w = s.weighted ? t.input("weights", weights) : null;
    Operand h = s.hidden ? t.input("hidden_squared_norms", hidden) : null;
    Operand losses = t.output("losses", Element.FLOAT, m);
    Operand norms = t.output("norms", Element.FLOAT, m);
    Operand gradients =
        !s.gradients
            ? null
            : s.inPlace ? z : t.output("gradients", Trial.element(s.dtype), (long) m * k);
    Operand flags = t.output("correctness", Element.BYTE, m);
    t.run(
        (kernels, stream) ->
            kernels
                .training()
                .softmaxXent(
                    stream,
                    m,
                    k,
                    s.dtype,
                    z.at(),
                    y.at(),
                    IGNORED,
                    Trial.at(w),
                    Trial.at(h),
                    scale,
                    s.smoothing,
                    losses.at(),
                    norms.at(),
                    Trial.at(gradients),
                    flags.at()));

    Reference.Loss expected =
        Reference.lossLayer(m, k, Trial.stored(s.dtype, logits), labels, null, 1, s.smoothing);
    compare(t, s, given, weights, hidden, scale, expected, losses, norms, gradients, flags);
  }

  private static void compare(
      Trial t,
      Setup s,
      int[] given,
      float[] weights,
      float[] hidden,
      float scale,
      Reference.Loss expected,
      Operand losses,
      Operand norms,
      Operand gradients,
      Operand flags) {
    int m = s.rows;
    int k = s.classes;
    double e = s.smoothing;
    double[] lossBounds = new double[m];
    double[] normBounds = new double[m];
    double[] gradientBounds = new double[m * k];
    long[] correctness = new long[m];
    for (int j = 0; j < m; j++) {
      double factor = s.hidden ? Math.sqrt(hidden[j] + 1.0) : 1;
      boolean ignored = given[j] == IGNORED;
      // A logit is known to half a unit in its last place, which a loss of 80 shows.
      lossBounds[j] = 2e-6 + 1e-5 * expected.losses()[j] + 2e-6 * e * Math.abs(s.margin);
      // The header's promises: relative down to the smallest float; with smoothing, a share of e.
      normBounds[j] = factor * (1e-5 * expected.norms()[j] + 2e-6 * e) + 1e-38;
      expected.norms()[j] *= factor;
      int rank = expected.ranks()[j];
      correctness[j] = (rank == 0 ? Kernels.TOP_1 : 0) | (rank < 5 ? Kernels.TOP_5 : 0);
      double weight = scale * (s.weighted ? weights[j] : 1);
      double precision = 2e-5 + (s.dtype == BFLOAT16 ? 0x1p-8 : 0);
      for (int c = j * k; c < (j + 1) * k; c++) {
        gradientBounds[c] =
            weight * (precision * Math.abs(expected.gradients()[c]) + 1e-6 * e) + 1e-38;
        expected.gradients()[c] *= ignored ? 0 : weight;
      }
      if (ignored) {
        expected.losses()[j] = 0;
        expected.norms()[j] = 0;
        lossBounds[j] = 0;
        normBounds[j] = 0;
        correctness[j] = 0;
        Arrays.fill(gradientBounds, j * k, (j + 1) * k, 0);
      }
    }
    t.close(losses, expected.losses(), lossBounds);
    t.close(norms, expected.norms(), normBounds);
    t.bits(flags, correctness);
    if (gradients != null) {
      t.close(gradients, expected.gradients(), gradientBounds);
    }
  }

  /** A logit that is not finite or a label that is no class: NaNs, and good rows stay good. */
  private static void defects(Trial t, int k) {
    int m = 8;
    float[] logits = t.uniform(m * k, -1, 1);
    int[] labels = new int[m];
    logits[0] = Float.NaN; // the label's own
    logits[k + 1] = Float.POSITIVE_INFINITY;
    logits[2 * k + k - 1] = Float.NEGATIVE_INFINITY;
    logits[3 * k + k - 1] = Float.NaN;
    labels[4] = k;
    labels[5] = IGNORED + 1;
    labels[6] = Integer.MIN_VALUE;
    Operand z = t.input("logits", logits);
    Operand y = t.input("labels", labels);
    Operand losses = t.output("losses", Element.FLOAT, m);
    Operand norms = t.output("norms", Element.FLOAT, m);
    Operand gradients = t.output("gradients", Element.FLOAT, (long) m * k);
    Operand flags = t.output("correctness", Element.BYTE, m);
    t.run(
        (kernels, stream) ->
            kernels
                .training()
                .softmaxXent(
                    stream,
                    m,
                    k,
                    FLOAT32,
                    z.at(),
                    y.at(),
                    IGNORED,
                    Trial.at(null),
                    Trial.at(null),
                    1,
                    0,
                    losses.at(),
                    norms.at(),
                    gradients.at(),
                    flags.at()));
    double[] lossesFound = losses.values();
    double[] normsFound = norms.values();
    double[] gradientsFound = gradients.values();
    for (int j = 0; j < m; j++) {
      boolean bad = j < m - 1;
      t.check(Double.isNaN(lossesFound[j]) == bad, losses, j, "NaN for bad rows only");
      t.check(Double.isNaN(normsFound[j]) == bad, norms, j, "NaN for bad rows only");
      t.check(!bad || flags.bits()[j] == 0, flags, j, "bad rows are not correct");
      for (int i = j * k; i < (j + 1) * k; i++) {
        t.check(Double.isNaN(gradientsFound[i]) == bad, gradients, i, "NaN for bad rows only");
      }
    }
  }

  @Override
  public List<GoodCall> goodCalls() {
    return List.of(
        GoodCall.of(
            FUNCTION,
            GoodCall.size(3, Integer.MAX_VALUE),
            GoodCall.value(5, 1, 0, -5, Kernels.MAX_CLASSES + 1, Integer.MAX_VALUE),
            GoodCall.dtype(),
            GoodCall.memory(60, 4),
            GoodCall.memory(12, 4),
            GoodCall.value(-1, 0, 3),
            GoodCall.nullable(12, 4),
            GoodCall.nullable(12, 4),
            GoodCall.value(1f),
            GoodCall.value(0.1f, 1f, -0.1f, Float.NaN, Float.POSITIVE_INFINITY),
            GoodCall.memory(12, 4),
            GoodCall.memory(12, 4),
            GoodCall.nullable(60, 4),
            GoodCall.memory(3, 1)));
  }
}
