package dev.rais.backend.cuda.jcuda;

import dev.rais.backend.cuda.CudaException;
import java.util.function.IntFunction;
import java.util.function.IntSupplier;

/**
 * Makes exceptions of what JCuda's calls return. A program may have told JCuda to throw instead,
 * with JCuda's name of the status, which is then looked up.
 */
final class Statuses {
  private final IntFunction<String> names;
  private final int last;
  private final IntFunction<String> texts;

  /**
   * Statuses of a library.
   *
   * @param names JCuda's names
   * @param last the greatest number that has one
   * @param texts the library's texts
   */
  Statuses(IntFunction<String> names, int last, IntFunction<String> texts) {
    this.names = names;
    this.last = last;
    this.texts = texts;
  }

  /**
   * Makes a call.
   *
   * @param name of the call, a format for the values if there are any
   * @throws CudaException if it returns anything but 0
   */
  void check(String name, IntSupplier call, Object... values) {
    int status;
    try {
      status = call.getAsInt();
    } catch (jcuda.CudaException e) {
      status = number(e);
    }
    if (status != 0) {
      throw new CudaException(status, name.formatted(values) + ": " + texts.apply(status));
    }
  }

  private int number(jcuda.CudaException e) {
    for (int status = 1; status <= last; status++) {
      if (names.apply(status).equals(e.getMessage())) {
        return status;
      }
    }
    throw e;
  }
}
