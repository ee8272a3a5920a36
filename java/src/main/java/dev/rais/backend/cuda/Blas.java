package dev.rais.backend.cuda;

import java.nio.file.Path;

/**
 * What we use of cuBLAS: one method per call, handles and device pointers as longs. Each call
 * throws {@link CudaException} if it fails, and works in the context that is current for the
 * calling thread.
 */
public interface Blas {
  /** The library's name and version, for people. */
  String description();

  /** The library's file. */
  Path file();

  /** The CUDA that the library was made for, as 1000 major + 10 minor. */
  int cudaVersion();

  /** What the matrices of a product consist of; sums are floats in all of them. */
  enum Product {
    /** Floats. */
    FLOAT32(Scalar.FLOAT32, Scalar.FLOAT32),
    /** Floats, which may be rounded to TF32 for the tensor cores before they are multiplied. */
    TF32(Scalar.FLOAT32, Scalar.FLOAT32),
    /** bfloat16s. */
    BFLOAT16(Scalar.BFLOAT16, Scalar.BFLOAT16),
    /** bfloat16s to floats. */
    BFLOAT16_TO_FLOAT32(Scalar.BFLOAT16, Scalar.FLOAT32);

    private final Scalar operands;
    private final Scalar result;

    Product(Scalar operands, Scalar result) {
      this.operands = operands;
      this.result = result;
    }

    /** Type of A and B. */
    public Scalar operands() {
      return operands;
    }

    /** Type of C. */
    public Scalar result() {
      return result;
    }
  }

  /**
   * A handle for the current context, whose products are summed in float however they are divided
   * up: cuBLAS may otherwise add parts of a product in bfloat16.
   */
  long create();

  /** Destroys a handle. */
  void destroy(long handle);

  /**
   * Chooses the stream that work goes to. The handle falls back to a workspace of its own: {@link
   * #setWorkspace} comes after.
   */
  void setStream(long handle, long stream);

  /** Gives a handle its workspace, aligned to 256 bytes, so that it allocates none of its own. */
  void setWorkspace(long handle, long pointer, long numBytes);

  /**
   * C = op(A) op(B) for matrices stored column by column: op(A) is [m, k], op(B) [k, n], C [m, n].
   *
   * @param transposeA whether op(A) is Aᵀ
   * @param transposeB whether op(B) is Bᵀ
   * @param lda rows of A as it is stored, or more
   * @param product what they consist of
   */
  void gemm(
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
      Product product);
}
