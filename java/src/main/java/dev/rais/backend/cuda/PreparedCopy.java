package dev.rais.backend.cuda;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.rais.backend.ResidentSampler;
import java.lang.foreign.MemorySegment;

/**
 * A copy in host memory of what the training of a set starts from, made by the stream while later
 * steps wait behind it; another thread waits for it.
 */
final class PreparedCopy implements AutoCloseable {
  private final Device device;
  private final SamplerMemory memory;
  private final MemorySegment totals;
  private final MemorySegment features;
  private final MemorySegment frozen;
  private final MemorySegment ring;
  private final MemorySegment host;
  private final long[] event = new long[1];
  private final Taken taken = new Taken();

  PreparedCopy(Device device, SamplerMemory memory, int classes, int records) {
    this.device = device;
    this.memory = memory;
    long totalBytes = (long) StateLayout.TOTALS * Long.BYTES;
    long featureBytes = (long) StateLayout.FEATURES * Double.BYTES;
    long ringBytes = (StateLayout.FEATURES + 2L) * records * Float.BYTES;
    long frozenBytes = (1L + classes) * Float.BYTES;
    host = device.allocateHost(totalBytes + featureBytes + ringBytes + frozenBytes);
    totals = host.asSlice(0, totalBytes);
    features = host.asSlice(totalBytes, featureBytes);
    ring = host.asSlice(totalBytes + featureBytes, ringBytes);
    frozen = host.asSlice(totalBytes + featureBytes + ringBytes, frozenBytes);
    taken.push(() -> device.driver().freeHost(host));
    try {
      device.createEvents(event, taken);
    } catch (Throwable e) {
      taken.giveBack(e);
      throw e;
    }
  }

  /** Puts the copies on the stream. */
  void begin() {
    copy(totals, StateLayout.STATE_TOTALS);
    copy(features, StateLayout.STATE_NEXT_FEATURES);
    copy(ring, StateLayout.STATE_RING);
    copy(frozen, StateLayout.STATE_NEXT_FROZEN);
    device.driver().record(event[0], device.queue().handle());
  }

  private void copy(MemorySegment to, int part) {
    device
        .driver()
        .copyToHost(to, memory.blockAt(part).address(), to.byteSize(), device.queue().handle());
  }

  /** Waits for the copies; by any thread. */
  ResidentSampler.Prepared await() {
    device.awaitElsewhere(event[0]);
    return new ResidentSampler.Prepared(
        totals.getAtIndex(JAVA_LONG, StateLayout.TOTAL_WRITTEN),
        totals.getAtIndex(JAVA_LONG, StateLayout.TOTAL_REVISITS),
        totals.getAtIndex(JAVA_LONG, StateLayout.TOTAL_SEEN),
        features.toArray(JAVA_DOUBLE),
        frozen.toArray(JAVA_FLOAT),
        ring.toArray(JAVA_FLOAT));
  }

  @Override
  public void close() {
    taken.giveBack();
  }
}
