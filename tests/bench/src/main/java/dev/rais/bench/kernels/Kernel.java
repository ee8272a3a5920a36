package dev.rais.bench.kernels;

/** An operation with its operands, and the copy that it is measured against. */
interface Kernel extends AutoCloseable {
  /** Bytes that it cannot help reading and writing; 0 where bandwidth is not its measure. */
  long bytes();

  /** Bytes that {@link #copy} reads and writes. */
  long copyBytes();

  /** How often one call of {@link #run} and of the others does its work. */
  int repeats();

  /** Does it once and compares the results with a plain double-precision version. */
  void check();

  /** What is measured. */
  void run();

  /** The copy. */
  void copy();

  /** Whether {@link #runSeparately} does the same in steps. */
  default boolean hasSeparateSteps() {
    return false;
  }

  /** The same in separate steps. */
  default void runSeparately() {
    throw new UnsupportedOperationException();
  }

  @Override
  void close();
}
