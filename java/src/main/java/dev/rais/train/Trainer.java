package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.ResidentSampler;
import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.data.Normalization;
import dev.rais.nn.BatchNorm2d;
import dev.rais.nn.BoundNetwork;
import dev.rais.nn.Dropout;
import dev.rais.nn.MemoryPlan;
import dev.rais.nn.Mode;
import dev.rais.nn.Model;
import dev.rais.nn.Models;
import dev.rais.nn.Network;
import dev.rais.nn.Shape;
import dev.rais.random.FeistelPermutation;
import dev.rais.random.Streams;
import dev.rais.sampling.ImportanceSampler;
import dev.rais.sampling.OracleSampler;
import dev.rais.sampling.SamplerStatistics;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The training loop (docs/algorithm.md §5): draw, forward, fused loss layer, backward, observe,
 * update, until t̂ reaches the schedule's length.
 */
public final class Trainer implements AutoCloseable {
  /** Training examples that trainLoss is measured on before the end. */
  private static final int TRAIN_LOSS_EXAMPLES = 10_000;

  /** A rate that was halved so often and still is too high is not what is wrong. */
  public static final int MOST_HALVINGS = 10;

  private final TrainingConfig config;
  private final Backend backend;
  private final Dataset data;
  private final ImportanceSampler sampler;
  private final RunMemory memory;
  private final Network network;

  /** Memory for activations, which training, evaluation and scoring use in turns. */
  private final Buffer workspace;

  private final BoundNetwork net;
  private final Evaluator evaluator;
  private final DeviceImages train;
  private final DeviceImages test;
  private final Steps steps;
  private final int[] trainLossExamples;
  private final int[] allTest;
  private final StepCounts counts;
  private final LastGood lastGood;

  /** Memory of two checkpoints, so that one can be filled while another is written. */
  private final Checkpoint.Arrays[] snapshots = new Checkpoint.Arrays[2];

  private int nextSnapshot;
  private String fingerprint;

  /** T. */
  private final long total;

  private final List<Metrics> history = new ArrayList<>();
  private double nextEpoch;
  private int nextTenth = 1;
  private long totalNanos;
  private long trainingNanos;

  /** Time spent waiting for input before the run was interrupted. */
  private long earlierInputNanos;

  /**
   * Prepares a run.
   *
   * @param backend where to compute; stays the caller's
   * @param data the data set; its name need not be the configuration's
   * @throws IllegalArgumentException if the model cannot take the images, a name is unknown, a
   *     minibatch is larger than the training set, or memory does not suffice
   */
  public Trainer(Backend backend, Dataset data, TrainingConfig config) {
    this(backend, data, config, model(data, config));
  }

  /** Prepares a run of a model of one's own. */
  public Trainer(Backend backend, Dataset data, TrainingConfig config, Model model) {
    this(backend, data, config, model, true, true);
  }

  /**
   * @param overlap whether minibatches may be made while others are computed; no bit depends on it
   * @param onDevice whether the sampler may be in the backend's memory
   */
  Trainer(
      Backend backend,
      Dataset data,
      TrainingConfig config,
      Model model,
      boolean overlap,
      boolean onDevice) {
    this.backend = backend;
    this.data = data;
    this.config = config;
    int n = data.train().count();
    int m = config.batchSize();
    if (m > n) {
      throw new IllegalArgumentException(
          "batch-size " + m + " is larger than the training set of " + n + " examples");
    }
    requireFits(config, data.train());
    if (config.exactGain()) {
      requireSamePassesInEvaluation(model);
    }
    Consumer<Throwable> savepoint = backend.savepoint();
    ImportanceSampler made = null;
    try {
      Normalization normalization = data.normalization();
      sampler = Samplers.create(config, data.train().labels(), data.numClasses());
      made = sampler;
      total = config.scheduleLength(n);
      Optional<ResidentSampler.Setting> resident =
          onDevice
              ? DeviceSteps.setting(config, data, sampler, total)
              : Optional.<ResidentSampler.Setting>empty();
      memory =
          RunMemory.of(model, m, backend.activations())
              .withSampler(resident.map(backend::residentSamplerBytes).orElse(0L))
              .withImages(backend, data);
      memory.require(backend.availableMemory(), model, m, backend.activations());
      train = new DeviceImages(backend, data.train(), normalization, memory.train());
      test = new DeviceImages(backend, data.test(), normalization, memory.test());
      network = new Network(backend, model, config.seed());
      MemoryPlan plan = MemoryPlan.of(model, m, Mode.TRAINING);
      int largestSet = Math.max(n, data.test().count());
      MemoryPlan evaluation = Evaluator.plan(model, largestSet, plan.count());
      MemoryPlan exact =
          sampler instanceof OracleSampler || config.exactGain()
              ? ExactNorms.plan(model, n, plan.count())
              : null;
      workspace =
          backend.allocate(
              backend.activations(),
              Math.max(
                  Math.max(plan.count(), evaluation.count()), exact == null ? 0 : exact.count()));
      net = network.bind(plan, workspace);
      evaluator = new Evaluator(network, evaluation, workspace);
      trainLossExamples = trainLossExamples(n);
      allTest = Evaluator.all(data.test().count());
      counts = new StepCounts(n);
      lastGood = new LastGood(network);
      StepParts parts =
          new StepParts(
              config, backend, data, sampler, train, network, workspace, net, total, counts,
              lastGood);
      steps =
          resident
              .flatMap(setting -> DeviceSteps.of(parts, setting))
              .orElseGet(() -> new HostSteps(parts, exact, overlap));
    } catch (Throwable e) {
      // Nobody has a trainer to close.
      if (made != null) {
        made.close();
      }
      savepoint.accept(e);
      throw e;
    }
    nextEpoch = config.evalEvery();
  }

