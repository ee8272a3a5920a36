package dev.rais.backend.cuda;

import java.nio.file.Path;
import java.util.List;

/**
 * What we use of cuDNN: convolutions in [batch, height, width, channels], of floats or of bfloat16s
 * whose products are summed in float. Handles, descriptors and device pointers are longs. Each call
 * throws {@link CudaException} if it fails, and works in the context that is current for the
 * calling thread.
 *
 * <p>In all three directions x, w and y are the input, the weights and the output of the forward
 * pass, or their gradients; the one that a direction computes is overwritten.
 */
public interface Dnn {
  /** What to do where it cannot be loaded. */
  String WHAT_TO_INSTALL =
      "Install it, with pip install nvidia-cudnn-cu13 (or -cu12) or NVIDIA's package cudnn9;"
          + " elsewhere than in the places above, -D"
          + LibrarySearch.PROPERTY
          + "=FOLDER names it.";

  /** A version's number, of cuDNN 9 or before, as people write it. */
  static String versionText(int version) {
    return version >= 10000
        ? "%d.%d.%d".formatted(version / 10000, version / 100 % 100, version % 100)
        : "%d.%d.%d".formatted(version / 1000, version / 100 % 10, version % 100);
  }

  /** What of a convolution is computed. */
  enum Direction {
    /** y from x and w. */
    FORWARD(8),
    /** x's gradient from y's and w. */
    BACKWARD_DATA(6),
    /** w's gradient from x and y's. */
    BACKWARD_WEIGHTS(7);

    private final int algorithms;

    Direction(int algorithms) {
      this.algorithms = algorithms;
    }

    /** How many algorithms there are; they are numbered from 0 on. */
    public int algorithms() {
      return algorithms;
    }
  }

  /** How products are computed. */
  enum MathType {
    /** In float: fused multiply-adds. */
    FLOAT32(3),
    /** cuDNN's default: floats may be rounded to TF32 for the tensor cores. */
    TF32(0),
    /** By the tensor cores, where operands are of a type of theirs. */
    TENSOR_CORES(1);

    private final int code;

    MathType(int code) {
      this.code = code;
    }

    /** The cudnnMathType_t. */
    public int code() {
      return code;
    }
  }

  /**
   * What a convolution consists of: descriptors.
   *
   * @param x of the input
   * @param w of the weights
   * @param convolution of padding, stride and math type
   * @param y of the output
   */
  record Descriptors(long x, long w, long convolution, long y) {}

  /**
   * A way to compute a convolution.
   *
   * @param number among its direction's algorithms
   * @param mathType the cudnnMathType_t that it was tried with, −1 if that is not known
   * @param deterministic whether it gives the same bits each time
   * @param workspaceBytes what it needs
   * @param milliseconds how long it took
   */
  record Algorithm(
      int number, int mathType, boolean deterministic, long workspaceBytes, float milliseconds) {}

  /** The library's name and version, for people. */
  String description();

  /** The library's file. */
  Path file();

  /** The library's version: 10000 major + 100 minor + patch. */
  int version();

  /** The CUDA that the library was made for, as 1000 major + 10 minor. */
  int cudaVersion();

  /** A handle for the current context. */
  long create();

  /** Destroys a handle. */
  void destroy(long handle);

  /** Chooses the stream that work goes to. */
  void setStream(long handle, long stream);

  /**
   * Describes a dense tensor [batch, height, width, channels].
   *
   * @param type what it consists of
   */
  long createTensor(Scalar type, int batch, int height, int width, int channels);

  /** Destroys a description. */
  void destroyTensor(long descriptor);

  /**
   * Describes weights [outputs, kernel, kernel, channels].
   *
   * @param type what it consists of
   */
  long createFilter(Scalar type, int outputs, int kernel, int channels);

  /** Destroys a description. */
  void destroyFilter(long descriptor);

  /** Describes padding, stride and arithmetic of a cross-correlation. */
  long createConvolution(int padding, int stride, MathType mathType);

  /** Destroys a description. */
  void destroyConvolution(long descriptor);

  /**
   * Tries all algorithms that can do it in a workspace, and overwrites what the direction computes.
   * Waits for the device, so that it cannot be captured.
   *
   * @return those that worked, the fastest first
   */
  List<Algorithm> find(
      Direction direction,
      long handle,
      Descriptors descriptors,
      long x,
      long w,
      long y,
      long workspace,
      long workspaceBytes);

  /**
   * Bytes of workspace that an algorithm needs.
   *
   * @throws CudaException if it cannot do this convolution
   */
  long workspaceBytes(Direction direction, long handle, Descriptors descriptors, int algorithm);

  /** Computes. */
  void run(
      Direction direction,
      long handle,
      Descriptors descriptors,
      int algorithm,
      long x,
      long w,
      long y,
      long workspace,
      long workspaceBytes);
}
