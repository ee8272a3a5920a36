package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.cuda.HostCuda;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.Dense;
import dev.rais.nn.Model;
import dev.rais.nn.Relu;
import dev.rais.nn.Shape;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The comparison of a GPU with the CPU, on a device that is the host. */
class GpuAgainstCpuTest {
  private static final Shape IMAGE = new Shape(28, 28, 1);

  private static Dataset data() {
    Dataset all = Datasets.load("fashion-mnist-sample", null);
    return new Dataset(
        "small", all.train().slice(0, 96), all.test().slice(0, 20), all.classNames());
  }

  private static Model model(int units) {
    return Model.builder("tiny", IMAGE)
        .add("fc1", new Dense(units))
        .add("relu", new Relu())
        .add("fc2", new Dense(10))
        .build();
  }

  @Test
  void drawsAreTheSameThroughRefreshesAndLossesAgree() {
    List<String> said = new ArrayList<>();
    GpuAgainstCpu found;
    int steps = 40;
    try (Backend gpu = HostCuda.newBackend();
        Backend cpu = Backends.open("cpu", 1, warning -> {})) {
      found = GpuAgainstCpu.compare(gpu, cpu, data(), model(8), 8, steps, said::add);
    }
    assertEquals(steps, found.steps());
    assertEquals(steps, found.sameDraws(), found.toString());
    assertTrue(found.sameState(), found.toString());
    assertTrue(found.refreshes() > 2, found.toString());
    assertTrue(found.worstLoss() < 1e-4, found.toString());
    assertTrue(found.firstLoss() <= found.worstLoss() && found.medianLoss() <= found.worstLoss());
    assertTrue(found.values().get("worstAt") instanceof Integer, found.values().toString());
    assertTrue(said.getFirst().startsWith("the checkpoint is that of step "), said.toString());
  }
}
