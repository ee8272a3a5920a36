package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.data.Dataset;
import dev.rais.nn.BoundNetwork;
import dev.rais.nn.Mode;
import dev.rais.nn.Model;
import dev.rais.nn.Models;
import dev.rais.nn.Network;
import dev.rais.nn.Schedule;
import dev.rais.nn.Shape;
import dev.rais.sampling.ImportanceSampler;
import dev.rais.sampling.Minibatch;
import dev.rais.sampling.Observation;
import dev.rais.sampling.SamplerState;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * LeNet-5 in float on a GPU against the CPU, from a checkpoint whose uncertainty set is trained.
 *
 * <p>Draws: Java's sampler is told the norms that the GPU's network gives, so that its leaves have
 * the bits of those in the GPU's memory as long as both do the same; the examples that the GPU
 * draws are then those that it draws. Losses: the CPU's network is trained on the minibatches that
 * were drawn, with their weights and rates.
 *
 * @param steps compared
 * @param sameDraws steps before the first in which other examples were drawn
 * @param sameState whether all arrays of the sampler's state had the same bits in the end
 * @param refreshes sets that came into force meanwhile
 * @param worstLoss largest relative difference of a minibatch's loss
 * @param worstAt its step
 * @param medianLoss median of these differences
 * @param firstLoss the difference of the first minibatch
 */
