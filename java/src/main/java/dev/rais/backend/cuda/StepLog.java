package dev.rais.backend.cuda;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;

import dev.rais.backend.ResidentSampler;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * Metrics of the last steps, in host memory that kernels write to, and an event behind each step:
 * the host reads what has happened without holding up what is still to be done.
 */
final class StepLog implements AutoCloseable {
  private static final VarHandle STEP = field("step");
  private static final VarHandle LOSS = field("loss");
  private static final VarHandle GAIN_RATIO = field("gainRatio");
  private static final VarHandle GAIN_ESTIMATE = field("gainEstimate");
  private static final VarHandle EFFECTIVE_ITERATIONS = field("effectiveIterations");
  private static final VarHandle GRADIENT = field("gradientSquaredNorm");
  private static final VarHandle FLAGS = field("flags");

  private final Device device;
  private final Taken taken = new Taken();
  private final MemorySegment slots;
  private final long[] events = new long[ResidentSampler.METRICS_KEPT];

  StepLog(Device device) {
    this.device = device;
    slots = device.allocateHost(events.length * StateLayout.STEP_METRICS.byteSize());
    taken.push(() -> device.driver().freeHost(slots));
    try {
      device.createEvents(events, taken);
    } catch (Throwable e) {
      taken.giveBack(e);
      throw e;
    }
  }

  private static VarHandle field(String name) {
    return StateLayout.STEP_METRICS.varHandle(groupElement(name));
  }

  /** Where {@link StateKernels#gain} leaves metrics. */
  MemorySegment ring() {
    return slots;
  }

  /** How many slots the ring has. */
  int length() {
    return events.length;
  }

  /** A step was put on the stream. */
  void stepped(long iteration) {
    device.driver().record(event(iteration), device.queue().handle());
  }

  private long event(long iteration) {
    return events[(int) (iteration % events.length)];
  }

  /** Metrics of a step; waits until it is done. */
  ResidentSampler.StepMetrics read(long iteration) {
    device.driver().await(event(iteration));
    MemorySegment slot =
        slots.asSlice(
            iteration % events.length * StateLayout.STEP_METRICS.byteSize(),
            StateLayout.STEP_METRICS);
    long found = (long) STEP.get(slot, 0L);
    if (found != iteration + 1) {
      throw new IllegalStateException(
          "the device's metrics are those of step %d, expected step %d"
              .formatted(found - 1, iteration));
    }
    return new ResidentSampler.StepMetrics(
        (double) LOSS.get(slot, 0L),
        (double) GAIN_RATIO.get(slot, 0L),
        (double) GAIN_ESTIMATE.get(slot, 0L),
        (double) EFFECTIVE_ITERATIONS.get(slot, 0L),
        (double) GRADIENT.get(slot, 0L),
        (int) FLAGS.get(slot, 0L) == 0);
  }

  @Override
  public void close() {
    taken.giveBack();
  }
}
