package dev.rais.backend.cuda.jcuda;

import java.util.function.LongFunction;
import jcuda.driver.CUstream;

/** Where cuBLAS and cuDNN get JCuda's objects of streams from. */
final class Streams {
  /** For a library that was opened without a driver: there are none. */
  static final LongFunction<CUstream> NONE =
      stream -> {
        throw new IllegalStateException("there is no CUDA driver, and so no stream " + stream);
      };

  private Streams() {}
}
