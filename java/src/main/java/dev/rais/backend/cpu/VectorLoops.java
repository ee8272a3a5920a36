package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;

/**
 * Whether loops written with the Vector API are used: where the JVM was started with {@code
 * --add-modules jdk.incubator.vector}, unless the system property {@code rais.backend.vectors} is
 * {@code false}. They round differently from the others.
 */
final class VectorLoops {
  /** Narrower vectors come without the instructions that the loops need. */
  private static final int LEAST_LANES = 8;

  private static final boolean USABLE = isUsable();

  private VectorLoops() {}

  /** Whether to use them now. */
  static boolean areUsed() {
    return USABLE && !"false".equals(System.getProperty("rais.backend.vectors"));
  }

  private static boolean isUsable() {
    if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
      return false;
    }
    // An incubator module may change from release to release, so the loops are tried.
    try (Arena arena = Arena.ofConfined();
        Workers workers = new ForkJoinWorkers(1)) {
      int classes = 100;
      var one =
          new LossLayer(
              workers,
              classes,
              arena.allocate(JAVA_FLOAT, classes),
              arena.allocate(JAVA_INT),
              null,
              1f,
              arena.allocate(JAVA_FLOAT),
              arena.allocate(JAVA_FLOAT),
              arena.allocate(JAVA_FLOAT, classes),
              arena.allocate(1));
      one.runWithVectors(0, 1);
      return VectorLossRows.LANES >= LEAST_LANES;
    } catch (LinkageError e) {
      return false;
    }
  }
}