  private static void requireFits(TrainingConfig config, ImageSet images) {
    int side = Math.min(images.height(), images.width());
    if (config.padding() >= side || config.cutout() > side) {
      throw new IllegalArgumentException(
          "padding %d and cutout %d leave nothing of images of %dx%d; padding must be below %d and cutout at most that"
              .formatted(config.padding(), config.cutout(), images.height(), images.width(), side));
    }
  }

  /** Exact norms are those of a network in evaluation. */
  private static void requireSamePassesInEvaluation(Model model) {
    for (Model.NamedLayer layer : model.layers()) {
      if (layer.layer() instanceof BatchNorm2d || layer.layer() instanceof Dropout) {
        throw new IllegalArgumentException(
            "ablate exact-gain needs a network that computes the same in training and evaluation, which %s's layer %s (%s) does not"
                .formatted(model.name(), layer.name(), layer.layer().describe()));
      }
    }
  }

  private static Model model(Dataset data, TrainingConfig config) {
    Shape image = new Shape(data.train().height(), data.train().width(), data.train().channels());
    return Models.create(config.model(), image, data.numClasses());
  }

  /** The same examples whatever the seed, so that losses of different runs compare. */
  private static int[] trainLossExamples(int n) {
    if (n <= TRAIN_LOSS_EXAMPLES) {
      return Evaluator.all(n);
    }
    FeistelPermutation order = new FeistelPermutation(n, 0, 0, Streams.TRAIN_LOSS_SUBSET);
    int[] chosen = new int[TRAIN_LOSS_EXAMPLES];
    for (int i = 0; i < chosen.length; i++) {
      chosen[i] = (int) order.at(i);
    }
    return chosen;
  }

  /** What the run was planned to keep in memory. */
  public RunMemory memory() {
    return memory;
  }

  /** The network, for saving it; trained as far as {@link #run} came. */
  public Network network() {
    return network;
  }

  /** The sampler; waits for all steps. */
  public ImportanceSampler sampler() {
    steps.catchUp();
    return sampler;
  }

  /** How often each training example was trained on, [n]; not a copy, do not modify. */
  public int[] draws() {
    steps.catchUp();
    return counts.draws;
  }

  /**
   * Waits until nothing of the run is under way on another thread, and counts that as its time: for
   * runs that take turns.
   */
  public void settle() {
    long begin = System.nanoTime();
    steps.settle();
    long waited = System.nanoTime() - begin;
    counts.samplerNanos += waited;
    trainingNanos += waited;
    totalNanos += waited;
  }

  /**
   * Trains to the end of the schedule.
   *
   * @return what the run came to
   * @throws DivergedException if a loss is not finite; the network then holds the last good state
   */
  public Summary run(TrainingListener listener) {
    while (!finished()) {
      advance(listener);
    }
    return summary();
  }

  /** Whether t̂ has reached the schedule's length. */
  public boolean finished() {
    return steps.reached(t -> t >= total);
  }

