package dev.rais.sampling;

import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.function.Function;

/**
 * A training of c and d under way on another thread, with the refresh and the round that follow
 * from it where draws come in rounds.
 */
final class Preparation {
  /**
   * What a preparation starts from; nothing of it changes any more.
   *
   * @param applyAt minibatch at whose draw the result is due, if not at a round's border
   * @param records what the set is trained on
   * @param used which features take part
   * @param means what features are made from afterwards
   * @param meanFeatures s̄ made from those
   * @param round number of the round to make
   * @param roundSize K; 0 for the set alone
   */
  record Inputs(
      long applyAt,
      RecordRing.Records records,
      boolean[] used,
      FrozenMeans means,
      double[] meanFeatures,
      long round,
      int roundSize) {

    /**
     * What is known at the start of a training.
     *
     * @param unseenShare share of the active examples that were never seen
     */
    static Inputs of(
        long applyAt,
        RecordRing ring,
        double unseenShare,
        Ablation ablation,
        FrozenMeans means,
        double[] meanFeatures,
        long round,
        int roundSize) {
      boolean unseen = RefreshTimes.usesUnseen(unseenShare);
      RecordRing.Records records = ring.copy(unseen);
      if (records.count() == 0) {
        // Nothing but first visits, and too few of them to matter: better than no round.
        records = ring.copy(true);
      }
      boolean[] used = new boolean[ExampleHistory.FEATURES];
      Arrays.fill(used, true);
      used[ExampleHistory.NEVER_SEEN] = unseen;
      if (ablation.feature() >= 0) {
        used[ablation.feature()] = false;
      }
      return new Inputs(applyAt, records, used, means, meanFeatures, round, roundSize);
    }

    UncertaintySet solve(UncertaintySet previous) {
      return UncertaintySetSolver.solve(
          records.features(),
          records.norms(),
          records.weights(),
          records.count(),
          meanFeatures,
          used,
          previous);
    }

    void save(SamplerState state) {
      state.put("preparation", applyAt, records.count(), round, roundSize);
      for (int k = 0; k < used.length; k++) {
        state.put("preparation.features." + k, records.features()[k]);
      }
      state.put("preparation.norms", records.norms());
      state.put("preparation.weights", records.weights());
      long bits = 0;
      for (int k = 0; k < used.length; k++) {
        bits |= used[k] ? 1L << k : 0;
      }
      state.put("preparation.used", bits);
      state.put("preparation.meanFeatures", meanFeatures);
      means.save(state, "preparation.means");
    }

    /**
     * The inputs that a state holds, or null; a round of more than {@code mostDraws} is refused.
     */
    static Inputs load(SamplerState state, int classes, long mostDraws) {
      if (!state.has("preparation")) {
        return null;
      }
      long[] counts = state.longs("preparation", 4);
      double[] norms = state.doubles("preparation.norms", -1);
      double[][] features = new double[ExampleHistory.FEATURES][];
      boolean[] used = new boolean[features.length];
      long bits = state.longs("preparation.used", 1)[0];
      for (int k = 0; k < used.length; k++) {
        features[k] = state.doubles("preparation.features." + k, norms.length);
        used[k] = (bits & (1L << k)) != 0;
      }
      double[] weights = state.doubles("preparation.weights", norms.length);
      return new Inputs(
          counts[0],
          new RecordRing.Records(
              features,
              norms,
              weights,
              SamplerState.count("the number of records", counts[1], norms.length)),
          used,
          FrozenMeans.load(state, "preparation.means", classes),
          state.doubles("preparation.meanFeatures", ExampleHistory.FEATURES),
          counts[2],
          SamplerState.count("the size of a round", counts[3], mostDraws));
    }
  }

  /**
   * What came of it.
   *
   * @param set the trained set
   * @param refresh what was refreshed with it, or null
   * @param floored values raised to the floor
   * @param round the round made from that, or null
   */
  record Result(UncertaintySet set, Refresh refresh, long floored, Round round) {
    /** Adds this, of a preparation with a round, to a state. */
    void save(SamplerState state) {
      state.put("prepared.c", set.c());
      state.put("prepared.dHat", set.dHat());
      state.put("prepared.hStar", set.hStar());
      state.put("prepared.floored", floored);
      round.distribution().save(state, "prepared.");
      round.save(state, "prepared.");
    }

    static boolean isIn(SamplerState state) {
      return state.has("prepared.c");
    }

    /**
     * The result that a state holds.
     *
     * @param target takes over the values that the round was made from
     * @param scale what k is multiplied by
     */
    static Result load(SamplerState state, Inputs inputs, Distribution target, double scale) {
      UncertaintySet set =
          new UncertaintySet(
              state.doubles("prepared.c", ExampleHistory.FEATURES),
              state.doubles("prepared.dHat", ExampleHistory.FEATURES),
              state.doubles("prepared.hStar", 1)[0]);
      target.load(state, "prepared.");
      return new Result(
          set,
          Refresh.of(inputs.means(), inputs.meanFeatures(), set, scale),
          state.longs("prepared.floored", 1)[0],
          Round.load(state, "prepared.", target));
    }
  }

  private final ExecutorService executor;
  private final Inputs inputs;
  private final Function<Inputs, Result> work;
  private Future<Result> result;

  /** Nothing happens before {@link #start}. */
  Preparation(ExecutorService executor, Inputs inputs, Function<Inputs, Result> work) {
    this.executor = executor;
    this.inputs = inputs;
    this.work = work;
  }

  /** One that is done: its result was saved, because its work would find other examples. */
  static Preparation done(Inputs inputs, Result result) {
    Preparation preparation = new Preparation(null, inputs, null);
    preparation.result = CompletableFuture.completedFuture(result);
    return preparation;
  }

  /** Begins the work, unless that was done before. */
  void start() {
    if (result == null) {
      result = executor.submit(() -> work.apply(inputs));
    }
  }

  /** Waits for what was begun, of which nothing is wanted any more, failures included. */
  void abandon() {
    if (result != null) {
      try {
        result.get();
      } catch (ExecutionException e) {
        // Whoever goes back to another state goes back behind this.
      } catch (InterruptedException e) {
        throw interrupted(e);
      }
    }
  }

  Inputs inputs() {
    return inputs;
  }

  boolean isDone() {
    return result != null && result.isDone();
  }

  /** Waits for the result. */
  Result result() {
    start();
    try {
      return result.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Error error) {
        throw error; // above all, no memory
      }
      throw new IllegalStateException("training the uncertainty set failed", e.getCause());
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  private static IllegalStateException interrupted(InterruptedException e) {
    Thread.currentThread().interrupt();
    return new IllegalStateException("interrupted while training the uncertainty set", e);
  }
}
