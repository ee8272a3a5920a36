package dev.rais.backend.cuda.panama;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.Requirements;
import dev.rais.backend.cuda.CudaException;
import dev.rais.backend.cuda.CudaUnavailableException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * cuBLAS as far as it goes without a GPU: its functions have the types that are bound. Needs the
 * library: {@code RAIS_CUDA_PATH} or {@code -Drais.cuda.path} says where, as for RAIS itself.
 */
class PanamaBlasTest {
  private PanamaBlas blas;

  @BeforeEach
  void open() {
    try {
      blas = PanamaBlas.open(13_000);
    } catch (CudaUnavailableException e) {
      Requirements.need("cublas", false, e.getMessage());
    }
  }

  @Test
  void itTellsItsVersionAndItsFile() {
    assertTrue(blas.description().matches("cuBLAS 1[23]\\.\\d+\\.\\d+"), blas.description());
    int major = Integer.parseInt(blas.description().replaceFirst("cuBLAS (\\d+).*", "$1"));
    assertTrue(blas.file().isAbsolute(), blas.file().toString());
    assertEquals(major, blas.cudaVersion() / 1000, blas.description());
  }

  @Test
  void functionsAndConstantsAreTheHeaders() throws Exception {
    var headers = ToolkitHeaders.beside(blas.file(), "cublas", "cublas_api.h");
    headers.declare(PanamaBlas.FUNCTIONS, "CUBLASWINAPI");
    headers.constant("CUBLAS_OP_N", 0);
    headers.constant("CUBLAS_OP_T", PanamaBlas.TRANSPOSED);
    headers.constant("CUBLAS_COMPUTE_32F", PanamaBlas.COMPUTE_FLOAT);
    headers.constant("CUBLAS_COMPUTE_32F_FAST_TF32", PanamaBlas.COMPUTE_TF32);
    headers.constant(
        "CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION", PanamaBlas.SUMS_AS_COMPUTED);
    headers.constant("CUBLAS_GEMM_DEFAULT", PanamaBlas.DEFAULT_ALGORITHM);
  }

  @Test
  void aFailedCallTellsWhichAndWhy() {
    var e = assertThrows(CudaException.class, () -> blas.setStream(0, 0));
    assertTrue(
        e.getMessage().startsWith("cublasSetStream_v2: CUBLAS_STATUS_NOT_INITIALIZED, "),
        e.getMessage());
    assertEquals(1, e.code());
  }
}
