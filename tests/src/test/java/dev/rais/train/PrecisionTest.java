package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.Precision;
import dev.rais.backend.cuda.HostCuda;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.Model;
import dev.rais.nn.Network;
import dev.rais.nn.Shape;
import dev.rais.reference.Bfloat16;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs in a precision of their own: parameters stay float, whatever is multiplied by them. */
class PrecisionTest {
  private static final int M = 8;
  private static final Shape IMAGE = new Shape(28, 28, 1);
  private static final Model MODEL = ResidualModels.small(IMAGE, 10);
  private static final TrainingListener NOBODY = new TrainingListener() {};

  @TempDir Path folder;

  private final Dataset data = data();

  private static Dataset data() {
    Dataset all = Datasets.load("fashion-mnist-sample", null);
    return new Dataset("small", all.train().slice(0, 40), all.test().slice(0, 8), all.classNames());
  }

  private static TrainingConfig config(String sampler) {
    return TrainingConfig.builder("small", "resnet8", sampler)
        .batchSize(M)
        .epochs(4)
        .evalEvery(4)
        .async(false)
        .seed(3)
        .build();
  }

  private Trainer trainer(Backend backend) {
    return trainer(backend, config("uniform"));
  }

  private Trainer trainer(Backend backend, TrainingConfig config) {
    return new Trainer(backend, data, config, MODEL);
  }

  private static void advance(Trainer trainer, int steps) {
    for (int i = 0; i < steps; i++) {
      trainer.advance(NOBODY);
    }
  }

  private static float[] rounded(float[] values) {
    float[] result = values.clone();
    for (int i = 0; i < result.length; i++) {
      result[i] = Bfloat16.rounded(result[i]);
    }
    return result;
  }

  /** What layers multiply by is what the parameters are, but for the rounding. */
  private static void assertCopied(Network network) {
    float[] values = network.values().toFloats();
    float[] expected = rounded(values);
    assertArrayEquals(expected, network.rounded().toFloats());
    assertTrue(!Arrays.equals(values, expected), "the parameters themselves are rounded");
  }

  @Test
  void theCopyFollowsEverythingThatWritesParameters() {
    try (Backend backend = HostCuda.newBackend(Precision.BF16);
        Trainer trainer = trainer(backend)) {
      Network network = trainer.network();
      assertCopied(network);
      float[] begun = network.values().toFloats();
      advance(trainer, 5);
      assertCopied(network);
      assertTrue(!Arrays.equals(begun, network.values().toFloats()));
      Path saved = folder.resolve("checkpoint");
      trainer.checkpoint().write(saved);
      float[] values = network.values().toFloats();
      try (Trainer other = trainer(backend)) {
        other.restore(Checkpoint.read(saved));
        assertArrayEquals(values, other.network().values().toFloats());
        assertCopied(other.network());
      }
      Path file = folder.resolve("model.safetensors");
      ModelFile.write(file, network, ModelFile.Description.of(config("uniform"), data));
      try (Network read = ModelFile.read(file).open(backend, MODEL)) {
        assertArrayEquals(values, read.values().toFloats());
        assertCopied(read);
      }
      LastGood good = new LastGood(network);
      network.values().upload(begun);
      network.valuesWritten();
      assertCopied(network);
      good.diverged(7, Double.NaN);
      assertArrayEquals(values, network.values().toFloats());
      assertCopied(network);
    }
  }

  /** Steps that are below half a unit in the last place of a bfloat16 are not lost. */
  @Test
  void smallStepsAddUp() {
    TrainingConfig config = config("uniform").toBuilder().learningRate(1e-6).build();
    try (Backend backend = HostCuda.newBackend(Precision.BF16);
        Trainer trainer = trainer(backend, config)) {
      float[] before = trainer.network().values().toFloats();
      float[] copy = trainer.network().rounded().toFloats();
      advance(trainer, 10);
      float[] after = trainer.network().values().toFloats();
      float[] copyAfter = trainer.network().rounded().toFloats();
      int moved = 0;
      int unseen = 0;
      for (int i = 0; i < before.length; i++) {
        moved += before[i] == after[i] ? 0 : 1;
        unseen += before[i] != after[i] && copy[i] == copyAfter[i] ? 1 : 0;
      }
      assertTrue(moved > before.length / 2, moved + " of " + before.length + " moved");
      assertTrue(unseen > moved / 2, unseen + " of them less than the copy can show");
    }
  }

