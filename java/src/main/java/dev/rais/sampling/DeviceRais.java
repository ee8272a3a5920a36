package dev.rais.sampling;

import static dev.rais.sampling.ExampleHistory.FEATURES;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * The host's part of RAIS where its state lies on a device (docs/sampler-on-device.md): decides, as
 * {@link RaisSampler} does and to the same bits, when the uncertainty set is trained and applied
 * and what draws come from, counts, and trains the set on a thread of its own. No example may be
 * retired, and every draw has m examples.
 */
public final class DeviceRais implements AutoCloseable {
  /** What draws come from. */
  public enum Way {
    /** The examples, all alike: before the first set. */
    UNIFORM,
    /** The distribution of the set in force. */
    WEIGHTED,
    /** Shuffled epochs beside that distribution, because it does not pay. */
    CAUTIOUS
  }

  /** What is asked of the device; calls return before it is done, but for {@link #prepared}. */
  public interface Device {
    /** A training starts from what is there now; with rounds, visits wait from here on. */
    void prepare();

    /** What {@link #prepare} found: waits for it. Called by another thread. */
    Snapshot prepared();

    /**
     * Gives every example its value; with rounds, of the next round, which is then made.
     *
     * @param set [13] c, d̂, h*
     * @param round number of the round
     */
    void build(double[] set, long round);

    /** Puts in force what was built; visits that waited are made. */
    void apply();

    /** Makes another round of the values in force. */
    void repeatRound(long round);

    /** The next draw of a round begins here. */
    void moveTo(long position);
  }

  /**
   * What a training starts from.
   *
   * @param written records ever written
   * @param revisits records in the ring that are no first visits
   * @param seen examples ever visited
   * @param meanFeatures [6] s̄
   * @param means [1 + K] ḡ and class means that features are made from
   * @param ring [8 · |D|] features, norms and weights, column by column
   */
  public record Snapshot(
      long written, int revisits, long seen, double[] meanFeatures, float[] means, float[] ring) {}

  private record Trained(Preparation.Inputs inputs, UncertaintySet set) {}

  private final RaisOptions options;
  private final int n;
  private final int m;
  private final long seed;
  private final int roundSize;
  private final Device device;
  private final ExecutorService trainer;
  private Caution caution;
  private FirstVisits firstVisits;
  private UncertaintySet set;
  private Future<Trained> training;
  private long applyAt;
  private long nextRound;
  private boolean built;
  private long drawn;
  private long rounds;
  private long round = -1;
  private long roundPosition;
  private long devicePosition;
  private long lastTrainingStart;
  private long refreshes;
  private long weightedIterations;
  private long cautiousIterations;

