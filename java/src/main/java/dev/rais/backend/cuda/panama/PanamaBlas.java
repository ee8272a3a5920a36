package dev.rais.backend.cuda.panama;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.rais.backend.cuda.Blas;
import dev.rais.backend.cuda.CudaException;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.LibrarySearch;
import dev.rais.backend.cuda.Scalar;
import dev.rais.backend.cuda.panama.Bound.Symbol;
import dev.rais.natives.Functions;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;

/** {@code libcublas.so}, bound by hand. */
public final class PanamaBlas implements Blas {
  /** In cublas_api.h's order, by the names that its macros give the functions. */
  static final List<Symbol> FUNCTIONS =
      List.of(
          new Symbol("cublasCreate_v2", "i(p)"),
          new Symbol("cublasDestroy_v2", "i(p)"),
          new Symbol("cublasGetProperty", "i(ip)"),
          new Symbol("cublasGetCudartVersion", "l()"),
          new Symbol("cublasSetWorkspace_v2", "i(ppl)"),
          new Symbol("cublasSetStream_v2", "i(pp)"),
          new Symbol("cublasSetMathMode", "i(pi)"),
          new Symbol("cublasGetStatusName", "p(i)"),
          new Symbol("cublasGetStatusString", "p(i)"),
          new Symbol("cublasGemmEx", "i(p ii iii p pii pii p pii ii)"));

  static final int TRANSPOSED = 1;
  private static final int DATA_FLOAT = 0;
  private static final int DATA_BFLOAT16 = 14;
  static final int COMPUTE_FLOAT = 68;
  static final int COMPUTE_TF32 = 77;
  static final int DEFAULT_ALGORITHM = -1;

  /** Mode of a handle: parts of a product are added in the type to compute in. */
  static final int SUMS_AS_COMPUTED = 16;

  private final MethodHandle create;
  private final MethodHandle destroy;
  private final MethodHandle getProperty;
  private final MethodHandle getCudartVersion;
  private final MethodHandle setWorkspace;
  private final MethodHandle setStream;
  private final MethodHandle setMathMode;
  private final MethodHandle getStatusName;
  private final MethodHandle getStatusString;
  private final MethodHandle gemmEx;

  private final Path file;
  private final String description;

  /** Host memory of the factors 1 and 0, read whenever a call is made: alive as long as this. */
  private final MemorySegment one = Arena.ofAuto().allocateFrom(JAVA_FLOAT, 1f);

  private final MemorySegment zero = Arena.ofAuto().allocateFrom(JAVA_FLOAT, 0f);

  private PanamaBlas(LibrarySearch.Library library) {
    var bound = Bound.of(library, FUNCTIONS, "cuBLAS 12 or 13");
    create = bound.handle("cublasCreate_v2");
    destroy = bound.handle("cublasDestroy_v2");
    getProperty = bound.handle("cublasGetProperty");
    getCudartVersion = bound.handle("cublasGetCudartVersion");
    setWorkspace = bound.handle("cublasSetWorkspace_v2");
    setStream = bound.handle("cublasSetStream_v2");
    setMathMode = bound.handle("cublasSetMathMode");
    getStatusName = bound.handle("cublasGetStatusName");
    getStatusString = bound.handle("cublasGetStatusString");
    gemmEx = bound.handle("cublasGemmEx");
    file = library.file();
    description = "cuBLAS %d.%d.%d".formatted(property(0), property(1), property(2));
  }

  /**
   * Loads cuBLAS.
   *
   * @param driverVersion newest CUDA that the driver supports: a library for a newer major version
   *     would load, and fail at its first call
   * @throws CudaUnavailableException with every place that was tried and what was wrong there
   */
  public static PanamaBlas open(int driverVersion) {
    return open(LibrarySearch.ofThisMachine(), driverVersion);
  }

  static PanamaBlas open(LibrarySearch search, int driverVersion) {
    int major = driverVersion / 1000;
    return new PanamaBlas(
        search.load(
            "cuBLAS",
            major >= 13
                ? List.of("libcublas.so.13", "libcublas.so.12")
                : List.of("libcublas.so.12"),
            "Install it, with pip install nvidia-cublas%s or with the CUDA toolkit %d; elsewhere than in the places above, -D%s=FOLDER names it."
                .formatted(
                    major >= 13 ? "" : "-cu12", Math.max(12, major), LibrarySearch.PROPERTY)));
  }

  private int property(int type) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_INT);
      check("cublasGetProperty", (int) getProperty.invokeExact(type, out));
      return out.get(JAVA_INT, 0);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
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
  public int cudaVersion() {
    try {
      return (int) (long) getCudartVersion.invokeExact();
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public long create() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      check("cublasCreate_v2", (int) create.invokeExact(out));
      long handle = out.get(ADDRESS, 0).address();
      try {
        int mode = SUMS_AS_COMPUTED;
        check("cublasSetMathMode", (int) setMathMode.invokeExact(pointer(handle), mode));
      } catch (Throwable e) {
        destroy(handle);
        throw e;
      }
      return handle;
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void destroy(long handle) {
    try {
      check("cublasDestroy_v2", (int) destroy.invokeExact(pointer(handle)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void setStream(long handle, long stream) {
    try {
      check("cublasSetStream_v2", (int) setStream.invokeExact(pointer(handle), pointer(stream)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void setWorkspace(long handle, long workspace, long numBytes) {
    try {
      check(
          "cublasSetWorkspace_v2",
          (int) setWorkspace.invokeExact(pointer(handle), pointer(workspace), numBytes));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void gemm(
      long handle,
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      long a,
      int lda,
      long b,
      int ldb,
      long c,
      int ldc,
      Product product) {
    int operands = dataType(product.operands());
    int status;
    try {
      status =
          (int)
              gemmEx.invokeExact(
                  pointer(handle),
                  transposeA ? TRANSPOSED : 0,
                  transposeB ? TRANSPOSED : 0,
                  m,
                  n,
                  k,
                  one,
                  pointer(a),
                  operands,
                  lda,
                  pointer(b),
                  operands,
                  ldb,
                  zero,
                  pointer(c),
                  dataType(product.result()),
                  ldc,
                  product == Product.TF32 ? COMPUTE_TF32 : COMPUTE_FLOAT,
                  DEFAULT_ALGORITHM);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
    if (status != 0) {
      check("cublasGemmEx(m=%d, n=%d, k=%d)".formatted(m, n, k), status);
    }
  }

  private static int dataType(Scalar type) {
    return type == Scalar.BFLOAT16 ? DATA_BFLOAT16 : DATA_FLOAT;
  }

  private static MemorySegment pointer(long handle) {
    return MemorySegment.ofAddress(handle);
  }

  private void check(String call, int status) {
    if (status != 0) {
      throw new CudaException(
          status, call + ": " + text(getStatusName, status) + ", " + text(getStatusString, status));
    }
  }

  private static String text(MethodHandle handle, int status) {
    try {
      return Functions.text((MemorySegment) handle.invokeExact(status));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }
}
