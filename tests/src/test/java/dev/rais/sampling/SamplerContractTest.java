package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.IntPredicate;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every sampler promises, whatever it draws. */
class SamplerContractTest extends RandomTest {
  private static final int AHEAD = 4;
  private static final int STEPS = 500;

  static List<AllSamplers.Case> all() {
    return AllSamplers.all();
  }

  static List<AllSamplers.Case> growing() {
    return all().stream().filter(AllSamplers.Case::grows).toList();
  }

  static List<AllSamplers.Case> rivals() {
    List<String> names =
        List.of("presample", "loshchilov", "selective-backprop", "infobatch", "adascale");
    return all().stream().filter(c -> names.contains(c.name())).toList();
  }

  /** What a step shows to the outside. */
  private record Step(
      int[] indices, float[] weights, double ratio, double effectiveIterations, double rate) {
    void assertSame(Step other, String where) {
      assertArrayEquals(indices, other.indices, where + ": indices");
      assertArrayEquals(weights, other.weights, where + ": weights");
      assertEquals(ratio, other.ratio, where + ": gain ratio");
      assertEquals(effectiveIterations, other.effectiveIterations, where + ": t̂");
      assertEquals(rate, other.rate, where + ": learning rate");
    }
  }

  /** A run with minibatches drawn ahead. */
  private static final class Run {
    final ImportanceSampler sampler;
    final Deque<Minibatch> ahead = new ArrayDeque<>();
    int step;

    Run(ImportanceSampler sampler) {
      this.sampler = sampler;
    }

    Step step() {
      while (ahead.size() < AHEAD) {
        ahead.add(AllSamplers.draw(sampler, step));
      }
      // Now and then out of order, as with several workers.
      Minibatch batch = step % 5 == 3 ? ahead.pollLast() : ahead.pollFirst();
      sampler.observe(batch, AllSamplers.observation(batch, step));
      step++;
      return new Step(
          batch.indices().clone(),
          batch.weights().clone(),
          sampler.gainRatio(),
          sampler.effectiveIterations(),
          sampler.learningRate(t -> 1 / (1 + t)));
    }
  }

