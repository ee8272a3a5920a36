package dev.rais.backend.cuda;

/**
 * A call of CUDA, cuBLAS or cuDNN that failed; the message names it and gives the library's text.
 */
public final class CudaException extends IllegalStateException {
  private static final long serialVersionUID = 1L;

  private final int code;

  /**
   * A failure.
   *
   * @param code what it returned
   */
  public CudaException(int code, String message) {
    super(message);
    this.code = code;
  }

  /** The code that it returned: a CUresult, cublasStatus_t or cudnnStatus_t. */
  public int code() {
    return code;
  }
}
