package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.ResidentSampler;
import dev.rais.data.Dataset;
import dev.rais.nn.BatchNormWeights;
import dev.rais.nn.BoundNetwork;
import dev.rais.sampling.DeviceRais;
import dev.rais.sampling.DrawMode;
import dev.rais.sampling.ImportanceSampler;
import dev.rais.sampling.Minibatch;
import dev.rais.sampling.Observation;
import dev.rais.sampling.RaisOptions;
import dev.rais.sampling.RaisSampler;
import dev.rais.sampling.SamplerState;
import dev.rais.sampling.UniformSampler;
import java.util.Optional;
import java.util.function.DoublePredicate;

/**
 * Steps whose sampler is in the backend's memory (docs/sampler-on-device.md): the host puts them on
 * the backend's queue, up to {@link #AHEAD} before it looks at what they showed. Draws, rates and
 * all that follows from them are those of {@link HostSteps}, to the bit where operations are.
 */
final class DeviceSteps implements Steps {
  /** Steps that the host is ahead of what it knows, at most. */
  static final int AHEAD = DeviceRais.patience();

  /** Relative error that sums of gain ratios may have. */
  private static final double ROUNDINGS = 1e-12;

  private final StepParts parts;
  private final TrainingConfig config;
  private final Backend backend;
  private final BoundNetwork net;
  private final StepCounts counts;
  private final int m;
  private final ResidentSampler resident;
  private final ResidentState state;

  /** Null where draws are uniform. */
  private final DeviceRais rais;

  private final double gainMax;
  private final Buffer losses;
  private final Buffer norms;
  private final Buffer correctness;

  /** Null where the gain ratio does not ask for them. */
  private final Buffer hiddenSquaredNorms;

  private final Buffer gainGradient;

  /** What the device began from; null where it has to be told anew. */
  private SamplerState begun;

  /** Steps whose metrics have been read. */
  private long known;

  private double effectiveIterations;
  private double gainRatio = 1;

  /** Whether the host's sampler is that of the last step. */
  private boolean current = true;

  /**
   * What a sampler in a backend's memory is to sample, where the configuration's can be that. A run
   * that leaves out minibatches or halves its rate has to look at each one before the next, one
   * with exact norms goes back over it.
   *
   * @param total length T of the schedule
   */
  static Optional<ResidentSampler.Setting> setting(
      TrainingConfig config, Dataset data, ImportanceSampler sampler, long total) {
    if (config.onDivergence() != OnDivergence.STOP || config.exactGain()) {
      return Optional.empty();
    }
    boolean uniform =
        sampler instanceof UniformSampler && !config.sampler().equals(Samplers.UNIFORM_SHORT);
    RaisOptions options = Samplers.raisOptions(config);
    return uniform || sampler instanceof RaisSampler && DeviceRais.supports(options)
        ? Optional.of(setting(config, data, uniform, options, total))
        : Optional.empty();
  }

  /** Steps on a backend's own sampler, where it has one. */
  static Optional<Steps> of(StepParts parts, ResidentSampler.Setting setting) {
    RaisOptions options = setting.adaptive() ? Samplers.raisOptions(parts.config()) : null;
    return parts
        .backend()
        .residentSampler(setting)
        .map(resident -> new DeviceSteps(parts, options, setting, resident));
  }

  private static ResidentSampler.Setting setting(
      TrainingConfig config, Dataset data, boolean uniform, RaisOptions options, long total) {
    int[] labels = data.train().labels();
    int classes = data.numClasses();
    int m = config.batchSize();
    float[] objective = Samplers.objective(config, labels, classes);
    double weightSum = labels.length;
    if (objective != null) {
      weightSum = 0;
      for (float weight : objective) {
        weightSum += weight;
      }
    }
    boolean rounds =
        uniform
            ? !config.sampler().equals(Samplers.UNIFORM_IID)
            : options.draw() == DrawMode.ROUNDS;
    return new ResidentSampler.Setting(
        labels,
        classes,
        objective,
        weightSum,
        m,
        !uniform,
        rounds,
        uniform ? 1 : DeviceRais.records(options, labels.length),
        uniform ? 0 : DeviceRais.mostDeferred(options, m),
        uniform ? 0 : DeviceRais.roundSize(options, labels.length, m),
        config.seed(),
        uniform ? 1 : options.gainMax(),
        config.schedule().table(config.learningRate(), total));
  }

