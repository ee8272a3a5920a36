package dev.rais.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.cuda.StateLayout;
import dev.rais.nn.Schedule;
import dev.rais.sampling.JavaDraws;
import dev.rais.sampling.JavaSampler;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * The kernels' sampler beside the Java class, several hundred steps: every bit must be the same.
 */
final class SamplerRun {
  private static final int STEPS = 300;

  /** Steps between two looks at everything. */
  private static final int EVERY = 20;

  static final List<JavaSampler.Setting> SETTINGS =
      List.of(
          new JavaSampler.Setting(false, false, 900, 6, 300, 32, 3),
          new JavaSampler.Setting(false, true, 2000, 30, 500, 64, 10),
          new JavaSampler.Setting(true, false, 900, 6, 300, 32, 3),
          new JavaSampler.Setting(true, true, 2000, 30, 500, 64, 10));

  private final Machine machine;
  private final JavaSampler.Setting s;
  private final Random random;
  private final long seed;

  SamplerRun(Machine machine, JavaSampler.Setting setting, long seed) {
    this.machine = machine;
    s = setting;
    this.seed = seed;
    random = new Random(seed);
  }

  void run() {
    int[] labels = new int[s.n()];
    float[] scale = new float[s.n()];
    float[] objective = s.weighted() ? new float[s.n()] : null;
    for (int i = 0; i < s.n(); i++) {
      labels[i] = Math.min(random.nextInt(s.classes()), random.nextInt(s.classes()));
      scale[i] = (float) Math.exp(-6 * random.nextDouble());
      if (s.weighted()) {
        objective[i] = random.nextInt(20) == 0 ? 0 : random.nextFloat() + 0.2f;
      }
    }
    Schedule schedule = Schedule.values()[random.nextInt(Schedule.values().length)];
    double total = 1.2 * STEPS;
    int refreshes = 0;
    try (JavaSampler java = new JavaSampler(s, labels, objective, seed);
        DeviceSampler device =
            new DeviceSampler(machine, s, labels, objective, seed, schedule, total)) {
      for (int t = 0; t < STEPS; t++) {
        String where = s + ", step " + t + " (-D" + KernelSuite.SEED + "=" + seed + ")";
        if (!s.rounds() && t == STEPS / 2) {
          int[] gone = MinibatchCases.retired(s.n(), 7);
          for (int index : gone) {
            java.retire(index);
          }
          device.retire(gone, objective);
        }
        java.draw();
        if (java.applied() != null) {
          device.apply(java.applied());
          refreshes++;
        }
        device.draw();
        assertArrayEquals(java.indices(), device.indices.ints(0, s.m()), where);
        bits(java.importance(), device.importance, where);
        bits(java.weights(), device.weights, where);
        bits(java.features(), device.features, where);

        float[] norms = new float[s.m()];
        float[] hidden = new float[s.m()];
        float[] squares = new float[s.m()];
        for (int j = 0; j < s.m(); j++) {
          float u = random.nextFloat();
          norms[j] = u < 0.02f ? 0 : scale[java.indices()[j]] * (0.5f + u);
          hidden[j] = 10 * random.nextFloat();
          squares[j] = norms[j] * norms[j] * (hidden[j] + 1);
        }
        double gradient = 0.02 * random.nextDouble();
        java.observe(norms, squares, gradient);
        device.observe(norms, hidden, gradient);
        if (java.prepared()) {
          device.prepare();
        }
        bits(java.features(), device.features, where);
        double[] gain = device.gain.doubles(0, StateLayout.GAIN_LENGTH);
        assertEquals(java.gainRatio(), gain[StateLayout.GAIN_RATIO], where);
        assertEquals(java.effectiveIterations(), gain[StateLayout.GAIN_ITERATIONS], where);
        assertEquals(
            java.learningRate(at -> schedule.learningRate(0.05, at, total)),
            device.rate.floats(0, 1)[0],
            where);
        if ((t + 1) % EVERY == 0) {
          compare(java, device, gain, where);
        }
      }
      assertTrue(refreshes > 5, refreshes + " refreshes");
      assertEquals(0, device.total(StateLayout.TOTAL_LOST));
      assertEquals(0, device.total(StateLayout.TOTAL_REFUSED));
    }
  }

  /** Floats, bit by bit. */
  private static void bits(float[] expected, DeviceArray found, String where) {
    assertArrayEquals(expected, found.floats(0, expected.length), where);
  }

  private void compare(JavaSampler java, DeviceSampler device, double[] gain, String where) {
    JavaSampler.Snapshot expected = java.snapshot();
    byte[] history = expected.history();
    assertArrayEquals(history, device.history.bytes(history.length), where + ": history");
    assertArrayEquals(
        expected.means(),
        device.block.doubles(device.part(StateLayout.STATE_MEANS), 1 + s.classes()),
        where + ": means");
    assertArrayEquals(
        expected.frozen(),
        device.block.floats(device.part(StateLayout.STATE_FROZEN), 1 + s.classes()),
        where + ": frozen means");
    float[] ring = expected.ring();
    assertArrayEquals(
        ring,
        device.block.floats(device.part(StateLayout.STATE_RING), ring.length),
        where + ": ring");
    assertArrayEquals(
        expected.ringCounts(),
        new long[] {
          device.total(StateLayout.TOTAL_WRITTEN), device.total(StateLayout.TOTAL_REVISITS)
        },
        where + ": ring");
    assertArrayEquals(expected.gain(), Arrays.copyOf(gain, 6), where + ": moments");
    assertEquals(java.boundHits(), (long) gain[StateLayout.GAIN_BOUND_HITS], where);
    // With rounds Java counts when a set is applied, the kernels when its leaves are made; here
    // that is at once.
    assertEquals(java.floored(), device.total(StateLayout.TOTAL_FLOORED), where + ": floored");
    float[] leaves = expected.leaves();
    if (leaves != null) {
      assertArrayEquals(leaves, device.leaves(), where + ": leaves");
      assertEquals(
          JavaDraws.sumsChecksum(leaves), JavaDraws.sumsChecksum(device.sums()), where + ": sums");
    }
  }
}
