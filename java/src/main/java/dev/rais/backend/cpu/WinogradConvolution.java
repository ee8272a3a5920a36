package dev.rais.backend.cpu;

import dev.rais.backend.Buffer;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.LinearShape;
import java.lang.foreign.MemorySegment;

/**
 * A 3 × 3 convolution of many channels as 16 matrix products, with 4 multiplications per output
 * instead of 9: F(2 × 2, 3 × 3) of Lavin and Gray, Fast Algorithms for Convolutional Neural
 * Networks (2016). Tiles of 4 × 4 inputs, which overlap, and filters are transformed ({@link
 * VectorWinogradLoops}); oneDNN multiplies at each of the 16 points p, over channels:
 *
 * <pre>
 * forward   M_p = V_p U_pᵀ          V [tiles, in] of x, U [out, in] of w, M [tiles, out] to y
 * data      M_p = V_p U_σ(p)        V [tiles, out] of dy, M [tiles, in] to dx
 * weights   dU_p = dM_pᵀ V_p        dM [tiles, out] of dy, V of x, dU to dw
 * </pre>
 *
 * where σ swaps points 0 and 3 of rows and of columns: that turns a transformed filter round. A
 * minibatch goes through in chunks of images, whose tiles take some ten megabytes. All three are
 * sums in another order than {@link DnnConvolution}'s and held to the same bounds by tests. Only
 * where {@link VectorLoops} are used.
 */
final class WinogradConvolution extends JavaConvolution {
  private static final int POINTS = 16;

  /** σ, for rows and columns of points. */
  private static final int[] TURNED = {3, 1, 2, 0};

  /** With fewer, transforms cost what products save. */
  private static final int LEAST_CHANNELS = 128;

  /** With fewer, the filters' transforms do. */
  private static final int LEAST_TILES = 128;

  /** Of a chunk, about. */
  private static final int TILES = 1024;

  private final DnnRuntime runtime;
  private final int tileRows;
  private final int tileColumns;
  private final int perImage;

  /** Images of a chunk. */
  private final int images;

  private final DnnInnerProduct products;

  /** Of the last chunk, which may be shorter; otherwise the same. */
  private final DnnInnerProduct lastProducts;

  /** Whether this is the way for a shape: one that cuts into tiles and whole vectors. */
  static boolean suits(ConvolutionShape s) {
    int tiles = s.height() / 2 * (s.width() / 2);
    return VectorLoops.areUsed()
        && s.kernel() == 3
        && s.stride() == 1
        && s.padding() == 1
        && !s.bias()
        && s.height() % 2 == 0
        && s.width() % 2 == 0
        && isWide(s.inputChannels())
        && isWide(s.outputChannels())
        && (long) tiles * s.batch() >= LEAST_TILES
        && tiles <= TILES;
  }

  private static boolean isWide(int channels) {
    return channels >= LEAST_CHANNELS && channels % VectorMemory.LANES == 0;
  }

  WinogradConvolution(ConvolutionShape shape, DnnRuntime runtime, Workers workers) {
    this(shape, TILES, runtime, workers);
  }

  /**
   * The same for any shape that cuts into tiles and vectors.
   *
   * @param most tiles of a chunk, if an image has not more
   */
  WinogradConvolution(ConvolutionShape shape, int most, DnnRuntime runtime, Workers workers) {
    super(shape, workers);
    this.runtime = runtime;
    tileRows = shape.height() / 2;
    tileColumns = shape.width() / 2;
    perImage = tileRows * tileColumns;
    int chunks = Math.ceilDiv(shape.batch(), Math.max(1, most / perImage));
    images = Math.ceilDiv(shape.batch(), chunks);
    products = products(images);
    int rest = shape.batch() % images;
    lastProducts = rest == 0 ? products : products(rest);
    runtime.reserveTiles(new Places(0).end());
  }

