package dev.rais.nn;

/**
 * What a layer's passes do with the memory around them, so that a {@link MemoryPlan} can use it for
 * something else meanwhile.
 *
 * @param keepsInput the backward pass reads the layer's input
 * @param keepsOutput the backward pass reads the layer's output
 * @param outputInPlace the output may lie where the input lies; a backward pass that reads the
 *     input still finds it, for then it does not
 * @param gradientInPlace the input's gradient may lie where the output's lies
 */
public record MemoryUse(
    boolean keepsInput, boolean keepsOutput, boolean outputInPlace, boolean gradientInPlace) {
  /** Both are read, nothing is done in place: safe for every layer. */
  public static final MemoryUse ALL = new MemoryUse(true, true, false, false);

  /** Only the input is read. */
  public static final MemoryUse INPUT = new MemoryUse(true, false, false, false);

  /** Neither is read, nothing is done in place. */
  public static final MemoryUse NONE = new MemoryUse(false, false, false, false);
}
