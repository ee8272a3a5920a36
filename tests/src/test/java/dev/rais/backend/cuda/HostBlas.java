package dev.rais.backend.cuda;

import java.nio.file.Path;

/** cuBLAS on the host: the definition of a product, in double. */
final class HostBlas implements Blas {
  private final HostQueue queue;
  private final HostDriver driver;
  private long handle;
  private long workspace;
  private long workspaceBytes;

  HostBlas(HostQueue queue, HostDriver driver) {
    this.queue = queue;
    this.driver = driver;
  }

  @Override
  public String description() {
    return "products in Java";
  }

  @Override
  public Path file() {
    return Path.of("/none");
  }

  @Override
  public int cudaVersion() {
    return 13_000;
  }

  @Override
  public long create() {
    handle = queue.newHandle();
    return handle;
  }

  @Override
  public void destroy(long handle) {
    require(handle);
    this.handle = 0;
  }

  private void require(long handle) {
    if (handle == 0 || handle != this.handle) {
      throw new AssertionError(handle + " is no handle of cuBLAS");
    }
  }

  @Override
  public void setStream(long handle, long stream) {
    require(handle);
    workspaceBytes = 0;
  }

  @Override
  public void setWorkspace(long handle, long pointer, long numBytes) {
    require(handle);
    workspace = pointer;
    workspaceBytes = numBytes;
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
    require(handle);
    if (workspaceBytes == 0) {
      throw new AssertionError(
          "without a workspace cuBLAS allocates one, which cannot be captured");
    }
    queue.submit(
        "gemm " + m + " " + n + " " + k,
        () -> {
          driver.spoil(workspace, workspaceBytes);
          multiply(product, transposeA, transposeB, m, n, k, a, lda, b, ldb, c, ldc);
        });
  }

  private void multiply(
      Product product,
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
      int ldc) {
    if (lda < (transposeA ? k : m) || ldb < (transposeB ? n : k) || ldc < m) {
      throw new AssertionError("a column is longer than its leading dimension");
    }
    if (ldc != m) {
      throw new AssertionError("results with gaps are none of the backend's");
    }
    Scalar type = product.operands();
    float[] first = driver.numbers(type, a, columns(transposeA ? m : k, transposeA ? k : m, lda));
    float[] second = driver.numbers(type, b, columns(transposeB ? k : n, transposeB ? n : k, ldb));
    // Column l of the first factor, one after the other.
    double[] columns = new double[m * k];
    for (int l = 0; l < k; l++) {
      for (int i = 0; i < m; i++) {
        columns[l * m + i] = first[transposeA ? i * lda + l : l * lda + i];
      }
    }
    double[] result = new double[m * n];
    for (int j = 0; j < n; j++) {
      for (int l = 0; l < k; l++) {
        double factor = second[transposeB ? l * ldb + j : j * ldb + l];
        for (int i = 0; i < m; i++) {
          result[j * m + i] += factor * columns[l * m + i];
        }
      }
    }
    driver.write(product.result(), c, result);
  }

  /** Numbers from the first to the last element of a matrix stored by columns. */
  private static long columns(int columns, int rows, int leading) {
    return (long) (columns - 1) * leading + rows;
  }
}
