package dev.rais.backend.cuda.jcuda;

import static dev.rais.backend.cuda.jcuda.JCudaPointers.pointer;
import static jcuda.jcudnn.JCudnn.cudnnConvolutionBackwardData;
import static jcuda.jcudnn.JCudnn.cudnnConvolutionBackwardFilter;
import static jcuda.jcudnn.JCudnn.cudnnConvolutionForward;
import static jcuda.jcudnn.JCudnn.cudnnCreate;
import static jcuda.jcudnn.JCudnn.cudnnCreateConvolutionDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnCreateFilterDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnCreateTensorDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnDestroy;
import static jcuda.jcudnn.JCudnn.cudnnDestroyConvolutionDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnDestroyFilterDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnDestroyTensorDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnFindConvolutionBackwardDataAlgorithmEx;
import static jcuda.jcudnn.JCudnn.cudnnFindConvolutionBackwardFilterAlgorithmEx;
import static jcuda.jcudnn.JCudnn.cudnnFindConvolutionForwardAlgorithmEx;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolution2dForwardOutputDim;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolutionBackwardDataWorkspaceSize;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolutionBackwardFilterWorkspaceSize;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolutionForwardWorkspaceSize;
import static jcuda.jcudnn.JCudnn.cudnnGetCudartVersion;
import static jcuda.jcudnn.JCudnn.cudnnGetErrorString;
import static jcuda.jcudnn.JCudnn.cudnnGetVersion;
import static jcuda.jcudnn.JCudnn.cudnnSetConvolution2dDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnSetConvolutionMathType;
import static jcuda.jcudnn.JCudnn.cudnnSetFilter4dDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnSetStream;
import static jcuda.jcudnn.JCudnn.cudnnSetTensor4dDescriptor;

import dev.rais.backend.cuda.CudaException;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.Dnn;
import dev.rais.backend.cuda.LibrarySearch;
import dev.rais.backend.cuda.Scalar;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntSupplier;
import java.util.function.LongFunction;
import jcuda.Pointer;
import jcuda.driver.CUstream;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionMode;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.jcudnn.cudnnTensorFormat;
import jcuda.runtime.cudaStream_t;

/**
 * {@code libcudnn.so.9} through JCudnn. Its classes are those of cuDNN 8, its natives those of
 * cuDNN 9: what is used here is the same in both, but for the numbers of statuses, so only 0 is
 * known, and texts are cuDNN's own.
 */
public final class JCudaDnn implements Dnn {
  /** Every algorithm is tried with the descriptor's math type and with the default one. */
  private static final int MAX_RESULTS = 2 * 8;

  /** JCudnn does not hand on the math type of results of two of the three searches. */
  private static final int UNKNOWN = -1;

  private static final int MAJOR = 9;

  private static final class Handle extends cudnnHandle implements Handles.Handle {
    @Override
    public long handle() {
      return getNativePointer();
    }
  }

  private static final class Tensor extends cudnnTensorDescriptor implements Handles.Handle {
    @Override
    public long handle() {
      return getNativePointer();
    }
  }

  private static final class Filter extends cudnnFilterDescriptor implements Handles.Handle {
    @Override
    public long handle() {
      return getNativePointer();
    }
  }

  private static final class Convolution extends cudnnConvolutionDescriptor
      implements Handles.Handle {
    @Override
    public long handle() {
      return getNativePointer();
    }
  }

  private final Handles<Handle> handles = new Handles<>("handle of cuDNN");
  private final Handles<Tensor> tensors = new Handles<>("description of a tensor");
  private final Handles<Filter> filters = new Handles<>("description of weights");
  private final Handles<Convolution> convolutions = new Handles<>("description of a convolution");
  private final Path file;
  private final LongFunction<CUstream> streams;
  private final String description;

