package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.nn.BatchNormWeights;
import dev.rais.nn.BoundNetwork;
import dev.rais.nn.MemoryPlan;
import dev.rais.nn.Mode;
import dev.rais.sampling.ImportanceSampler;
import dev.rais.sampling.Minibatch;
import dev.rais.sampling.Observation;
import dev.rais.sampling.OracleSampler;
import dev.rais.sampling.ScoreKind;
import java.util.function.DoublePredicate;

/** Steps whose sampler is on the host, which therefore waits for losses and norms. */
final class HostSteps implements Steps {
  private final StepParts parts;
  private final TrainingConfig config;
  private final Backend backend;
  private final ImportanceSampler sampler;
  private final BoundNetwork net;
  private final StepCounts counts;
  private final ExactNorms exactNorms;
  private final SkippedSteps skippedSteps;
  private final InputPipeline inputs;
  private final Buffer labels;
  private final Buffer weights;
  private final Buffer losses;
  private final Buffer norms;
  private final Buffer correctness;
  private final Buffer hiddenSquaredNorms;
  private final Buffer gainGradient;
  private final int[] batchLabels;
  private final float[] batchLosses;

  /** Made when a sampler first asks for forward passes. */
  private Evaluator scorer;

  /**
   * @param exact plan for the passes of exact norms, or null
   * @param overlap whether minibatches may be made while others are computed; no bit depends on it
   */
  HostSteps(StepParts parts, MemoryPlan exact, boolean overlap) {
    this.parts = parts;
    config = parts.config();
    backend = parts.backend();
    sampler = parts.sampler();
    net = parts.net();
    counts = parts.counts();
    int m = config.batchSize();
    exactNorms =
        exact == null
            ? null
            : new ExactNorms(parts.network(), parts.images(), exact, parts.workspace());
    skippedSteps = new SkippedSteps(backend, parts.network(), config.onDivergence(), counts);
    labels = backend.allocate(DType.INT32, m);
    weights = backend.allocate(DType.FLOAT32, m);
    losses = backend.allocate(DType.FLOAT32, m);
    norms = backend.allocate(DType.FLOAT32, m);
    correctness = backend.allocate(DType.UINT8, m);
    hiddenSquaredNorms = backend.allocate(DType.FLOAT32, m);
    gainGradient = parts.gainGradient();
    batchLabels = new int[m];
    batchLosses = new float[m];
    inputs =
        new InputPipeline(
            backend, parts.images(), config.augmentation(), config.seed(), m, net.input(), overlap);
  }

