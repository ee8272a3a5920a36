package dev.rais.backend.cuda;

/** What matrices and tensors consist of, for {@link Blas} and {@link Dnn}. */
public enum Scalar {
  /** Single precision. */
  FLOAT32(4),
  /** The upper half of a float. */
  BFLOAT16(2);

  private final int numBytes;

  Scalar(int numBytes) {
    this.numBytes = numBytes;
  }

  /** Size of one in bytes. */
  public int numBytes() {
    return numBytes;
  }
}
