package dev.rais.nn;

import java.util.List;

/**
 * What a layer asks for: the name, shape and initial values of a parameter or of a state.
 *
 * @param name name within the layer: "weight", "bias", "running_mean"
 * @param dims sizes, outermost first
 * @param fanIn inputs to one output; He initialisation draws from N(0, 2/fanIn); 0 for a constant
 * @param constant initial value of every element where fanIn is 0
 */
public record TensorSpec(String name, List<Integer> dims, int fanIn, float constant) {
  /** Copies the sizes. */
  public TensorSpec {
    dims = List.copyOf(dims);
  }

  /** Initial values drawn from N(0, 2/fanIn) (He et al. 2015). */
  public static TensorSpec drawn(String name, List<Integer> dims, int fanIn) {
    return new TensorSpec(name, dims, fanIn, 0);
  }

  /** All elements start at the same value. */
  public static TensorSpec constant(String name, List<Integer> dims, float value) {
    return new TensorSpec(name, dims, 0, value);
  }

  /** Number of elements. */
  public long count() {
    long count = 1;
    for (int d : dims) {
      count = Math.multiplyExact(count, (long) d);
    }
    return count;
  }
}
