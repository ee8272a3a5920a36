package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.data.Normalization;
import dev.rais.nn.BatchNormWeights;
import dev.rais.nn.BoundNetwork;
import dev.rais.nn.MemoryPlan;
import dev.rais.nn.Mode;
import dev.rais.nn.Model;
import dev.rais.nn.Models;
import dev.rais.nn.Network;
import dev.rais.nn.Parameter;
import dev.rais.nn.Shape;
import dev.rais.random.FeistelPermutation;
import dev.rais.random.Streams;
import dev.rais.sampling.Ablation;
import dev.rais.sampling.ImportanceSampler;
import dev.rais.sampling.Minibatch;
import dev.rais.sampling.Observation;
import dev.rais.sampling.OracleSampler;
import dev.rais.sampling.SamplerStatistics;
import dev.rais.sampling.ScoreKind;
import java.util.ArrayList;
import java.util.List;

/**
 * The training loop (docs/algorithm.md §5): draw, forward, fused loss layer, backward, observe,
 * update, until t̂ reaches the schedule's length.
 */
public final class Trainer implements AutoCloseable {
  /** Training examples that trainLoss is measured on before the end. */
  private static final int TRAIN_LOSS_EXAMPLES = 10_000;

  private static final double LOSS_ALPHA = 0.02;

  /** A rate that was halved so often and still is too high is not what is wrong. */
  public static final int MOST_HALVINGS = 10;

  private final TrainingConfig config;
  private final Backend backend;
  private final Dataset data;
  private final ImportanceSampler sampler;
  private final Network network;

  /** Memory for activations, which training, evaluation and scoring use in turns. */
  private final Buffer workspace;

  private final BoundNetwork net;
  private final Evaluator evaluator;
  private final DeviceImages train;
  private final DeviceImages test;
  private final ExactNorms exactNorms;
  private final SkippedSteps skippedSteps;
  private final InputPipeline inputs;
  private final Buffer labels;
  private final Buffer weights;
  private final Buffer losses;
  private final Buffer norms;
  private final Buffer correctness;
  private final Buffer hiddenSquaredNorms;
  private final int[] trainLossExamples;
  private final int[] allTest;
  private final int[] batchLabels;
  private final float[] batchLosses;
  private float[] lastGood;
  private float[] lastGoodState;
  private long lastGoodIteration;

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
  private long iteration;
  private long forwardExamples;
  private long backwardExamples;

  /** Made when a sampler first asks for forward passes. */
  private Evaluator scorer;

  /** Whether the gain ratio is that of the final bias, whose gradient is that of the logits. */
  private final boolean gainOfBiasAlone;

  /** What the gain ratio is measured on. */
  private final List<Parameter> gainParameters;

  /** [n] how often each example was trained on. */
  private final int[] draws;

