package dev.rais.gpucheck;

import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.LibrarySearch;
import dev.rais.natives.Functions;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;

/** Records what a GPU does, by way of native-build/device_trace.c and CUPTI. */
final class DeviceTrace implements AutoCloseable {
  /** CUPTI of CUDA 13 and 12, whose functions and records are the same as far as they are used. */
  private static final List<String> CUPTI = List.of("libcupti.so.13", "libcupti.so.12");

  private final MethodHandle now;
  private final MethodHandle end;
  private final MethodHandle error;

  private DeviceTrace(Functions functions) {
    now = functions.bind("rais_trace_now", "l()");
    end = functions.bind("rais_trace_end", "i(pll)");
    error = functions.bind("rais_trace_error", "p()");
  }

  /**
   * Begins to record.
   *
   * @param library made of device_trace.c
   * @param kernels whether the kernels of graphs are recorded one by one, which takes time between
   *     them; else a graph is one item
   * @throws IllegalStateException with what is missing, or what CUPTI says
   */
  static DeviceTrace begin(Path library, boolean kernels) {
    Path cupti =
        LibrarySearch.ofThisMachine()
            .load("CUPTI", CUPTI, "It comes with the CUDA toolkit and with Python's torch.")
            .file();
    return begin(library, cupti, kernels);
  }

  static DeviceTrace begin(Path library, Path cupti, boolean kernels) {
    Functions functions =
        new Functions(
            LibrarySearch.open(library).symbols(),
            name -> new CudaUnavailableException(library + " has no " + name));
    DeviceTrace trace = new DeviceTrace(functions);
    MethodHandle begin = functions.bind("rais_trace_begin", "i(pi)");
    try (Arena arena = Arena.ofConfined()) {
      trace.check((int) begin.invoke(arena.allocateFrom(cupti.toString()), kernels ? 1 : 0));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
    return trace;
  }

  private void check(int status) throws Throwable {
    if (status != 0) {
      throw new IllegalStateException(Functions.text((MemorySegment) error.invoke()));
    }
  }

  /** Now, in nanoseconds of the clock that records have. */
  long now() {
    try {
      return (long) now.invoke();
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Ends recording and writes what overlaps a time to a file, which {@link Timeline} reads. */
  void end(long from, long to, Path file) {
    try (Arena arena = Arena.ofConfined()) {
      check((int) end.invoke(arena.allocateFrom(file.toString()), from, to));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** What is recorded and was not asked for ends with the process. */
  @Override
  public void close() {}
}
