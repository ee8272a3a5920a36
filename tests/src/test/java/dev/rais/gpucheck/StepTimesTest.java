package dev.rais.gpucheck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.cuda.HostCuda;
import dev.rais.nn.Dense;
import dev.rais.nn.Model;
import dev.rais.nn.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Times of steps, measured on a device that is the host: it shows that all of it runs. */
class StepTimesTest {
  private static Workload tiny() {
    Shape image = new Shape(4, 4, 1);
    Model model = Model.builder("tiny", image).add("fc", new Dense(RandomImages.CLASSES)).build();
    return new Workload(model, RandomImages.of(64, image), 8, false);
  }

  @Test
  void wholeRoundsTakeTurnsWithAsManyUniformSteps() {
    List<String> said = new ArrayList<>();
    StepTimes times;
    try (Backend backend = HostCuda.newBackend()) {
      times = StepTimes.measure(backend, tiny(), 3, 1e-9, said::add);
    }
    // Half of 64 examples are a round.
    assertEquals(4, times.steps());
    assertEquals(3, times.rais().length);
    assertTrue(times.refreshes() >= 2, times.toString());
    for (int i = 0; i < 3; i++) {
      assertTrue(times.rais()[i] > 0 && times.uniform()[i] > 0);
    }
    assertTrue(said.contains("RAIS weights examples"), said.toString());
  }

  @Test
  void whatIsAddedIsTheMedianOfTheTurns() {
    double[] uniform = {1, 2, 1, 1};
    double[] rais = {1.01, 2.06, 1.02, 5};
    StepTimes times = new StepTimes(10, uniform, rais, 4);
    assertEquals(0.025, times.added(), 1e-12);
    Map<String, Object> values = times.values(tiny());
    assertEquals(80.0, values.get("imagesPerSecond"));
    assertEquals(1e5, values.get("uniformMicros"));
    assertEquals(9.09 / 5 - 1, (double) values.get("addedInAll"), 1e-12);
    assertEquals(4L, values.get("refreshes"));
  }

  /** Without an importance sampler that weights there is nothing to measure. */
  @Test
  void examplesThatNeverAreWeightedAreTold() {
    Workload workload = tiny();
    try (Backend backend = HostCuda.newBackend();
        TimedTrainer uniform =
            new TimedTrainer(backend, workload, workload.config("uniform").build())) {
      String message =
          assertThrows(IllegalStateException.class, () -> uniform.untilWeighted(workload))
              .getMessage();
      assertTrue(message.startsWith("RAIS weights nothing after "), message);
    }
  }

  @Test
  void modelsHaveTheShapesThatRowsAreAbout() {
    assertEquals(431_080, parameters(Workload.of("lenet5", 300, 128).network()));
    assertEquals(11_173_962, parameters(Workload.of("resnet18", 600, 512).network()));
    Workload small = Workload.of("lenet5-small", 300, 128);
    assertEquals(20 * 26 + 50 * 501 + 500 * 451 + 10 * 501, parameters(small.network()));
    // Ten million of them are less than a Java array can have.
    assertTrue(10_000_000L * small.data().train().bytesPerImage() < Integer.MAX_VALUE - 8);
    assertTrue(Workload.of("resnet18", 600, 512).augmented());
  }

  private static long parameters(Model model) {
    return model.parameters().stream().mapToLong(spec -> spec.count()).sum();
  }

  /** The same data at every call, of which a class is most of an image. */
  @Test
  void imagesCanBeLearnt() {
    Shape image = new Shape(8, 8, 1);
    var first = RandomImages.of(500, image);
    assertEquals(
        -1,
        java.util.Arrays.mismatch(
            first.train().pixels(), RandomImages.of(500, image).train().pixels()));
    int[] counts = first.train().classCounts(RandomImages.CLASSES);
    for (int count : counts) {
      assertTrue(count > 20 && count < 90, java.util.Arrays.toString(counts));
    }
    double within = 0;
    double across = 0;
    int[] pairs = new int[2];
    for (int i = 1; i < 200; i++) {
      double distance = 0;
      for (int k = 0; k < 64; k++) {
        distance +=
            Math.abs((first.train().image(0)[k] & 0xff) - (first.train().image(i)[k] & 0xff));
      }
      boolean same = first.train().label(0) == first.train().label(i);
      within += same ? distance : 0;
      across += same ? 0 : distance;
      pairs[same ? 0 : 1]++;
    }
    assertTrue(
        within / pairs[0] < 0.8 * across / pairs[1], within / pairs[0] + " " + across / pairs[1]);
  }
}