  private static byte[] bytes(ImportanceSampler sampler) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      sampler.state().write(out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  private static List<Minibatch> restore(ImportanceSampler sampler, byte[] bytes) {
    try {
      return sampler.restore(SamplerState.read(new ByteArrayInputStream(bytes)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @ParameterizedTest
  @MethodSource("all")
  void aRestoredSamplerGoesOnExactlyAsTheFirstOne(AllSamplers.Case kind) {
    // From before the first draw to the thick of rounds, epochs and preparations.
    requireExactRestores(kind, "state of ", STEPS, t -> t < 3 || t % 37 == 0, Run::step);
  }

  /**
   * Saves a sampler before some of its steps, and goes on from each state.
   *
   * @param purpose of the random seed
   * @param saved before which steps
   * @param step a step of a run
   */
  private static void requireExactRestores(
      AllSamplers.Case kind,
      String purpose,
      int steps,
      IntPredicate saved,
      Function<Run, Step> step) {
    long seed = random(purpose + kind).nextLong();
    List<Step> expected = new ArrayList<>();
    TreeMap<Integer, byte[]> states = new TreeMap<>();
    byte[] end;
    try (ImportanceSampler sampler = kind.create(seed)) {
      Run run = new Run(sampler);
      for (int t = 0; t < steps; t++) {
        if (saved.test(t)) {
          states.put(t, bytes(sampler));
        }
        expected.add(step.apply(run));
      }
      end = bytes(sampler);
    }
    states.forEach(
        (from, bytes) -> {
          try (ImportanceSampler sampler = kind.create(seed)) {
            Run run = new Run(sampler);
            run.ahead.addAll(restore(sampler, bytes));
            assertEquals(from == 0 ? 0 : AHEAD - 1, run.ahead.size());
            run.step = from;
            for (int t = from; t < steps; t++) {
              expected.get(t).assertSame(step.apply(run), "restored at " + from + ", step " + t);
            }
            assertArrayEquals(
                end, bytes(sampler), "restored at " + from + ": the state at the end");
          }
        });
  }

  @ParameterizedTest
  @MethodSource("all")
  void aRestoredSamplerForgetsWhatItDidBefore(AllSamplers.Case kind) {
    long seed = random("second state of " + kind).nextLong();
    try (ImportanceSampler first = kind.create(seed);
        ImportanceSampler second = kind.create(seed)) {
      Run a = new Run(first);
      Run b = new Run(second);
      for (int t = 0; t < 230; t++) {
        b.step();
        if (t < 90) {
          a.step();
        }
      }
      b.ahead.clear();
      b.ahead.addAll(restore(second, bytes(first)));
      b.step = a.step;
      for (int t = 0; t < 150; t++) {
        a.step().assertSame(b.step(), "step " + t);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("all")
  void theSameSeedDrawsTheSameAndAnotherDrawsOthers(AllSamplers.Case kind) {
    long seed = random("seed of " + kind).nextLong();
    try (ImportanceSampler first = kind.create(seed);
        ImportanceSampler second = kind.create(seed);
        ImportanceSampler third = kind.create(seed + 1)) {
      Run a = new Run(first);
      Run b = new Run(second);
      Run c = new Run(third);
      boolean differ = false;
      for (int t = 0; t < 300; t++) {
        Step step = a.step();
        step.assertSame(b.step(), "step " + t);
        differ |= !java.util.Arrays.equals(step.indices, c.step().indices);
      }
      assertTrue(differ);
    }
  }

  @ParameterizedTest
  @MethodSource("rivals")
  void upcomingIsWhatIsDrawnNext(AllSamplers.Case kind) {
    long seed = random("upcoming of " + kind).nextLong();
    try (ImportanceSampler sampler = kind.create(seed)) {
      for (int t = 0; t < 300; t++) {
        int[] upcoming = sampler.upcoming(10);
        assertTrue(upcoming.length <= 10);
        boolean presampled = kind.name().equals("presample");
        long before = sampler.statistics().weightedIterations();
        Minibatch batch = AllSamplers.draw(sampler, t);
        if (!presampled || sampler.statistics().weightedIterations() == before) {
          for (int j = 0; j < upcoming.length; j++) {
            assertEquals(upcoming[j], batch.indices()[j], "step " + t + ", slot " + j);
          }
        }
        sampler.observe(batch, AllSamplers.observation(batch, t));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("rivals")
  void aBadObservationNamesTheExampleAndTheValueAndChangesNothing(AllSamplers.Case kind) {
    try (ImportanceSampler sampler = kind.create(9)) {
      Minibatch batch = AllSamplers.draw(sampler, 0);
      Observation good = AllSamplers.observation(batch, 0);
      byte[] before = bytes(sampler);
      for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
        float[] scores = good.scores().clone();
        float[] squares = good.momentNormsSquared().clone();
        scores[5] = bad;
        squares[5] = bad;
        var e =
            assertThrows(
                IllegalArgumentException.class,
                () -> sampler.observe(batch, new Observation(scores, squares, 1)));
        String message = e.getMessage();
        assertTrue(message.contains("example " + batch.indices()[5]), message);
        assertTrue(message.contains(Float.toString(bad)), message);
      }
      assertArrayEquals(before, bytes(sampler));
      sampler.observe(batch, good);
    }
  }

  @ParameterizedTest
  @MethodSource("rivals")
  void aBadForwardPassNamesTheExampleAndTheValueAndLosesNoCandidate(AllSamplers.Case kind) {
    try (ImportanceSampler sampler = kind.create(11);
        ImportanceSampler twin = kind.create(11)) {
      int refused = 0;
      for (int t = 0; t < 200; t++) {
        int[] last = {-1};
        ForwardPass bad =
            indices -> {
              last[0] = indices[indices.length - 1];
              float[] scores = new float[indices.length];
              scores[scores.length - 1] = Float.NaN;
              return scores;
            };
        Minibatch batch;
        try {
          batch = sampler.draw(AllSamplers.M, bad);
          assertEquals(-1, last[0], "no forward pass was asked for");
        } catch (IllegalArgumentException e) {
          refused++;
          assertTrue(e.getMessage().contains("example " + last[0]), e.getMessage());
          assertTrue(e.getMessage().contains("NaN"), e.getMessage());
          batch = AllSamplers.draw(sampler, t);
        }
        Minibatch expected = AllSamplers.draw(twin, t);
        assertArrayEquals(expected.indices(), batch.indices(), "step " + t);
        assertArrayEquals(expected.weights(), batch.weights(), "step " + t);
        sampler.observe(batch, AllSamplers.observation(batch, t));
        twin.observe(expected, AllSamplers.observation(expected, t));
      }
      boolean scores = !List.of("adascale", "infobatch").contains(kind.name());
      assertEquals(scores, refused > 0, refused + " refused");
    }
  }

  @ParameterizedTest
  @MethodSource("all")
  void dataGrowsAndShrinksWhereThatIsSupported(AllSamplers.Case kind) {
    try (ImportanceSampler sampler = kind.create(3)) {
      Run run = new Run(sampler);
      run.step();
      if (!kind.grows()) {
        assertThrows(
            UnsupportedOperationException.class, () -> sampler.append(new int[] {1}, null));
        assertThrows(UnsupportedOperationException.class, () -> sampler.retire(1));
        assertEquals(AllSamplers.N, sampler.size());
        return;
      }
      sampler.append(new int[80], null);
      sampler.retire(7);
      assertEquals(AllSamplers.N + 79, sampler.size());
      run.ahead.forEach(b -> sampler.observe(b, AllSamplers.observation(b, 1)));
      run.ahead.clear();
      boolean added = false;
      for (int t = 0; t < 300; t++) {
        Step step = run.step();
        for (int i : step.indices) {
          assertFalse(i == 7, "a retired example was drawn");
          added |= i >= AllSamplers.N;
        }
      }
      assertTrue(added, "what was added is drawn");
    }
  }

  @ParameterizedTest
  @MethodSource("all")
  void theStateOfAnotherKindIsRefused(AllSamplers.Case kind) {
    try (ImportanceSampler sampler = kind.create(1);
        ImportanceSampler uniform = all().getFirst().create(1);
        ImportanceSampler infobatch = new InfoBatchSampler(AllSamplers.N, 1, 10, 0.5, 1)) {
      ImportanceSampler other = kind.name().startsWith("uniform") ? infobatch : uniform;
      assertThrows(IllegalArgumentException.class, () -> sampler.restore(other.state()));
    }
  }

  /** A step of a run whose examples come and go. */
  private static Step changedStep(Run run) {
    Step step = run.step();
    if (run.step % 3 == 1) {
      run.sampler.retire(run.step * 13 % AllSamplers.N);
    }
    if (run.step % 7 == 2) {
      run.sampler.append(new int[] {1, run.step % AllSamplers.CLASSES}, null);
    }
    return step;
  }

  @ParameterizedTest
  @MethodSource("growing")
  void aRestoredSamplerGoesOnExactlyThoughExamplesComeAndGo(AllSamplers.Case kind) {
    requireExactRestores(
        kind, "changing data of ", 220, t -> t > 60, SamplerContractTest::changedStep);
  }

  @ParameterizedTest
  @MethodSource("all")
  void aStateWithManyMinibatchesOnTheirWayCanBeReadAgain(AllSamplers.Case kind) {
    try (ImportanceSampler sampler = kind.create(5);
        ImportanceSampler other = kind.create(5)) {
      List<Minibatch> drawn = new ArrayList<>();
      for (int t = 0; t < 300; t++) {
        drawn.add(AllSamplers.draw(sampler, 0));
      }
      List<Minibatch> restored = restore(other, bytes(sampler));
      assertEquals(drawn.size(), restored.size());
      for (int t = 0; t < drawn.size(); t++) {
        assertArrayEquals(drawn.get(t).indices(), restored.get(t).indices());
      }
    }
  }
}
