package dev.rais.backend.cuda.jcuda;

import static dev.rais.backend.cuda.jcuda.JCudaPointers.pointer;
import static jcuda.jcublas.JCublas2.cublasCreate;
import static jcuda.jcublas.JCublas2.cublasDestroy;
import static jcuda.jcublas.JCublas2.cublasGemmEx;
import static jcuda.jcublas.JCublas2.cublasGetCudartVersion;
import static jcuda.jcublas.JCublas2.cublasGetProperty;
import static jcuda.jcublas.JCublas2.cublasGetStatusName;
import static jcuda.jcublas.JCublas2.cublasGetStatusString;
import static jcuda.jcublas.JCublas2.cublasSetMathMode;
import static jcuda.jcublas.JCublas2.cublasSetStream;
import static jcuda.jcublas.JCublas2.cublasSetWorkspace;

import dev.rais.backend.cuda.Blas;
import dev.rais.backend.cuda.CudaException;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.LibrarySearch;
import dev.rais.backend.cuda.Scalar;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.function.LongFunction;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.driver.CUstream;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;

/**
 * {@code libcublas.so.12} through JCublas, which takes no other version. {@value #PROPERTY} names a
 * library that forwards to cuBLAS 13, for machines that have only that.
 */
public final class JCudaBlas implements Blas {
  /** System property: the file that {@code native-build/build cublas12-on-13} has made. */
  public static final String PROPERTY = "rais.jcuda.cublas";

  private static final int DEFAULT_ALGORITHM = -1;

  /** Parts of a product are added in the type to compute in. */
  private static final int SUMS_AS_COMPUTED =
      cublasMath.CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;

  private static final class Handle extends cublasHandle implements Handles.Handle {
    private int mathMode;

    @Override
    public long handle() {
      return getNativePointer();
    }
  }

  private final Handles<Handle> handles = new Handles<>("handle of cuBLAS");
  private final Statuses statuses =
      new Statuses(
          cublasStatus::stringFor,
          cublasStatus.CUBLAS_STATUS_NOT_SUPPORTED,
          s -> cublasGetStatusName(s) + ", " + cublasGetStatusString(s));
  private final Path file;
  private final LongFunction<CUstream> streams;
  private final String description;

