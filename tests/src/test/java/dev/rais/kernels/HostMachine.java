package dev.rais.kernels;

import dev.rais.backend.cuda.KernelLibrary;
import dev.rais.backend.cuda.Kernels;
import dev.rais.natives.Functions;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/** The kernels' sources on the CPU (docs/cuda-on-host.md). */
@SuppressWarnings("restricted") // native access is what this class is for
final class HostMachine implements Machine {
  private static final int ALIGNMENT = 256;

  /** Orders of blocks and threads; 0 is by number, and a missing barrier may well survive that. */
  private static final long[] SCHEDULES = {0, 0, 0x1234567L, 0xFEDCBA98765L};

  private final Kernels kernels;
  private final MethodHandle setSchedule;

  HostMachine(Path library) {
    kernels = KernelLibrary.load(library);
    setSchedule =
        new Functions(
                SymbolLookup.libraryLookup(library, Arena.global()), IllegalStateException::new)
            .bind("rais_host_set_schedule", "v(l)");
  }

  @Override
  public String description() {
    return kernels.buildInfo();
  }

  @Override
  public Kernels kernels() {
    return kernels;
  }

  @Override
  public MemorySegment stream() {
    return MemorySegment.NULL;
  }

  @Override
  public Memory allocate(long numBytes) {
    Arena arena = Arena.ofConfined();
    MemorySegment segment = arena.allocate(numBytes, ALIGNMENT);
    return new Memory() {
      @Override
      public MemorySegment at(long offset) {
        return segment.asSlice(offset);
      }

      @Override
      public void write(byte[] bytes) {
        segment.copyFrom(MemorySegment.ofArray(bytes));
      }

      @Override
      public void read(byte[] bytes) {
        MemorySegment.ofArray(bytes).copyFrom(segment);
      }

      @Override
      public void close() {
        arena.close();
      }
    };
  }

  @Override
  public void inEveryWay(Runnable launches, Way way) {
    try {
      for (int i = 0; i < SCHEDULES.length; i++) {
        schedule(SCHEDULES[i]);
        String name =
            SCHEDULES[i] == 0
                ? i == 0 ? "once" : "again"
                : "with RAIS_HOST_SCHEDULE=" + SCHEDULES[i];
        way.run(name, launches);
      }
    } finally {
      schedule(0);
    }
  }

  private void schedule(long seed) {
    try {
      setSchedule.invokeExact(seed);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void synchronize() {}

  @Override
  public void close() {}
}
