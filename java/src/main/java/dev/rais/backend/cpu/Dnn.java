package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The part of oneDNN 3's C API that this backend calls, bound by hand through {@code
 * java.lang.foreign}.
 *
 * <p>Constants and functions carry the names of dnnl_types.h and dnnl.h without their prefix.
 */
@SuppressWarnings("restricted") // native access is what this class is for
final class Dnn {
  static final int F32 = 3;
  static final int TAG_ANY = 1;
  static final int TAG_A = 2;
  static final int TAG_AB = 3;

  /** NHWC activations and OHWI weights, for dims in the order the API wants: NCHW and OIHW. */
  static final int TAG_ACDB = 22;

  static final int FORWARD_TRAINING = 64;
  static final int FORWARD_INFERENCE = 96;
  static final int BACKWARD = 128;
  static final int CONVOLUTION_DIRECT = 1;
  static final int POOLING_MAX = 511;
  static final int ELTWISE_RELU = 32;
  static final int ELTWISE_RELU_USE_DST = 256;

  static final int USE_GLOBAL_STATS = 1;
  static final int USE_SCALE = 2;
  static final int USE_SHIFT = 4;
  static final int FUSE_NORM_RELU = 8;

  static final int QUERY_IMPL_INFO_STR = 8;
  static final int QUERY_SRC_MD = 129;
  static final int QUERY_DIFF_SRC_MD = 130;
  static final int QUERY_WEIGHTS_MD = 131;
  static final int QUERY_DIFF_WEIGHTS_MD = 132;
  static final int QUERY_DST_MD = 133;
  static final int QUERY_DIFF_DST_MD = 134;
  static final int QUERY_WORKSPACE_MD = 135;
  static final int QUERY_SCRATCHPAD_MD = 136;

  static final int ARG_SRC = 1;
  static final int ARG_DST = 17;
  static final int ARG_WEIGHTS = 33;
  static final int ARG_BIAS = 41;
  static final int ARG_MEAN = 49;
  static final int ARG_VARIANCE = 50;
  static final int ARG_SCALE = 51;
  static final int ARG_SHIFT = 52;
  static final int ARG_WORKSPACE = 64;
  static final int ARG_SCRATCHPAD = 80;
  static final int ARG_DIFF_SRC = 129;
  static final int ARG_DIFF_DST = 145;
  static final int ARG_DIFF_WEIGHTS = 161;
  static final int ARG_DIFF_BIAS = 169;
  static final int ARG_DIFF_SCALE = 255;
  static final int ARG_DIFF_SHIFT = 256;

  private static final int ENGINE_CPU = 1;
  private static final int STREAM_IN_ORDER = 1;
  private static final int SCRATCHPAD_USER = 1;
  private static final int MAX_DIMS = 12;

  /** A C function returning dnnl_status_t. */
  private record Function(String name, MemoryLayout... parameters) {}

