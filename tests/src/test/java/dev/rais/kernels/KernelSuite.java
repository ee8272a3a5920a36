package dev.rais.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.opentest4j.TestAbortedException;

/**
 * What the kernels must do, wherever they run: the right numbers over a table of functions, shapes,
 * types, seeds and tolerances ({@link KernelCases}), and the right refusals.
 *
 * <p>Each row is run with {@value #SEEDS} seeds, new ones every time; a failure prints its seed,
 * and {@code -Drais.test.seed=SEED} begins with it.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class KernelSuite {
  static final String SEED = "rais.test.seed";
  private static final int SEEDS = 2;

  private final long firstSeed = Long.getLong(SEED, System.nanoTime() % 1_000_000_007);
  private final Map<String, Integer> executed = new LinkedHashMap<>();
  private int planned;
  private Machine machine;

  /** Where the kernels are to run; skips the suite if that is missing here. */
  abstract Machine create() throws Exception;

  @BeforeAll
  final void open() throws Exception {
    planned = SEEDS * KernelCases.ALL.stream().mapToInt(k -> k.cases().size()).sum();
    try {
      machine = create();
    } catch (TestAbortedException e) {
      System.out.printf(
          "%s: 0 cases executed, %d skipped: %s%n",
          getClass().getSimpleName(), planned, e.getMessage());
      throw e;
    }
  }

  @AfterAll
  final void close() {
    if (machine != null) {
      machine.close();
    }
  }

  /** The table, one container per function, then the check that no function went untried. */
  @TestFactory
  final List<DynamicNode> computesWhatTheReferenceComputes() {
    Map<String, List<DynamicTest>> rows = new LinkedHashMap<>();
    for (KernelCases kernel : KernelCases.ALL) {
      for (Case row : kernel.cases()) {
        for (int i = 0; i < SEEDS; i++) {
          rows.computeIfAbsent(row.function(), f -> new ArrayList<>())
              .add(test(row, firstSeed + i));
        }
      }
    }
    List<DynamicNode> nodes = new ArrayList<>();
    rows.forEach((function, tests) -> nodes.add(dynamicContainer(function, tests)));
    nodes.add(dynamicTest("every function was tried", this::checkCoverage));
    return nodes;
  }

  private DynamicTest test(Case row, long seed) {
    return dynamicTest(
        row.name() + ", seed " + seed,
        () -> {
          executed.merge(row.function(), 1, Integer::sum);
          try (Trial trial = new Trial(row.toString(), seed, machine)) {
            row.body().accept(trial);
          }
        });
  }

  private void checkCoverage() {
    int count = executed.values().stream().mapToInt(Integer::intValue).sum();
    System.out.printf(
        "%s on %s, seeds %d to %d: %d cases executed, %d skipped: %s%n",
        getClass().getSimpleName(),
        machine.description(),
        firstSeed,
        firstSeed + SEEDS - 1,
        count,
        planned - count,
        executed);
    assertTrue(count > 0, "no case was executed");
    assertEquals(planned, count, "cases executed");
    TreeSet<String> untried = functions(false);
    untried.removeAll(executed.keySet());
    assertTrue(untried.isEmpty(), "no case of " + untried + " was executed; see KernelCases");
  }

  /** Of the header, except for what every test uses; all, or only launchers. */
  private static TreeSet<String> functions(boolean launchers) {
    TreeSet<String> names = new TreeSet<>();
    for (KernelHeader.Function f : KernelHeader.read().functions()) {
      if (f.isLauncher() || !launchers && !f.parameters().isEmpty()) {
        names.add(f.name());
      }
    }
    return names;
  }

  /** RAIS's loop by kernels beside the Java class. */
  @TestFactory
  final List<DynamicTest> keepsStepWithTheJavaSampler() {
    return SamplerRun.SETTINGS.stream()
        .map(
            setting ->
                dynamicTest(
                    setting + ", seed " + firstSeed,
                    () -> new SamplerRun(machine, setting, firstSeed).run()))
        .toList();
  }

  /** Each argument of each launcher, wrong in each way there is. */
  @TestFactory
  final List<DynamicNode> refusesBadArguments() {
    List<DynamicNode> nodes = new ArrayList<>();
    TreeSet<String> untried = functions(true);
    for (KernelCases kernel : KernelCases.ALL) {
      for (GoodCall call : kernel.goodCalls()) {
        untried.remove(call.function());
        nodes.add(dynamicTest(call.function(), () -> new Misuse(machine, call).run()));
      }
    }
    nodes.add(
        dynamicTest(
            "every launcher was tried",
            () -> assertTrue(untried.isEmpty(), "no good call of " + untried)));
    return nodes;
  }
}
