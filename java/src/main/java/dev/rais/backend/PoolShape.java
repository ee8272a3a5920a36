package dev.rais.backend;

/**
 * Shape of a two-dimensional pooling with a square, unpadded window: input {@code [batch, height,
 * width, channels]}, output {@code [batch, outputHeight, outputWidth, channels]}.
 *
 * @param batch examples
 * @param height input rows
 * @param width input columns
 * @param channels channels
 * @param kernel rows and columns of the window
 * @param stride step in both directions
 */
public record PoolShape(int batch, int height, int width, int channels, int kernel, int stride) {

  /** Checks that the shape has an output. */
  public PoolShape {
    Shapes.requirePositive("batch", batch);
    Shapes.requirePositive("height", height);
    Shapes.requirePositive("width", width);
    Shapes.requirePositive("channels", channels);
    Shapes.requireWindow(height, width, kernel, stride, 0);
  }

  /** Rows of the output. */
  public int outputHeight() {
    return Shapes.windows(height, kernel, stride, 0);
  }

  /** Columns of the output. */
  public int outputWidth() {
    return Shapes.windows(width, kernel, stride, 0);
  }

  /** Elements of the input. */
  public long inputCount() {
    return (long) batch * height * width * channels;
  }

  /** Elements of the output. */
  public long outputCount() {
    return (long) batch * outputHeight() * outputWidth() * channels;
  }
}
