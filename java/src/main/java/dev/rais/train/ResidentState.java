package dev.rais.train;

import static dev.rais.backend.ResidentSampler.Part.BOUND_HITS;
import static dev.rais.backend.ResidentSampler.Part.DEFERRED;
import static dev.rais.backend.ResidentSampler.Part.DEFERRED_INDICES;
import static dev.rais.backend.ResidentSampler.Part.DEFERRED_NORMS;
import static dev.rais.backend.ResidentSampler.Part.EFFECTIVE_ITERATIONS;
import static dev.rais.backend.ResidentSampler.Part.EPOCH_POSITION;
import static dev.rais.backend.ResidentSampler.Part.FEATURES;
import static dev.rais.backend.ResidentSampler.Part.FLOORED;
import static dev.rais.backend.ResidentSampler.Part.FROZEN;
import static dev.rais.backend.ResidentSampler.Part.GAIN_RATIO;
import static dev.rais.backend.ResidentSampler.Part.HISTORY;
import static dev.rais.backend.ResidentSampler.Part.ITERATION;
import static dev.rais.backend.ResidentSampler.Part.LEAVES;
import static dev.rais.backend.ResidentSampler.Part.MEANS;
import static dev.rais.backend.ResidentSampler.Part.MOMENTS;
import static dev.rais.backend.ResidentSampler.Part.NEXT_FEATURES;
import static dev.rais.backend.ResidentSampler.Part.NEXT_FROZEN;
import static dev.rais.backend.ResidentSampler.Part.REVISITS;
import static dev.rais.backend.ResidentSampler.Part.RING;
import static dev.rais.backend.ResidentSampler.Part.SET;
import static dev.rais.backend.ResidentSampler.Part.SLOTS;
import static dev.rais.backend.ResidentSampler.Part.WRITTEN;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import dev.rais.backend.ResidentSampler;
import dev.rais.backend.ResidentSampler.Part;
import dev.rais.sampling.ElementType;
import dev.rais.sampling.SamplerState;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * RAIS's state on its way between a {@link SamplerState}, which checkpoints hold, and a device,
 * which keeps the same values in other places. Both are little-endian.
 */
final class ResidentState {
  private static final int COLUMNS = 8;
  private static final int SET_LENGTH = 13;
  private static final int MEAN_FEATURES = 6;

  private final ResidentSampler device;
  private final ResidentSampler.Setting s;

  ResidentState(ResidentSampler device, ResidentSampler.Setting setting) {
    this.device = device;
    s = setting;
  }

  // ---- To the device ----

  /** Makes the device's state that of a sampler none of whose examples are retired. */
  void write(SamplerState state) {
    Map<String, SamplerState.Array> arrays = state.arrays();
    device.reset();
    writeLongs(ITERATION, longs(arrays, "sampler")[0]);
    long[] shuffle = longs(arrays, "shuffle");
    writeLongs(EPOCH_POSITION, Math.max(0, shuffle[0] * shuffle[2] + shuffle[1]));
    double[] advance = doubles(arrays, "sampler.advance");
    writeDoubles(GAIN_RATIO, advance[0]);
    writeDoubles(EFFECTIVE_ITERATIONS, advance[3]);
    if (!s.adaptive()) {
      return;
    }
    device.write(MOMENTS, arrays.get("gain").values());
    writeDoubles(BOUND_HITS, longs(arrays, "gain.boundHits")[0]);
    device.write(HISTORY, arrays.get("history").values());
    writeMeans(arrays);
    writeRing(arrays);
    writeLongs(FLOORED, longs(arrays, "rais")[4]);
    device.recount();
    if (arrays.containsKey("refresh.c")) {
      writeRefresh(arrays);
    } else if (arrays.containsKey("rais.frozen")) {
      device.write(FROZEN, frozen(arrays, "rais.frozen"));
    }
    if (arrays.containsKey("preparation")) {
      writePreparation(arrays);
    }
  }

  private void writeMeans(Map<String, SamplerState.Array> arrays) {
    double[] means = new double[1 + s.classes()];
    means[0] = doubles(arrays, "means.mean")[0];
    double[] ofClass = doubles(arrays, "means");
    int[] seen = arrays.get("means.seen").values().toArray(JAVA_INT_UNALIGNED);
    for (int k = 0; k < ofClass.length; k++) {
      means[1 + k] = seen[k] == 0 ? Double.NaN : ofClass[k];
    }
    writeDoubles(MEANS, means);
  }

