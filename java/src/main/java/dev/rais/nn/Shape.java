package dev.rais.nn;

/**
 * Shape of one example's activation, [height, width, channels]; a vector is [1, 1, n].
 *
 * @param height rows
 * @param width columns
 * @param channels channels
 */
public record Shape(int height, int width, int channels) {
  /** Checks that no size is zero. */
  public Shape {
    if (height < 1 || width < 1 || channels < 1) {
      throw new IllegalArgumentException(
          "a shape needs sizes of at least 1, not " + height + "x" + width + "x" + channels);
    }
  }

  /** The shape of a vector of n features. */
  public static Shape vector(int n) {
    return new Shape(1, 1, n);
  }

  /** Number of elements. */
  public int size() {
    return Math.multiplyExact(Math.multiplyExact(height, width), channels);
  }

  @Override
  public String toString() {
    return height == 1 && width == 1 ? "" + channels : height + "x" + width + "x" + channels;
  }
}