  /**
   * Trains one minibatch, or puts it on a device's way, and evaluates where that is due. Between
   * two calls nothing of the run is under way but what samplers prepare and what a device still has
   * to do.
   *
   * @throws DivergedException if a loss is not finite; the network then holds the last good state
   * @throws IllegalStateException if the run is finished
   */
  public void advance(TrainingListener listener) {
    if (finished()) {
      throw new IllegalStateException("the run is finished");
    }
    long begin = System.nanoTime();
    steps.step();
    double epochs = (double) counts.iteration * config.batchSize() / data.train().count();
    boolean evaluates =
        finished() || epochs >= nextEpoch || steps.reached(t -> tenths(t) >= nextTenth);
    if (evaluates) {
      steps.catchUp();
    }
    trainingNanos += System.nanoTime() - begin;
    listener.progressed(progress());
    if (evaluates) {
      if (nextEpoch <= epochs) {
        double passed = Math.floor(Math.nextUp(epochs / config.evalEvery()));
        nextEpoch = (passed + 1) * config.evalEvery();
      }
      nextTenth = (int) Math.floor(tenths(sampler.effectiveIterations())) + 1;
      Metrics metrics = evaluate(finished());
      history.add(metrics);
      listener.evaluated(metrics);
    }
    totalNanos += System.nanoTime() - begin;
  }

  /** Does beforehand what would let the first checkpoints take longer than others. */
  public void prepareCheckpoints() {
    fingerprint();
    for (int k = 0; k < snapshots.length; k++) {
      if (snapshots[k] == null) {
        snapshots[k] = Checkpoint.Arrays.of(network);
      }
    }
  }

  /** How many tenths of the schedule t̂ iterations are. */
  private double tenths(double effectiveIterations) {
    return 10 * effectiveIterations / total;
  }

  /**
   * A copy of the run's state, to be written by another thread; valid until the call after the
   * next, which uses its memory again.
   */
  public Checkpoint checkpoint() {
    steps.catchUp();
    prepareCheckpoints();
    Checkpoint.Arrays arrays = snapshots[nextSnapshot];
    nextSnapshot = 1 - nextSnapshot;
    arrays.download(network);
    Checkpoint.Counters counters =
        new Checkpoint.Counters(
            counts.iteration,
            counts.forwardExamples,
            counts.backwardExamples,
            counts.learningRate,
            counts.loss,
            nextEpoch,
            nextTenth,
            trainingNanos,
            counts.samplerNanos,
            inputNanos(),
            totalNanos,
            counts.skipped,
            counts.skippedInARow,
            counts.rateHalvings);
    return Checkpoint.of(
        config, counters, history, network, arrays, sampler.state(), counts.draws, fingerprint());
  }

  /** What tells the data set from others: sizes and a checksum. */
  String fingerprint() {
    if (fingerprint == null) {
      fingerprint = Checkpoint.fingerprint(data);
    }
    return fingerprint;
  }

  /**
   * Goes on where a checkpoint stands: from there on this run is the one that was interrupted, bit
   * for bit where the backend computes the same.
   *
   * @throws RunFileException if it is of another configuration, data set or network, or of another
   *     type of activations; names what differs. The trainer is then of no use any more
   */
  public void restore(Checkpoint checkpoint) {
    config.requireSame(checkpoint.config());
    checkpoint.requireActivationsOf(backend.precision());
    if (!fingerprint().equals(checkpoint.data())) {
      throw new RunFileException(
          "the data set %s has %s; the checkpoint's had %s"
              .formatted(data.name(), fingerprint(), checkpoint.data()));
    }
    Checkpoint.Arrays arrays = checkpoint.arrays(network);
    arrays.upload(network);
    lastGood.keep(checkpoint.iteration(), arrays.values(), arrays.state());
    try {
      sampler.restore(checkpoint.sampler());
    } catch (IllegalArgumentException e) {
      throw new RunFileException("the checkpoint's sampler: " + e.getMessage(), e);
    }
    if (sampler.size() != data.train().count()) {
      throw new RunFileException(
          "the checkpoint's sampler has %d examples, the data set %d"
              .formatted(sampler.size(), data.train().count()));
    }
    Checkpoint.Counters counters = checkpoint.counters();
    counts.iteration = counters.iteration();
    counts.forwardExamples = counters.forwardExamples();
    counts.backwardExamples = counters.backwardExamples();
    counts.learningRate = counters.learningRate();
    counts.loss = counters.loss();
    nextEpoch = counters.nextEpoch();
    nextTenth = counters.nextTenth();
    trainingNanos = counters.trainingNanos();
    counts.samplerNanos = counters.samplerNanos();
    earlierInputNanos = counters.inputNanos() - steps.inputNanos();
    totalNanos = counters.totalNanos();
    counts.skipped = counters.skipped();
    counts.skippedInARow = counters.skippedInARow();
    counts.rateHalvings = counters.rateHalvings();
    int n = counts.draws.length;
    System.arraycopy(checkpoint.draws(n), 0, counts.draws, 0, n);
    steps.restored();
    history.clear();
    history.addAll(checkpoint.history());
  }

