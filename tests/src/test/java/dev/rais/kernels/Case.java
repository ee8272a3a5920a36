package dev.rais.kernels;

import java.util.function.Consumer;

/**
 * A row of the suite's table.
 *
 * @param function the function of the header that it tries
 * @param name shape, type and kind of data, for the report
 * @param body makes operands, runs the kernel and compares
 */
record Case(String function, String name, Consumer<Trial> body) {
  @Override
  public String toString() {
    return function + " " + name;
  }
}
