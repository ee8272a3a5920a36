package dev.rais.backend.cuda;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * cuDNN on the host: the definition of a convolution, in double, of floats or bfloat16s. Its
 * algorithms differ in what they need and promise alone, so that a choice that breaks a promise
 * shows.
 */
final class HostDnn implements Dnn {
  /** A tensor [n, h, w, c], weights [n, h, h, c], or a convolution (padding, stride). */
  private record Descriptor(char kind, int n, int h, int w, int c, Scalar type, MathType mathType) {
    long numBytes() {
      return (long) n * h * w * c * type.numBytes();
    }
  }

  /** All algorithms of each direction, the fastest first; what is not among them is unsupported. */
  static final List<Algorithm> ALGORITHMS =
      List.of(
          new Algorithm(0, MathType.FLOAT32.code(), false, 64, 0.1f),
          new Algorithm(5, MathType.FLOAT32.code(), true, 1L << 40, 0.2f),
          new Algorithm(1, MathType.TF32.code(), true, 4096, 0.3f),
          new Algorithm(1, MathType.FLOAT32.code(), true, 8192, 0.4f),
          new Algorithm(2, MathType.FLOAT32.code(), true, 0, 0.5f));

  /** Those of a math type and of the default one; tensor cores have what floats have. */
  private static List<Algorithm> algorithms(MathType type) {
    MathType like = type == MathType.TENSOR_CORES ? MathType.FLOAT32 : type;
    return ALGORITHMS.stream()
        .filter(a -> a.mathType() == like.code() || a.mathType() == MathType.TF32.code())
        .map(
            a ->
                new Algorithm(
                    a.number(),
                    a.mathType() == like.code() ? type.code() : a.mathType(),
                    a.deterministic(),
                    a.workspaceBytes(),
                    a.milliseconds()))
        .toList();
  }

  private final HostQueue queue;
  private final HostDriver driver;
  private final Map<Long, Descriptor> descriptors = new HashMap<>();
  private final List<Integer> used = new ArrayList<>();
  private long handle;
  private int searches;

  private boolean tellsDefaultMathOnly;
  private boolean lacksTensorCores;
  private int refused = -1;

  HostDnn(HostQueue queue, HostDriver driver) {
    this.queue = queue;
    this.driver = driver;
  }

  /** From now on a search says of everything that it was tried in the default arithmetic. */
  void tellDefaultMathOnly() {
    tellsDefaultMathOnly = true;
  }

  /** From now on nothing is computed by tensor cores, whatever may be. */
  void lackTensorCores() {
    lacksTensorCores = true;
  }

  /** From now on an algorithm is offered, but refused when it is to be run. */
  void refuseToRun(int algorithm) {
    refused = algorithm;
  }

  /** How many searches there were. */
  int searches() {
    return searches;
  }

  /** Numbers of the algorithms that were run. */
  List<Integer> used() {
    return used;
  }

  /** Descriptors that were not destroyed. */
  int alive() {
    return descriptors.size();
  }

  @Override
  public String description() {
    return "convolutions in Java";
  }

  @Override
  public Path file() {
    return Path.of("/none");
  }

  @Override
  public int version() {
    return 91_400;
  }

  @Override
  public int cudaVersion() {
    return 13_000;
  }

  @Override
  public long create() {
    handle = queue.newHandle();
    return handle;
  }

  @Override
  public void destroy(long handle) {
    require(handle);
    this.handle = 0;
  }

  private void require(long handle) {
    if (handle == 0 || handle != this.handle) {
      throw new AssertionError(handle + " is no handle of cuDNN");
    }
  }

  @Override
  public void setStream(long handle, long stream) {
    require(handle);
  }

  private long made(Descriptor descriptor) {
    long number = queue.newHandle();
    descriptors.put(number, descriptor);
    return number;
  }

  private Descriptor get(long number, char kind) {
    Descriptor found = descriptors.get(number);
    if (found == null || found.kind() != kind) {
      throw new AssertionError(number + " is " + found + ", not a descriptor of kind " + kind);
    }
    return found;
  }

  private void destroyed(long number, char kind) {
    get(number, kind);
    descriptors.remove(number);
  }

