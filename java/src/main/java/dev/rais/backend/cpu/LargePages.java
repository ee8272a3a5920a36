package dev.rais.backend.cpu;

import static java.lang.foreign.MemorySegment.NULL;

import dev.rais.natives.Functions;
import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.function.Consumer;

/**
 * Native memory of which Linux is asked to keep what is large in pages of megabytes. In pages of 4
 * KiB every row of a large matrix is on a page of its own, which the processor has to look up and
 * at whose end it stops fetching ahead. Elsewhere, for what is small, and without native access it
 * is an arena's.
 */
final class LargePages {
  /** From here on at least one large page lies inside, wherever the memory begins. */
  private static final long LEAST = 4 << 20;

  private static final long ALIGNMENT = 64;

  // Of Linux, on every processor that Java runs on.
  private static final int PROT_READ_WRITE = 1 | 2;
  private static final int MAP_PRIVATE_ANONYMOUS = 0x02 | 0x20;
  private static final int MADV_HUGEPAGE = 14;
  private static final long MAP_FAILED = -1;

  private LargePages() {}

  /** The calls, which only Linux has, and only where native access is on. */
  private static final class Calls {
    private static final MethodHandle MMAP = bind("mmap", "p(pl iiil)");
    private static final MethodHandle MUNMAP = bind("munmap", "i(pl)");
    private static final MethodHandle MADVISE = bind("madvise", "i(pli)");

    static final boolean ARE_THERE = MMAP != null && MUNMAP != null && MADVISE != null;

    /** Null where it cannot be had. An arena needs none of them: that is no reason to fail. */
    private static MethodHandle bind(String name, String signature) {
      if (!System.getProperty("os.name").equals("Linux")) {
        return null;
      }
      try {
        return new Functions(Linker.nativeLinker().defaultLookup(), IllegalStateException::new)
            .bind(name, signature);
      } catch (IllegalStateException | IllegalCallerException e) {
        return null;
      }
    }
  }

  /**
   * Memory of zeros, aligned to a line, for as long as the arena lives.
   *
   * @throws OutOfMemoryError if there is not so much
   */
  static MemorySegment allocate(Arena arena, long numBytes) {
    MemorySegment mapped = numBytes >= LEAST && Calls.ARE_THERE ? map(numBytes) : NULL;
    if (mapped.equals(NULL)) {
      return arena.allocate(numBytes, ALIGNMENT);
    }
    return attached(mapped, numBytes, arena);
  }

  /** NULL if there is not so much: whoever asks elsewhere is told how much there is. */
  private static MemorySegment map(long numBytes) {
    try {
      var memory =
          (MemorySegment)
              Calls.MMAP.invokeExact(
                  NULL, numBytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0L);
      if (memory.address() == MAP_FAILED) {
        return NULL;
      }
      // A kernel without large pages refuses; the memory is as good then.
      int ignored = (int) Calls.MADVISE.invokeExact(memory, numBytes, MADV_HUGEPAGE);
      return memory;
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @SuppressWarnings("restricted")
  private static MemorySegment attached(MemorySegment mapped, long numBytes, Arena arena) {
    Consumer<MemorySegment> release = memory -> unmap(memory, numBytes);
    try {
      return mapped.reinterpret(numBytes, arena, release);
    } catch (Throwable e) {
      unmap(mapped, numBytes);
      throw e;
    }
  }

  private static void unmap(MemorySegment memory, long numBytes) {
    try {
      int ignored = (int) Calls.MUNMAP.invokeExact(memory, numBytes);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }
}