  private Checkpoint begun(Precision precision) {
    try (Backend backend = HostCuda.newBackend(precision);
        Trainer trainer = trainer(backend)) {
      advance(trainer, 3);
      Path file = folder.resolve(precision.id());
      trainer.checkpoint().write(file);
      return Checkpoint.read(file);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCheckpointKnowsItsPrecision(Precision precision) {
    assertEquals(Optional.of(precision), begun(precision).precision());
  }

  @Test
  void aRunDoesNotGoOnWithActivationsOfAnotherType() {
    Checkpoint bf16 = begun(Precision.BF16);
    try (Backend cpu = Backends.open("cpu", 1, warning -> {});
        Trainer trainer = trainer(cpu)) {
      var e = assertThrows(RunFileException.class, () -> trainer.restore(bf16));
      assertEquals("precision is fp32, but the run was begun with bf16", e.getMessage());
    }
    Checkpoint tf32 = begun(Precision.TF32);
    try (Backend backend = HostCuda.newBackend(Precision.BF16);
        Trainer trainer = trainer(backend)) {
      var e = assertThrows(RunFileException.class, () -> trainer.restore(tf32));
      assertEquals("precision is bf16, but the run was begun with tf32", e.getMessage());
    }
    // On the CPU nothing is rounded, which TF32 only allows.
    try (Backend cpu = Backends.open("cpu", 1, warning -> {});
        Trainer trainer = trainer(cpu)) {
      trainer.restore(tf32);
      advance(trainer, 1);
    }
  }

  /** Samplers that ask for passes of their own, forward or back to each example's own gradient. */
  @ParameterizedTest
  @ValueSource(strings = {"presample", "oracle"})
  void samplersOnTheHostTrainToo(String sampler) {
    TrainingConfig config = config(sampler).toBuilder().learningRate(0.02).build();
    Summary expected = summary(Backends.open("cpu", 1, warning -> {}), config);
    Summary found = summary(HostCuda.newBackend(Precision.BF16), config);
    assertEquals(expected.forwardExamples(), found.forwardExamples());
    assertEquals(expected.backwardExamples(), found.backwardExamples());
    // Not the same examples, where scores that are nearly equal decide.
    assertEquals(
        expected.finalTrainLoss(), found.finalTrainLoss(), 0.1 * expected.finalTrainLoss());
  }

  private Summary summary(Backend backend, TrainingConfig config) {
    try (backend;
        Trainer trainer = trainer(backend, config)) {
      return trainer.run(NOBODY);
    }
  }

  /**
   * Scores of the oracle: float's, but for roundings. There and back there are four layers with
   * weights and as many others, which round weights and results, as often up as down. Where
   * something next to 0 changes its sign, and a rectifier what it lets through, there is more.
   */
  @Test
  void exactNormsAreFloatsButForRoundings() {
    try (Backend cpu = Backends.open("cpu", 1, warning -> {});
        Backend bf16 = HostCuda.newBackend(Precision.BF16)) {
      float[] expected = exactNorms(cpu);
      float[] found = exactNorms(bf16);
      double[] errors = new double[found.length];
      Arrays.setAll(errors, j -> Math.abs(found[j] / (double) expected[j] - 1));
      Arrays.sort(errors);
      double bound = Math.sqrt(2 * 8 * 2) * 0x1p-8;
      assertTrue(errors[errors.length * 3 / 4] < bound, Arrays.toString(errors));
      assertTrue(errors[errors.length / 2] < bound / 2, Arrays.toString(errors));
      assertTrue(errors[errors.length - 1] > 1e-5, "nothing was rounded");
    }
  }

  private float[] exactNorms(Backend backend) {
    var plan = ExactNorms.plan(MODEL, data.train().count(), 0);
    try (Network network = new Network(backend, MODEL, 5);
        var images = new DeviceImages(backend, data.train(), data.normalization(), 0);
        var workspace = backend.allocate(backend.activations(), plan.count());
        var norms = new ExactNorms(network, images, plan, workspace)) {
      return norms.compute();
    }
  }
}