  @Override
  public long createTensor(Scalar type, int batch, int height, int width, int channels) {
    return made(new Descriptor('t', batch, height, width, channels, type, null));
  }

  @Override
  public void destroyTensor(long descriptor) {
    destroyed(descriptor, 't');
  }

  @Override
  public long createFilter(Scalar type, int outputs, int kernel, int channels) {
    return made(new Descriptor('f', outputs, kernel, kernel, channels, type, null));
  }

  @Override
  public void destroyFilter(long descriptor) {
    destroyed(descriptor, 'f');
  }

  @Override
  public long createConvolution(int padding, int stride, MathType mathType) {
    return made(new Descriptor('c', padding, stride, 0, 0, null, mathType));
  }

  @Override
  public void destroyConvolution(long descriptor) {
    destroyed(descriptor, 'c');
  }

  @Override
  public List<Algorithm> find(
      Direction direction,
      long handle,
      Descriptors d,
      long x,
      long w,
      long y,
      long workspace,
      long workspaceBytes) {
    require(handle);
    aligned(x, w, y);
    queue.synchronize("find " + direction);
    searches++;
    driver.spoil(workspace, workspaceBytes);
    Descriptor computed =
        get(output(direction, d), direction == Direction.BACKWARD_WEIGHTS ? 'f' : 't');
    long pointer =
        switch (direction) {
          case FORWARD -> y;
          case BACKWARD_DATA -> x;
          case BACKWARD_WEIGHTS -> w;
        };
    driver.spoil(pointer, computed.numBytes());
    return algorithms(get(d.convolution(), 'c').mathType()).stream()
        .filter(a -> a.workspaceBytes() <= workspaceBytes)
        .filter(a -> !lacksTensorCores || a.mathType() != MathType.TENSOR_CORES.code())
        .map(
            a ->
                tellsDefaultMathOnly
                    ? new Algorithm(
                        a.number(),
                        MathType.TF32.code(),
                        a.deterministic(),
                        a.workspaceBytes(),
                        a.milliseconds())
                    : a)
        .toList();
  }

  /** As those algorithms need that read vectors. */
  private static void aligned(long... pointers) {
    for (long pointer : pointers) {
      if (pointer % 16 != 0) {
        throw new CudaException(2003, "CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER");
      }
    }
  }

  private static long output(Direction direction, Descriptors d) {
    return switch (direction) {
      case FORWARD -> d.y();
      case BACKWARD_DATA -> d.x();
      case BACKWARD_WEIGHTS -> d.w();
    };
  }

  @Override
  public long workspaceBytes(Direction direction, long handle, Descriptors d, int algorithm) {
    require(handle);
    MathType type = get(d.convolution(), 'c').mathType();
    if (lacksTensorCores && type == MathType.TENSOR_CORES) {
      throw new CudaException(3000, "CUDNN_STATUS_NOT_SUPPORTED");
    }
    return algorithms(type).stream()
        .filter(a -> a.number() == algorithm && a.mathType() == type.code())
        .findFirst()
        .orElseThrow(() -> new CudaException(3000, "CUDNN_STATUS_NOT_SUPPORTED"))
        .workspaceBytes();
  }

  @Override
  public void run(
      Direction direction,
      long handle,
      Descriptors d,
      int algorithm,
      long x,
      long w,
      long y,
      long workspace,
      long workspaceBytes) {
    if (workspaceBytes(direction, handle, d, algorithm) > workspaceBytes) {
      throw new CudaException(2000, "CUDNN_STATUS_BAD_PARAM: the workspace is too small");
    }
    if (algorithm == refused) {
      throw new CudaException(3000, "CUDNN_STATUS_NOT_SUPPORTED");
    }
    aligned(x, w, y);
    used.add(algorithm);
    Descriptor input = get(d.x(), 't');
    Descriptor filter = get(d.w(), 'f');
    Descriptor convolution = get(d.convolution(), 'c');
    Descriptor output = get(d.y(), 't');
    queue.submit(
        "convolution " + direction,
        () -> {
          driver.spoil(workspace, workspaceBytes);
          compute(direction, input, filter, convolution, output, x, w, y);
        });
  }

