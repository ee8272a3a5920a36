package dev.rais.kernels;

import dev.rais.backend.cuda.Kernels;
import java.lang.foreign.MemorySegment;

/**
 * Where kernels run and where their memory is: the CPU, or a GPU. What the suite needs of one, so
 * that its cases need not know which it is.
 */
interface Machine extends AutoCloseable {
  /** Memory that kernels can use. */
  interface Memory extends AutoCloseable {
    /** A pointer for kernels; aligned to 256 bytes if the offset is. */
    MemorySegment at(long offset);

    /** Overwrites all of it. */
    void write(byte[] bytes);

    /** Reads all of it. */
    void read(byte[] bytes);

    @Override
    void close();
  }

  /** Runs launches in one of several ways. */
  interface Way {
    /**
     * Runs the launches and waits for them.
     *
     * @param name how, for messages: follows "when run"
     */
    void run(String name, Runnable launches);
  }

  /** What it is, one line. */
  String description();

  Kernels kernels();

  /** The stream that launches go to. */
  MemorySegment stream();

  Memory allocate(long numBytes);

  /**
   * Runs launches in every way that this machine knows, the plain one first; all must leave the
   * same bits.
   *
   * @param way is given a name and what runs, and must call it once
   */
  void inEveryWay(Runnable launches, Way way);

  /** Waits for all launches. */
  void synchronize();

  @Override
  void close();
}