  /** In the header's order. */
  private static final List<Function> FUNCTIONS =
      List.of(
          new Function("dnnl_primitive_desc_query", ADDRESS, JAVA_INT, JAVA_INT, ADDRESS),
          new Function("dnnl_primitive_desc_destroy", ADDRESS),
          new Function("dnnl_primitive_create", ADDRESS, ADDRESS),
          new Function("dnnl_primitive_destroy", ADDRESS),
          new Function("dnnl_primitive_attr_create", ADDRESS),
          new Function("dnnl_primitive_attr_destroy", ADDRESS),
          new Function("dnnl_primitive_attr_set_deterministic", ADDRESS, JAVA_INT),
          new Function("dnnl_primitive_attr_set_scratchpad_mode", ADDRESS, JAVA_INT),
          new Function(
              "dnnl_memory_desc_create_with_tag", ADDRESS, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT),
          new Function("dnnl_memory_desc_destroy", ADDRESS),
          new Function("dnnl_memory_create", ADDRESS, ADDRESS, ADDRESS, ADDRESS),
          new Function("dnnl_memory_destroy", ADDRESS),
          new Function(
              "dnnl_reorder_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS),
          new Function(
              "dnnl_convolution_forward_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              JAVA_INT,
              JAVA_INT,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS),
          new Function(
              "dnnl_convolution_backward_data_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              JAVA_INT,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS),
          new Function(
              "dnnl_convolution_backward_weights_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              JAVA_INT,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS),
          new Function(
              "dnnl_eltwise_forward_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              JAVA_INT,
              JAVA_INT,
              ADDRESS,
              ADDRESS,
              JAVA_FLOAT,
              JAVA_FLOAT,
              ADDRESS),
          new Function(
              "dnnl_eltwise_backward_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              JAVA_INT,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              JAVA_FLOAT,
              JAVA_FLOAT,
              ADDRESS,
              ADDRESS),
          new Function(
              "dnnl_inner_product_forward_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              JAVA_INT,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS),
          new Function(
              "dnnl_inner_product_backward_data_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS),
          new Function(
              "dnnl_inner_product_backward_weights_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS),
          new Function(
              "dnnl_pooling_forward_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              JAVA_INT,
              JAVA_INT,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS),
          new Function(
              "dnnl_pooling_backward_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              JAVA_INT,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS),
          new Function(
              "dnnl_batch_normalization_forward_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              JAVA_INT,
              ADDRESS,
              ADDRESS,
              JAVA_FLOAT,
              JAVA_INT,
              ADDRESS),
          new Function(
              "dnnl_batch_normalization_backward_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              JAVA_INT,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              JAVA_FLOAT,
              JAVA_INT,
              ADDRESS,
              ADDRESS),
          new Function("dnnl_engine_create", ADDRESS, JAVA_INT, JAVA_LONG),
          new Function("dnnl_engine_destroy", ADDRESS),
          new Function("dnnl_stream_create", ADDRESS, ADDRESS, JAVA_INT),
          new Function("dnnl_stream_destroy", ADDRESS));

  private final Path library;
  private final Map<String, MethodHandle> functions = new HashMap<>();
  private final MethodHandle execute;
  private final MethodHandle setDataHandle;
  private final MethodHandle queryMd;
  private final MethodHandle memoryDescSize;
  private final MethodHandle memoryDescEqual;
  private final MethodHandle effectiveIsa;
  private final MethodHandle version;

  /** Null where the library was built without it. */
  private final OpenMp openMp;

  /**
   * Loads and binds the library.
   *
   * @throws DnnUnavailableException with the reason
   */
  Dnn() {
    library = DnnLoader.load();
    Linker linker = Linker.nativeLinker();
    SymbolLookup symbols = SymbolLookup.loaderLookup();
    for (Function f : FUNCTIONS) {
      functions.put(
          f.name(),
          bind(linker, symbols, f.name(), FunctionDescriptor.of(JAVA_INT, f.parameters())));
    }
    execute =
        bind(
            linker,
            symbols,
            "dnnl_primitive_execute",
            FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_INT, ADDRESS));
    setDataHandle =
        bind(
            linker,
            symbols,
            "dnnl_memory_set_data_handle",
            FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS));
    queryMd =
        bind(
            linker,
            symbols,
            "dnnl_primitive_desc_query_md",
            FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT, JAVA_INT));
    memoryDescSize =
        bind(
            linker,
            symbols,
            "dnnl_memory_desc_get_size",
            FunctionDescriptor.of(JAVA_LONG, ADDRESS));
    memoryDescEqual =
        bind(
            linker,
            symbols,
            "dnnl_memory_desc_equal",
            FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS));
    effectiveIsa =
        bind(linker, symbols, "dnnl_get_effective_cpu_isa", FunctionDescriptor.of(JAVA_INT));
    version = bind(linker, symbols, "dnnl_version", FunctionDescriptor.of(ADDRESS));
    openMp = OpenMp.find(symbols);
  }

  private MethodHandle bind(
      Linker linker, SymbolLookup symbols, String name, FunctionDescriptor descriptor) {
    MemorySegment address =
        symbols
            .find(name)
            .orElseThrow(
                () ->
                    new DnnUnavailableException(
                        "%s has no %s; version 3.x is needed".formatted(library, name)));
    return linker.downcallHandle(address, descriptor);
  }

  /** Version as "3.13.0". */
  String version() {
    try {
      // struct { int major, minor, patch; ... }
      MemorySegment v = ((MemorySegment) version.invokeExact()).reinterpret(12);
      return v.getAtIndex(JAVA_INT, 0)
          + "."
          + v.getAtIndex(JAVA_INT, 1)
          + "."
          + v.getAtIndex(JAVA_INT, 2);
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  /** The instruction set that generated code uses, named as in dnnl_cpu_isa_t. */
  String instructionSet() {
    int isa;
    try {
      isa = (int) effectiveIsa.invokeExact();
    } catch (Throwable e) {
      throw rethrow(e);
    }
    if ((isa & 0x27) == 0x27) {
      boolean bf16 = (isa & 0x80 | isa & 0x40) != 0;
      return bf16 ? "AVX-512 with extensions" : "AVX-512";
    }
    return (isa & 0x7) == 0x7 ? "AVX2" : (isa & 0x3) == 0x3 ? "AVX" : "baseline";
  }

  /** The runtime that gives oneDNN its threads; null where it was built without. */
  OpenMp openMp() {
    return openMp;
  }

  /** Limits the OpenMP threads of operations run by the calling thread. */
  void setThreads(int threads) {
    if (openMp != null) {
      openMp.setNumThreads(threads);
    }
  }

  /** Calls a function that returns a status. For set-up, not for the step: it boxes. */
  void call(String name, Object... arguments) {
    try {
      check(name, (int) functions.get(name).invokeWithArguments(arguments));
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  /** Ends an object; makes none, so that it works where memory is used up. */
  void destroy(String function, MemorySegment handle) {
    try {
      check(function, (int) functions.get(function).invokeExact(handle));
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  /** Calls a function whose first parameter receives a new handle. */
  MemorySegment create(String name, Object... arguments) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      Object[] all = new Object[arguments.length + 1];
      all[0] = out;
      System.arraycopy(arguments, 0, all, 1, arguments.length);
      call(name, all);
      return out.get(ADDRESS, 0);
    }
  }

  MemorySegment createCpuEngine() {
    return create("dnnl_engine_create", ENGINE_CPU, 0L);
  }

  MemorySegment createStream(MemorySegment engine) {
    return create("dnnl_stream_create", engine, STREAM_IN_ORDER);
  }

  /** Attributes of every primitive here: our scratchpad, and the same bits at every run. */
  MemorySegment createAttributes() {
    MemorySegment attributes = create("dnnl_primitive_attr_create");
    try {
      call("dnnl_primitive_attr_set_scratchpad_mode", attributes, SCRATCHPAD_USER);
      call("dnnl_primitive_attr_set_deterministic", attributes, 1);
    } catch (Throwable e) {
      destroy("dnnl_primitive_attr_destroy", attributes);
      throw e;
    }
    return attributes;
  }

  /** An f32 memory descriptor; {@code tag} gives the layout of {@code dims}. */
  MemorySegment memoryDesc(int tag, long... dims) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment all = arena.allocate(JAVA_LONG, MAX_DIMS);
      MemorySegment.copy(dims, 0, all, JAVA_LONG, 0, dims.length);
      return create("dnnl_memory_desc_create_with_tag", dims.length, all, F32, tag);
    }
  }

  /** The descriptor a primitive wants for one of its operands; owned by {@code primitiveDesc}. */
  MemorySegment queryMd(MemorySegment primitiveDesc, int what) {
    try {
      return (MemorySegment) queryMd.invokeExact(primitiveDesc, what, 0);
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  /** Size in bytes of the memory a descriptor describes; 0 for the zero descriptor. */
  long size(MemorySegment memoryDesc) {
    try {
      return (long) memoryDescSize.invokeExact(memoryDesc);
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  boolean equal(MemorySegment a, MemorySegment b) {
    try {
      return (int) memoryDescEqual.invokeExact(a, b) != 0;
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  /** Name of the implementation that was chosen. */
  String implementation(MemorySegment primitiveDesc) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      call("dnnl_primitive_desc_query", primitiveDesc, QUERY_IMPL_INFO_STR, 0, out);
      return out.get(ADDRESS, 0).reinterpret(Long.MAX_VALUE).getString(0);
    }
  }

  /** Runs a primitive; the stream is in order and the CPU engine returns when it is done. */
  void execute(MemorySegment primitive, MemorySegment stream, int count, MemorySegment arguments) {
    try {
      check(
          "dnnl_primitive_execute", (int) execute.invokeExact(primitive, stream, count, arguments));
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  /** Points a memory object at {@code data}. */
  void setDataHandle(MemorySegment memory, MemorySegment data) {
    try {
      check("dnnl_memory_set_data_handle", (int) setDataHandle.invokeExact(memory, data));
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  /** Copies longs to native memory as dnnl_dims_t. */
  static MemorySegment dims(Arena arena, long... values) {
    MemorySegment all = arena.allocate(JAVA_LONG, MAX_DIMS);
    MemorySegment.copy(values, 0, all, JAVA_LONG, 0, values.length);
    return all;
  }

  private static void check(String name, int status) {
    if (status != 0) {
      String text =
          switch (status) {
            case 1 -> "out of memory";
            case 2 -> "invalid arguments";
            case 3 -> "not implemented for this shape on this CPU";
            case 5 -> "runtime error";
            default -> "status " + status;
          };
      throw new DnnException(name + ": " + text);
    }
  }

  private static RuntimeException rethrow(Throwable e) {
    return switch (e) {
      case RuntimeException r -> r;
      case Error r -> throw r;
      default -> new IllegalStateException(e);
    };
  }
}