  private DnnInnerProduct products(int images) {
    ConvolutionShape s = shape();
    var product = new LinearShape(images * perImage, s.inputChannels(), s.outputChannels());
    return new DnnInnerProduct(product, false, runtime);
  }

  /** Addresses of what is transformed: of inputs, of filters, of outputs. */
  private final class Places {
    final long v;
    final long u;
    final long m;

    Places(long start) {
      ConvolutionShape s = shape();
      v = start;
      u = v + POINTS * plane(images * perImage, s.inputChannels());
      m = u + POINTS * plane(s.outputChannels(), s.inputChannels());
    }

    long end() {
      return m + POINTS * plane(images * perImage, shape().outputChannels());
    }
  }

  /** Bytes of a matrix. */
  private static long plane(int rows, int columns) {
    return (long) rows * columns * Float.BYTES;
  }

  private static MemorySegment matrix(MemorySegment all, long at, int point, long numBytes) {
    return all.asSlice(at - all.address() + point * numBytes, numBytes);
  }

  /** Work on a chunk of images. */
  private interface Chunk {
    void run(int image, int count, DnnInnerProduct products);
  }

  private void eachChunk(Chunk work) {
    runtime.enter();
    int batch = shape().batch();
    for (int image = 0; image < batch; image += images) {
      int count = Math.min(images, batch - image);
      work.run(image, count, count == images ? products : lastProducts);
    }
  }

  @Override
  protected void doForward(Buffer x, Buffer w, Buffer b, Buffer y) {
    int in = shape().inputChannels();
    int out = shape().outputChannels();
    MemorySegment all = runtime.tiles();
    var at = new Places(all.address());
    filters(w, at.u);
    eachChunk(
        (image, count, product) -> {
          int tiles = count * perImage;
          inputs(CpuBuffer.segment(x), image, count, in, at.v);
          for (int p = 0; p < POINTS; p++) {
            product.forward(
                matrix(all, at.v, p, plane(tiles, in)),
                matrix(all, at.u, p, plane(out, in)),
                matrix(all, at.m, p, plane(tiles, out)));
          }
          outputs(at.m, CpuBuffer.segment(y), image, count, out);
        });
  }

  @Override
  protected void doBackwardData(Buffer dy, Buffer w, Buffer dx) {
    int in = shape().inputChannels();
    int out = shape().outputChannels();
    MemorySegment all = runtime.tiles();
    var at = new Places(all.address());
    filters(w, at.u);
    eachChunk(
        (image, count, product) -> {
          int tiles = count * perImage;
          inputs(CpuBuffer.segment(dy), image, count, out, at.m);
          for (int p = 0; p < POINTS; p++) {
            int turned = 4 * TURNED[p / 4] + TURNED[p % 4];
            product.backwardData(
                matrix(all, at.m, p, plane(tiles, out)),
                matrix(all, at.u, turned, plane(out, in)),
                matrix(all, at.v, p, plane(tiles, in)));
          }
          outputs(at.v, CpuBuffer.segment(dx), image, count, in);
        });
  }

  @Override
  protected void doBackwardWeights(Buffer x, Buffer dy, Buffer dw, Buffer db) {
    int in = shape().inputChannels();
    int out = shape().outputChannels();
    MemorySegment all = runtime.tiles();
    var at = new Places(all.address());
    eachChunk(
        (image, count, product) -> {
          int tiles = count * perImage;
          inputs(CpuBuffer.segment(x), image, count, in, at.v);
          outputGradients(CpuBuffer.segment(dy), image, count, out, at.m);
          for (int p = 0; p < POINTS; p++) {
            product.backwardWeights(
                matrix(all, at.v, p, plane(tiles, in)),
                matrix(all, at.m, p, plane(tiles, out)),
                matrix(all, at.u, p, plane(out, in)));
          }
          filterGradients(at.u, CpuBuffer.segment(dw), image > 0);
        });
  }

