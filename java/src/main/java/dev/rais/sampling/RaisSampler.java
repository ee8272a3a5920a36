package dev.rais.sampling;

import static dev.rais.sampling.ExampleHistory.FEATURES;

import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Robust approximate importance sampling (docs/algorithm.md; Johnson and Guestrin, NeurIPS 2018).
 *
 * <p>Draws are uniform until the first uncertainty set is trained. From then on p_i ∝ u_i v_i, v_i
 * the robust value that the set gives for the example's features. The set is trained again and
 * again on the last |D| observations by a thread of its own; what it found is applied at an
 * iteration that is fixed when the training starts. With rounds that thread also gives every
 * example its new value and makes the next round, while the present one is used up; norms observed
 * meanwhile are remembered when it is done.
 *
 * <p>A cautious sampler (the default) draws shuffled epochs while the measured gain ratio says that
 * importance sampling does not pay, and keeps measuring what it would be worth.
 *
 * <p>Memory off the Java heap: 16 bytes per example of history and 4.6 for each distribution (two
 * with rounds); on it the labels, and 4 bytes for weights of the objective where there are any.
 */
public final class RaisSampler extends AbstractSampler {
  private static final int DEFAULT_CAPACITY = 20_000;

  private final RaisOptions options;
  private final int classes;
  private final long seed;
  private final ExampleHistory history;
  private final ClassMeans means;
  private final RecordRing ring;
  private final GainEstimator gain;
  private final UniformDraws uniform;
  private final IndependentDraws independent;
  private final Caution caution;
  private final ExecutorService trainer;

  /** What the features of minibatches are made from; null before the first norms. */
  private FrozenMeans frozen;

  /** The refresh in force; null while draws are uniform. */
  private Refresh refresh;

  /** The values under it. */
  private RobustValues values;

  private Distribution distribution;

  /** Where the next round's values are written; null with independent draws. */
  private Distribution spare;

  private Round round;
  private long rounds;
  private Preparation preparation;

  /** Whether examples came or went since it began: done again, it would come to something else. */
  private boolean changedMeanwhile;

  /** Visits observed while a preparation reads the history: examples and norms. */
  private int[] deferredIndices = new int[0];

  private float[] deferredNorms = new float[0];
  private int deferred;
  private long lastTrainingStart = Long.MIN_VALUE / 2;
  private long floored;
  private long refreshes;
  private long weightedIterations;
  private long cautiousIterations;
  private float[] leafValues = new float[0];

  /**
   * A sampler over n = labels.length examples.
   *
   * @param labels [n] class of each example, each in [0, classes); kept, not copied
   * @param classes number of classes
   * @param seed the run's seed
   * @param options see {@link RaisOptions}
   */
  public RaisSampler(int[] labels, int classes, long seed, RaisOptions options) {
    this(labels, classes, null, seed, options);
  }

