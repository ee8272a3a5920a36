package dev.rais.backend;

/**
 * Shape of a two-dimensional convolution with a square kernel: input {@code [batch, height, width,
 * inputChannels]}, weights {@code [outputChannels, kernel, kernel, inputChannels]}, bias {@code
 * [outputChannels]}, output {@code [batch, outputHeight, outputWidth, outputChannels]}.
 *
 * @param batch examples
 * @param height input rows
 * @param width input columns
 * @param inputChannels channels in
 * @param outputChannels channels out
 * @param kernel rows and columns of the kernel
 * @param stride step in both directions
 * @param padding zeros added on every side
 * @param bias whether a bias is added; the operations' b and db are null where it is not
 */
public record ConvolutionShape(
    int batch,
    int height,
    int width,
    int inputChannels,
    int outputChannels,
    int kernel,
    int stride,
    int padding,
    boolean bias) {

  /** Checks that the shape has an output. */
  public ConvolutionShape {
    Shapes.requirePositive("batch", batch);
    Shapes.requirePositive("height", height);
    Shapes.requirePositive("width", width);
    Shapes.requirePositive("input channels", inputChannels);
    Shapes.requirePositive("output channels", outputChannels);
    Shapes.requireWindow(height, width, kernel, stride, padding);
  }

  /** With a bias. */
  public ConvolutionShape(
      int batch,
      int height,
      int width,
      int inputChannels,
      int outputChannels,
      int kernel,
      int stride,
      int padding) {
    this(batch, height, width, inputChannels, outputChannels, kernel, stride, padding, true);
  }

  /** The same without a bias: before a batch norm, which takes the mean off, it is wasted. */
  public ConvolutionShape withoutBias() {
    return new ConvolutionShape(
        batch, height, width, inputChannels, outputChannels, kernel, stride, padding, false);
  }

  /** Rows of the output. */
  public int outputHeight() {
    return Shapes.windows(height, kernel, stride, padding);
  }

  /** Columns of the output. */
  public int outputWidth() {
    return Shapes.windows(width, kernel, stride, padding);
  }

  /** Elements of the input. */
  public long inputCount() {
    return (long) batch * height * width * inputChannels;
  }

  /** Elements of the output. */
  public long outputCount() {
    return (long) batch * outputHeight() * outputWidth() * outputChannels;
  }

  /** Inputs to one output: the rows of the im2col matrix. */
  public int patch() {
    return kernel * kernel * inputChannels;
  }

  /** Elements of the weights. */
  public long weightCount() {
    return (long) outputChannels * patch();
  }
}
