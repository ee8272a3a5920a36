package dev.rais.backend.cuda;

/**
 * A call of a kernel's launcher that failed. The message is the library's: it names the function,
 * its shape, and the argument with its value, or gives CUDA's error text.
 */
public final class KernelException extends IllegalStateException {
  private static final long serialVersionUID = 1L;

  /** What kind of failure it is; in the order of the header's statuses, from 1 on. */
  public enum Status {
    /** An argument is wrong; nothing was put on the stream. */
    INVALID_ARGUMENT,
    /** CUDA reported an error. */
    CUDA_ERROR,
    /** The arguments are not supported; nothing was put on the stream. */
    UNSUPPORTED
  }

  private final Status status;

  KernelException(Status status, String message) {
    super(message);
    this.status = status;
  }

  /** What kind of failure it is. */
  public Status status() {
    return status;
  }
}