  /** Work on one filter or tile, with room for {@link #POINTS} lines that its thread alone uses. */
  private interface Transform {
    void run(int number, long scratch);
  }

  private void each(int count, long line, Transform transform) {
    workers()
        .run(
            count,
            1,
            (begin, end) -> {
              long scratch = workers().scratch().memory(POINTS * line).address();
              for (int i = begin; i < end; i++) {
                transform.run(i, scratch);
              }
            });
  }

  private void filters(Buffer w, long u) {
    long line = plane(1, shape().inputChannels());
    int out = shape().outputChannels();
    long from = CpuBuffer.segment(w).address();
    each(
        out,
        line,
        (k, scratch) ->
            VectorWinogradLoops.filter(
                from + 9 * k * line, scratch, u + k * line, out * line, line));
  }

  private void filterGradients(long du, MemorySegment dw, boolean adds) {
    long line = plane(1, shape().inputChannels());
    int out = shape().outputChannels();
    long to = dw.address();
    each(
        out,
        line,
        (k, scratch) ->
            VectorWinogradLoops.filterGradient(
                du + k * line, out * line, scratch, to + 9 * k * line, line, adds));
  }

  /** Transforms the tiles of some images of {@code channels}, with zeros around them. */
  private void inputs(MemorySegment x, int image, int count, int channels, long v) {
    long line = (long) channels * Float.BYTES;
    int tiles = count * perImage;
    long plane = plane(tiles, channels);
    workers()
        .run(
            tiles,
            1,
            (begin, end) -> {
              long scratch = workers().scratch().memory((POINTS + 1) * line).address();
              long zero = scratch + POINTS * line;
              VectorWinogradLoops.clear(zero, line);
              long[] pixels = new long[POINTS];
              for (int t = begin; t < end; t++) {
                setPixels(pixels, x.address(), image, t, line, zero);
                VectorWinogradLoops.input(pixels, scratch, v + t * line, plane, line);
              }
            });
  }

  /** The addresses of a tile's inputs; those outside of the image are {@code zero}. */
  private void setPixels(long[] pixels, long x, int image, int tile, long line, long zero) {
    int height = shape().height();
    int width = shape().width();
    int top = 2 * (tile % perImage / tileColumns) - 1;
    int left = 2 * (tile % tileColumns) - 1;
    long first = (long) (image + tile / perImage) * height;
    for (int i = 0; i < 4; i++) {
      for (int j = 0; j < 4; j++) {
        int r = top + i;
        int c = left + j;
        boolean inside = r >= 0 && r < height && c >= 0 && c < width;
        pixels[4 * i + j] = inside ? x + ((first + r) * width + c) * line : zero;
      }
    }
  }

  private void outputs(long m, MemorySegment y, int image, int count, int channels) {
    long line = plane(1, channels);
    int tiles = count * perImage;
    long row = shape().width() * line;
    long to = y.address();
    each(
        tiles,
        line,
        (t, scratch) ->
            VectorWinogradLoops.output(
                m + t * line, tiles * line, scratch, to + corner(image, t) * line, row, line));
  }

  private void outputGradients(MemorySegment dy, int image, int count, int channels, long dm) {
    long line = plane(1, channels);
    int tiles = count * perImage;
    long row = shape().width() * line;
    long from = dy.address();
    each(
        tiles,
        line,
        (t, scratch) ->
            VectorWinogradLoops.outputGradient(
                from + corner(image, t) * line, row, scratch, dm + t * line, tiles * line, line));
  }

  /** Number of the first of a tile's four outputs. */
  private long corner(int image, int tile) {
    long row =
        (long) (image + tile / perImage) * shape().height() + 2 * (tile % perImage / tileColumns);
    return row * shape().width() + 2 * (tile % tileColumns);
  }

  @Override
  public String toString() {
    return "convolution by Winograd's F(2 × 2, 3 × 3), products " + products;
  }

  @Override
  public void close() {
    products.close();
    lastProducts.close();
  }
}
