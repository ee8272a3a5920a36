package dev.rais.backend.cuda.panama;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.rais.backend.cuda.CudaException;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.Dnn;
import dev.rais.backend.cuda.LibrarySearch;
import dev.rais.backend.cuda.Scalar;
import dev.rais.backend.cuda.panama.Bound.Symbol;
import dev.rais.natives.Functions;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** {@code libcudnn.so.9}, bound by hand. */
public final class PanamaDnn implements Dnn {
  /** In the order of cudnn_graph.h, cudnn_ops.h and cudnn_cnn.h. */
  static final List<Symbol> FUNCTIONS =
      List.of(
          new Symbol("cudnnGetVersion", "l()"),
          new Symbol("cudnnGetCudartVersion", "l()"),
          new Symbol("cudnnGetErrorString", "p(i)"),
          new Symbol("cudnnGetLastErrorString", "v(pl)"),
          new Symbol("cudnnCreate", "i(p)"),
          new Symbol("cudnnDestroy", "i(p)"),
          new Symbol("cudnnSetStream", "i(pp)"),
          new Symbol("cudnnCreateTensorDescriptor", "i(p)"),
          new Symbol("cudnnSetTensor4dDescriptor", "i(p ii iiii)"),
          new Symbol("cudnnDestroyTensorDescriptor", "i(p)"),
          new Symbol("cudnnCreateFilterDescriptor", "i(p)"),
          new Symbol("cudnnSetFilter4dDescriptor", "i(p ii iiii)"),
          new Symbol("cudnnDestroyFilterDescriptor", "i(p)"),
          new Symbol("cudnnCreateConvolutionDescriptor", "i(p)"),
          new Symbol("cudnnDestroyConvolutionDescriptor", "i(p)"),
          new Symbol("cudnnSetConvolutionMathType", "i(pi)"),
          new Symbol("cudnnSetConvolution2dDescriptor", "i(p iiii ii ii)"),
          new Symbol("cudnnGetConvolution2dForwardOutputDim", "i(ppp pppp)"),
          new Symbol("cudnnFindConvolutionForwardAlgorithmEx", "i(p pp pp p pp ipp pl)"),
          new Symbol("cudnnGetConvolutionForwardWorkspaceSize", "i(p pppp i p)"),
          new Symbol("cudnnConvolutionForward", "i(p p pp pp p i pl p pp)"),
          new Symbol("cudnnFindConvolutionBackwardDataAlgorithmEx", "i(p pp pp p pp ipp pl)"),
          new Symbol("cudnnGetConvolutionBackwardDataWorkspaceSize", "i(p pppp i p)"),
          new Symbol("cudnnConvolutionBackwardData", "i(p p pp pp p i pl p pp)"),
          new Symbol("cudnnFindConvolutionBackwardFilterAlgorithmEx", "i(p pp pp p pp ipp pl)"),
          new Symbol("cudnnGetConvolutionBackwardFilterWorkspaceSize", "i(p pppp i p)"),
          new Symbol("cudnnConvolutionBackwardFilter", "i(p p pp pp p i pl p pp)"));

  static final int NHWC = 1;
  static final int DATA_FLOAT = 0;
  static final int DATA_BFLOAT16 = 9;
  static final int CROSS_CORRELATION = 1;

  /** cudnnConvolution…AlgoPerf_t: algorithm, status, time, memory, determinism, math type. */
  private static final int RESULT_BYTES = 48;

  private static final int RESULT_STATUS = 4;
  private static final int RESULT_TIME = 8;
  private static final int RESULT_MEMORY = 16;
  private static final int RESULT_DETERMINISM = 24;
  private static final int RESULT_MATH_TYPE = 28;

  /** Every algorithm is tried with the descriptor's math type and with the default one. */
  private static final int MAX_RESULTS = 2 * 8;

  private static final int TEXT_BYTES = 1024;
  private static final int MAJOR = 9;

  /** The three functions of a direction, which differ in the order of operands only. */
  private record Functions3(String name, MethodHandle find, MethodHandle size, MethodHandle run) {}

