package dev.rais.nn;

import java.util.List;

/**
 * What a layer asks for: a parameter's name, shape and initial spread.
 *
 * @param name name within the layer: "weight" or "bias"
 * @param dims sizes, outermost first
 * @param fanIn inputs to one output; He initialisation draws from N(0, 2/fanIn); 0 starts at zero
 */
public record ParameterSpec(String name, List<Integer> dims, int fanIn) {
  /** Copies the sizes. */
  public ParameterSpec {
    dims = List.copyOf(dims);
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