  /**
   * A sampler for a weighted objective F = Σ u_i f_i / Σ u_i. Scores and moments stay those of the
   * unweighted f_i.
   *
   * @param labels [n] class of each example, each in [0, classes); kept, not copied
   * @param classes number of classes
   * @param weights [n] u_i, finite and not negative; null for 1 each. {@link ClassWeights} has
   *     those that balance classes
   * @param seed the run's seed
   * @param options see {@link RaisOptions}
   */
  public RaisSampler(int[] labels, int classes, float[] weights, long seed, RaisOptions options) {
    super("rais", new Population(labels.length, weights), FEATURES);
    this.options = options;
    this.classes = classes;
    this.seed = seed;
    int n = labels.length;
    gain = new GainEstimator(options.gainMax());
    uniform = new UniformDraws(population, seed);
    independent = new IndependentDraws(seed);
    caution = new Caution(options.caution());
    ring = new RecordRing(capacity(options, n));
    means = new ClassMeans(labels, classes);
    trainer =
        Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("rais-uncertainty-set").factory());
    history = new ExampleHistory(n);
    try {
      distribution = new Distribution(population);
      spare = options.draw() == DrawMode.ROUNDS ? new Distribution(population) : null;
      round = Round.none(distribution);
    } catch (Throwable e) {
      close();
      throw e;
    }
  }

  /** |D|. */
  static int capacity(RaisOptions options, int n) {
    return options.recordCapacity() > 0 ? options.recordCapacity() : Math.min(DEFAULT_CAPACITY, n);
  }

  private boolean inRounds() {
    return options.draw() == DrawMode.ROUNDS;
  }

  @Override
  void fill(Minibatch batch, ForwardPass forward) {
    int m = batch.size();
    applyIfDue();
    caution.drawing(batch.iteration());
    if (refresh == null) {
      uniform.fill(batch, options.draw());
    } else if (caution.isCautious()) {
      if (inRounds()) {
        // What the round would have been used for, so that the next one comes when it would.
        if (round.remaining() == 0) {
          nextRound(m);
        }
        round.skip(m);
      }
      uniform.fill(batch, DrawMode.ROUNDS);
      batch.shadow = new float[m];
      for (int j = 0; j < m; j++) {
        float np = (float) distribution.np(batch.indices()[j]);
        batch.shadow[j] = np > 0 ? np : 1;
      }
      cautiousIterations++;
    } else {
      if (inRounds()) {
        for (int j = 0; j < m; j++) {
          int index = round.take();
          while (index < 0) {
            nextRound(m);
            index = round.take();
          }
          batch.set(j, index, round.distribution().np(index), distribution.relativeWeight(index));
        }
      } else {
        independent.fill(batch, distribution);
      }
      weightedIterations++;
    }
    if (refresh == null && !means.isEmpty()) {
      frozen = means.freeze(); // before the first set the features follow the means
    }
    if (frozen != null) {
      addFeatures(batch);
    }
  }

  private void addFeatures(Minibatch batch) {
    history.features(batch.indices(), batch.size(), means.labels(), frozen, batch.features);
  }

  /** At the draw of a minibatch: takes over what was prepared, if its time has come. */
  private void applyIfDue() {
    if (preparation == null) {
      return;
    }
    preparation.start();
    boolean atBorder = inRounds() && refresh != null;
    boolean due =
        options.async()
            ? preparation.isDone()
            : !atBorder && drawn() >= preparation.inputs().applyAt();
    if (due) {
      apply();
    }
  }

  /** At the border of two rounds. */
  private void nextRound(int m) {
    if (options.async() && preparation != null && !preparation.isDone()) {
      // A set that is not ready is not waited for: another round of the same values.
      round = Round.generate(distribution, seed, rounds++, round.size());
      return;
    }
    if (preparation == null) {
      prepare(m);
    }
    apply();
  }

  private void apply() {
    Preparation.Result result = preparation.result();
    preparation = null;
    changedMeanwhile = false;
    boolean first = refresh == null;
    if (inRounds()) {
      refresh = result.refresh();
      floored += result.floored();
      round = result.round();
      Distribution used = distribution;
      distribution = spare;
      spare = used;
      for (int j = 0; j < deferred; j++) {
        visit(deferredIndices[j], deferredNorms[j]);
      }
      deferred = 0;
    } else {
      FrozenMeans now = means.freeze();
      refresh =
          Refresh.of(
              now, history.meanFeatures(means, now), result.set(), options.ablation().scale());
      floored += build(refresh, distribution);
    }
    values = refresh.values(history, means.labels(), population);
    frozen = refresh.means();
    refreshes++;
    if (first) {
      caution.begin(drawn());
    }
  }

  /** Gives every example its leaf; returns how many values were raised to the floor. */
  private long build(Refresh next, Distribution target) {
    if (next.allZero()) {
      target.build(i -> population.isActive((int) i) ? population.weight((int) i) : 0f);
      return 0;
    }
    return next.values(history, means.labels(), population).build(target);
  }

  /** Starts a training, and with rounds what follows from it. */
  private void prepare(int m) {
    lastTrainingStart = drawn();
    FrozenMeans now = means.freeze();
    int roundSize = inRounds() ? Round.size(options.roundFraction(), population.active(), m) : 0;
    prepare(
        Preparation.Inputs.of(
            drawn() + RefreshTimes.LAG,
            ring,
            history.unseenShare(),
            options.ablation(),
            now,
            history.meanFeatures(means, now),
            rounds++,
            roundSize));
    preparation.start();
  }

  private void prepare(Preparation.Inputs inputs) {
    UncertaintySet previous = refresh == null ? null : refresh.set();
    preparation = new Preparation(trainer, inputs, in -> work(in, previous));
  }

  /** Runs on the trainer's thread; reads history, labels and population, writes the spare. */
  private Preparation.Result work(Preparation.Inputs inputs, UncertaintySet previous) {
    UncertaintySet set = inputs.solve(previous);
    if (inputs.roundSize() == 0) {
      return new Preparation.Result(set, null, 0, null);
    }
    Refresh next =
        Refresh.of(inputs.means(), inputs.meanFeatures(), set, options.ablation().scale());
    long raised = build(next, spare);
    Round made = Round.generate(spare, seed, inputs.round(), inputs.roundSize());
    return new Preparation.Result(set, next, raised, made);
  }

  @Override
  void learn(Minibatch batch, Observation observation) {
    float[] norms = observation.scores();
    boolean first = means.isEmpty();
    means.observe(batch, norms);
    if (first || frozen.mean() == 0) {
      // Features made while all norms were 0 are all 0 too: no set could predict a norm from them.
      frozen = means.freeze();
    }
    if (batch.features[ExampleHistory.MEAN] == 0) {
      // Drawn before any norm above 0 was seen: its features could not be made then.
      addFeatures(batch);
    }
    boolean defer = preparation != null && inRounds();
    for (int j = 0; j < norms.length; j++) {
      ring.add(batch, j, norms[j]);
      if (defer) {
        defer(batch.indices()[j], norms[j]);
      } else {
        visit(batch.indices()[j], norms[j]);
      }
    }
    double ratio = gain.observe(batch, observation);
    if (options.ablation() == Ablation.FIXED_RATE) {
      advance(ratio, 1, 1);
    } else {
      advance(ratio, ratio);
    }
    if (refresh != null && !inRounds()) {
      updateLeaves(batch);
    }
    if (refresh != null) {
      caution.judge(batch.iteration(), gain.estimate());
    }
    prepareWhenDue(batch.size());
  }

  private void visit(int index, float norm) {
    if (population.isActive(index) && history.visit(index, norm)) {
      means.firstVisit(index);
    }
  }

  private void defer(int index, float norm) {
    if (deferred == deferredIndices.length) {
      deferredIndices = Arrays.copyOf(deferredIndices, Math.max(1024, 2 * deferred));
      deferredNorms = Arrays.copyOf(deferredNorms, deferredIndices.length);
    }
    deferredIndices[deferred] = index;
    deferredNorms[deferred++] = norm;
  }

  /** New values of the examples just visited. */
  private void updateLeaves(Minibatch batch) {
    int m = batch.size();
    if (leafValues.length < m) {
      leafValues = new float[m];
    }
    floored += values.at(batch.indices(), m, leafValues);
    distribution.tree().update(batch.indices(), leafValues, m);
  }

  private void prepareWhenDue(int m) {
    if (preparation != null) {
      return;
    }
    boolean due;
    if (refresh == null) {
      due = RefreshTimes.first(ring.revisits(), ring.capacity());
    } else if (inRounds()) {
      due = RefreshTimes.nextRound(round.remaining(), round.size(), m);
    } else {
      due = RefreshTimes.nextSet(drawn() - lastTrainingStart, ring.capacity(), m);
    }
    if (due) {
      prepare(m);
    }
  }

  @Override
  public synchronized int[] upcoming(int count) {
    if (refresh == null ? inRounds() : caution.isCautious()) {
      return uniform.upcoming(count);
    }
    return inRounds() ? round.upcoming(count) : new int[0];
  }

  @Override
  public synchronized float[] relativeProbabilities() {
    return refresh == null || caution.isCautious()
        ? uniformProbabilities()
        : probabilities(distribution);
  }

  @Override
  public ScoreKind score() {
    return ScoreKind.GRADIENT_NORM;
  }

  @Override
  public boolean usesMoments() {
    return true;
  }

  /** The uncertainty set in force, or null while draws are uniform. */
  public synchronized UncertaintySet uncertaintySet() {
    return refresh == null ? null : refresh.set();
  }

  @Override
  public synchronized Calibration calibration() {
    return refresh == null ? Calibration.NONE : Calibration.of(refresh.set(), ring.copy(true));
  }

  @Override
  public synchronized void settle() {
    finishPreparation();
  }

  /** How often an example was drawn and observed. */
  public synchronized int visits(int index) {
    int visits = history.visits(java.util.Objects.checkIndex(index, population.size()));
    for (int j = 0; j < deferred; j++) {
      visits += deferredIndices[j] == index ? 1 : 0;
    }
    return visits;
  }

  /** [indexBound] how often each example was drawn and observed. */
  public synchronized int[] visits() {
    int[] visits = new int[population.size()];
    Arrays.setAll(visits, history::visits);
    for (int j = 0; j < deferred; j++) {
      visits[deferredIndices[j]]++;
    }
    return visits;
  }

  @Override
  public synchronized SamplerStatistics statistics() {
    return new SamplerStatistics(
        floored,
        gain.boundHits(),
        gain.boundShare(),
        refreshes,
        weightedIterations,
        caution.isCautious(),
        cautiousIterations);
  }

  @Override
  void beforeRetire(int[] indices) {
    finishPreparation();
    changedMeanwhile |= preparation != null;
    for (int index : indices) {
      distribution.retire(index);
      if (spare != null && preparation != null) {
        spare.retire(index);
      }
      means.retire(index, history.visits(index) > 0);
      history.retire(index);
    }
  }

  /** Waits for the other thread, which reads what is about to change. */
  private void finishPreparation() {
    if (preparation != null) {
      preparation.result();
    }
  }

  @Override
  void checkAppend(int[] labels) {
    means.checkLabels(labels);
    finishPreparation();
  }

  @Override
  void appended(int from, int[] labels) {
    changedMeanwhile |= preparation != null;
    means.append(from, labels);
    history.grow(population.size());
    if (refresh != null) {
      values = refresh.values(history, means.labels(), population);
      if (!inRounds()) {
        distribution.extend();
        int[] indices = new int[labels.length];
        Arrays.setAll(indices, j -> from + j);
        float[] leaves = new float[labels.length];
        floored += values.at(indices, labels.length, leaves);
        distribution.tree().update(indices, leaves, labels.length);
      }
    }
  }

  @Override
  void save(SamplerState state) {
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
    means.save(state, population);
    history.save(state);
    ring.save(state);
    gain.save(state);
    uniform.save(state);
    if (frozen != null) {
      frozen.save(state, "rais.frozen");
    }
    if (refresh != null) {
      refresh.save(state);
      distribution.save(state, "rais.");
      round.save(state, "rais.");
    }
    state.put("rais.deferred.indices", Arrays.copyOf(deferredIndices, deferred));
    state.put("rais.deferred.norms", Arrays.copyOf(deferredNorms, deferred));
    if (preparation != null) {
      preparation.inputs().save(state);
      if (changedMeanwhile && inRounds()) {
        preparation.result().save(state);
      }
    }
  }

  @Override
  void beforeRestore() {
    if (preparation != null) {
      preparation.abandon();
      preparation = null;
      changedMeanwhile = false;
    }
  }

  @Override
  void load(SamplerState state) {
    long[] counts = state.longs("rais", 9);
    rounds = counts[0];
    lastTrainingStart = counts[1];
    caution.load(state, counts[8] != 0, counts[2], counts[3]);
    floored = counts[4];
    refreshes = counts[5];
    weightedIterations = counts[6];
    cautiousIterations = counts[7];
    history.load(state, population);
    means.load(state, population, history);
    ring.load(state);
    gain.load(state);
    uniform.load(state);
    frozen = state.has("rais.frozen") ? FrozenMeans.load(state, "rais.frozen", classes) : null;
    refresh = null;
    round = Round.none(distribution);
    if (state.has("refresh.c")) {
      refresh = Refresh.load(state, classes, options.ablation().scale());
      values = refresh.values(history, means.labels(), population);
      distribution.load(state, "rais.");
      round = Round.load(state, "rais.", distribution);
    }
    deferredIndices = state.ints("rais.deferred.indices", -1);
    deferred = deferredIndices.length;
    deferredNorms = state.floats("rais.deferred.norms", deferred);
    Preparation.Inputs inputs =
        Preparation.Inputs.load(
            state, classes, (long) Math.ceil(RaisOptions.MAX_ROUND_FRACTION * population.size()));
    if (inputs == null) {
      return;
    }
    changedMeanwhile = spare != null && Preparation.Result.isIn(state);
    if (changedMeanwhile) {
      preparation =
          Preparation.done(
              inputs, Preparation.Result.load(state, inputs, spare, options.ablation().scale()));
    } else {
      prepare(inputs); // which begins at the next draw
    }
  }

  /** Memory off the Java heap, in bytes: what grows with the number of examples, but for labels. */
  public synchronized long offHeapBytes() {
    return history.offHeapBytes()
        + distribution.tree().offHeapBytes()
        + (spare == null ? 0 : spare.tree().offHeapBytes());
  }

  @Override
  public synchronized void close() {
    trainer.close();
    // Where the constructor fails, not everything is there.
    if (distribution != null) {
      distribution.close();
    }
    if (spare != null) {
      spare.close();
    }
    history.close();
  }
}