  private void writeRing(Map<String, SamplerState.Array> arrays) {
    long columnBytes = (long) s.records() * Float.BYTES;
    MemorySegment ring = Arena.ofAuto().allocate(COLUMNS * columnBytes, Long.BYTES);
    for (int k = 0; k < COLUMNS; k++) {
      MemorySegment.copy(arrays.get(ringName(k)).values(), 0, ring, k * columnBytes, columnBytes);
    }
    device.write(RING, ring);
    long[] counts = longs(arrays, "ring");
    writeLongs(WRITTEN, counts[0]);
    writeLongs(REVISITS, counts[1]);
  }

  private static String ringName(int column) {
    return switch (column) {
      case COLUMNS - 2 -> "ring.norms";
      case COLUMNS - 1 -> "ring.weights";
      default -> "ring.features." + column;
    };
  }

  private void writeRefresh(Map<String, SamplerState.Array> arrays) {
    double[] c = doubles(arrays, "refresh.c");
    double[] dHat = doubles(arrays, "refresh.dHat");
    double[] set = Arrays.copyOf(c, SET_LENGTH);
    System.arraycopy(dHat, 0, set, c.length, dHat.length);
    set[SET_LENGTH - 1] = doubles(arrays, "refresh.hStar")[0];
    writeDoubles(SET, set);
    device.write(NEXT_FEATURES, arrays.get("refresh.meanFeatures").values());
    device.write(NEXT_FROZEN, frozen(arrays, "refresh.means"));
    device.write(LEAVES, arrays.get("rais.leaves").values());
    if (s.rounds()) {
      MemorySegment slots = arrays.get("rais.slots").values();
      if (slots.byteSize() != (long) s.roundSize() * Integer.BYTES) {
        throw new IllegalArgumentException(
            "a state has a round of %d draws, expected %d"
                .formatted(slots.byteSize() / Integer.BYTES, s.roundSize()));
      }
      device.write(SLOTS, slots);
    }
    device.resume();
  }

  private void writePreparation(Map<String, SamplerState.Array> arrays) {
    device.write(NEXT_FEATURES, arrays.get("preparation.meanFeatures").values());
    device.write(NEXT_FROZEN, frozen(arrays, "preparation.means"));
    if (s.rounds()) {
      MemorySegment indices = arrays.get("rais.deferred.indices").values();
      device.write(DEFERRED_INDICES, indices);
      device.write(DEFERRED_NORMS, arrays.get("rais.deferred.norms").values());
      writeLongs(DEFERRED, indices.byteSize() / Integer.BYTES);
    }
  }

  private MemorySegment frozen(Map<String, SamplerState.Array> arrays, String name) {
    MemorySegment all = Arena.ofAuto().allocate((1L + s.classes()) * Float.BYTES, Long.BYTES);
    MemorySegment.copy(arrays.get(name).values(), 0, all, 0, Float.BYTES);
    MemorySegment ofClass = arrays.get(name + ".ofClass").values();
    MemorySegment.copy(ofClass, 0, all, Float.BYTES, ofClass.byteSize());
    return all;
  }

  private void writeLongs(Part part, long... values) {
    device.write(part, MemorySegment.ofArray(values));
  }

  private void writeDoubles(Part part, double... values) {
    device.write(part, MemorySegment.ofArray(values));
  }

  private static long[] longs(Map<String, SamplerState.Array> arrays, String name) {
    return arrays.get(name).values().toArray(JAVA_LONG_UNALIGNED);
  }

  private static double[] doubles(Map<String, SamplerState.Array> arrays, String name) {
    return arrays.get(name).values().toArray(JAVA_DOUBLE_UNALIGNED);
  }

  // ---- From the device ----

  /**
   * What the device keeps of a state, and what no step changes.
   *
   * @param begun the state that the device began from
   * @param refreshed whether a set is in force
   */
  SamplerState read(SamplerState begun, boolean refreshed) {
    var arrays = new LinkedHashMap<String, SamplerState.Array>();
    begun
        .arrays()
        .forEach(
            (name, array) -> {
              if (name.startsWith("population")
                  || name.equals("means.labels")
                  || name.equals("outstanding")) {
                arrays.put(name, array);
              }
            });
    putLongs(arrays, "sampler", readLong(ITERATION), 0);
    double ratio = readDoubles(GAIN_RATIO, 1)[0];
    putDoubles(
        arrays, "sampler.advance", ratio, ratio, ratio, readDoubles(EFFECTIVE_ITERATIONS, 1)[0]);
    long position = readLong(EPOCH_POSITION);
    long epoch = position == 0 ? -1 : (position - 1) / s.examples();
    putLongs(
        arrays,
        "shuffle",
        epoch,
        position == 0 ? 0 : position - epoch * s.examples(),
        position == 0 ? 0 : s.examples());
    put(arrays, "gain", ElementType.F64, read(MOMENTS, 6L * Double.BYTES));
    putLongs(arrays, "gain.boundHits", (long) readDoubles(BOUND_HITS, 1)[0]);
    put(
        arrays,
        "history",
        ElementType.U8,
        read(HISTORY, begun.arrays().get("history").values().byteSize()));
    readRing(arrays);
    boolean anyNorm = readMeans(arrays);
    if (anyNorm) {
      putFrozen(arrays, "rais.frozen");
    }
    if (refreshed) {
      readRefresh(arrays, begun);
    }
    readDeferred(arrays);
    return new SamplerState(begun.sampler(), arrays);
  }