  private final MethodHandle getVersion;
  private final MethodHandle getCudartVersion;
  private final MethodHandle getErrorString;
  private final MethodHandle getLastErrorString;
  private final MethodHandle create;
  private final MethodHandle destroy;
  private final MethodHandle setStream;
  private final MethodHandle createTensorDescriptor;
  private final MethodHandle setTensor4dDescriptor;
  private final MethodHandle destroyTensorDescriptor;
  private final MethodHandle createFilterDescriptor;
  private final MethodHandle setFilter4dDescriptor;
  private final MethodHandle destroyFilterDescriptor;
  private final MethodHandle createConvolutionDescriptor;
  private final MethodHandle destroyConvolutionDescriptor;
  private final MethodHandle setConvolutionMathType;
  private final MethodHandle setConvolution2dDescriptor;
  private final MethodHandle getForwardOutputDim;
  private final Map<Direction, Functions3> directions = new EnumMap<>(Direction.class);
  private final Path file;
  private final String description;

  /** Host memory of the factors 1 and 0, read whenever a call is made: alive as long as this. */
  private final MemorySegment one = Arena.ofAuto().allocateFrom(JAVA_FLOAT, 1f);

  private final MemorySegment zero = Arena.ofAuto().allocateFrom(JAVA_FLOAT, 0f);

  private PanamaDnn(LibrarySearch.Library library) {
    var bound = Bound.of(library, FUNCTIONS, "cuDNN " + MAJOR);
    getVersion = bound.handle("cudnnGetVersion");
    getCudartVersion = bound.handle("cudnnGetCudartVersion");
    getErrorString = bound.handle("cudnnGetErrorString");
    getLastErrorString = bound.handle("cudnnGetLastErrorString");
    create = bound.handle("cudnnCreate");
    destroy = bound.handle("cudnnDestroy");
    setStream = bound.handle("cudnnSetStream");
    createTensorDescriptor = bound.handle("cudnnCreateTensorDescriptor");
    setTensor4dDescriptor = bound.handle("cudnnSetTensor4dDescriptor");
    destroyTensorDescriptor = bound.handle("cudnnDestroyTensorDescriptor");
    createFilterDescriptor = bound.handle("cudnnCreateFilterDescriptor");
    setFilter4dDescriptor = bound.handle("cudnnSetFilter4dDescriptor");
    destroyFilterDescriptor = bound.handle("cudnnDestroyFilterDescriptor");
    createConvolutionDescriptor = bound.handle("cudnnCreateConvolutionDescriptor");
    destroyConvolutionDescriptor = bound.handle("cudnnDestroyConvolutionDescriptor");
    setConvolutionMathType = bound.handle("cudnnSetConvolutionMathType");
    setConvolution2dDescriptor = bound.handle("cudnnSetConvolution2dDescriptor");
    getForwardOutputDim = bound.handle("cudnnGetConvolution2dForwardOutputDim");
    for (Direction direction : Direction.values()) {
      String name =
          switch (direction) {
            case FORWARD -> "ConvolutionForward";
            case BACKWARD_DATA -> "ConvolutionBackwardData";
            case BACKWARD_WEIGHTS -> "ConvolutionBackwardFilter";
          };
      directions.put(
          direction,
          new Functions3(
              name,
              bound.handle("cudnnFind" + name + "AlgorithmEx"),
              bound.handle("cudnnGet" + name + "WorkspaceSize"),
              bound.handle("cudnn" + name)));
    }
    int version = version();
    if (version / 10000 != MAJOR) {
      throw new CudaUnavailableException(
          "%s is cuDNN %s; cuDNN %d is needed"
              .formatted(library.file(), Dnn.versionText(version), MAJOR));
    }
    file = library.file();
    description = "cuDNN " + Dnn.versionText(version);
  }

  /**
   * Loads cuDNN.
   *
   * @throws CudaUnavailableException with every place that was tried and what was wrong there
   */
  public static PanamaDnn open() {
    return open(LibrarySearch.ofThisMachine());
  }

