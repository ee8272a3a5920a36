package dev.rais.backend.cuda;

/** A call of the CUDA driver that failed; the message names the call and gives CUDA's text. */
public final class CudaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int code;

  /**
   * A failure.
   *
   * @param code the CUresult
   */
  public CudaException(int code, String message) {
    super(message);
    this.code = code;
  }

  /** The CUresult. */
  public int code() {
    return code;
  }
}
