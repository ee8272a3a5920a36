package dev.rais.sampling;

import static dev.rais.sampling.ExampleHistory.FEATURES;
import static dev.rais.sampling.ExampleHistory.NEVER_SEEN;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Robust approximate importance sampling (docs/algorithm.md; Johnson and Guestrin, NeurIPS 2018).
 *
 * <p>Draws are uniform until the first uncertainty set is trained. From then on p_i ∝ v_i, the
 * robust value that the set gives for the example's features. The set is trained again and again on
 * the last |D| observations by a thread of its own; what it found is applied at an iteration that
 * is fixed when the training starts.
 */
public final class RaisSampler implements ImportanceSampler {
  /** v is raised to this share of its mean, so that no weight exceeds 1,000 times the mean. */
  private static final double FLOOR = 0.001;

  /** Below this share of never-seen examples, their feature is dropped. */
  private static final double UNSEEN_SHARE = 0.05;

  private static final int DEFAULT_CAPACITY = 20_000;

  /** Minibatches between the start of a training and its application. */
  private static final int LAG = 16;

  private final int n;
  private final RaisOptions options;
  private final ExampleHistory history;
  private final ClassMeans means;
  private final RecordRing ring;
  private final GainEstimator gain;
  private final UniformDraws uniform;
  private final SumTree tree;
  private final WeightedDraws weighted;
  private final ExecutorService trainer;

  /** The set in force; null while draws are uniform. */
  private UncertaintySet set;

  /** Values under the set and the means as of the last refresh. */
  private RobustValues values;

  private SetTraining training;
  private long drawn;
  private long lastTrainingStart = Long.MIN_VALUE / 2;
  private long floored;
  private long refreshes;
  private long weightedIterations;
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
    this.n = labels.length;
    this.options = options;
    uniform = new UniformDraws(n, seed);
    gain = new GainEstimator(options.gainMax());
    int capacity =
        options.recordCapacity() > 0 ? options.recordCapacity() : Math.min(DEFAULT_CAPACITY, n);
    ring = new RecordRing(capacity);
    means = new ClassMeans(labels, classes);
    history = new ExampleHistory(n);
    tree = new SumTree(n);
    weighted = new WeightedDraws(tree, seed);
    trainer =
        Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("rais-uncertainty-set").factory());
  }

  @Override
  public int size() {
    return n;
  }

  @Override
  public Minibatch draw(int m) {
    uniform.checkBatch(m);
    boolean borderOfRound =
        options.draw() == DrawMode.IID || set == null || weighted.remaining() < m;
    if (borderOfRound) {
      applyTrainedSet();
    }
    Minibatch batch = new Minibatch(drawn, m, FEATURES);
    if (set == null) {
      uniform.fill(batch, options.draw());
    } else {
      weightedIterations++;
      if (options.draw() == DrawMode.IID) {
        weighted.fillIndependently(batch, 0);
      } else {
        if (weighted.remaining() < m) {
          refresh();
          weighted.startRound(roundSize(m));
        }
        weighted.fillFromRound(batch);
      }
    }
    drawn++;
    if (set == null && !means.isEmpty()) {
      means.freeze(); // before the first set there is no refresh: the features follow the means
    }
    history.features(batch.indices(), m, means, batch.features);
    return batch;
  }

  /** K: a multiple of m near the option's share of n. */
  private int roundSize(int m) {
    long wanted = Math.min(Math.round(options.roundFraction() * n), WeightedDraws.MAX_ROUND);
    return (int) Math.max(1, wanted / m) * m;
  }

  @Override
  public void observe(Minibatch batch, Observation observation) {
    observation.check(batch.size());
    GainEstimator.markObserved(batch);
    float[] norms = observation.scores();
    if (means.isEmpty()) {
      // The very first features were made before any norm was seen: fill them in now.
      means.observe(batch, norms);
      means.freeze();
      history.features(batch.indices(), norms.length, means, batch.features);
    } else {
      means.observe(batch, norms);
    }
    for (int j = 0; j < norms.length; j++) {
      ring.add(batch, j, norms[j]);
      if (history.visit(batch.indices()[j], norms[j])) {
        means.firstVisit(batch.indices()[j]);
      }
    }
    gain.observe(
        batch.weights(), observation.momentNormsSquared(), observation.batchGradientNormSquared());
    if (set != null && options.draw() == DrawMode.IID) {
      updateLeaves(batch);
    }
    startTrainingWhenDue(batch.size());
  }

  /** New values of the examples just visited. */
  private void updateLeaves(Minibatch batch) {
    int m = batch.size();
    if (leafValues.length < m) {
      leafValues = new float[m];
    }
    floored += values.at(batch.indices(), m, leafValues);
    tree.update(batch.indices(), leafValues, m);
  }

  private void startTrainingWhenDue(int m) {
    // After one shuffled epoch every record is a first visit, and a set trained on those alone
    // collapses on the next round; so the first training waits for revisits.
    if (training != null || (set == null && ring.revisits() < Math.max(1, ring.capacity() / 4))) {
      return;
    }
    boolean due =
        set == null
            || (options.draw() == DrawMode.IID
                ? drawn - lastTrainingStart >= Math.ceilDiv(ring.capacity(), m)
                : weighted.remaining() <= (long) LAG * m);
    if (due) {
      lastTrainingStart = drawn;
      boolean unseen = history.unseenShare() >= UNSEEN_SHARE;
      RecordRing.Records records = ring.copy(unseen);
      if (records.count() > 0) {
        boolean[] used = new boolean[FEATURES];
        java.util.Arrays.fill(used, true);
        used[NEVER_SEEN] = unseen;
        double[] mean = history.meanFeatures(means);
        training = new SetTraining(trainer, drawn + LAG, records, mean, used, set);
      }
    }
  }

  private void applyTrainedSet() {
    if (training == null) {
      return;
    }
    boolean now =
        options.async()
            ? training.isDone()
            : options.draw() == DrawMode.ROUNDS && set != null || drawn >= training.applyAt();
    if (now) {
      set = training.result();
      training = null;
      if (options.draw() == DrawMode.IID) {
        refresh();
      }
    }
  }

  /** Freezes means, k and floor, and gives every example its value under the set in force. */
  private void refresh() {
    refreshes++;
    means.freeze();
    double[] mean = history.meanFeatures(means);
    double errorScale = set.errorScale(mean);
    // v is linear in the features, so its mean is the value of the mean features.
    double meanValue = set.robustValue(mean, errorScale);
    boolean allZero = !(meanValue > 0);
    values =
        new RobustValues(
            history, means, set, errorScale, allZero ? 1f : (float) (FLOOR * meanValue));
    if (allZero) {
      tree.build(i -> 1f);
    } else {
      floored += values.build(tree);
    }
  }

  @Override
  public double gainRatio() {
    return gain.gainRatio();
  }

  @Override
  public double effectiveIterations() {
    return gain.effectiveIterations();
  }

  /** The uncertainty set in force, or null while draws are uniform. */
  public UncertaintySet uncertaintySet() {
    return set;
  }

  /** How often an example was drawn and observed. */
  public int visits(int index) {
    return history.visits(index);
  }

  /** Memory in use off the Java heap: what grows with the number of examples, but for labels. */
  public long offHeapBytes() {
    return history.offHeapBytes() + tree.offHeapBytes();
  }

  @Override
  public SamplerStatistics statistics() {
    return new SamplerStatistics(
        floored, gain.boundHits(), gain.boundShare(), refreshes, weightedIterations);
  }

  @Override
  public void close() {
    trainer.close();
    tree.close();
    history.close();
  }
}
