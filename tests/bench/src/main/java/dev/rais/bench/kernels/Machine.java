package dev.rais.bench.kernels;

import dev.rais.backend.cuda.Kernels;
import java.lang.foreign.MemorySegment;

/** Where CUDA kernels run: a GPU, or, to test these benchmarks, the CPU. */
interface Machine extends AutoCloseable {
  /** Memory that kernels can use. */
  interface Memory extends AutoCloseable {
    /** A pointer for kernels. */
    MemorySegment pointer();

    /** Overwrites all of it with a host segment of the same size. */
    void write(MemorySegment host);

    /** Fills a host segment of the same size. */
    void read(MemorySegment host);

    @Override
    void close();
  }

  Kernels kernels();

  /** The stream for launches. */
  MemorySegment stream();

  Memory allocate(long numBytes);

  /** Puts a copy on the stream. */
  void copy(Memory from, Memory to, long numBytes);

  /** Waits for all that is on the stream. */
  void synchronize();

  @Override
  void close();
}
