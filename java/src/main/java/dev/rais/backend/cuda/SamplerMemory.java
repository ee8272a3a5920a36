package dev.rais.backend.cuda;

import dev.rais.backend.ResidentSampler.Part;
import dev.rais.backend.ResidentSampler.Setting;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** A device's memory for a sampler (docs/sampler-on-device.md): where everything lies. */
final class SamplerMemory implements AutoCloseable {
  /** Leaves and sums of all examples, and with rounds the slots made from them. */
  final class Distribution {
    final MemorySegment leaves = place(sampling.sumTreeLeaves(s.examples()) * Float.BYTES);
    final MemorySegment sums = place(sampling.sumTreeSums(s.examples()) * Double.BYTES);
    final MemorySegment slots = place((long) s.roundSize() * Integer.BYTES);
    final MemorySegment position = place(Long.BYTES);
  }

  /** Null where memory is only counted. */
  private final Device device;

  private final Setting s;
  private final SamplingKernels sampling;
  private final StateKernels state;
  private final List<Long> taken = new ArrayList<>();
  private long numBytes;

  final MemorySegment labels;

  /** Null where all weights are 1. */
  final MemorySegment objective;

  final MemorySegment indices;
  final MemorySegment importance;
  final MemorySegment shadow;
  final MemorySegment gain;
  final MemorySegment schedule;
  final MemorySegment gradientNorm;
  final MemorySegment rate;
  final MemorySegment accepted;
  final MemorySegment iteration;
  final MemorySegment epochPosition;

  // Only where norms are remembered; else null.
  final MemorySegment history;
  final MemorySegment block;
  final MemorySegment features;
  final MemorySegment values;
  final MemorySegment filled;
  final MemorySegment roundNumber;
  final MemorySegment featuresInForce;
  final MemorySegment flooredBefore;
  private Distribution distribution;

  /** With rounds, where the next one is made; else the same as the one in force. */
  private Distribution spare;

  private int exchanges;

  SamplerMemory(Device device, Setting setting) {
    this(device, device.kernels, setting);
  }

  /** Bytes that a setting takes. */
  static long numBytes(Kernels kernels, Setting setting) {
    return new SamplerMemory(null, kernels, setting).numBytes;
  }

  private SamplerMemory(Device device, Kernels kernels, Setting setting) {
    this.device = device;
    s = setting;
    sampling = kernels.sampling();
    state = kernels.state();
    long m = s.batch();
    labels = filled(MemorySegment.ofArray(s.labels()));
    objective =
        s.objective() == null ? MemorySegment.NULL : filled(MemorySegment.ofArray(s.objective()));
    schedule = filled(MemorySegment.ofArray(s.schedule()));
    indices = place(m * Integer.BYTES);
    importance = place(m * Float.BYTES);
    shadow = place(m * Float.BYTES);
    gain = place((long) StateLayout.GAIN_LENGTH * Double.BYTES);
    gradientNorm = place(Double.BYTES);
    rate = place(Float.BYTES);
    accepted = place(Integer.BYTES);
    iteration = place(Long.BYTES);
    epochPosition = place(Long.BYTES);
    boolean adaptive = s.adaptive();
    history = adaptive ? place(state.stateHistoryBytes(s.examples())) : null;
    block = adaptive ? place(state.stateBytes(s.classes(), s.records(), s.deferrable())) : null;
    features = adaptive ? place(m * StateLayout.FEATURES * Float.BYTES) : null;
    values = adaptive ? place(m * Float.BYTES) : null;
    filled = adaptive ? place(Integer.BYTES) : null;
    roundNumber = adaptive ? place(Long.BYTES) : null;
    featuresInForce = adaptive ? place((long) StateLayout.FEATURES * Double.BYTES) : null;
    flooredBefore = adaptive ? place(Long.BYTES) : null;
    distribution = adaptive ? new Distribution() : null;
    spare = adaptive && s.rounds() ? new Distribution() : distribution;
  }

  /** Zeros; at least one element, so that nothing is null that is not said to be. */
  private MemorySegment place(long numBytes) {
    long atLeast = Math.max(Long.BYTES, numBytes);
    this.numBytes += atLeast;
    if (device == null) {
      return MemorySegment.NULL;
    }
    long pointer;
    try {
      pointer = device.allocate(atLeast);
    } catch (CudaException e) {
      close(); // nobody else can, as the constructor fails
      throw e;
    }
    taken.add(pointer);
    device.zero(pointer, atLeast);
    return MemorySegment.ofAddress(pointer);
  }

  private MemorySegment filled(MemorySegment values) {
    MemorySegment place = place(values.byteSize());
    if (device != null) {
      device.upload(values, place.address());
    }
    return place;
  }

  /** What draws come from. */
  Distribution distribution() {
    return distribution;
  }

  Distribution spare() {
    return spare;
  }

  /** With rounds, what was built takes the place of what is in force. */
  void exchange() {
    Distribution used = distribution;
    distribution = spare;
    spare = used;
    exchanges++;
  }

  /** Which of the two distributions is in force. */
  int parity() {
    return exchanges % 2;
  }

  /** Where a part of the block lies. */
  MemorySegment blockAt(int part) {
    return at(block, state.stateOffset(s.classes(), s.records(), s.deferrable(), part));
  }

  private MemorySegment total(int number) {
    return at(blockAt(StateLayout.STATE_TOTALS), (long) number * Long.BYTES);
  }

  private MemorySegment gainAt(int number) {
    return at(gain, (long) number * Double.BYTES);
  }

  private static MemorySegment at(MemorySegment base, long offset) {
    return MemorySegment.ofAddress(base.address() + offset);
  }

  /** Where a part of the state lies. */
  MemorySegment at(Part part) {
    return switch (part) {
      case ITERATION -> iteration;
      case EPOCH_POSITION -> epochPosition;
      case HISTORY -> history;
      case MEANS -> blockAt(StateLayout.STATE_MEANS);
      case FROZEN -> blockAt(StateLayout.STATE_FROZEN);
      case RING -> blockAt(StateLayout.STATE_RING);
      case WRITTEN -> total(StateLayout.TOTAL_WRITTEN);
      case REVISITS -> total(StateLayout.TOTAL_REVISITS);
      case FLOORED -> total(StateLayout.TOTAL_FLOORED);
      case FLOORED_BEFORE -> flooredBefore;
      case DEFERRED -> total(StateLayout.TOTAL_DEFERRED);
      case DEFERRED_INDICES -> blockAt(StateLayout.STATE_DEFERRED_INDICES);
      case DEFERRED_NORMS -> blockAt(StateLayout.STATE_DEFERRED_NORMS);
      case SET -> blockAt(StateLayout.STATE_SET);
      case NEXT_FEATURES -> blockAt(StateLayout.STATE_NEXT_FEATURES);
      case NEXT_FROZEN -> blockAt(StateLayout.STATE_NEXT_FROZEN);
      case FEATURES -> featuresInForce;
      case LEAVES -> distribution.leaves;
      case SLOTS -> distribution.slots;
      case MOMENTS -> gain;
      case BOUND_HITS -> gainAt(StateLayout.GAIN_BOUND_HITS);
      case GAIN_RATIO -> gainAt(StateLayout.GAIN_RATIO);
      case EFFECTIVE_ITERATIONS -> gainAt(StateLayout.GAIN_ITERATIONS);
    };
  }

  @Override
  public void close() {
    taken.forEach(device::free);
    taken.clear();
  }
}