  private DeviceSteps(
      StepParts parts,
      RaisOptions options,
      ResidentSampler.Setting setting,
      ResidentSampler resident) {
    this.parts = parts;
    this.resident = resident;
    config = parts.config();
    backend = parts.backend();
    net = parts.net();
    counts = parts.counts();
    m = config.batchSize();
    gainMax = setting.gainMax();
    state = new ResidentState(resident, setting);
    losses = backend.allocate(DType.FLOAT32, m);
    norms = backend.allocate(DType.FLOAT32, m);
    correctness = backend.allocate(DType.UINT8, m);
    boolean wholeLayer = options != null && !parts.gainOfBiasAlone();
    hiddenSquaredNorms = wholeLayer ? backend.allocate(DType.FLOAT32, m) : null;
    gainGradient = options == null ? null : parts.gainGradient();
    rais =
        options == null
            ? null
            : new DeviceRais(
                options, setting.examples(), m, config.seed(), new RaisDevice(resident));
  }

  /** The device as {@link DeviceRais} knows it. */
  record RaisDevice(ResidentSampler resident) implements DeviceRais.Device {
    @Override
    public void prepare() {
      resident.prepare();
    }

    @Override
    public DeviceRais.Snapshot prepared() {
      ResidentSampler.Prepared found = resident.prepared();
      return new DeviceRais.Snapshot(
          found.written(),
          Math.toIntExact(found.revisits()),
          found.seen(),
          found.meanFeatures(),
          found.means(),
          found.ring());
    }

    @Override
    public void build(double[] set, long round) {
      resident.build(set, round);
    }

    @Override
    public void apply() {
      resident.apply();
    }

    @Override
    public void repeatRound(long round) {
      resident.repeatRound(round);
    }

    @Override
    public void moveTo(long position) {
      resident.moveTo(position);
    }
  }

  @Override
  public void step() {
    begin();
    learnFrom(counts.iteration - AHEAD);
    long deciding = System.nanoTime();
    ResidentSampler.Way way = rais == null ? drawUniformly() : drawByRais();
    counts.samplerNanos += System.nanoTime() - deciding;
    resident.step(way, () -> work(way));
    counts.stepped(m);
    current = rais == null;
    if (rais != null) {
      long preparing = System.nanoTime();
      rais.drawn();
      counts.samplerNanos += System.nanoTime() - preparing;
    }
  }

  /** Tells the device what the sampler is, where it does not know. */
  private void begin() {
    if (begun != null) {
      return;
    }
    begun = parts.sampler().state();
    state.write(begun);
    if (rais != null) {
      rais.load(begun, parts.data().numClasses());
    }
    known = counts.iteration;
    effectiveIterations = parts.sampler().effectiveIterations();
    gainRatio = parts.sampler().gainRatio();
  }

  /** The host draws the same examples, and so knows them without asking. */
  private ResidentSampler.Way drawUniformly() {
    Minibatch batch = parts.sampler().draw(m);
    for (int index : batch.indices()) {
      counts.draws[index]++;
    }
    parts.sampler().observe(batch, Observation.NONE);
    counts.learningRate = parts.learningRate();
    return ResidentSampler.Way.UNIFORM;
  }

  private ResidentSampler.Way drawByRais() {
    return switch (rais.draw()) {
      case UNIFORM -> ResidentSampler.Way.UNIFORM;
      case WEIGHTED -> ResidentSampler.Way.WEIGHTED;
      case CAUTIOUS -> ResidentSampler.Way.CAUTIOUS;
    };
  }

