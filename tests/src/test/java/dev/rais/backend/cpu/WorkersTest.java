package dev.rais.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Both crews: every index once, failures delivered, several callers at a time. */
@Timeout(60)
class WorkersTest {
  private static final int THREADS = 3;

  private Workers workers;
  private DnnRuntime runtime;

  enum Crew {
    FORK_JOIN,
    OPEN_MP
  }

  private Workers open(Crew crew) {
    if (crew == Crew.FORK_JOIN) {
      workers = new ForkJoinWorkers(THREADS);
    } else {
      runtime = openRuntime();
      OpenMp openMp = runtime.dnn().openMp();
      assumeTrue(openMp != null && openMp.hasRegions(), "oneDNN's threads are not OpenMP's here");
      workers = new OpenMpWorkers(runtime, openMp);
    }
    return workers;
  }

  private static DnnRuntime openRuntime() {
    try {
      return new DnnRuntime(new Dnn(), THREADS);
    } catch (DnnUnavailableException e) {
      return abort("no oneDNN here: " + e.getMessage());
    }
  }

  @AfterEach
  void close() {
    if (workers != null) {
      workers.close();
    }
    if (runtime != null) {
      runtime.close();
    }
  }

  private static void requireOnce(AtomicIntegerArray visits) {
    for (int i = 0; i < visits.length(); i++) {
      assertEquals(1, visits.get(i), "index " + i);
    }
  }

  private static AtomicIntegerArray visits(Workers workers, int count) {
    var visits = new AtomicIntegerArray(count);
    workers.run(
        count,
        1,
        (from, to) -> {
          for (int i = from; i < to; i++) {
            visits.incrementAndGet(i);
          }
        });
    return visits;
  }

  @ParameterizedTest
  @EnumSource
  void everyIndexOnce(Crew crew) {
    Workers crewed = open(crew);
    for (int count = 0; count < 50; count++) {
      requireOnce(visits(crewed, count));
    }
  }

  @ParameterizedTest
  @EnumSource
  void piecesRunAtTheSameTime(Crew crew) {
    Set<Thread> threads = ConcurrentHashMap.newKeySet();
    var barrier = new CyclicBarrier(THREADS);
    open(crew)
        .run(
            THREADS,
            1,
            (from, to) -> {
              threads.add(Thread.currentThread());
              try {
                barrier.await(30, TimeUnit.SECONDS);
              } catch (Exception e) {
                throw new AssertionError(e);
              }
            });
    assertEquals(THREADS, threads.size());
    assertTrue(threads.contains(Thread.currentThread()));
  }

  @ParameterizedTest
  @EnumSource
  void aFailureReachesTheCallerAndSpoilsNothing(Crew crew) {
    Workers crewed = open(crew);
    for (int failing = 0; failing < THREADS; failing++) {
      int at = failing;
      var visits = new AtomicIntegerArray(THREADS);
      var thrown =
          assertThrows(
              IllegalStateException.class,
              () ->
                  crewed.run(
                      THREADS,
                      1,
                      (from, to) -> {
                        visits.incrementAndGet(from);
                        if (from == at) {
                          throw new IllegalStateException("piece " + from);
                        }
                      }));
      assertEquals("piece " + at, thrown.getMessage());
      requireOnce(visits);
      assertThrows(
          StackOverflowError.class, () -> crewed.run(THREADS, 1, (from, to) -> endless(from)));
      requireOnce(visits(crewed, 100));
    }
  }

  /** As in a container that limits them. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void theCallerDoesWhatNoThreadCanBeHadFor(int most) {
    var made = new AtomicInteger();
    workers =
        new ForkJoinWorkers(
            THREADS,
            pool -> {
              if (made.getAndIncrement() >= most) {
                throw new OutOfMemoryError("unable to create native thread");
              }
              return ForkJoinPool.defaultForkJoinWorkerThreadFactory.newThread(pool);
            });
    for (int i = 0; i < 20; i++) {
      var visits = new AtomicIntegerArray(THREADS);
      try {
        workers.run(
            THREADS,
            1,
            (from, to) -> {
              visits.incrementAndGet(from);
              // So long that one thread is not enough for two pieces.
              LockSupport.parkNanos(2_000_000);
            });
      } catch (OutOfMemoryError e) {
        throw new AssertionError("a thread that cannot be had ended the loop", e);
      }
      requireOnce(visits);
    }
    assertTrue(made.get() > most, "more threads were asked for than there are");
    var thrown =
        assertThrows(
            IllegalStateException.class,
            () ->
                workers.run(
                    THREADS,
                    1,
                    (from, to) -> {
                      throw new IllegalStateException("piece " + from);
                    }));
    assertEquals("piece 0", thrown.getMessage());
  }

  private static int endless(int depth) {
    return 1 + endless(depth + 1);
  }

  @ParameterizedTest
  @EnumSource
  void loopsWithinLoops(Crew crew) {
    Workers crewed = open(crew);
    var visits = new AtomicIntegerArray(40);
    crewed.run(
        4,
        1,
        (from, to) -> {
          for (int outer = from; outer < to; outer++) {
            int first = 10 * outer;
            crewed.run(
                10,
                1,
                (a, b) -> {
                  for (int i = a; i < b; i++) {
                    visits.incrementAndGet(first + i);
                  }
                });
          }
        });
    requireOnce(visits);
  }

  @ParameterizedTest
  @EnumSource
  void severalCallersAtATime(Crew crew) throws Exception {
    Workers crewed = open(crew);
    try (ExecutorService callers = Executors.newFixedThreadPool(4)) {
      var all = new ArrayList<Future<?>>();
      for (int caller = 0; caller < 4; caller++) {
        all.add(
            callers.submit(
                () -> {
                  for (int i = 0; i < 500; i++) {
                    requireOnce(visits(crewed, 37));
                  }
                }));
      }
      for (Future<?> one : all) {
        one.get();
      }
    }
    requireOnce(visits(crewed, 37));
  }
}
