package dev.rais.kernels;

import dev.rais.backend.cuda.Kernels;
import java.util.ArrayList;
import java.util.List;

/** rais_fetch_images: bytes of chosen images side by side, and where each went. */
final class FetchImagesCases implements KernelCases {
  private static final String FUNCTION = "rais_fetch_images";

  /** Every size of words that an image may divide into, around the sizes of blocks. */
  private static final int[] IMAGE_BYTES = {
    1, 2, 3, 4, 8, 16, 31, 127, 128, 129, 784, 2047, 2048, 3072, 4098
  };

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (int imageBytes : IMAGE_BYTES) {
      for (int misalignment : new int[] {0, 1, 4, 8}) {
        for (int rows : new int[] {1, 33}) {
          String name =
              "%d of %d bytes, misaligned by %d".formatted(rows, imageBytes, misalignment);
          boolean labelled = misalignment == 0 || rows == 1;
          cases.add(
              new Case(FUNCTION, name, t -> isTheSet(t, imageBytes, rows, misalignment, labelled)));
        }
      }
    }
    return cases;
  }

  private static void isTheSet(
      Trial t, int imageBytes, int rows, int misalignment, boolean labelled) {
    int count = 7;
    // None is poison, which stands for what was not written.
    int[] pixels = t.below(128, count * imageBytes);
    byte[] images = new byte[pixels.length];
    for (int i = 0; i < images.length; i++) {
      images[i] = (byte) pixels[i];
    }
    int[] labels = t.below(1000, count);
    int[] indices = t.below(count, rows);
    if (rows > 2) {
      indices[1] = count;
      indices[rows - 1] = Integer.MIN_VALUE;
    }
    t.misalign(misalignment);
    Operand data = t.input("images", images);
    Operand fetched = t.output("fetched", Element.BYTE, (long) rows * imageBytes);
    t.misalign(0);
    Operand ofAll = labelled ? t.input("labels", labels) : null;
    Operand which = t.input("indices", indices);
    Operand slots = t.output("slots", Element.INT, rows);
    Operand batchLabels = labelled ? t.output("batch_labels", Element.INT, rows) : null;
    t.run(
        (kernels, stream) ->
            kernels
                .training()
                .fetchImages(
                    stream,
                    count,
                    imageBytes,
                    data.at(),
                    Trial.at(ofAll),
                    rows,
                    which.at(),
                    fetched.at(),
                    slots.at(),
                    Trial.at(batchLabels)));

    long[] expected = new long[rows * imageBytes];
    int[] places = new int[rows];
    int[] chosen = new int[rows];
    for (int j = 0; j < rows; j++) {
      boolean known = indices[j] >= 0 && indices[j] < count;
      places[j] = known ? j : -1;
      chosen[j] = known ? labels[indices[j]] : Integer.MIN_VALUE;
      for (int k = 0; known && k < imageBytes; k++) {
        expected[j * imageBytes + k] = pixels[indices[j] * imageBytes + k];
      }
    }
    t.bits(fetched, expected);
    t.bits(slots, places);
    if (labelled) {
      t.bits(batchLabels, chosen);
    }
  }

  @Override
  public List<GoodCall> goodCalls() {
    return List.of(
        GoodCall.of(
            FUNCTION,
            GoodCall.size(2L, Integer.MAX_VALUE),
            GoodCall.size(9, 1 << 30),
            GoodCall.memory(18, 1),
            GoodCall.memory(8, 4),
            GoodCall.size(2, Kernels.MAX_DRAWS),
            GoodCall.memory(8, 4),
            GoodCall.memory(18, 1),
            GoodCall.memory(8, 4),
            GoodCall.nullable(8, 4)));
  }
}