  private void compute(
      Direction direction,
      Descriptor in,
      Descriptor filter,
      Descriptor convolution,
      Descriptor out,
      long x,
      long w,
      long y) {
    int kernel = filter.h();
    int padding = convolution.n();
    int stride = convolution.h();
    MathType mathType = convolution.mathType();
    if (in.n() != out.n()
        || in.c() != filter.c()
        || out.c() != filter.n()
        || out.h() != (in.h() + 2 * padding - kernel) / stride + 1
        || out.w() != (in.w() + 2 * padding - kernel) / stride + 1) {
      throw new CudaException(2000, "CUDNN_STATUS_BAD_PARAM: shapes do not fit");
    }
    Scalar type = in.type();
    if (filter.type() != type || out.type() != type) {
      throw new CudaException(3000, "CUDNN_STATUS_NOT_SUPPORTED: operands of several types");
    }
    if (type == Scalar.BFLOAT16 && mathType == MathType.FLOAT32) {
      throw new AssertionError("bfloat16s must not be kept from tensor cores");
    }
    int inCount = in.n() * in.h() * in.w() * in.c();
    int filterCount = filter.n() * kernel * kernel * filter.c();
    int outCount = out.n() * out.h() * out.w() * out.c();
    double[] xs =
        direction == Direction.BACKWARD_DATA
            ? new double[inCount]
            : doubles(driver.numbers(type, x, inCount));
    double[] ws =
        direction == Direction.BACKWARD_WEIGHTS
            ? new double[filterCount]
            : doubles(driver.numbers(type, w, filterCount));
    double[] ys =
        direction == Direction.FORWARD
            ? new double[outCount]
            : doubles(driver.numbers(type, y, outCount));
    // Channels of the output last, where they are next to each other in every inner loop.
    double[] byTap = transposed(ws, out.c(), kernel * kernel * in.c());
    for (int n = 0; n < out.n(); n++) {
      for (int oy = 0; oy < out.h(); oy++) {
        for (int ox = 0; ox < out.w(); ox++) {
          int at = ((n * out.h() + oy) * out.w() + ox) * out.c();
          for (int ky = 0; ky < kernel; ky++) {
            int iy = oy * stride - padding + ky;
            for (int kx = 0; kx < kernel; kx++) {
              int ix = ox * stride - padding + kx;
              if (iy < 0 || iy >= in.h() || ix < 0 || ix >= in.w()) {
                continue;
              }
              int i = ((n * in.h() + iy) * in.w() + ix) * in.c();
              int tap = (ky * kernel + kx) * in.c() * out.c();
              for (int c = 0; c < in.c(); c++, tap += out.c()) {
                switch (direction) {
                  case FORWARD -> addTimes(ys, at, xs[i + c], byTap, tap, out.c());
                  case BACKWARD_DATA -> xs[i + c] += dot(ys, at, byTap, tap, out.c());
                  case BACKWARD_WEIGHTS -> addTimes(byTap, tap, xs[i + c], ys, at, out.c());
                }
              }
            }
          }
        }
      }
    }
    switch (direction) {
      case FORWARD -> driver.write(type, y, ys);
      case BACKWARD_DATA -> driver.write(type, x, xs);
      case BACKWARD_WEIGHTS ->
          driver.write(type, w, transposed(byTap, kernel * kernel * in.c(), out.c()));
    }
  }

  private static double[] doubles(float[] values) {
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }

  /** Of a matrix of the given size, row by row. */
  private static double[] transposed(double[] matrix, int rows, int columns) {
    double[] result = new double[rows * columns];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        result[c * rows + r] = matrix[r * columns + c];
      }
    }
    return result;
  }

  private static void addTimes(
      double[] sums, int at, double factor, double[] values, int from, int count) {
    for (int k = 0; k < count; k++) {
      sums[at + k] += factor * values[from + k];
    }
  }

  private static double dot(double[] a, int i, double[] b, int j, int count) {
    double sum = 0;
    for (int k = 0; k < count; k++) {
      sum += a[i + k] * b[j + k];
    }
    return sum;
  }
}
