package dev.rais.kernels;

import static dev.rais.backend.cuda.Kernels.BFLOAT16;
import static dev.rais.backend.cuda.Kernels.FLOAT32;

import dev.rais.backend.cuda.Kernels;
import dev.rais.random.Philox;
import dev.rais.random.Streams;
import dev.rais.reference.Reference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * rais_gather_augment: the bits of {@link Reference#augment}, which are also those that the suite
 * of backends requires of Java's.
 */
final class GatherAugmentCases implements KernelCases {
  private static final String FUNCTION = "rais_gather_augment";

  /** Images of a data set, and how they are varied. */
  private record Setup(
      int images, int height, int width, int channels, int padding, boolean flip, int cutout) {}

  private static final Setup[] SETUPS = {
    new Setup(1, 1, 1, 1, 0, false, 0),
    new Setup(5, 28, 28, 1, 0, false, 0),
    new Setup(7, 32, 32, 3, 0, false, 0),
    new Setup(3, 13, 31, 1, 2, false, 0),
    new Setup(3, 31, 13, 3, 0, true, 0),
    new Setup(4, 33, 31, 2, 0, false, 8),
    new Setup(9, 32, 32, 3, 4, true, 0),
    new Setup(9, 32, 32, 3, 4, true, 16),
    new Setup(2, 2, 3, 5, 3, true, 1), // shifted out of sight
    new Setup(2, 5, 4, 4, 1, true, 9), // cut out altogether
    new Setup(3, 7, 127, 13, 5, true, 3),
  };

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (Setup s : SETUPS) {
      for (int dtype : new int[] {FLOAT32, BFLOAT16}) {
        for (int misalignment : new int[] {0, 1}) {
          for (int rows : new int[] {1, 33}) {
            String name =
                "%d of %s, %s%s"
                    .formatted(
                        rows, s, Trial.nameOf(dtype), misalignment == 0 ? "" : ", misaligned");
            cases.add(
                new Case(FUNCTION, name, t -> isTheDefinition(t, s, rows, dtype, misalignment)));
          }
        }
      }
    }
    cases.add(new Case(FUNCTION, "bad indices", GatherAugmentCases::badIndices));
    return cases;
  }

  private static void isTheDefinition(Trial t, Setup s, int rows, int dtype, int misalignment) {
    t.misalign(misalignment);
    int imageSize = s.height * s.width * s.channels;
    byte[] images = new byte[s.images * imageSize];
    t.random().nextBytes(images);
    int[] labels = t.below(1000, s.images);
    int[] indices = t.below(s.images, rows);
    float[] scale = t.uniform(s.channels, 0.01, 0.02);
    float[] shift = t.uniform(s.channels, -2, 0);
    long seed = t.random().nextLong();
    long iteration = t.random().nextLong() >>> t.random().nextInt(64);
    boolean varied = s.padding > 0 || s.flip || s.cutout > 0;

    Operand data = t.input("images", images);
    Operand ofAll = t.input("labels", labels);
    Operand which = t.input("indices", indices);
    Operand scales = t.input("scale", scale);
    Operand shifts = t.input("shift", shift);
    Operand counter = varied ? t.input("iteration", iteration) : null;
    Operand batch = t.output("batch", Trial.element(dtype), (long) rows * imageSize);
    Operand batchLabels = t.output("batch_labels", Element.INT, rows);
    t.run(
        (kernels, stream) ->
            kernels
                .training()
                .gatherAugment(
                    stream,
                    s.images,
                    s.height,
                    s.width,
                    s.channels,
                    data.at(),
                    ofAll.at(),
                    rows,
                    which.at(),
                    scales.at(),
                    shifts.at(),
                    s.padding,
                    s.flip ? 1 : 0,
                    s.cutout,
                    seed,
                    Streams.AUGMENTATION,
                    Trial.at(counter),
                    dtype,
                    batch.at(),
                    batchLabels.at()));

    int[][] words = new int[rows][4];
    for (int j = 0; j < rows; j++) {
      Philox.block(
          (int) iteration,
          (int) (iteration >>> 32),
          j,
          Streams.AUGMENTATION,
          (int) seed,
          (int) (seed >>> 32),
          words[j]);
    }
    float[] expected =
        Reference.augment(
            images, s.height, s.width, indices, scale, shift, s.padding, s.flip, s.cutout, words);
    if (dtype == FLOAT32) {
      t.bits(batch, expected);
    } else {
      double[] rounded = new double[expected.length];
      Arrays.setAll(rounded, i -> Trial.rounded(dtype, expected[i]));
      t.exactly(batch, rounded);
    }
    t.bits(batchLabels, Arrays.stream(indices).map(i -> labels[i]).toArray());
  }

  private static void badIndices(Trial t) {
    int[] indices = {-1, 1, 3, Integer.MIN_VALUE, 0, Integer.MAX_VALUE};
    Operand data = t.input("images", (byte) 1, (byte) 2, (byte) 3, (byte) 4, (byte) 5, (byte) 6);
    Operand ofAll = t.input("labels", 7, 8, 9);
    Operand which = t.input("indices", indices);
    Operand scales = t.input("scale", 2f);
    Operand shifts = t.input("shift", 1f);
    Operand batch = t.output("batch", Element.FLOAT, 12);
    Operand batchLabels = t.output("batch_labels", Element.INT, 6);
    t.run(
        (kernels, stream) ->
            kernels
                .training()
                .gatherAugment(
                    stream,
                    3,
                    1,
                    2,
                    1,
                    data.at(),
                    ofAll.at(),
                    6,
                    which.at(),
                    scales.at(),
                    shifts.at(),
                    0,
                    0,
                    0,
                    1,
                    Streams.AUGMENTATION,
                    Trial.at(null),
                    FLOAT32,
                    batch.at(),
                    batchLabels.at()));
    double nan = Double.NaN;
    t.exactly(batch, new double[] {nan, nan, 7, 9, nan, nan, nan, nan, 3, 5, nan, nan});
    int none = Integer.MIN_VALUE;
    t.bits(batchLabels, new int[] {none, 8, none, none, 7, none});
  }

  @Override
  public List<GoodCall> goodCalls() {
    return List.of(
        GoodCall.of(
            FUNCTION,
            GoodCall.size(2L, Integer.MAX_VALUE),
            GoodCall.size(3, 65_535),
            GoodCall.size(3, 65_535),
            GoodCall.value(1, 0, -1),
            GoodCall.memory(18, 1),
            GoodCall.memory(8, 4),
            GoodCall.size(2, Kernels.MAX_DRAWS),
            GoodCall.memory(8, 4),
            GoodCall.memory(4, 4),
            GoodCall.memory(4, 4),
            GoodCall.value(1, -1, 65_536),
            GoodCall.value(1, -1, 2),
            GoodCall.value(1, -1, 65_536),
            GoodCall.value(5L),
            GoodCall.value(Streams.AUGMENTATION),
            GoodCall.memory(8, 8),
            GoodCall.dtype(),
            GoodCall.memory(72, 4),
            GoodCall.nullable(8, 4)));
  }
}
