package dev.rais.train;

import dev.rais.data.Dataset;
import dev.rais.sampling.ElementType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * How often a run trained on each example: draws.safetensors.
 *
 * @param counts [n] in the order of the training set
 * @param data what tells the data set from others: sizes and a checksum
 */
public record DrawCounts(int[] counts, String data) {
  private static final String FORMAT = "rais-draws";
  private static final String NAME = "draws";

  /** In a file that another program wrote, an array may begin anywhere. */
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /**
   * Writes the counts; the file appears whole or not at all.
   *
   * @throws RunFileException if that fails
   */
  public void write(Path file) {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", FORMAT);
    metadata.put("created_by", "rais " + Version.current());
    metadata.put("data", data);
    new TensorFile(metadata, Map.of(NAME, tensor(counts))).write(file);
  }

  /**
   * Reads the counts.
   *
   * @throws RunFileException if the file cannot be read, is damaged, or holds something else
   */
  public static DrawCounts read(Path file) {
    TensorFile contents = TensorFile.read(file);
    String data = contents.metadata().get("data");
    if (!FORMAT.equals(contents.metadata().get("format")) || data == null) {
      throw new RunFileException(file + " is a safetensors file, but holds no counts of draws");
    }
    return new DrawCounts(ints(contents, NAME, -1), data);
  }

  /** What tells a data set from others: sizes and a checksum. */
  public static String fingerprint(Dataset data) {
    return Checkpoint.fingerprint(data);
  }

  static TensorFile.Tensor tensor(int[] values) {
    return new TensorFile.Tensor(
        ElementType.I32, List.of((long) values.length), MemorySegment.ofArray(values));
  }

  /**
   * Counts out of a file.
   *
   * @param n how many there must be; any number if negative
   */
  static int[] ints(TensorFile contents, String name, int n) {
    TensorFile.Tensor tensor = contents.tensors().get(name);
    if (tensor == null
        || tensor.type() != ElementType.I32
        || tensor.dims().size() != 1
        || n >= 0 && tensor.dims().getFirst() != n) {
      throw new RunFileException(
          "the file has %s for %s, expected %s of I32"
              .formatted(
                  tensor == null ? "nothing" : tensor.dims() + " of " + tensor.type(),
                  name,
                  n >= 0 ? "[" + n + "]" : "a row"));
    }
    int[] values = tensor.values().toArray(INT);
    for (int i = 0; i < values.length; i++) {
      if (values[i] < 0) {
        throw new RunFileException(
            "%s of example %d are %d, expected 0 or more".formatted(name, i, values[i]));
      }
    }
    return values;
  }
}