  /** Host memory of the factors 1 and 0, read whenever a call is made: alive as long as this. */
  private final MemorySegment factors = Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, 1f, 0f);

  private final Pointer one = pointer(factors.address());
  private final Pointer zero = pointer(factors.address() + Float.BYTES);

  private JCudaBlas(Path file, String through, LongFunction<CUstream> streams) {
    this.file = file;
    this.streams = streams;
    description = "cuBLAS %d.%d.%d%s".formatted(property(0), property(1), property(2), through);
  }

  /**
   * Loads cuBLAS.
   *
   * @param driver which makes the streams
   * @throws CudaUnavailableException with every place that was tried and what was wrong there
   */
  public static JCudaBlas open(JCudaDriver driver) {
    return open(LibrarySearch.ofThisMachine(), System.getProperty(PROPERTY), driver::stream);
  }

  /** The same without a driver, which calls that take a stream need. */
  public static JCudaBlas open() {
    return open(LibrarySearch.ofThisMachine(), System.getProperty(PROPERTY), Streams.NONE);
  }

  static JCudaBlas open(LibrarySearch search, String forwarding, LongFunction<CUstream> streams) {
    JCudaLibrary.BLAS.requireClasses();
    Path file;
    String through = "";
    if (forwarding == null) {
      file = search.load("cuBLAS", List.of("libcublas.so.12"), whatToDo()).file();
    } else {
      file = search.load("cuBLAS", List.of("libcublas.so.13"), whatToInstall("13", "")).file();
      through = " through " + forward(forwarding);
    }
    JCudaLibrary.BLAS.load(JCublas2::initialize);
    return new JCudaBlas(file, through, streams);
  }

  private static Path forward(String forwarding) {
    Path file = Path.of(forwarding).toAbsolutePath();
    try {
      return LibrarySearch.open(file).file();
    } catch (CudaUnavailableException e) {
      throw new CudaUnavailableException(
          "the library that -D%s names, %s, cannot be used: %s; native-build/build cublas12-on-13 makes one"
              .formatted(PROPERTY, file, e.getMessage()),
          e);
    }
  }

  private static String whatToInstall(String version, String suffix) {
    return "Install it, with pip install nvidia-cublas%s or with the CUDA toolkit %s; elsewhere than in the places above, -D%s=FOLDER names it."
        .formatted(suffix, version, LibrarySearch.PROPERTY);
  }

  private static String whatToDo() {
    return whatToInstall("12", "-cu12")
        + " Where there is only cuBLAS 13, native-build/build cublas12-on-13 makes a library that"
        + " forwards to it, which -D"
        + PROPERTY
        + "=FILE names; or use the binding panama.";
  }

  private int property(int type) {
    int[] out = new int[1];
    statuses.check("cublasGetProperty", () -> cublasGetProperty(type, out));
    return out[0];
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
    return (int) cublasGetCudartVersion();
  }

  @Override
  public long create() {
    Handle out = new Handle();
    statuses.check("cublasCreate_v2", () -> cublasCreate(out));
    long handle = handles.keep(out);
    try {
      setMathMode(out, cublasMath.CUBLAS_DEFAULT_MATH | SUMS_AS_COMPUTED);
    } catch (CudaException e) {
      destroy(handle);
      throw e;
    }
    return handle;
  }

  @Override
  public void destroy(long handle) {
    Handle object = handles.remove(handle);
    statuses.check("cublasDestroy_v2", () -> cublasDestroy(object));
  }

  @Override
  public void setStream(long handle, long stream) {
    Handle object = handles.get(handle);
    var on = new cudaStream_t(streams.apply(stream));
    statuses.check("cublasSetStream_v2", () -> cublasSetStream(object, on));
  }

  @Override
  public void setWorkspace(long handle, long workspace, long numBytes) {
    Handle object = handles.get(handle);
    statuses.check(
        "cublasSetWorkspace_v2", () -> cublasSetWorkspace(object, pointer(workspace), numBytes));
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
    Handle object = handles.get(handle);
    allowTf32(object, product == Product.TF32);
    int operands = dataType(product.operands());
    int result = dataType(product.result());
    statuses.check(
        "cublasGemmEx(m=%d, n=%d, k=%d)",
        () ->
            cublasGemmEx(
                object,
                operation(transposeA),
                operation(transposeB),
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
                result,
                ldc,
                cudaDataType.CUDA_R_32F,
                DEFAULT_ALGORITHM),
        m,
        n,
        k);
  }

  /**
   * JCublas's GemmEx takes the type to compute in as of CUDA 10: CUDA_R_32F, of which cuBLAS makes
   * CUBLAS_COMPUTE_32F. Whether that may be TF32 is then the handle's mode.
   */
  private void allowTf32(Handle handle, boolean tf32) {
    int math = tf32 ? cublasMath.CUBLAS_TF32_TENSOR_OP_MATH : cublasMath.CUBLAS_DEFAULT_MATH;
    if (handle.mathMode != (math | SUMS_AS_COMPUTED)) {
      setMathMode(handle, math | SUMS_AS_COMPUTED);
    }
  }

  private void setMathMode(Handle handle, int mode) {
    statuses.check("cublasSetMathMode", () -> cublasSetMathMode(handle, mode));
    handle.mathMode = mode;
  }

  private static int dataType(Scalar type) {
    return type == Scalar.BFLOAT16 ? cudaDataType.CUDA_R_16BF : cudaDataType.CUDA_R_32F;
  }

  private static int operation(boolean transposed) {
    return transposed ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N;
  }
}
