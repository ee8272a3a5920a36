package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.nio.ByteOrder.nativeOrder;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Vectors of floats from and to addresses in memory, which who calls has checked. A segment of its
 * own would ask for bounds and life at every access, and what C2 makes of that leaves it no room to
 * inline the rest of a loop: what is not inlined makes objects of vectors. Touch this class only
 * where {@link VectorLoops} are used.
 */
final class VectorMemory {
  static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;

  /** Floats of a vector. */
  static final int LANES = FLOATS.length();

  @SuppressWarnings("restricted")
  private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

  private VectorMemory() {}

  static FloatVector load(long address) {
    return FloatVector.fromMemorySegment(FLOATS, ALL, address, nativeOrder());
  }

  /** Reads, so that what lies there will be in the cache; use the result. */
  static int touch(long address) {
    return ALL.get(JAVA_INT_UNALIGNED, address);
  }

  static void store(FloatVector vector, long address) {
    vector.intoMemorySegment(ALL, address, nativeOrder());
  }
}
