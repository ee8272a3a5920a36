package dev.rais.backend.cuda.jcuda;

import dev.rais.backend.cuda.CudaException;
import dev.rais.backend.cuda.LibrarySearch;

/**
 * A program of its own for {@link ForwardingTest}: opens cuBLAS 13 by way of JCublas and the
 * library that it is given, and prints what cuBLAS says.
 */
final class ForwardingProbe {
  private ForwardingProbe() {}

  public static void main(String[] args) {
    JCudaBlas blas = JCudaBlas.open(LibrarySearch.ofThisMachine(), args[0], Streams.NONE);
    System.out.println(blas.description());
    System.out.println(blas.cudaVersion());
    try {
      blas.destroy(blas.create());
      System.out.println("a handle was made");
    } catch (CudaException e) {
      System.out.println(e.getMessage());
    }
  }
}