  /** Host memory of the factors 1 and 0, read whenever a call is made: alive as long as this. */
  private final MemorySegment factors = Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, 1f, 0f);

  private final Pointer one = pointer(factors.address());
  private final Pointer zero = pointer(factors.address() + Float.BYTES);

  private JCudaDnn(Path file, LongFunction<CUstream> streams) {
    this.file = file;
    this.streams = streams;
    int version = version();
    description = "cuDNN " + Dnn.versionText(version);
    if (version / 10000 != MAJOR) {
      throw new CudaUnavailableException(
          "%s is %s; cuDNN %d is needed".formatted(file, description, MAJOR));
    }
  }

  /**
   * Loads cuDNN.
   *
   * @param driver which makes the streams
   * @throws CudaUnavailableException with every place that was tried and what was wrong there
   */
  public static JCudaDnn open(JCudaDriver driver) {
    return open(LibrarySearch.ofThisMachine(), driver::stream);
  }

  /** The same without a driver, which calls that take a stream need. */
  public static JCudaDnn open() {
    return open(LibrarySearch.ofThisMachine(), Streams.NONE);
  }

  static JCudaDnn open(LibrarySearch search, LongFunction<CUstream> streams) {
    JCudaLibrary.DNN.requireClasses();
    Path file = search.load("cuDNN", List.of("libcudnn.so.9"), Dnn.WHAT_TO_INSTALL).file();
    JCudaLibrary.DNN.load(JCudnn::initialize);
    return new JCudaDnn(file, streams);
  }

  @Override
  public String description() {
    return description;
  }

  @Override
  public Path file() {
    return file;
  }

  @Override
  public int version() {
    return (int) cudnnGetVersion();
  }

  @Override
  public int cudaVersion() {
    return (int) cudnnGetCudartVersion();
  }

  @Override
  public long create() {
    Handle out = new Handle();
    check("cudnnCreate", () -> cudnnCreate(out));
    return handles.keep(out);
  }

  @Override
  public void destroy(long handle) {
    Handle object = handles.remove(handle);
    check("cudnnDestroy", () -> cudnnDestroy(object));
  }

  @Override
  public void setStream(long handle, long stream) {
    Handle object = handles.get(handle);
    var on = new cudaStream_t(streams.apply(stream));
    check("cudnnSetStream", () -> cudnnSetStream(object, on));
  }

  @Override
  public long createTensor(Scalar type, int batch, int height, int width, int channels) {
    Tensor out = new Tensor();
    check("cudnnCreateTensorDescriptor", () -> cudnnCreateTensorDescriptor(out));
    long descriptor = tensors.keep(out);
    try {
      check(
          "cudnnSetTensor4dDescriptor",
          () ->
              cudnnSetTensor4dDescriptor(
                  out,
                  cudnnTensorFormat.CUDNN_TENSOR_NHWC,
                  dataType(type),
                  batch,
                  channels,
                  height,
                  width));
    } catch (CudaException e) {
      destroyTensor(descriptor);
      throw e;
    }
    return descriptor;
  }

  private static int dataType(Scalar type) {
    return type == Scalar.BFLOAT16
        ? cudnnDataType.CUDNN_DATA_BFLOAT16
        : cudnnDataType.CUDNN_DATA_FLOAT;
  }

  @Override
  public void destroyTensor(long descriptor) {
    Tensor object = tensors.remove(descriptor);
    check("cudnnDestroyTensorDescriptor", () -> cudnnDestroyTensorDescriptor(object));
  }

  @Override
  public long createFilter(Scalar type, int outputs, int kernel, int channels) {
    Filter out = new Filter();
    check("cudnnCreateFilterDescriptor", () -> cudnnCreateFilterDescriptor(out));
    long descriptor = filters.keep(out);
    try {
      // Type and layout the other way round than for a tensor.
      check(
          "cudnnSetFilter4dDescriptor",
          () ->
              cudnnSetFilter4dDescriptor(
                  out,
                  dataType(type),
                  cudnnTensorFormat.CUDNN_TENSOR_NHWC,
                  outputs,
                  channels,
                  kernel,
                  kernel));
    } catch (CudaException e) {
      destroyFilter(descriptor);
      throw e;
    }
    return descriptor;
  }

  @Override
  public void destroyFilter(long descriptor) {
    Filter object = filters.remove(descriptor);
    check("cudnnDestroyFilterDescriptor", () -> cudnnDestroyFilterDescriptor(object));
  }

  @Override
  public long createConvolution(int padding, int stride, MathType mathType) {
    Convolution out = new Convolution();
    check("cudnnCreateConvolutionDescriptor", () -> cudnnCreateConvolutionDescriptor(out));
    long descriptor = convolutions.keep(out);
    try {
      check(
          "cudnnSetConvolution2dDescriptor",
          () ->
              cudnnSetConvolution2dDescriptor(
                  out,
                  padding,
                  padding,
                  stride,
                  stride,
                  1,
                  1,
                  cudnnConvolutionMode.CUDNN_CROSS_CORRELATION,
                  cudnnDataType.CUDNN_DATA_FLOAT));
      check("cudnnSetConvolutionMathType", () -> cudnnSetConvolutionMathType(out, mathType.code()));
    } catch (CudaException e) {
      destroyConvolution(descriptor);
      throw e;
    }
    return descriptor;
  }

  @Override
  public void destroyConvolution(long descriptor) {
    Convolution object = convolutions.remove(descriptor);
    check("cudnnDestroyConvolutionDescriptor", () -> cudnnDestroyConvolutionDescriptor(object));
  }

  /** The output that cuDNN itself expects: batch, channels, height, width. */
  int[] outputShape(Descriptors descriptors) {
    Objects o = objects(descriptors);
    int[][] out = new int[4][1];
    check(
        "cudnnGetConvolution2dForwardOutputDim",
        () ->
            cudnnGetConvolution2dForwardOutputDim(
                o.convolution(), o.x(), o.w(), out[0], out[1], out[2], out[3]));
    return new int[] {out[0][0], out[1][0], out[2][0], out[3][0]};
  }

  /** JCuda's objects of {@link Descriptors}. */
  private record Objects(Tensor x, Filter w, Convolution convolution, Tensor y) {}

  private Objects objects(Descriptors d) {
    return new Objects(
        tensors.get(d.x()),
        filters.get(d.w()),
        convolutions.get(d.convolution()),
        tensors.get(d.y()));
  }

  @Override
  public List<Algorithm> find(
      Direction direction,
      long handle,
      Descriptors descriptors,
      long x,
      long w,
      long y,
      long workspace,
      long workspaceBytes) {
    Handle h = handles.get(handle);
    Objects o = objects(descriptors);
    Pointer px = pointer(x);
    Pointer pw = pointer(w);
    Pointer py = pointer(y);
    Pointer space = pointer(workspace);
    int[] count = new int[1];
    return switch (direction) {
      case FORWARD -> {
        var results = new cudnnConvolutionFwdAlgoPerf[MAX_RESULTS];
        Arrays.setAll(results, i -> new cudnnConvolutionFwdAlgoPerf());
        check(
            "cudnnFindConvolutionForwardAlgorithmEx",
            () ->
                cudnnFindConvolutionForwardAlgorithmEx(
                    h,
                    o.x(),
                    px,
                    o.w(),
                    pw,
                    o.convolution(),
                    o.y(),
                    py,
                    MAX_RESULTS,
                    count,
                    results,
                    space,
                    workspaceBytes));
        yield worked(
            Arrays.stream(results, 0, count[0])
                .map(r -> new Result(r.status, r.algo, UNKNOWN, r.determinism, r.memory, r.time))
                .toList());
      }
      case BACKWARD_DATA -> {
        var results = new cudnnConvolutionBwdDataAlgoPerf[MAX_RESULTS];
        Arrays.setAll(results, i -> new cudnnConvolutionBwdDataAlgoPerf());
        check(
            "cudnnFindConvolutionBackwardDataAlgorithmEx",
            () ->
                cudnnFindConvolutionBackwardDataAlgorithmEx(
                    h,
                    o.w(),
                    pw,
                    o.y(),
                    py,
                    o.convolution(),
                    o.x(),
                    px,
                    MAX_RESULTS,
                    count,
                    results,
                    space,
                    workspaceBytes));
        yield worked(
            Arrays.stream(results, 0, count[0])
                .map(r -> new Result(r.status, r.algo, UNKNOWN, r.determinism, r.memory, r.time))
                .toList());
      }
      case BACKWARD_WEIGHTS -> {
        var results = new cudnnConvolutionBwdFilterAlgoPerf[MAX_RESULTS];
        Arrays.setAll(results, i -> new cudnnConvolutionBwdFilterAlgoPerf());
        check(
            "cudnnFindConvolutionBackwardFilterAlgorithmEx",
            () ->
                cudnnFindConvolutionBackwardFilterAlgorithmEx(
                    h,
                    o.x(),
                    px,
                    o.y(),
                    py,
                    o.convolution(),
                    o.w(),
                    pw,
                    MAX_RESULTS,
                    count,
                    results,
                    space,
                    workspaceBytes));
        yield worked(
            Arrays.stream(results, 0, count[0])
                .map(r -> new Result(r.status, r.algo, r.mathType, r.determinism, r.memory, r.time))
                .toList());
      }
    };
  }

  /** What JCudnn's three classes of results have in common. */
  private record Result(
      int status, int number, int mathType, int determinism, long memory, float milliseconds) {}

  /** Those that worked, in the order given, which is that of their times. */
  private static List<Algorithm> worked(List<Result> results) {
    List<Algorithm> found = new ArrayList<>();
    for (Result r : results) {
      if (r.status() == 0) {
        found.add(
            new Algorithm(
                r.number(), r.mathType(), r.determinism() == 1, r.memory(), r.milliseconds()));
      }
    }
    return found;
  }

  @Override
  public long workspaceBytes(
      Direction direction, long handle, Descriptors descriptors, int algorithm) {
    Handle h = handles.get(handle);
    Objects o = objects(descriptors);
    long[] out = new long[1];
    switch (direction) {
      case FORWARD ->
          check(
              "cudnnGetConvolutionForwardWorkspaceSize",
              () ->
                  cudnnGetConvolutionForwardWorkspaceSize(
                      h, o.x(), o.w(), o.convolution(), o.y(), algorithm, out));
      case BACKWARD_DATA ->
          check(
              "cudnnGetConvolutionBackwardDataWorkspaceSize",
              () ->
                  cudnnGetConvolutionBackwardDataWorkspaceSize(
                      h, o.w(), o.y(), o.convolution(), o.x(), algorithm, out));
      case BACKWARD_WEIGHTS ->
          check(
              "cudnnGetConvolutionBackwardFilterWorkspaceSize",
              () ->
                  cudnnGetConvolutionBackwardFilterWorkspaceSize(
                      h, o.x(), o.y(), o.convolution(), o.w(), algorithm, out));
    }
    return out[0];
  }

  @Override
  public void run(
      Direction direction,
      long handle,
      Descriptors descriptors,
      int algorithm,
      long x,
      long w,
      long y,
      long workspace,
      long workspaceBytes) {
    Handle h = handles.get(handle);
    Objects o = objects(descriptors);
    Pointer px = pointer(x);
    Pointer pw = pointer(w);
    Pointer py = pointer(y);
    Pointer space = pointer(workspace);
    Convolution c = o.convolution();
    switch (direction) {
      case FORWARD ->
          check(
              "cudnnConvolutionForward with algorithm %d",
              () ->
                  cudnnConvolutionForward(
                      h,
                      one,
                      o.x(),
                      px,
                      o.w(),
                      pw,
                      c,
                      algorithm,
                      space,
                      workspaceBytes,
                      zero,
                      o.y(),
                      py),
              algorithm);
      case BACKWARD_DATA ->
          check(
              "cudnnConvolutionBackwardData with algorithm %d",
              () ->
                  cudnnConvolutionBackwardData(
                      h,
                      one,
                      o.w(),
                      pw,
                      o.y(),
                      py,
                      c,
                      algorithm,
                      space,
                      workspaceBytes,
                      zero,
                      o.x(),
                      px),
              algorithm);
      case BACKWARD_WEIGHTS ->
          check(
              "cudnnConvolutionBackwardFilter with algorithm %d",
              () ->
                  cudnnConvolutionBackwardFilter(
                      h,
                      one,
                      o.x(),
                      px,
                      o.y(),
                      py,
                      c,
                      algorithm,
                      space,
                      workspaceBytes,
                      zero,
                      o.w(),
                      pw),
              algorithm);
    }
  }

  /** Where a program has told JCudnn to throw, what it throws has cuDNN 8's name, perhaps wrong. */
  private static void check(String name, IntSupplier call, Object... values) {
    int status;
    try {
      status = call.getAsInt();
    } catch (jcuda.CudaException e) {
      throw new CudaException(
          -1, name.formatted(values) + " failed; JCudnn tells no more while its exceptions are on");
    }
    if (status != 0) {
      throw new CudaException(status, name.formatted(values) + ": " + cudnnGetErrorString(status));
    }
  }
}