  /** Whether the run goes back to a checkpoint where a loss is not finite, if it still may. */
  boolean rollsBack() {
    return config.onDivergence() == OnDivergence.ROLLBACK && counts.rateHalvings < MOST_HALVINGS;
  }

  /** Goes back to a checkpoint of this run, and on with half the learning rate; time has passed. */
  void rollBack(Checkpoint checkpoint) {
    int halvings = Math.max(counts.rateHalvings, checkpoint.counters().rateHalvings()) + 1;
    long[] nanos = {trainingNanos, counts.samplerNanos, inputNanos(), totalNanos};
    restore(checkpoint);
    counts.rateHalvings = halvings;
    trainingNanos = nanos[0];
    counts.samplerNanos = nanos[1];
    earlierInputNanos = nanos[2] - steps.inputNanos();
    totalNanos = nanos[3];
  }

  /** Real epochs so far: a backward pass costs about two forward passes. */
  public double epochs() {
    return (counts.forwardExamples + 2.0 * counts.backwardExamples) / (3.0 * data.train().count());
  }

  private TrainingListener.Progress progress() {
    double perEpoch = (double) config.batchSize() / data.train().count();
    return new TrainingListener.Progress(
        counts.iteration,
        epochs(),
        steps.effectiveIterations() * perEpoch,
        config.epochs(),
        counts.loss,
        steps.gainRatio(),
        imagesPerSecond());
  }

  /** Wall-clock time of all steps so far, without evaluations. */
  public double trainingSeconds() {
    return trainingNanos / 1e9;
  }

  /** Those of the training seconds in which nothing was computed for want of input. */
  public double inputIdleSeconds() {
    return inputNanos() / 1e9;
  }

  private long inputNanos() {
    return earlierInputNanos + steps.inputNanos();
  }

  /** Minibatches that were made while others were computed. */
  long minibatchesMadeAhead() {
    return steps instanceof HostSteps host ? host.minibatchesMadeAhead() : 0;
  }

  private double imagesPerSecond() {
    return counts.iteration * config.batchSize() / (trainingNanos / 1e9);
  }

  private Metrics evaluate(boolean last) {
    int n = data.train().count();
    Evaluator.Result onTrain =
        evaluator.evaluate(train, last ? Evaluator.all(n) : trainLossExamples);
    if (!Double.isFinite(onTrain.loss())) {
      throw lastGood.diverged(counts.iteration, onTrain.loss());
    }
    lastGood.keep(counts.iteration);
    Evaluator.Result onTest = evaluator.evaluate(test, allTest);
    double perEpoch = (double) config.batchSize() / n;
    SamplerStatistics statistics = sampler.statistics();
    return new Metrics(
        counts.iteration,
        epochs(),
        sampler.effectiveIterations() * perEpoch,
        sampler.gainRatio(),
        counts.learningRate,
        onTrain.loss(),
        onTest.loss(),
        onTest.error(),
        onTest.top5Error(),
        statistics.gainBoundHits(),
        statistics.boundShare(),
        statistics.flooredExamples(),
        statistics.cautious(),
        counts.forwardExamples,
        counts.backwardExamples,
        counts.skipped,
        trainingNanos / 1e9,
        Draws.of(sampler, counts.draws, data.train().labels(), data.numClasses()));
  }

  /**
   * What the run came to.
   *
   * @throws IllegalStateException if it is not finished
   */
  public Summary summary() {
    if (!finished()) {
      throw new IllegalStateException("the run is not finished");
    }
    Metrics last = history.getLast();
    double best = history.stream().mapToDouble(Metrics::testError).min().orElseThrow();
    return new Summary(
        config.sampler(),
        network.model().name(),
        data.name(),
        backend.description(),
        config.seed(),
        config.batchSize(),
        counts.iteration,
        last.epochs(),
        last.epochsEquivalent(),
        last.trainLoss(),
        last.testError(),
        last.testTop5Error(),
        best,
        sampler.effectiveIterations() / counts.iteration,
        imagesPerSecond(),
        trainingNanos / 1e9,
        totalNanos / 1e9,
        (double) counts.samplerNanos / trainingNanos,
        (double) inputNanos() / trainingNanos,
        last.boundShare(),
        last.gainBoundHits(),
        last.flooredExamples(),
        sampler.statistics().cautiousIterations(),
        counts.forwardExamples,
        counts.backwardExamples,
        counts.skipped,
        counts.rateHalvings);
  }

  @Override
  public void close() {
    steps.close();
    sampler.close();
    evaluator.close();
    net.close();
    workspace.close();
    network.close();
    train.close();
    test.close();
  }
}
