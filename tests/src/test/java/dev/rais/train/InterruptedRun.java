package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.rais.backend.Backend;
import dev.rais.data.Dataset;
import dev.rais.nn.Model;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Runs that are left alone, and the same ones interrupted: both must come to the same end. */
final class InterruptedRun {
  /** What a run leaves: its evaluations but for times, its parameters and running statistics. */
  record Outcome(List<String> metrics, float[] parameters, float[] state) {
    void assertSame(Outcome other, String message) {
      assertEquals(metrics, other.metrics, message);
      assertArrayEquals(parameters, other.parameters, message);
      assertArrayEquals(state, other.state, message);
    }
  }

  private static final class Evaluations implements TrainingListener {
    final List<Metrics> all = new ArrayList<>();

    @Override
    public void evaluated(Metrics metrics) {
      all.add(metrics);
    }
  }

  private final Backend backend;
  private final Dataset data;
  private final Path file;
  private int withTrainingUnderWay;

  /**
   * Runs on a data set.
   *
   * @param file for checkpoints
   */
  InterruptedRun(Backend backend, Dataset data, Path file) {
    this.backend = backend;
    this.data = data;
    this.file = file;
  }

  /** Interruptions so far that came while RAIS trained c and d. */
  int withTrainingUnderWay() {
    return withTrainingUnderWay;
  }

  private static Outcome outcome(Trainer trainer, List<Metrics> evaluations) {
    RunJson json = new RunJson();
    return new Outcome(
        evaluations.stream()
            .map(m -> json.line(m).replaceFirst("\"seconds\":[^,}]*", "\"seconds\":0"))
            .toList(),
        trainer.network().values().toFloats(),
        trainer.network().stateValues().toFloats());
  }

  /** Trains without an interruption. */
  Outcome whole(Model model, TrainingConfig config) {
    Evaluations evaluations = new Evaluations();
    try (Trainer trainer = new Trainer(backend, data, config, model)) {
      trainer.run(evaluations);
      return outcome(trainer, evaluations.all);
    }
  }

  /** Trains with an interruption, by way of a file, after each of these iterations. */
  Outcome interrupted(Model model, TrainingConfig config, long... after) {
    List<Metrics> evaluations = new ArrayList<>();
    Checkpoint from = null;
    for (int part = 0; part <= after.length; part++) {
      try (Trainer trainer = new Trainer(backend, data, config, model)) {
        if (from != null) {
          trainer.restore(from);
          evaluations = new ArrayList<>(from.history());
        }
        Evaluations more = new Evaluations();
        long stop = part < after.length ? after[part] : Long.MAX_VALUE;
        for (long t = from == null ? 0 : from.iteration(); t < stop && !trainer.finished(); t++) {
          trainer.advance(more);
        }
        evaluations.addAll(more.all);
        trainer.checkpoint().write(file);
        if (trainer.finished()) {
          return outcome(trainer, evaluations);
        }
        from = Checkpoint.read(file);
        if (from.sampler().arrays().containsKey("preparation.norms")) {
          withTrainingUnderWay++;
        }
      }
    }
    throw new AssertionError("unreachable");
  }
}
