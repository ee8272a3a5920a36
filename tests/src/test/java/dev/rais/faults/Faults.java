package dev.rais.faults;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.MemorySegment.Scope;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What woven classes call: each place counts how often it was come by, and fails where it was told
 * to. Native memory and oneDNN's objects are counted from their making to their end.
 */
public final class Faults {
  /**
   * Status codes of oneDNN that stand for failures: out of memory, unimplemented, runtime error.
   */
  private static final int[] STATUSES = {1, 3, 5};

  /** The place where native memory is asked for. */
  static final String NATIVE_MEMORY = "native memory";

  /** The place where oneDNN is asked to make something. */
  static final String ONEDNN = "oneDNN";

  /** The place where oneDNN's primitives are run, which is by far more often. */
  static final String ONEDNN_RUNS = "oneDNN runs";

  /** A place and the how-manieth time there. */
  record Target(String place, int visit) {
    @Override
    public String toString() {
      return place + ", visit " + visit;
    }
  }

  private static final List<String> SITES = Collections.synchronizedList(new ArrayList<>());
  private static final Map<String, AtomicInteger> VISITS = new ConcurrentHashMap<>();
  private static final List<TrackedArena> ARENAS = Collections.synchronizedList(new ArrayList<>());
  private static final Map<String, AtomicInteger> ALIVE = new ConcurrentHashMap<>();
  private static volatile Target target;
  private static volatile String failed;

  private Faults() {}

  /** Gives a place in the code a number, for {@link #allocating}. */
  static int site(String description) {
    SITES.add(description);
    return SITES.size() - 1;
  }

  /** Forgets all visits; the target, if any, fails when it is reached. */
  static void arm(Target next) {
    VISITS.clear();
    ARENAS.clear();
    ALIVE.clear();
    failed = null;
    target = next;
  }

  /** How often each place was come by. */
  static Map<String, Integer> visits() {
    Map<String, Integer> visits = new TreeMap<>();
    VISITS.forEach((place, count) -> visits.put(place, count.get()));
    return visits;
  }

  /** The name of the thread that reached the target; null if none did. */
  static String failed() {
    return failed;
  }

  /** What is still there of native memory and oneDNN's objects. */
  static List<String> left() {
    List<String> left = new ArrayList<>();
    synchronized (ARENAS) {
      for (TrackedArena arena : ARENAS) {
        if (arena.bytes > 0 && arena.scope().isAlive()) {
          left.add(arena.bytes + " bytes");
        }
      }
    }
    ALIVE.forEach(
        (kind, count) -> {
          if (count.get() != 0) {
            left.add(count.get() + " of " + kind);
          }
        });
    return left;
  }

  private static boolean fails(String place) {
    int visit = VISITS.computeIfAbsent(place, p -> new AtomicInteger()).getAndIncrement();
    Target wanted = target;
    if (wanted == null || wanted.visit() != visit || !wanted.place().equals(place)) {
      return false;
    }
    target = null;
    failed = Thread.currentThread().getName();
    return true;
  }

  /** Before an object or an array is made. */
  public static void allocating(int site) {
    if (fails(SITES.get(site))) {
      throw new OutOfMemoryError("Java heap space");
    }
  }

  /** In place of {@link Arena#ofShared}. */
  public static Arena ofShared() {
    return tracked(Arena.ofShared());
  }

  /** In place of {@link Arena#ofConfined}. */
  public static Arena ofConfined() {
    return tracked(Arena.ofConfined());
  }

  /** In place of {@link Arena#ofAuto}, whose memory is the garbage collector's. */
  public static Arena ofAuto() {
    return new TrackedArena(Arena.ofAuto());
  }

  /** In place of what asks for large pages. */
  public static MemorySegment allocate(Arena arena, long numBytes) {
    return arena.allocate(numBytes, 64);
  }

  private static Arena tracked(Arena arena) {
    TrackedArena tracked = new TrackedArena(arena);
    ARENAS.add(tracked);
    return tracked;
  }

  /** An arena whose every allocation may fail. */
  private static final class TrackedArena implements Arena {
    private final Arena arena;
    private long bytes;

    TrackedArena(Arena arena) {
      this.arena = arena;
    }

    @Override
    public MemorySegment allocate(long byteSize, long byteAlignment) {
      if (fails(NATIVE_MEMORY)) {
        throw new OutOfMemoryError("Unable to allocate " + byteSize + " bytes");
      }
      MemorySegment memory = arena.allocate(byteSize, byteAlignment);
      bytes += byteSize;
      return memory;
    }

    @Override
    public Scope scope() {
      return arena.scope();
    }

    @Override
    public void close() {
      arena.close();
    }
  }

  /** The status of a call of oneDNN: what it was, or that of a failure. */
  public static int status(String function, int status) {
    if (function.endsWith("_destroy")) {
      alive(function, "_destroy").decrementAndGet();
      return status; // oneDNN's own destructors do not fail, and nobody could help it
    }
    boolean runs = function.endsWith("_execute") || function.endsWith("_set_data_handle");
    if (fails(runs ? ONEDNN_RUNS : ONEDNN)) {
      return STATUSES[Math.floorMod(function.hashCode(), STATUSES.length)];
    }
    String made =
        function.contains("_primitive_desc_create") ? "dnnl_primitive_desc_create" : function;
    int suffix = made.indexOf("_create");
    if (status == 0 && suffix > 0) {
      alive(made.substring(0, suffix), "").incrementAndGet();
    }
    return status;
  }

  private static AtomicInteger alive(String function, String suffix) {
    String kind = function.substring(0, function.length() - suffix.length());
    return ALIVE.computeIfAbsent(kind, k -> new AtomicInteger());
  }
}