  private boolean readMeans(Map<String, SamplerState.Array> arrays) {
    double[] means = readDoubles(MEANS, 1 + s.classes());
    double[] ofClass = new double[s.classes()];
    int[] seen = new int[s.classes()];
    for (int k = 0; k < seen.length; k++) {
      seen[k] = Double.isNaN(means[1 + k]) ? 0 : 1;
      ofClass[k] = seen[k] == 0 ? 0 : means[1 + k];
    }
    putDoubles(arrays, "means", ofClass);
    put(arrays, "means.seen", ElementType.I32, copy(MemorySegment.ofArray(seen)));
    putDoubles(arrays, "means.mean", means[0]);
    return !Double.isNaN(means[0]);
  }

  private void readRing(Map<String, SamplerState.Array> arrays) {
    putLongs(arrays, "ring", readLong(WRITTEN), readLong(REVISITS));
    long columnBytes = (long) s.records() * Float.BYTES;
    MemorySegment ring = read(RING, COLUMNS * columnBytes);
    for (int k = 0; k < COLUMNS; k++) {
      put(arrays, ringName(k), ElementType.F32, ring.asSlice(k * columnBytes, columnBytes));
    }
  }

  private void readRefresh(Map<String, SamplerState.Array> arrays, SamplerState begun) {
    putFrozen(arrays, "refresh.means");
    put(
        arrays,
        "refresh.meanFeatures",
        ElementType.F64,
        read(FEATURES, (long) MEAN_FEATURES * Double.BYTES));
    int n = s.examples();
    putLongs(arrays, "rais.counts", n, n);
    put(
        arrays,
        "rais.weightSum",
        ElementType.F64,
        begun.arrays().get("population.weightSum").values());
    put(arrays, "rais.leaves", ElementType.U8, read(LEAVES, (long) n * Float.BYTES));
    put(
        arrays,
        "rais.slots",
        ElementType.I32,
        read(SLOTS, s.rounds() ? (long) s.roundSize() * Integer.BYTES : 0));
  }

  private void putFrozen(Map<String, SamplerState.Array> arrays, String name) {
    MemorySegment frozen = read(FROZEN, (1L + s.classes()) * Float.BYTES);
    put(arrays, name, ElementType.F32, frozen.asSlice(0, Float.BYTES));
    put(arrays, name + ".ofClass", ElementType.F32, frozen.asSlice(Float.BYTES));
  }

  private void readDeferred(Map<String, SamplerState.Array> arrays) {
    long waiting = Math.max(0, readLong(DEFERRED));
    put(
        arrays,
        "rais.deferred.indices",
        ElementType.I32,
        read(DEFERRED_INDICES, waiting * Integer.BYTES));
    put(
        arrays,
        "rais.deferred.norms",
        ElementType.F32,
        read(DEFERRED_NORMS, waiting * Float.BYTES));
  }

  private MemorySegment read(Part part, long numBytes) {
    MemorySegment values = Arena.ofAuto().allocate(numBytes, Long.BYTES);
    device.read(part, values);
    return values;
  }

  long readLong(Part part) {
    return read(part, Long.BYTES).get(JAVA_LONG_UNALIGNED, 0);
  }

  private double[] readDoubles(Part part, int count) {
    return read(part, (long) count * Double.BYTES).toArray(JAVA_DOUBLE_UNALIGNED);
  }

  private static MemorySegment copy(MemorySegment values) {
    return Arena.ofAuto().allocate(values.byteSize(), Long.BYTES).copyFrom(values);
  }

  private static void put(
      Map<String, SamplerState.Array> arrays, String name, ElementType type, MemorySegment values) {
    arrays.put(name, new SamplerState.Array(type, values));
  }

  private static void putLongs(
      Map<String, SamplerState.Array> arrays, String name, long... values) {
    put(arrays, name, ElementType.I64, copy(MemorySegment.ofArray(values)));
  }

  private static void putDoubles(
      Map<String, SamplerState.Array> arrays, String name, double... values) {
    put(arrays, name, ElementType.F64, copy(MemorySegment.ofArray(values)));
  }
}
