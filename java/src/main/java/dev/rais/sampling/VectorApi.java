package dev.rais.sampling;

/**
 * Whether loops written with the Vector API are used: where the JVM was started with {@code
 * --add-modules jdk.incubator.vector}, unless the system property {@code rais.sampling.vectors} is
 * {@code false}.
 */
final class VectorApi {
  /** Fewer examples take a millisecond anyway, less than warming these loops up costs. */
  private static final int LEAST_EXAMPLES = 1 << 20;

  /** Narrower vectors come without the instructions that the loops need. */
  private static final int LEAST_LANES = 8;

  private static final boolean USABLE = isUsable();

  private VectorApi() {}

  /** Whether to use them for so many examples. */
  static boolean pays(long examples) {
    return USABLE
        && examples >= LEAST_EXAMPLES
        && !"false".equals(System.getProperty("rais.sampling.vectors"));
  }

  private static boolean isUsable() {
    if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
      return false;
    }
    // An incubator module may change from release to release, so the loops are tried.
    try (ExampleHistory history = new ExampleHistory(ExampleHistory.BLOCK)) {
      for (int classes : new int[] {1, 1000}) {
        RobustValues.Terms terms = new RobustValues.Terms(new float[2 * classes], 1, 1, 1, 1);
        int[] labels = new int[ExampleHistory.BLOCK];
        float[] values = new float[ExampleHistory.BLOCK];
        new VectorBlockValues(terms, history, labels).fill(0, values.length, values, 0);
        new VectorLeafSums().sum(values, 1, new double[1]);
      }
      return VectorBlockValues.LANES >= LEAST_LANES;
    } catch (LinkageError e) {
      return false;
    }
  }
}