  @Override
  public void step() {
    int m = config.batchSize();
    long drawing = System.nanoTime();
    if (sampler instanceof OracleSampler oracle && oracle.needsNorms()) {
      oracle.setNorms(requireFinite(exactNorms.compute()));
      counts.forwardExamples += parts.data().train().count();
      counts.backwardExamples += parts.data().train().count();
    }
    Minibatch batch = sampler.draw(m, this::scores);
    counts.samplerNanos += System.nanoTime() - drawing;

    for (int j = 0; j < m; j++) {
      batchLabels[j] = parts.data().train().label(batch.indices()[j]);
      counts.draws[batch.indices()[j]]++;
    }
    weights.upload(batch.weights());
    labels.upload(batchLabels);
    inputs.fill(batch.indices(), counts.iteration);
    if (inputs.wantsUpcoming()) {
      inputs.prepare(sampler.upcoming(m), counts.iteration + 1);
    }
    skippedSteps.begin();
    net.forward(config.batchNorm() == BatchNormWeights.WEIGHTED ? weights : null, counts.iteration);
    backend.lossLayer(
        m,
        parts.data().numClasses(),
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
    sampler.observe(batch, observation(batch));
    counts.learningRate = parts.learningRate();
    counts.samplerNanos += System.nanoTime() - observing;

    backend.sgd(
        parts.network().values(),
        parts.network().velocities(),
        parts.network().gradients(),
        parts.network().rounded(),
        (float) counts.learningRate,
        (float) config.momentum(),
        (float) config.weightDecay());
    counts.stepped(m);
  }

  /** Scores of examples that the sampler may hand out. */
  private float[] scores(int[] examples) {
    if (scorer == null) {
      MemoryPlan plan = MemoryPlan.of(parts.network().model(), config.batchSize(), Mode.EVALUATION);
      scorer = new Evaluator(parts.network(), plan, parts.workspace());
    }
    counts.forwardExamples += examples.length;
    return requireFinite(scorer.scores(parts.images(), examples, sampler.score()));
  }

  /** What a sampler draws by, before a loss can tell that the network has diverged. */
  private float[] requireFinite(float[] found) {
    for (float value : found) {
      if (!Float.isFinite(value)) {
        // A norm can be infinite where the loss is not.
        boolean ofLoss = sampler.score() == ScoreKind.LOSS || Float.isNaN(value);
        throw parts.lastGood().diverged(counts.iteration, ofLoss ? value : counts.loss);
      }
    }
    return found;
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
    counts.addLoss(mean);
    return true;
  }

  /** Goes on as if a minibatch had not been drawn, or stops, as configured. */
  private void leaveOut(Minibatch batch, double found) {
    if (!skippedSteps.skip()) {
      throw parts.lastGood().diverged(counts.iteration, found);
    }
    sampler.discard(batch);
    for (int index : batch.indices()) {
      counts.draws[index]--;
    }
    counts.forwardExamples += config.batchSize();
  }

  /** What the sampler wants: losses or norms ‖softmax − y‖, and moments of gradients. */
  private Observation observation(Minibatch batch) {
    float[] scores =
        switch (sampler.score()) {
          case NONE -> new float[0];
          case LOSS -> batchLosses.clone();
          case GRADIENT_NORM -> norms.toFloats();
        };
    if (!sampler.usesMoments()) {
      return Observation.ofScores(scores);
    }
    float[] moments =
        config.exactGain() ? exactNorms.squares(batch.indices()) : finalLayersSquaredNorms(scores);
    double gradient = backend.squaredNorm(gainGradient);
    if (!Double.isFinite(gradient) || !allFinite(moments)) {
      throw parts.lastGood().diverged(counts.iteration, counts.loss);
    }
    return new Observation(scores, moments, gradient);
  }

  /** Of the final linear layer's gradient, for which N_j² = ‖δ_j‖² (‖h_j‖² + 1) is exact. */
  private float[] finalLayersSquaredNorms(float[] scores) {
    backend.rowSquaredNorms(net.finalInput(), hiddenSquaredNorms);
    float[] deltas = sampler.score() == ScoreKind.GRADIENT_NORM ? scores : norms.toFloats();
    float[] squares = hiddenSquaredNorms.toFloats();
    boolean biasAlone = parts.gainOfBiasAlone();
    for (int j = 0; j < squares.length; j++) {
      squares[j] = deltas[j] * deltas[j] * (biasAlone ? 1 : squares[j] + 1);
    }
    return squares;
  }

  private static boolean allFinite(float[] values) {
    for (float value : values) {
      if (!Float.isFinite(value)) {
        return false;
      }
    }
    return true;
  }

  @Override
  public boolean reached(DoublePredicate condition) {
    return condition.test(sampler.effectiveIterations());
  }

  @Override
  public double effectiveIterations() {
    return sampler.effectiveIterations();
  }

  @Override
  public double gainRatio() {
    return sampler.gainRatio();
  }

  /** Nothing is ever behind. */
  @Override
  public void catchUp() {}

  @Override
  public void restored() {}

  @Override
  public void settle() {
    sampler.settle();
  }

  @Override
  public long inputNanos() {
    return inputs.waitedNanos();
  }

  /** Minibatches that were made while others were computed. */
  long minibatchesMadeAhead() {
    return inputs.madeAhead();
  }

  @Override
  public void close() {
    inputs.close();
    if (exactNorms != null) {
      exactNorms.close();
    }
    skippedSteps.close();
    if (scorer != null) {
      scorer.close();
    }
    labels.close();
    weights.close();
    losses.close();
    norms.close();
    correctness.close();
    hiddenSquaredNorms.close();
  }
}
