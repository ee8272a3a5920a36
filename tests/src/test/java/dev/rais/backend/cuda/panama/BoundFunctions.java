package dev.rais.backend.cuda.panama;

import dev.rais.natives.Functions;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What is bound of the three libraries, for tests of other packages: names, and how many
 * parameters.
 */
public final class BoundFunctions {
  private BoundFunctions() {}

  /** The driver's. */
  public static Map<String, Integer> ofDriver() {
    return counts(PanamaDriver.FUNCTIONS);
  }

  /** Those of cuBLAS. */
  public static Map<String, Integer> ofBlas() {
    return counts(PanamaBlas.FUNCTIONS);
  }

  /** Those of cuDNN. */
  public static Map<String, Integer> ofDnn() {
    return counts(PanamaDnn.FUNCTIONS);
  }

  private static Map<String, Integer> counts(List<Bound.Symbol> symbols) {
    Map<String, Integer> counts = new LinkedHashMap<>();
    symbols.forEach(s -> counts.put(s.name(), Functions.parameters(s.signature()).length()));
    return counts;
  }
}