  private double learningRate;
  private int rateHalvings;
  private double loss = Double.NaN;
  private long trainingNanos;
  private long samplerNanos;

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
    this(backend, data, config, model, true);
  }

  /**
   * @param overlap whether minibatches may be made while others are computed; no bit depends on it
   */
  Trainer(Backend backend, Dataset data, TrainingConfig config, Model model, boolean overlap) {
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
    Normalization normalization = data.normalization();
    train = new DeviceImages(backend, data.train(), normalization);
    test = new DeviceImages(backend, data.test(), normalization);
    try {
      RunMemory.require(backend.availableMemory(), model, m);
      sampler = Samplers.create(config, data.train().labels(), data.numClasses());
    } catch (IllegalArgumentException e) {
      train.close();
      test.close();
      throw e;
    }
    network = new Network(backend, model, config.seed());
    MemoryPlan plan = MemoryPlan.of(model, m, Mode.TRAINING);
    int largestSet = Math.max(n, data.test().count());
    MemoryPlan evaluation = Evaluator.plan(model, largestSet, plan.count());
    MemoryPlan exact =
        sampler instanceof OracleSampler ? ExactNorms.plan(model, n, plan.count()) : null;
    workspace =
        backend.allocate(
            DType.FLOAT32,
            Math.max(
                Math.max(plan.count(), evaluation.count()), exact == null ? 0 : exact.count()));
    net = network.bind(plan, workspace);
    evaluator = new Evaluator(network, evaluation, workspace);
    inputs =
        new InputPipeline(
            backend, train, config.augmentation(), config.seed(), m, net.input(), overlap);
    exactNorms = exact == null ? null : new ExactNorms(network, train, exact, workspace);
    skippedSteps = new SkippedSteps(backend, network, config.onDivergence());
    labels = backend.allocate(DType.INT32, m);
    weights = backend.allocate(DType.FLOAT32, m);
    losses = backend.allocate(DType.FLOAT32, m);
    norms = backend.allocate(DType.FLOAT32, m);
    correctness = backend.allocate(DType.UINT8, m);
    hiddenSquaredNorms = backend.allocate(DType.FLOAT32, m);
    trainLossExamples = trainLossExamples(n);
    gainOfBiasAlone = config.ablation().equals(Ablation.LOGIT_GAIN.id());
    List<Parameter> last = network.finalParameters();
    gainParameters = gainOfBiasAlone ? List.of(last.getLast()) : last;
    draws = new int[n];
    allTest = Evaluator.all(data.test().count());
    batchLabels = new int[m];
    batchLosses = new float[m];
    lastGood = network.values().toFloats();
    lastGoodState = network.stateValues().toFloats();
    total = config.scheduleLength(n);
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

  /** The network, for saving it; trained as far as {@link #run} came. */
  public Network network() {
    return network;
  }

  /** The sampler. */
  public ImportanceSampler sampler() {
    return sampler;
  }

  /** How often each training example was trained on, [n]; not a copy, do not modify. */
  public int[] draws() {
    return draws;
  }

  /**
   * Waits until nothing of the run is under way on another thread, and counts that as its time: for
   * runs that take turns.
   */
  public void settle() {
    long begin = System.nanoTime();
    sampler.settle();
    long waited = System.nanoTime() - begin;
    samplerNanos += waited;
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
    return sampler.effectiveIterations() >= total;
  }

  /**
   * Trains one minibatch, and evaluates where that is due; between two calls nothing of the run is
   * under way but what samplers prepare.
   *
   * @throws DivergedException if a loss is not finite; the network then holds the last good state
   * @throws IllegalStateException if the run is finished
   */
  public void advance(TrainingListener listener) {
    if (finished()) {
      throw new IllegalStateException("the run is finished");
    }
    long begin = System.nanoTime();
    step();
    trainingNanos += System.nanoTime() - begin;
    listener.progressed(progress());
    double epochs = (double) iteration * config.batchSize() / data.train().count();
    double tenths = 10 * sampler.effectiveIterations() / total;
    if (finished() || epochs >= nextEpoch || tenths >= nextTenth) {
      if (nextEpoch <= epochs) {
        double passed = Math.floor(Math.nextUp(epochs / config.evalEvery()));
        nextEpoch = (passed + 1) * config.evalEvery();
      }
      nextTenth = (int) Math.floor(tenths) + 1;
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

  /**
   * A copy of the run's state, to be written by another thread; valid until the call after the
   * next, which uses its memory again.
   */
  public Checkpoint checkpoint() {
    prepareCheckpoints();
    Checkpoint.Arrays arrays = snapshots[nextSnapshot];
    nextSnapshot = 1 - nextSnapshot;
    arrays.download(network);
    Checkpoint.Counters counters =
        new Checkpoint.Counters(
            iteration,
            forwardExamples,
            backwardExamples,
            learningRate,
            loss,
            nextEpoch,
            nextTenth,
            trainingNanos,
            samplerNanos,
            inputNanos(),
            totalNanos,
            skippedSteps.count(),
            skippedSteps.inARow(),
            rateHalvings);
    return Checkpoint.of(
        config, counters, history, network, arrays, sampler.state(), draws, fingerprint());
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
   * @throws RunFileException if it is of another configuration, data set or network; names what
   *     differs. The trainer is then of no use any more
   */
  public void restore(Checkpoint checkpoint) {
    config.requireSame(checkpoint.config());
    if (!fingerprint().equals(checkpoint.data())) {
      throw new RunFileException(
          "the data set %s has %s; the checkpoint's had %s"
              .formatted(data.name(), fingerprint(), checkpoint.data()));
    }
    Checkpoint.Arrays arrays = checkpoint.arrays(network);
    arrays.upload(network);
    lastGood = arrays.values();
    lastGoodState = arrays.state();
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
    iteration = counters.iteration();
    lastGoodIteration = iteration;
    forwardExamples = counters.forwardExamples();
    backwardExamples = counters.backwardExamples();
    learningRate = counters.learningRate();
    loss = counters.loss();
    nextEpoch = counters.nextEpoch();
    nextTenth = counters.nextTenth();
    trainingNanos = counters.trainingNanos();
    samplerNanos = counters.samplerNanos();
    earlierInputNanos = counters.inputNanos() - inputs.waitedNanos();
    totalNanos = counters.totalNanos();
    skippedSteps.restore(counters.skipped(), counters.skippedInARow());
    rateHalvings = counters.rateHalvings();
    System.arraycopy(checkpoint.draws(draws.length), 0, draws, 0, draws.length);
    history.clear();
    history.addAll(checkpoint.history());
  }

  /** Whether the run goes back to a checkpoint where a loss is not finite, if it still may. */
  boolean rollsBack() {
    return config.onDivergence() == OnDivergence.ROLLBACK && rateHalvings < MOST_HALVINGS;
  }

  /** Goes back to a checkpoint of this run, and on with half the learning rate; time has passed. */
  void rollBack(Checkpoint checkpoint) {
    int halvings = Math.max(rateHalvings, checkpoint.counters().rateHalvings()) + 1;
    long[] nanos = {trainingNanos, samplerNanos, inputNanos(), totalNanos};
    restore(checkpoint);
    rateHalvings = halvings;
    trainingNanos = nanos[0];
    samplerNanos = nanos[1];
    earlierInputNanos = nanos[2] - inputs.waitedNanos();
    totalNanos = nanos[3];
  }

  private void step() {
    int m = config.batchSize();
    long drawing = System.nanoTime();
    if (sampler instanceof OracleSampler oracle && oracle.needsNorms()) {
      oracle.setNorms(exactNorms.compute());
      forwardExamples += data.train().count();
      backwardExamples += data.train().count();
    }
    Minibatch batch = sampler.draw(m, this::scores);
    samplerNanos += System.nanoTime() - drawing;

    for (int j = 0; j < m; j++) {
      batchLabels[j] = data.train().label(batch.indices()[j]);
      draws[batch.indices()[j]]++;
    }
    weights.upload(batch.weights());
    labels.upload(batchLabels);
    inputs.fill(batch.indices(), iteration);
    if (inputs.wantsUpcoming()) {
      inputs.prepare(sampler.upcoming(m), iteration + 1);
    }
    skippedSteps.begin();
    net.forward(config.batchNorm() == BatchNormWeights.WEIGHTED ? weights : null, iteration);
    backend.lossLayer(
        m,
        data.numClasses(),
        net.logits(),
        labels,
        weights,
        1f / m,
        losses,
        norms,
        net.logitGradients(),
        correctness);
    if (!takeLoss(batch)) {
      return;
    }
    net.backward();
    if (skippedSteps.isGradientBad()) {
      leaveOut(batch, Double.NaN);
      return;
    }
    skippedSteps.trained();

    long observing = System.nanoTime();
    sampler.observe(batch, observation());
    learningRate =
        Math.scalb(
            sampler.learningRate(
                t -> config.schedule().learningRate(config.learningRate(), t, total)),
            -rateHalvings);
    samplerNanos += System.nanoTime() - observing;

    backend.sgd(
        network.values(),
        network.velocities(),
        network.gradients(),
        (float) learningRate,
        (float) config.momentum(),
        (float) config.weightDecay());
    iteration++;
    forwardExamples += m;
    backwardExamples += m;
  }

  /** Scores of examples that the sampler may hand out. */
  private float[] scores(int[] examples) {
    if (scorer == null) {
      MemoryPlan plan = MemoryPlan.of(network.model(), config.batchSize(), Mode.EVALUATION);
      scorer = new Evaluator(network, plan, workspace);
    }
    forwardExamples += examples.length;
    return scorer.scores(train, examples, sampler.score());
  }

  /** Real epochs so far: a backward pass costs about two forward passes. */
  public double epochs() {
    return (forwardExamples + 2.0 * backwardExamples) / (3.0 * data.train().count());
  }

  /** The loss of the weighted minibatch; says whether it is finite and the step can go on. */
  private boolean takeLoss(Minibatch batch) {
    losses.download(batchLosses, 0);
    double sum = 0;
    for (int j = 0; j < batchLosses.length; j++) {
      sum += batch.weights()[j] * batchLosses[j];
    }
    double mean = sum / batchLosses.length;
    if (!Double.isFinite(mean)) {
      leaveOut(batch, mean);
      return false;
    }
    loss = Double.isNaN(loss) ? mean : loss + LOSS_ALPHA * (mean - loss);
    return true;
  }

  /** Goes on as if a minibatch had not been drawn, or stops, as configured. */
  private void leaveOut(Minibatch batch, double found) {
    if (!skippedSteps.skip()) {
      throw diverged(found);
    }
    sampler.discard(batch);
    for (int index : batch.indices()) {
      draws[index]--;
    }
    forwardExamples += config.batchSize();
  }

  /** Restores the last good state; what remains is to throw this. */
  private DivergedException diverged(double found) {
    network.values().upload(lastGood);
    network.stateValues().upload(lastGoodState);
    return new DivergedException(iteration, (float) found, lastGoodIteration);
  }

  /**
   * What the sampler wants: losses or norms ‖softmax − y‖, and the moments of the final linear
   * layer, whose per-example norms N_j² = ‖δ_j‖² (‖h_j‖² + 1) are exact.
   */
  private Observation observation() {
    float[] scores =
        switch (sampler.score()) {
          case NONE -> new float[0];
          case LOSS -> batchLosses.clone();
          case GRADIENT_NORM -> norms.toFloats();
        };
    if (!sampler.usesMoments()) {
      return Observation.ofScores(scores);
    }
    backend.rowSquaredNorms(net.finalInput(), hiddenSquaredNorms);
    float[] deltas = sampler.score() == ScoreKind.GRADIENT_NORM ? scores : norms.toFloats();
    float[] moments = hiddenSquaredNorms.toFloats();
    for (int j = 0; j < moments.length; j++) {
      moments[j] = deltas[j] * deltas[j] * (gainOfBiasAlone ? 1 : moments[j] + 1);
    }
    double batchNorm = 0;
    for (Parameter parameter : gainParameters) {
      batchNorm += backend.squaredNorm(parameter.gradient());
    }
    return new Observation(scores, moments, batchNorm);
  }

  private TrainingListener.Progress progress() {
    double perEpoch = (double) config.batchSize() / data.train().count();
    return new TrainingListener.Progress(
        iteration,
        epochs(),
        sampler.effectiveIterations() * perEpoch,
        config.epochs(),
        loss,
        sampler.gainRatio(),
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
    return earlierInputNanos + inputs.waitedNanos();
  }

  /** Minibatches that were made while others were computed. */
  long minibatchesMadeAhead() {
    return inputs.madeAhead();
  }

  private double imagesPerSecond() {
    return iteration * config.batchSize() / (trainingNanos / 1e9);
  }

  private Metrics evaluate(boolean last) {
    int n = data.train().count();
    Evaluator.Result onTrain =
        evaluator.evaluate(train, last ? Evaluator.all(n) : trainLossExamples);
    if (!Double.isFinite(onTrain.loss())) {
      throw diverged(onTrain.loss());
    }
    network.values().download(lastGood, 0);
    network.stateValues().download(lastGoodState, 0);
    lastGoodIteration = iteration;
    Evaluator.Result onTest = evaluator.evaluate(test, allTest);
    double perEpoch = (double) config.batchSize() / n;
    SamplerStatistics statistics = sampler.statistics();
    return new Metrics(
        iteration,
        epochs(),
        sampler.effectiveIterations() * perEpoch,
        sampler.gainRatio(),
        learningRate,
        onTrain.loss(),
        onTest.loss(),
        onTest.error(),
        onTest.top5Error(),
        statistics.gainBoundHits(),
        statistics.boundShare(),
        statistics.flooredExamples(),
        statistics.cautious(),
        forwardExamples,
        backwardExamples,
        skippedSteps.count(),
        trainingNanos / 1e9,
        Draws.of(sampler, draws, data.train().labels(), data.numClasses()));
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
        iteration,
        last.epochs(),
        last.epochsEquivalent(),
        last.trainLoss(),
        last.testError(),
        last.testTop5Error(),
        best,
        sampler.effectiveIterations() / iteration,
        imagesPerSecond(),
        trainingNanos / 1e9,
        totalNanos / 1e9,
        (double) samplerNanos / trainingNanos,
        (double) inputNanos() / trainingNanos,
        last.boundShare(),
        sampler.statistics().cautiousIterations(),
        forwardExamples,
        backwardExamples,
        skippedSteps.count(),
        rateHalvings);
  }

  @Override
  public void close() {
    inputs.close();
    sampler.close();
    if (exactNorms != null) {
      exactNorms.close();
    }
    evaluator.close();
    skippedSteps.close();
    if (scorer != null) {
      scorer.close();
    }
    net.close();
    workspace.close();
    network.close();
    train.close();
    test.close();
    for (Buffer buffer :
        new Buffer[] {labels, weights, losses, norms, correctness, hiddenSquaredNorms}) {
      buffer.close();
    }
  }
}