  static PanamaDnn open(LibrarySearch search) {
    return new PanamaDnn(search.load("cuDNN", List.of("libcudnn.so.9"), WHAT_TO_INSTALL));
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
    try {
      return (int) (long) getVersion.invokeExact();
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public int cudaVersion() {
    try {
      return (int) (long) getCudartVersion.invokeExact();
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public long create() {
    return made("cudnnCreate", create);
  }

  @Override
  public void destroy(long handle) {
    destroyed("cudnnDestroy", destroy, handle);
  }

  @Override
  public void setStream(long handle, long stream) {
    try {
      check("cudnnSetStream", (int) setStream.invokeExact(pointer(handle), pointer(stream)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public long createTensor(Scalar type, int batch, int height, int width, int channels) {
    long descriptor = made("cudnnCreateTensorDescriptor", createTensorDescriptor);
    try {
      check(
          "cudnnSetTensor4dDescriptor",
          (int)
              setTensor4dDescriptor.invokeExact(
                  pointer(descriptor), NHWC, dataType(type), batch, channels, height, width));
    } catch (Throwable e) {
      destroyTensor(descriptor);
      throw Functions.rethrown(e);
    }
    return descriptor;
  }

  @Override
  public void destroyTensor(long descriptor) {
    destroyed("cudnnDestroyTensorDescriptor", destroyTensorDescriptor, descriptor);
  }

  @Override
  public long createFilter(Scalar type, int outputs, int kernel, int channels) {
    long descriptor = made("cudnnCreateFilterDescriptor", createFilterDescriptor);
    try {
      // Type and layout the other way round than for a tensor.
      check(
          "cudnnSetFilter4dDescriptor",
          (int)
              setFilter4dDescriptor.invokeExact(
                  pointer(descriptor), dataType(type), NHWC, outputs, channels, kernel, kernel));
    } catch (Throwable e) {
      destroyFilter(descriptor);
      throw Functions.rethrown(e);
    }
    return descriptor;
  }

  @Override
  public void destroyFilter(long descriptor) {
    destroyed("cudnnDestroyFilterDescriptor", destroyFilterDescriptor, descriptor);
  }

  @Override
  public long createConvolution(int padding, int stride, MathType mathType) {
    long descriptor = made("cudnnCreateConvolutionDescriptor", createConvolutionDescriptor);
    try {
      check(
          "cudnnSetConvolution2dDescriptor",
          (int)
              setConvolution2dDescriptor.invokeExact(
                  pointer(descriptor),
                  padding,
                  padding,
                  stride,
                  stride,
                  1,
                  1,
                  CROSS_CORRELATION,
                  DATA_FLOAT));
      check(
          "cudnnSetConvolutionMathType",
          (int) setConvolutionMathType.invokeExact(pointer(descriptor), mathType.code()));
    } catch (Throwable e) {
      destroyConvolution(descriptor);
      throw Functions.rethrown(e);
    }
    return descriptor;
  }

  @Override
  public void destroyConvolution(long descriptor) {
    destroyed("cudnnDestroyConvolutionDescriptor", destroyConvolutionDescriptor, descriptor);
  }

  /** The output that cuDNN itself expects: batch, channels, height, width. */
  int[] outputShape(Descriptors d) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_INT, 4);
      check(
          "cudnnGetConvolution2dForwardOutputDim",
          (int)
              getForwardOutputDim.invokeExact(
                  pointer(d.convolution()),
                  pointer(d.x()),
                  pointer(d.w()),
                  out,
                  out.asSlice(4),
                  out.asSlice(8),
                  out.asSlice(12)));
      return out.toArray(JAVA_INT);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /**
   * An operand of a direction: the first two are read, the third is written. cuDNN names the
   * weights first only where the input's gradient is computed.
   */
  private record Operand(long descriptor, long pointer) {}

  private static Operand[] operands(Direction direction, Descriptors d, long x, long w, long y) {
    var input = new Operand(d.x(), x);
    var weights = new Operand(d.w(), w);
    var output = new Operand(d.y(), y);
    return switch (direction) {
      case FORWARD -> new Operand[] {input, weights, output};
      case BACKWARD_DATA -> new Operand[] {weights, output, input};
      case BACKWARD_WEIGHTS -> new Operand[] {input, output, weights};
    };
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
    Functions3 functions = directions.get(direction);
    Operand[] o = operands(direction, descriptors, x, w, y);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment count = arena.allocate(JAVA_INT);
      MemorySegment results = arena.allocate((long) MAX_RESULTS * RESULT_BYTES, Long.BYTES);
      check(
          "cudnnFind" + functions.name() + "AlgorithmEx",
          (int)
              functions
                  .find()
                  .invokeExact(
                      pointer(handle),
                      pointer(o[0].descriptor()),
                      pointer(o[0].pointer()),
                      pointer(o[1].descriptor()),
                      pointer(o[1].pointer()),
                      pointer(descriptors.convolution()),
                      pointer(o[2].descriptor()),
                      pointer(o[2].pointer()),
                      MAX_RESULTS,
                      count,
                      results,
                      pointer(workspace),
                      workspaceBytes));
      return algorithms(results, count.get(JAVA_INT, 0));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Those that worked, in the order given, which is that of their times. */
  static List<Algorithm> algorithms(MemorySegment results, int count) {
    List<Algorithm> found = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      MemorySegment r = results.asSlice((long) i * RESULT_BYTES, RESULT_BYTES);
      if (r.get(JAVA_INT, RESULT_STATUS) == 0) {
        found.add(
            new Algorithm(
                r.get(JAVA_INT, 0),
                r.get(JAVA_INT, RESULT_MATH_TYPE),
                r.get(JAVA_INT, RESULT_DETERMINISM) == 1,
                r.get(JAVA_LONG, RESULT_MEMORY),
                r.get(JAVA_FLOAT, RESULT_TIME)));
      }
    }
    return found;
  }

  @Override
  public long workspaceBytes(
      Direction direction, long handle, Descriptors descriptors, int algorithm) {
    Functions3 functions = directions.get(direction);
    Operand[] o = operands(direction, descriptors, 0, 0, 0);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_LONG);
      check(
          "cudnnGet" + functions.name() + "WorkspaceSize",
          (int)
              functions
                  .size()
                  .invokeExact(
                      pointer(handle),
                      pointer(o[0].descriptor()),
                      pointer(o[1].descriptor()),
                      pointer(descriptors.convolution()),
                      pointer(o[2].descriptor()),
                      algorithm,
                      out));
      return out.get(JAVA_LONG, 0);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
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
    Functions3 functions = directions.get(direction);
    Operand[] o = operands(direction, descriptors, x, w, y);
    int status;
    try {
      status =
          (int)
              functions
                  .run()
                  .invokeExact(
                      pointer(handle),
                      one,
                      pointer(o[0].descriptor()),
                      pointer(o[0].pointer()),
                      pointer(o[1].descriptor()),
                      pointer(o[1].pointer()),
                      pointer(descriptors.convolution()),
                      algorithm,
                      pointer(workspace),
                      workspaceBytes,
                      zero,
                      pointer(o[2].descriptor()),
                      pointer(o[2].pointer()));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
    if (status != 0) {
      check("cudnn" + functions.name() + " with algorithm " + algorithm, status);
    }
  }

  private long made(String call, MethodHandle handle) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      check(call, (int) handle.invokeExact(out));
      return out.get(ADDRESS, 0).address();
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  private void destroyed(String call, MethodHandle handle, long object) {
    try {
      check(call, (int) handle.invokeExact(pointer(object)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  private static int dataType(Scalar type) {
    return type == Scalar.BFLOAT16 ? DATA_BFLOAT16 : DATA_FLOAT;
  }

  private static MemorySegment pointer(long handle) {
    return MemorySegment.ofAddress(handle);
  }

  private void check(String call, int status) {
    if (status == 0) {
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(TEXT_BYTES);
      String name = Functions.text((MemorySegment) getErrorString.invokeExact(status));
      getLastErrorString.invokeExact(out, (long) TEXT_BYTES);
      String details = out.getString(0).strip();
      throw new CudaException(
          status, call + ": " + name + (details.isEmpty() ? "" : ", " + details));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }
}
