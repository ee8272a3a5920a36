package dev.rais.backend.cuda;

import java.util.Set;

/**
 * A call of CUDA, cuBLAS or cuDNN that failed; the message names it and gives the library's text.
 */
public final class CudaException extends IllegalStateException {
  private static final long serialVersionUID = 1L;

  /**
   * Codes of the driver after which no call succeeds any more: uncorrectable memory errors, a GPU
   * that is gone, and what a kernel's failure leaves behind.
   */
  private static final Set<Integer> LOST =
      Set.of(46, 214, 220, 700, 702, 710, 714, 715, 716, 717, 718, 719, 999);

  private final int code;

  /**
   * A failure.
   *
   * @param code what it returned
   */
  public CudaException(int code, String message) {
    super(
        LOST.contains(code)
            ? "the GPU was lost, and what it held is gone (" + message + ")"
            : message);
    this.code = code;
  }

  /** Whether the device cannot be used by this process any more. */
  public boolean isLost() {
    return LOST.contains(code);
  }

  /** The code that it returned: a CUresult, cublasStatus_t or cudnnStatus_t. */
  public int code() {
    return code;
  }
}
