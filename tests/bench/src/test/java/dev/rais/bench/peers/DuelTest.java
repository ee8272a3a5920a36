package dev.rais.bench.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.bench.BenchException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Our side against itself: all of the comparison but the peer. */
class DuelTest {
  private static final Duel.Plan PLAN = new Duel.Plan(1, 2, 0.02);

  private static WorkerProcess worker(Workload workload) {
    // What the JVM starts fastest with.
    List<String> flags = List.of("-XX:TieredStopAtLevel=1");
    return new WorkerProcess("a side", RaisWorker.class.getName(), flags, workload);
  }

  @Test
  void twoEqualSidesTrainAlikeInTurns() {
    Workload workload = Workload.of("mlp", 256, 32, "uniform", 1);
    List<String> told = new ArrayList<>();
    Duel.Outcome outcome;
    try (WorkerProcess first = worker(workload);
        WorkerProcess second = worker(workload)) {
      outcome = new Duel(PLAN, workload, told::add).run(first, second);
    }
    assertEquals(outcome.first().firstLoss(), outcome.second().firstLoss());
    assertEquals(outcome.first().earlyLoss(), outcome.second().earlyLoss());
    assertEquals(2, outcome.first().imagesPerSecond().length);
    assertTrue(outcome.first().median() > 0);
    assertEquals(2, told.stream().filter(line -> line.startsWith("round ")).count());
    var result = PeersBench.Result.of(workload, PLAN, DjlLayout.CHANNELS_LAST, outcome);
    String json = Json.write(result);
    for (String field :
        List.of(
            "raisImagesPerSecond", "djlImagesPerSecond", "ratio", "raisPeakRssMiB", "threads")) {
      assertTrue(json.contains("\"" + field + "\":"), json);
    }
    assertEquals(outcome.first().median() / outcome.second().median(), result.ratio(), 1e-12);
  }

  @Test
  void sidesThatTrainOnDifferentDataAreRefused() {
    Workload one = Workload.of("mlp", 256, 32, "uniform", 1);
    Workload other = Workload.of("mlp", 512, 32, "uniform", 1);
    try (WorkerProcess first = worker(one);
        WorkerProcess second = worker(other)) {
      Duel duel = new Duel(PLAN, one, line -> {});
      BenchException e = assertThrows(BenchException.class, () -> duel.run(first, second));
      assertTrue(e.getMessage().startsWith("the sides do not train alike"), e.getMessage());
    }
  }

  /** Stands for a worker that fails. */
  static final class Quitter {
    private Quitter() {}

    public static void main(String[] args) {
      System.exit(3);
    }
  }

  @Test
  void aWorkerThatEndsIsReported() {
    Workload workload = Workload.of("mlp", 256, 32, "uniform", 1);
    try (WorkerProcess worker =
        new WorkerProcess("a side", Quitter.class.getName(), List.of(), workload)) {
      BenchException e = assertThrows(BenchException.class, worker::ready);
      assertEquals(
          "the process of a side ended with exit code 3; its messages are above", e.getMessage());
    }
  }
}
