package dev.rais.sampling;

/**
 * The robust values of the examples of one block of the history: the loop in which a refresh spends
 * its time. It is written twice, for every JVM and with the Vector API; both give the same bits.
 * For one thread.
 */
interface BlockValues {
  /**
   * Writes max(floor, v) of a block's examples, whether retired or not.
   *
   * @param first the first example, a multiple of {@link ExampleHistory#BLOCK}
   * @param length how many, {@link ExampleHistory#BLOCK} but in the last block
   * @param values receives them from {@code to} on
   * @return how many were raised to the floor
   */
  int fill(int first, int length, float[] values, int to);
}
