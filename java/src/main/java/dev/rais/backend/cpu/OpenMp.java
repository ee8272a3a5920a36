package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/**
 * The OpenMP runtime that oneDNN brings along, entered where a compiler's code for {@code #pragma
 * omp parallel} enters it: GCC's runtime, and LLVM's and Intel's, which have the same functions.
 */
@SuppressWarnings("restricted") // native access is what this class is for
final class OpenMp {
  private static final MethodHandle RUN = runHandle();

  private final Linker linker = Linker.nativeLinker();
  private final MethodHandle setNumThreads;
  private final MethodHandle parallel;
  private final MethodHandle threadNum;
  private final MethodHandle numThreads;

  private OpenMp(SymbolLookup symbols) {
    setNumThreads = bind(symbols, "omp_set_num_threads", FunctionDescriptor.ofVoid(JAVA_INT));
    parallel =
        bind(
            symbols,
            "GOMP_parallel",
            FunctionDescriptor.ofVoid(ADDRESS, ADDRESS, JAVA_INT, JAVA_INT));
    threadNum = bind(symbols, "omp_get_thread_num", FunctionDescriptor.of(JAVA_INT));
    numThreads = bind(symbols, "omp_get_num_threads", FunctionDescriptor.of(JAVA_INT));
  }

  /** What the libraries of the calling class's loader have; null without OpenMP. */
  static OpenMp find(SymbolLookup symbols) {
    return symbols.find("omp_set_num_threads").isPresent() ? new OpenMp(symbols) : null;
  }

  private static MethodHandle runHandle() {
    try {
      return MethodHandles.lookup()
          .findVirtual(Runnable.class, "run", MethodType.methodType(void.class));
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(e);
    }
  }

  /** Null where the runtime has no such function. */
  private MethodHandle bind(SymbolLookup symbols, String name, FunctionDescriptor descriptor) {
    return symbols
        .find(name)
        .map(address -> linker.downcallHandle(address, descriptor))
        .orElse(null);
  }

  /** Sets how many threads the calling thread's parallel regions have. */
  void setNumThreads(int threads) {
    try {
      setNumThreads.invokeExact(threads);
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  /** Whether Java code can run in a parallel region. */
  boolean hasRegions() {
    return parallel != null && threadNum != null && numThreads != null;
  }

  /** C's void (*)(void *) that runs {@code body}, which must not throw. */
  MemorySegment function(Runnable body, Arena life) {
    MethodHandle target = MethodHandles.dropArguments(RUN.bindTo(body), 0, MemorySegment.class);
    return linker.upcallStub(target, FunctionDescriptor.ofVoid(ADDRESS), life);
  }

  /** Calls a function in each of a team's threads, of which the caller is one. */
  void parallel(MemorySegment function, int threads) {
    try {
      parallel.invokeExact(function, MemorySegment.NULL, threads, 0);
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  /** The calling thread's number in its team, from 0. */
  int threadNum() {
    return number(threadNum);
  }

  /** Threads of the team. */
  int numThreads() {
    return number(numThreads);
  }

  private static int number(MethodHandle function) {
    try {
      return (int) function.invokeExact();
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  /** C functions throw nothing that is declared. */
  private static RuntimeException failure(Throwable e) {
    switch (e) {
      case RuntimeException unchecked -> throw unchecked;
      case Error error -> throw error;
      default -> throw new AssertionError(e);
    }
  }
}
