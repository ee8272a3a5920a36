package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.FailingFiles;
import dev.rais.FailingFiles.Fault;
import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.Dense;
import dev.rais.nn.Model;
import dev.rais.nn.Relu;
import dev.rais.nn.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Whichever write of a run the disk fails at, nothing that was saved is lost: once the disk is well
 * again, the run goes on to the end it would have come to.
 */
class FailingDiskTest {
  private static final TrainingConfig CONFIG =
      TrainingConfig.builder("small", "tiny", "rais").batchSize(16).epochs(2).seed(3).build();

  @TempDir Path folder;

  private Dataset data;
  private Backend backend;

  @BeforeEach
  void open() {
    Dataset sample = Datasets.load("fashion-mnist-sample", null);
    data =
        new Dataset(
            "small", sample.train().slice(0, 96), sample.test().slice(0, 20), sample.classNames());
    backend = Backends.open("cpu", 1, warning -> {});
  }

  @AfterEach
  void close() {
    backend.close();
  }

  private static Model model() {
    return Model.builder("tiny", new Shape(28, 28, 1))
        .add("fc1", new Dense(4))
        .add("relu1", new Relu())
        .add("fc2", new Dense(10))
        .build();
  }

  /** What a run did before it ended or failed. */
  private static final class Attempt {
    final List<String> warnings = new ArrayList<>();
    long saved;
    boolean complete;
  }

  /** Begins a run, or goes on with it, saving after every fourth step. */
  private void train(Path out, Attempt attempt) {
    Optional<Checkpoint> from = Checkpoints.newest(out, attempt.warnings::add);
    try (Trainer trainer = new Trainer(backend, data, CONFIG, model())) {
      from.ifPresent(trainer::restore);
      try (RunDirectory run =
              from.isPresent()
                  ? RunDirectory.resume(out, CONFIG, from.get())
                  : RunDirectory.create(out, CONFIG);
          Checkpoints checkpoints =
              new Checkpoints(out, CheckpointInterval.parse("1e-9"), 1, attempt.warnings::add)) {
        TrainingListener listener =
            new TrainingListener() {
              @Override
              public void evaluated(Metrics metrics) {
                run.add(metrics);
              }
            };
        for (long t = from.map(Checkpoint::iteration).orElse(0L) + 1; !trainer.finished(); t++) {
          trainer.advance(listener);
          if (t % 4 == 0) {
            int before = attempt.warnings.size();
            checkpoints.stepped(trainer);
            checkpoints.await();
            attempt.saved = attempt.warnings.size() == before ? t : attempt.saved;
          }
        }
        run.finish(trainer, ModelFile.Description.of(CONFIG, data));
        attempt.complete = true;
      }
    }
  }

  /** A finished run's files but for times. */
  private record Result(List<String> metrics, byte[] model) {
    static Result of(Path run) throws IOException {
      List<String> metrics =
          Files.readAllLines(run.resolve(RunDirectory.METRICS)).stream()
              .map(line -> line.replaceFirst("\"seconds\":[^,}]*", ""))
              .toList();
      return new Result(metrics, Files.readAllBytes(run.resolve(RunDirectory.MODEL)));
    }
  }

  private static void assertSame(Result expected, Path run, String message) throws IOException {
    Result found = Result.of(run);
    assertEquals(expected.metrics(), found.metrics(), message);
    assertTrue(Arrays.equals(expected.model(), found.model()), message);
  }

  @ParameterizedTest
  @EnumSource
  void aRunGoesOnFromWhatWasSaved(Fault fault) throws IOException {
    Path whole = folder.resolve("whole");
    train(whole, new Attempt());
    Result expected = Result.of(whole);
    FailingFiles files = new FailingFiles(fault);
    boolean failed = true;
    int change = 0;
    for (; failed; change++) {
      Path real = folder.resolve("run" + change);
      Path out = files.of(real);
      String message = fault + " from change " + change + " on";
      files.failAt(change);
      Attempt attempt = new Attempt();
      try {
        train(out, attempt);
      } catch (RunFileException e) {
        assertTrue(e.getMessage().contains("run" + change), message + ": " + e.getMessage());
      }
      failed = files.hasFailed();
      files.heal();
      for (String warning : attempt.warnings) {
        assertTrue(warning.contains("run" + change), message + ": " + warning);
      }
      if (!attempt.complete) {
        long newest = Checkpoints.newest(out, w -> {}).map(Checkpoint::iteration).orElse(0L);
        assertTrue(
            newest >= attempt.saved, message + ": had " + attempt.saved + ", found " + newest);
        train(out, new Attempt());
      }
      assertSame(expected, real, message);
      assertNothingPartial(real, message);
    }
    assertTrue(change > 40, "a run of " + change + " writes");
  }

  private static void assertNothingPartial(Path run, String message) throws IOException {
    try (Stream<Path> all = Files.walk(run)) {
      List<Path> partial = all.filter(f -> f.toString().endsWith(".part")).toList();
      assertEquals(List.of(), partial, message);
    }
  }
}
