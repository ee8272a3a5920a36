package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Precision;
import dev.rais.backend.cuda.HostCuda;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.train.Checkpoints;
import dev.rais.train.RunDirectory;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code --precision} where it cannot be had, and in runs that go on. */
class PrecisionOptionTest {
  private static final String DRIVER = "rais.cuda.driver";

  @TempDir Path folder;

  private static void refused(String sentence, String... arguments) {
    Cli.Outcome outcome = Cli.rais(arguments);
    assertEquals(1, outcome.code(), outcome.toString());
    assertEquals("rais train: " + sentence + "\n", outcome.err());
  }

  @Test
  void bf16NeedsCuda() {
    String out = folder.resolve("out").toString();
    String cpu = "the CPU computes in fp32, which --precision fp32 asks for";
    String[] onCpu = {"train", "--backend", "cpu", "--precision", "bf16", "--out", out};
    refused("precision bf16 is for CUDA alone: " + cpu, onCpu);
    String before = System.getProperty(DRIVER);
    System.setProperty(DRIVER, "/does/not/exist.so");
    try {
      refused(
          "precision bf16 needs CUDA, and the CUDA driver that -Drais.cuda.driver names,"
              + " /does/not/exist.so, does not exist; "
              + cpu,
          "train",
          "--precision",
          "bf16",
          "--out",
          out);
    } finally {
      if (before == null) {
        System.clearProperty(DRIVER);
      } else {
        System.setProperty(DRIVER, before);
      }
    }
  }

  /** A run that was begun on a GPU in this precision, and was interrupted after a step. */
  private Path begun(Path data, Precision precision) {
    Path run = folder.resolve(precision.id());
    Dataset dataset = Datasets.load(data.toString(), null);
    TrainingConfig config =
        TrainingConfig.builder(dataset.name(), "mlp", "uniform")
            .batchSize(8)
            .epochs(0.5)
            .evalEvery(0.5)
            .seed(3)
            .build();
    List<String> warnings = new ArrayList<>();
    try (Backend backend = HostCuda.newBackend(precision);
        Trainer trainer = new Trainer(backend, dataset, config);
        RunDirectory directory = RunDirectory.create(run, config);
        Checkpoints checkpoints =
            new Checkpoints(run, TrainOptions.checkpointInterval(null), 2, warnings::add)) {
      trainer.advance(new TrainingListener() {});
      checkpoints.writeNow(trainer);
      directory.keep();
    }
    assertEquals(List.of(), warnings);
    return run;
  }

  private static String[] resume(Path run, Path data, String... more) {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "train",
                "--resume",
                run.toString(),
                "--data",
                data.toString(),
                "--backend",
                "cpu",
                "--quiet"));
    arguments.addAll(List.of(more));
    return arguments.toArray(String[]::new);
  }

  @Test
  void aRunGoesOnInItsOwnPrecision() throws Exception {
    Path data = Cli.smallData(folder.resolve("data"), 40, 8);
    Path bf16 = begun(data, Precision.BF16);
    refused(
        "precision bf16 is for CUDA alone: the CPU computes in fp32, which --precision fp32 asks"
            + " for",
        resume(bf16, data));
    Cli.Outcome asked = Cli.rais(resume(bf16, data, "--precision", "fp32"));
    assertEquals(1, asked.code(), asked.toString());
    assertTrue(
        asked.err().endsWith("precision is fp32, but the run was begun with bf16\n"), asked.err());
    Cli.Outcome tf32 = Cli.rais(resume(begun(data, Precision.TF32), data));
    assertEquals(0, tf32.code(), tf32.toString());
    assertTrue(tf32.out().contains("computed by"), tf32.out());
  }
}