  /**
   * Of a sampler made with these arguments; {@link #load} belongs after it.
   *
   * @param n examples
   * @param m examples of a minibatch
   */
  public DeviceRais(RaisOptions options, int n, int m, long seed, Device device) {
    this.options = options;
    this.n = n;
    this.m = m;
    this.seed = seed;
    this.device = device;
    roundSize = roundSize(options, n, m);
    trainer =
        Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("rais-uncertainty-set").factory());
  }

  /** Whether the kernels can do what these options ask for: k and rates as they are. */
  public static boolean supports(RaisOptions options) {
    return options.ablation().scale() == 1 && options.ablation() != Ablation.FIXED_RATE;
  }

  /** Most visits that may wait for a round's border. */
  public static int mostDeferred(RaisOptions options, int m) {
    return options.draw() == DrawMode.ROUNDS ? (RefreshTimes.LAG + 2) * m : 0;
  }

  /** |D| of a sampler of n examples. */
  public static int records(RaisOptions options, int n) {
    return RaisSampler.capacity(options, n);
  }

  /** K; 0 with independent draws. */
  public static int roundSize(RaisOptions options, int n, int m) {
    return options.draw() == DrawMode.ROUNDS ? Round.size(options.roundFraction(), n, m) : 0;
  }

  /** Whether a set is in force. */
  public boolean hasSet() {
    return set != null;
  }

  private boolean inRounds() {
    return options.draw() == DrawMode.ROUNDS;
  }

  /** Before a minibatch is drawn: has the device do what is due; returns what draws come from. */
  public Way draw() {
    if (training != null) {
      if (inRounds() && !built && training.isDone()) {
        build();
      }
      if (isDue()) {
        apply();
      }
    }
    caution.drawing(drawn);
    if (set == null) {
      if (firstVisits != null) {
        firstVisits.draw(drawn, m);
      }
      return Way.UNIFORM;
    }
    if (inRounds()) {
      takeOfRound();
    }
    if (caution.isCautious()) {
      cautiousIterations++;
      return Way.CAUTIOUS;
    }
    weightedIterations++;
    return Way.WEIGHTED;
  }

  private boolean isDue() {
    if (options.async()) {
      // Visits can wait for a while only.
      return training.isDone() || inRounds() && drawn - lastTrainingStart > RefreshTimes.LAG;
    }
    boolean atBorder = inRounds() && set != null;
    return !atBorder && drawn >= applyAt;
  }

  private void takeOfRound() {
    if (roundPosition == roundSize) {
      if (training == null) {
        prepare();
      }
      if (options.async() && !training.isDone()) {
        round = rounds++;
        device.repeatRound(round);
        roundPosition = 0;
        devicePosition = 0;
      } else {
        apply();
      }
    }
    if (!caution.isCautious()) {
      if (devicePosition != roundPosition) {
        device.moveTo(roundPosition);
      }
      devicePosition = roundPosition + m;
    }
    roundPosition += m;
  }

  private void build() {
    UncertaintySet trained = trained().set();
    double[] values = new double[2 * FEATURES + 1];
    System.arraycopy(trained.c(), 0, values, 0, FEATURES);
    System.arraycopy(trained.dHat(), 0, values, FEATURES, FEATURES);
    values[2 * FEATURES] = trained.hStar();
    device.build(values, nextRound);
    built = true;
  }

  private void apply() {
    if (!built) {
      build();
    }
    device.apply();
    if (set == null) {
      caution.begin(drawn);
    }
    set = trained().set();
    training = null;
    built = false;
    refreshes++;
    if (inRounds()) {
      round = nextRound;
      roundPosition = 0;
      devicePosition = 0;
    }
  }

  private Trained trained() {
    try {
      return training.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Error error) {
        throw error; // above all, no memory
      }
      throw new IllegalStateException("training the uncertainty set failed", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while training the uncertainty set", e);
    }
  }

  /** After a minibatch was put on its way: has the device prepare a training if one is due. */
  public void drawn() {
    drawn++;
    if (training == null && startsTraining()) {
      prepare();
    }
  }

  private boolean startsTraining() {
    int capacity = RaisSampler.capacity(options, n);
    if (set == null) {
      return RefreshTimes.first(firstVisits.revisits(), capacity);
    }
    return inRounds()
        ? RefreshTimes.nextRound((int) (roundSize - roundPosition), roundSize, m)
        : RefreshTimes.nextSet(drawn - lastTrainingStart, capacity, m);
  }

  private void prepare() {
    firstVisits = null;
    lastTrainingStart = drawn;
    applyAt = drawn + RefreshTimes.LAG;
    nextRound = rounds++;
    device.prepare();
    long due = applyAt;
    long number = nextRound;
    train(() -> inputs(device.prepared(), due, number));
  }

  private void train(Callable<Preparation.Inputs> source) {
    UncertaintySet previous = set;
    training =
        trainer.submit(
            () -> {
              Preparation.Inputs inputs = source.call();
              return new Trained(inputs, inputs.solve(previous));
            });
  }

  private Preparation.Inputs inputs(Snapshot found, long due, long number) {
    RecordRing ring = new RecordRing(RaisSampler.capacity(options, n));
    ring.load(found.written(), found.revisits(), found.ring());
    float[] ofClass = java.util.Arrays.copyOfRange(found.means(), 1, found.means().length);
    return Preparation.Inputs.of(
        due,
        ring,
        (double) (n - found.seen()) / n,
        options.ablation(),
        new FrozenMeans(found.means()[0], ofClass),
        found.meanFeatures(),
        number,
        roundSize);
  }

  /**
   * Takes in the gain ratio that a minibatch showed, in the order of the draws; before the draw of
   * number t those below t − 16 must have been.
   *
   * @param iteration number of its draw
   * @param estimate of the ratio, without bounds
   */
  public void judge(long iteration, double estimate) {
    caution.judge(iteration, estimate);
  }

  /** How many minibatches later than its draw {@link #judge} may come. */
  public static int patience() {
    return RefreshTimes.LAG;
  }

  /** Whether something is built and not in force: values that it raised are not counted yet. */
  public boolean isBuilt() {
    return built;
  }

  /** Waits until nothing is under way on the other thread. */
  public void settle() {
    if (training != null) {
      trained();
    }
  }

  /** Adds what is kept here to a state that has all that is kept on the device. */
  public void save(SamplerState state, long floored) {
    state.put(
        "rais",
        rounds,
        lastTrainingStart,
        caution.trialFrom(),
        caution.trialLength(),
        floored,
        refreshes,
        weightedIterations,
        cautiousIterations,
        caution.isCautious() ? 1 : 0);
    caution.save(state);
    if (set != null) {
      state.put("refresh.c", set.c());
      state.put("refresh.dHat", set.dHat());
      state.put("refresh.hStar", set.hStar());
      state.put("rais.round", round, roundPosition);
    }
    if (training != null) {
      trained().inputs().save(state);
    }
  }

  /**
   * Takes over the state of a {@link RaisSampler}, once the device has.
   *
   * @param classes K
   */
  public void load(SamplerState state, int classes) {
    settle();
    training = null;
    built = false;
    long[] counts = state.longs("rais", 9);
    drawn = state.longs("sampler", 2)[0];
    rounds = counts[0];
    lastTrainingStart = counts[1];
    caution = new Caution(options.caution());
    caution.load(state, counts[8] != 0, counts[2], counts[3]);
    refreshes = counts[5];
    weightedIterations = counts[6];
    cautiousIterations = counts[7];
    set = null;
    if (state.has("refresh.c")) {
      set =
          new UncertaintySet(
              state.doubles("refresh.c", FEATURES),
              state.doubles("refresh.dHat", FEATURES),
              state.doubles("refresh.hStar", 1)[0]);
      long[] position = state.longs("rais.round", 2);
      round = position[0];
      roundPosition = position[1];
      devicePosition = -1;
    }
    Preparation.Inputs inputs =
        Preparation.Inputs.load(
            state, classes, (long) Math.ceil(RaisOptions.MAX_ROUND_FRACTION * n));
    if (inputs != null) {
      applyAt = inputs.applyAt();
      nextRound = inputs.round();
      train(() -> inputs);
    }
    firstVisits = set == null && inputs == null ? new FirstVisits(state, options, n, seed) : null;
  }

  @Override
  public void close() {
    trainer.close();
  }
}
