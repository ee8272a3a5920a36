package dev.rais.backend;

/**
 * The shape of one image, with its channels side by side: [height, width, channels].
 *
 * @param height rows, 1 to 65,535
 * @param width columns, 1 to 65,535
 * @param channels values of a pixel
 */
public record ImageShape(int height, int width, int channels) {
  static final int MAX_SIDE = 65_535;

  /**
   * @throws IllegalArgumentException if a side or the number of channels is out of range, or there
   *     are 2^31 values or more
   */
  public ImageShape {
    Shapes.requirePositive("image height", height);
    Shapes.requirePositive("image width", width);
    Shapes.requirePositive("image channels", channels);
    if (Math.max(height, width) > MAX_SIDE
        || (long) height * width > Integer.MAX_VALUE / channels) {
      throw new IllegalArgumentException(
          "images of %dx%dx%d are too large: %d a side and 2^31 - 1 values at most"
              .formatted(height, width, channels, MAX_SIDE));
    }
  }

  /** Values of one image: height · width · channels. */
  public int size() {
    return height * width * channels;
  }
}