public record GpuAgainstCpu(
    int steps,
    int sameDraws,
    boolean sameState,
    long refreshes,
    double worstLoss,
    int worstAt,
    double medianLoss,
    double firstLoss) {
  private static final int BATCH = 128;
  private static final int LOOKS = 64;

  /** A minibatch as it was trained on. */
  private record Recorded(int[] indices, float[] weights, double rate, double loss) {}

  /** As results have it. */
  public Map<String, Object> values() {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("steps", steps);
    values.put("sameDraws", sameDraws);
    values.put("sameState", sameState);
    values.put("refreshes", refreshes);
    values.put("worstLoss", worstLoss);
    values.put("worstAt", worstAt);
    values.put("medianLoss", medianLoss);
    values.put("firstLoss", firstLoss);
    return values;
  }

  /** Compares two backends; the first has a sampler in its memory. */
  public static GpuAgainstCpu compare(
      Backend gpu, Backend cpu, Dataset data, int steps, Consumer<String> said) {
    Shape image = new Shape(data.train().height(), data.train().width(), data.train().channels());
    int m = Math.min(BATCH, data.train().count() / 4);
    return compare(gpu, cpu, data, Models.lenet5(image, data.numClasses()), m, steps, said);
  }

  static GpuAgainstCpu compare(
      Backend gpu,
      Backend cpu,
      Dataset data,
      Model model,
      int m,
      int steps,
      Consumer<String> said) {
    // No evaluation and no caution: nothing but weighted steps.
    TrainingConfig config =
        TrainingConfig.builder(data.name(), "lenet5", "rais")
            .batchSize(m)
            .epochs(1e6)
            .evalEvery(1e6)
            .schedule(Schedule.CONSTANT)
            .async(false)
            .caution(false)
            .seed(3)
            .build();
    Checkpoint begin = weighted(gpu, data, config, model);
    said.accept("the checkpoint is that of step " + begin.iteration());
    List<Recorded> recorded = new ArrayList<>();
    SamplerState end;
    long refreshes;
    try (Loop loop = new Loop(gpu, data, config, model, begin);
        ImportanceSampler sampler = sampler(data, config)) {
      sampler.restore(begin.sampler());
      long before = sampler.statistics().refreshes();
      for (int t = 0; t < steps; t++) {
        recorded.add(loop.step(sampler, t));
      }
      end = sampler.state();
      refreshes = sampler.statistics().refreshes() - before;
    }
    said.accept("recorded %d steps, %d refreshes".formatted(steps, refreshes));
    int sameDraws = sameDraws(gpu, data, config, model, begin, recorded);
    said.accept("the GPU draws the same in %d steps".formatted(sameDraws));
    boolean sameState = same(end, endOfUnwatched(gpu, data, config, model, begin, steps));
    said.accept("the sampler's state in the end is " + (sameState ? "the same" : "another"));
    double[] differences = replay(cpu, data, config, model, begin, recorded);
    int worst = 0;
    for (int t = 0; t < steps; t++) {
      // A difference that is not a number is the worst.
      worst = !(differences[t] <= differences[worst]) ? t : worst;
    }
    double[] sorted = differences.clone();
    Arrays.sort(sorted);
    return new GpuAgainstCpu(
        steps,
        sameDraws,
        sameState,
        refreshes,
        differences[worst],
        worst,
        sorted[steps / 2],
        differences[0]);
  }

  private static ImportanceSampler sampler(Dataset data, TrainingConfig config) {
    return Samplers.create(config, data.train().labels(), data.numClasses());
  }

  /** A checkpoint in which examples are weighted. */
  private static Checkpoint weighted(
      Backend gpu, Dataset data, TrainingConfig config, Model model) {
    try (Trainer trainer = new Trainer(gpu, data, config, model)) {
      int most = 4 * data.train().count() / config.batchSize() + 10 * LOOKS;
      for (int t = 0; t < most; t++) {
        trainer.advance(new TrainingListener() {});
        if (t % LOOKS == 0 && trainer.sampler().statistics().weightedIterations() > 0) {
          return trainer.checkpoint();
        }
      }
    }
    throw new IllegalStateException("RAIS weights nothing after four epochs");
  }

  /** Steps before the first in which the sampler on the device draws other examples. */
  private static int sameDraws(
      Backend gpu,
      Dataset data,
      TrainingConfig config,
      Model model,
      Checkpoint begin,
      List<Recorded> recorded) {
    try (Trainer trainer = new Trainer(gpu, data, config, model)) {
      trainer.restore(begin);
      int[] expected = trainer.draws().clone();
      for (int t = 0; t < recorded.size(); t++) {
        trainer.advance(new TrainingListener() {});
        for (int index : recorded.get(t).indices()) {
          expected[index]++;
        }
        if (!Arrays.equals(expected, trainer.draws())) {
          return t;
        }
      }
    }
    return recorded.size();
  }

  /** The sampler's state after steps that nobody waited for. */
  private static SamplerState endOfUnwatched(
      Backend gpu, Dataset data, TrainingConfig config, Model model, Checkpoint begin, int steps) {
    try (Trainer trainer = new Trainer(gpu, data, config, model)) {
      trainer.restore(begin);
      for (int t = 0; t < steps; t++) {
        trainer.advance(new TrainingListener() {});
      }
      return trainer.checkpoint().sampler();
    }
  }

  private static boolean same(SamplerState expected, SamplerState found) {
    return expected.arrays().keySet().equals(found.arrays().keySet())
        && expected.arrays().entrySet().stream()
            .allMatch(
                e -> e.getValue().values().mismatch(found.arrays().get(e.getKey()).values()) == -1);
  }

  /** Relative differences of the losses of minibatches, trained on elsewhere. */
  private static double[] replay(
      Backend cpu,
      Dataset data,
      TrainingConfig config,
      Model model,
      Checkpoint begin,
      List<Recorded> recorded) {
    double[] differences = new double[recorded.size()];
    try (Loop loop = new Loop(cpu, data, config, model, begin)) {
      for (int t = 0; t < differences.length; t++) {
        Recorded step = recorded.get(t);
        double loss = loop.forwardAndBackward(step.indices(), step.weights(), t);
        loop.update(step.rate());
        differences[t] = Math.abs(loss - step.loss()) / Math.abs(step.loss());
      }
    }
    return differences;
  }

  /** A training loop of its own: what {@link HostSteps} does, with what it is told to train on. */
  private static final class Loop implements AutoCloseable {
    private final Backend backend;
    private final Dataset data;
    private final TrainingConfig config;
    private final Network network;
    private final BoundNetwork net;
    private final DeviceImages images;
    private final Buffer indices;
    private final Buffer labels;
    private final Buffer weights;
    private final Buffer losses;
    private final Buffer norms;
    private final Buffer correctness;
    private final Buffer hiddenSquaredNorms;

    Loop(Backend backend, Dataset data, TrainingConfig config, Model model, Checkpoint begin) {
      this.backend = backend;
      this.data = data;
      this.config = config;
      int m = config.batchSize();
      network = new Network(backend, model, config.seed());
      begin.arrays(network).upload(network);
      net = network.bind(m, Mode.TRAINING);
      images = new DeviceImages(backend, data.train(), data.normalization(), 0);
      indices = backend.allocate(DType.INT32, m);
      labels = backend.allocate(DType.INT32, m);
      weights = backend.allocate(DType.FLOAT32, m);
      losses = backend.allocate(DType.FLOAT32, m);
      norms = backend.allocate(DType.FLOAT32, m);
      correctness = backend.allocate(DType.UINT8, m);
      hiddenSquaredNorms = backend.allocate(DType.FLOAT32, m);
    }

    /** A step of a sampler's. */
    Recorded step(ImportanceSampler sampler, int t) {
      Minibatch batch = sampler.draw(config.batchSize());
      double loss = forwardAndBackward(batch.indices(), batch.weights(), t);
      sampler.observe(batch, observation());
      long total = config.scheduleLength(data.train().count());
      double rate =
          sampler.learningRate(
              at -> config.schedule().learningRate(config.learningRate(), at, total));
      update(rate);
      return new Recorded(batch.indices().clone(), batch.weights().clone(), rate, loss);
    }

    /** Returns the mean weighted loss. */
    double forwardAndBackward(int[] examples, float[] factors, int t) {
      int m = examples.length;
      int[] classes = new int[m];
      for (int j = 0; j < m; j++) {
        classes[j] = data.train().label(examples[j]);
      }
      indices.upload(examples);
      labels.upload(classes);
      weights.upload(factors);
      images.gather(indices, net.input());
      net.forward(weights, t);
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
      net.backward();
      float[] each = losses.toFloats();
      double sum = 0;
      for (int j = 0; j < m; j++) {
        sum += factors[j] * each[j];
      }
      return sum / m;
    }

    private Observation observation() {
      backend.rowSquaredNorms(net.finalInput(), hiddenSquaredNorms);
      float[] scores = norms.toFloats();
      float[] moments = hiddenSquaredNorms.toFloats();
      for (int j = 0; j < moments.length; j++) {
        moments[j] = scores[j] * scores[j] * (moments[j] + 1);
      }
      Buffer all = network.gradients();
      long offset = network.finalParameters().getFirst().offset();
      double gradient = backend.squaredNorm(all.slice(offset, all.count() - offset));
      return new Observation(scores, moments, gradient);
    }

    void update(double rate) {
      backend.sgd(
          network.values(),
          network.velocities(),
          network.gradients(),
          network.rounded(),
          (float) rate,
          (float) config.momentum(),
          (float) config.weightDecay());
    }

    @Override
    public void close() {
      for (Buffer buffer :
          List.of(indices, labels, weights, losses, norms, correctness, hiddenSquaredNorms)) {
        buffer.close();
      }
      images.close();
      net.close();
      network.close();
    }
  }
}
