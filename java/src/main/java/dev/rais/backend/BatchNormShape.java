package dev.rais.backend;

/**
 * Shape of a batch norm: input and output {@code [batch, positions, channels]}, which is {@code
 * [batch, height, width, channels]} with height · width positions, or {@code [batch, channels]}
 * with one; scale, shift and statistics {@code [channels]}.
 *
 * @param batch examples
 * @param positions rows times columns of an image
 * @param channels channels
 * @param epsilon added to the variance, above 0; usually 1e-5
 * @param fusion what is computed in the same pass
 */
public record BatchNormShape(int batch, int positions, int channels, float epsilon, Fusion fusion) {

  /** What follows the batch norm. */
  public enum Fusion {
    /** y = bn(x). */
    NONE,
    /** y = max(bn(x), 0). */
    RELU,
    /** y = max(bn(x) + residual, 0). */
    ADD_RELU
  }

  /** Checks that no size is zero. */
  public BatchNormShape {
    Shapes.requirePositive("batch", batch);
    Shapes.requirePositive("positions", positions);
    Shapes.requirePositive("channels", channels);
    // Without it a channel that is the same everywhere would be divided by zero.
    if (!(epsilon > 0 && epsilon < Float.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("epsilon must be above 0, not " + epsilon);
    }
    if (fusion == null) {
      throw new IllegalArgumentException("fusion is missing: NONE, RELU or ADD_RELU");
    }
  }

  /** Values of one example. */
  public long exampleCount() {
    return (long) positions * channels;
  }

  /** Elements of input and output. */
  public long count() {
    return batch * exampleCount();
  }
}