  /** A whole step; nothing in it waits. */
  private void work(ResidentSampler.Way way) {
    boolean weighted = config.batchNorm() == BatchNormWeights.WEIGHTED;
    resident.draw(way);
    parts.images().gather(resident, config.augmentation(), net.input());
    net.forward(weighted ? resident.weights() : null, counts.iteration);
    backend.lossLayer(
        m,
        parts.data().numClasses(),
        net.logits(),
        resident.labels(),
        resident.weights(),
        1f / m,
        losses,
        norms,
        net.logitGradients(),
        correctness);
    net.backward();
    if (hiddenSquaredNorms != null) {
      backend.rowSquaredNorms(net.finalInput(), hiddenSquaredNorms);
    }
    resident.learn(way, losses, norms, hiddenSquaredNorms, gainGradient);
    resident.update(
        parts.network().values(),
        parts.network().velocities(),
        parts.network().gradients(),
        parts.network().rounded(),
        (float) config.momentum(),
        (float) config.weightDecay());
  }

  /** Reads what the steps before this one showed, as far as that has not been done. */
  private void learnFrom(long end) {
    while (known < end) {
      ResidentSampler.StepMetrics metrics = resident.metrics(known);
      if (!metrics.accepted()) {
        // The device has refused this one and all after it, which have changed weights alone.
        counts.backTo(known, m);
        throw parts.lastGood().diverged(known, metrics.loss());
      }
      counts.addLoss(metrics.loss());
      effectiveIterations = metrics.effectiveIterations();
      gainRatio = metrics.gainRatio();
      if (rais != null) {
        rais.judge(known, metrics.gainEstimate());
      }
      known++;
    }
  }

  @Override
  public boolean reached(DoublePredicate condition) {
    if (begun == null || rais == null) {
      return condition.test(parts.sampler().effectiveIterations());
    }
    while (known < counts.iteration) {
      long ahead = counts.iteration - known;
      // A step is worth 1 at least and the bound at most.
      if (condition.test((effectiveIterations + ahead) * (1 - ROUNDINGS))) {
        return true;
      }
      if (!condition.test((effectiveIterations + ahead * gainMax) * (1 + ROUNDINGS))) {
        return false;
      }
      learnFrom(known + 1);
    }
    return condition.test(effectiveIterations);
  }

  @Override
  public double effectiveIterations() {
    return rais == null ? parts.sampler().effectiveIterations() : effectiveIterations;
  }

  @Override
  public double gainRatio() {
    return gainRatio;
  }

  @Override
  public void catchUp() {
    if (begun == null) {
      return;
    }
    learnFrom(counts.iteration);
    if (current) {
      return;
    }
    RaisSampler sampler = (RaisSampler) parts.sampler();
    SamplerState now = state.read(begun, rais.hasSet());
    rais.save(
        now,
        state.readLong(
            rais.isBuilt() ? ResidentSampler.Part.FLOORED_BEFORE : ResidentSampler.Part.FLOORED));
    sampler.restore(now);
    System.arraycopy(sampler.visits(), 0, counts.draws, 0, counts.draws.length);
    counts.learningRate = parts.learningRate();
    current = true;
  }

  @Override
  public void restored() {
    begun = null;
    current = true;
    effectiveIterations = parts.sampler().effectiveIterations();
    gainRatio = parts.sampler().gainRatio();
  }

  @Override
  public void settle() {
    catchUp();
    if (rais != null) {
      rais.settle();
    }
  }

  /** Nothing is waited for: the images are where the steps are. */
  @Override
  public long inputNanos() {
    return 0;
  }

  @Override
  public void close() {
    if (rais != null) {
      rais.close();
    }
    resident.close();
    for (Buffer buffer : new Buffer[] {losses, norms, correctness, hiddenSquaredNorms}) {
      if (buffer != null) {
        buffer.close();
      }
    }
  }
}
