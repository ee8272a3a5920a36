package dev.rais.backend.cuda;

import static dev.rais.backend.cuda.CudaBuffer.at;
import static dev.rais.backend.cuda.CudaBuffer.orNull;

import dev.rais.backend.Augmentation;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.ImageShape;
import dev.rais.backend.ResidentSampler;
import dev.rais.random.Streams;
import java.lang.foreign.MemorySegment;

/** A sampler by kernels alone (docs/sampler-on-device.md), in steps that are recorded as graphs. */
final class CudaSampler implements ResidentSampler {
  /** Sets on their way to the device at most: a refresh takes a step at least. */
  private static final int SETS = METRICS_KEPT;

  private static final long SET_BYTES = (2L * StateLayout.FEATURES + 1) * Double.BYTES;

  /** A graph for each: a distribution's place is part of what is recorded. */
  private record Kind(Way way, int parity) {}

  private final Device device;
  private final Setting s;
  private final SamplingKernels sampling;
  private final StateKernels state;
  private final TrainingKernels training;
  private final Gather gather;
  private final Taken taken = new Taken();
  private final SamplerMemory memory;
  private final StepGraphs graphs;
  private final StepLog log;
  private final PreparedCopy prepared;
  private final Buffer labels;
  private final Buffer weights;
  private final MemorySegment sets;
  private int builds;
  private long iteration;
  private boolean closed;

  CudaSampler(Device device, Setting setting) {
    this.device = device;
    s = setting;
    sampling = device.kernels.sampling();
    state = device.kernels.state();
    training = device.kernels.training();
    gather = new Gather(device);
    try {
      memory = new SamplerMemory(device, setting);
      taken.push(memory::close);
      weights = CudaBuffer.allocate(device, DType.FLOAT32, s.batch());
      taken.push(weights::close);
      labels = CudaBuffer.allocate(device, DType.INT32, s.batch());
      taken.push(labels::close);
      sets = device.allocateHost(SETS * SET_BYTES);
      taken.push(() -> device.driver().freeHost(sets));
      prepared = s.adaptive() ? new PreparedCopy(device, memory, s.classes(), s.records()) : null;
      if (prepared != null) {
        taken.push(prepared::close);
      }
      log = new StepLog(device);
      taken.push(log::close);
      graphs = new StepGraphs(device);
      taken.push(graphs::close);
      reset();
    } catch (Throwable e) {
      taken.giveBack(e);
      throw e;
    }
    device.register(this);
  }

  /** Bytes of the device's memory that one takes. */
  static long numBytes(Kernels kernels, Setting setting) {
    long ofSlots = DType.FLOAT32.numBytes() + DType.INT32.numBytes();
    return SamplerMemory.numBytes(kernels, setting) + ofSlots * setting.batch();
  }

  private MemorySegment stream() {
    return device.stream();
  }

  @Override
  public Buffer labels() {
    return labels;
  }

  @Override
  public Buffer weights() {
    return weights;
  }

  @Override
  public void step(Way way, Runnable work) {
    Kind kind = new Kind(way, way == Way.UNIFORM ? 0 : memory.parity());
    graphs.run(kind, () -> device.countingBy(memory.iteration, work));
    log.stepped(iteration++);
  }

  @Override
  public void draw(Way way) {
    if (way == Way.WEIGHTED) {
      drawWeighted();
    } else if (way == Way.CAUTIOUS || s.rounds()) {
      sampling.epochTake(
          stream(),
          s.examples(),
          MemorySegment.NULL,
          s.seed(),
          Streams.SHUFFLE,
          memory.epochPosition,
          s.batch(),
          memory.indices);
    } else {
      sampling.uniformDraw(
          stream(),
          s.examples(),
          MemorySegment.NULL,
          s.seed(),
          Streams.UNIFORM_DRAW,
          memory.iteration,
          s.batch(),
          memory.indices);
    }
    if (way == Way.CAUTIOUS) {
      weigh(false, MemorySegment.NULL, MemorySegment.NULL, memory.shadow);
    }
    weigh(way == Way.WEIGHTED, memory.importance, at(weights), MemorySegment.NULL);
    if (s.adaptive()) {
      features(way);
    }
  }

  private void drawWeighted() {
    SamplerMemory.Distribution from = memory.distribution();
    if (s.rounds()) {
      device.zero(memory.filled.address(), Integer.BYTES);
      sampling.roundTake(
          stream(),
          s.roundSize(),
          from.slots,
          s.examples(),
          from.leaves,
          from.position,
          s.batch(),
          memory.filled,
          memory.indices);
    } else {
      sampling.sumTreeDraw(
          stream(),
          s.examples(),
          from.leaves,
          from.sums,
          s.examples(),
          s.seed(),
          Streams.WEIGHTED_DRAW,
          memory.iteration,
          s.batch(),
          memory.indices,
          MemorySegment.NULL);
    }
  }

  /** Weights of the drawn examples: by the distribution, or those of uniform draws. */
  private void weigh(
      boolean weighted, MemorySegment importance, MemorySegment lossWeights, MemorySegment shadow) {
    boolean uniform = !weighted && shadow.equals(MemorySegment.NULL);
    SamplerMemory.Distribution from = memory.distribution();
    sampling.drawWeights(
        stream(),
        s.examples(),
        uniform ? MemorySegment.NULL : from.leaves,
        uniform ? MemorySegment.NULL : from.sums,
        s.examples(),
        memory.objective,
        s.weightSum(),
        s.batch(),
        memory.indices,
        importance,
        lossWeights,
        shadow);
  }

  private void features(Way way) {
    if (way == Way.UNIFORM) {
      state.stateFreeze(stream(), s.classes(), s.records(), s.deferrable(), memory.block);
    }
    state.stateFeatures(
        stream(),
        s.examples(),
        memory.history,
        memory.labels,
        s.classes(),
        s.records(),
        s.deferrable(),
        memory.block,
        s.batch(),
        memory.indices,
        memory.features);
  }

  @Override
  public void gather(
      Buffer images,
      ImageShape shape,
      Buffer scale,
      Buffer shift,
      Augmentation augmentation,
      Buffer batch) {
    gather.run(
        new Gather.Source(images, shape, memory.labels),
        new Gather.Chosen(s.batch(), memory.indices),
        new Gather.Recipe(scale, shift, augmentation, s.seed(), memory.iteration),
        batch,
        at(labels));
  }

  @Override
  public void learn(
      Way way, Buffer losses, Buffer norms, Buffer hiddenSquaredNorms, Buffer gainGradient) {
    if (gainGradient != null) {
      training.squaredNorm(
          stream(),
          gainGradient.count(),
          at(gainGradient),
          memory.gradientNorm,
          device.sumWorkspace());
    }
    state.gain(
        stream(),
        s.batch(),
        at(weights),
        memory.importance,
        way == Way.CAUTIOUS ? memory.shadow : MemorySegment.NULL,
        at(norms),
        orNull(hiddenSquaredNorms),
        at(losses),
        memory.gradientNorm,
        s.gainMax(),
        memory.schedule,
        (s.schedule().length - 2) / 4,
        MemorySegment.NULL,
        memory.iteration,
        memory.gain,
        memory.rate,
        memory.accepted,
        log.ring(),
        log.length());
    if (s.adaptive()) {
      observe(norms);
      if (way != Way.UNIFORM && !s.rounds()) {
        updateLeaves();
      }
    }
  }

  private void observe(Buffer norms) {
    state.stateObserve(
        stream(),
        s.examples(),
        memory.history,
        memory.labels,
        MemorySegment.NULL,
        s.classes(),
        s.records(),
        s.deferrable(),
        memory.block,
        s.batch(),
        memory.indices,
        memory.importance,
        at(norms),
        memory.features,
        memory.accepted);
  }

  private void updateLeaves() {
    state.stateValues(
        stream(),
        s.examples(),
        memory.history,
        memory.labels,
        MemorySegment.NULL,
        memory.objective,
        s.classes(),
        s.records(),
        s.deferrable(),
        memory.block,
        s.batch(),
        memory.indices,
        memory.values);
    SamplerMemory.Distribution distribution = memory.distribution();
    sampling.sumTreeUpdate(
        stream(),
        s.examples(),
        distribution.leaves,
        distribution.sums,
        s.batch(),
        memory.indices,
        memory.values,
        MemorySegment.NULL);
  }

  @Override
  public void update(
      Buffer w, Buffer u, Buffer g, Buffer rounded, float momentum, float weightDecay) {
    training.sgd(
        stream(),
        w.count(),
        at(w),
        at(u),
        Kernels.FLOAT32,
        at(g),
        memory.rate,
        momentum,
        weightDecay,
        orNull(rounded),
        MemorySegment.NULL,
        MemorySegment.NULL,
        MemorySegment.NULL);
  }

  @Override
  public StepMetrics metrics(long iteration) {
    return log.read(iteration);
  }

  private void prepareState(boolean defer) {
    state.statePrepare(
        stream(), s.classes(), s.records(), s.deferrable(), memory.block, defer ? 1 : 0);
  }

  @Override
  public void prepare() {
    prepareState(s.rounds());
    prepared.begin();
  }

  @Override
  public Prepared prepared() {
    return prepared.await();
  }

  @Override
  public void build(double[] set, long round) {
    device.copy(memory.flooredBefore.address(), memory.at(Part.FLOORED).address(), Long.BYTES);
    MemorySegment onItsWay = sets.asSlice(builds++ % SETS * SET_BYTES, SET_BYTES);
    onItsWay.copyFrom(MemorySegment.ofArray(set));
    device
        .driver()
        .copyToDevice(memory.at(Part.SET).address(), onItsWay, SET_BYTES, device.queue().handle());
    if (!s.rounds()) {
      prepareState(false); // means and mean features as they now are
    }
    state.stateRefresh(stream(), s.classes(), s.records(), s.deferrable(), memory.block);
    SamplerMemory.Distribution target = memory.spare();
    state.stateLeaves(
        stream(),
        s.examples(),
        memory.history,
        memory.labels,
        MemorySegment.NULL,
        memory.objective,
        s.classes(),
        s.records(),
        s.deferrable(),
        memory.block,
        target.leaves);
    buildSums(target);
    if (s.rounds()) {
      generate(target, round);
    }
  }

  private void buildSums(SamplerMemory.Distribution target) {
    sampling.sumTreeBuild(stream(), s.examples(), target.leaves, target.sums, MemorySegment.NULL);
  }

  private void generate(SamplerMemory.Distribution from, long round) {
    fill(memory.roundNumber, round);
    sampling.roundGenerate(
        stream(),
        s.examples(),
        from.leaves,
        from.sums,
        s.examples(),
        s.seed(),
        Streams.ROUND_OFFSET,
        Streams.ROUND_ORDER,
        memory.roundNumber,
        s.roundSize(),
        from.slots,
        MemorySegment.NULL);
    fill(from.position, 0);
  }

  /** Puts a number into the device's memory, in the order of the stream. */
  private void fill(MemorySegment place, long value) {
    long queue = device.queue().handle();
    device.driver().fillInts(place.address(), (int) value, 1, queue);
    device
        .driver()
        .fillInts(place.address() + Integer.BYTES, (int) (value >>> Integer.SIZE), 1, queue);
  }

  @Override
  public void apply() {
    putInForce();
    if (s.rounds()) {
      memory.exchange();
      state.stateVisit(
          stream(),
          s.examples(),
          memory.history,
          memory.labels,
          MemorySegment.NULL,
          s.classes(),
          s.records(),
          s.deferrable(),
          memory.block);
    }
  }

  private void putInForce() {
    state.stateApply(stream(), s.classes(), s.records(), s.deferrable(), memory.block);
    device.copy(
        memory.featuresInForce.address(),
        memory.at(Part.NEXT_FEATURES).address(),
        (long) StateLayout.FEATURES * Double.BYTES);
  }

  @Override
  public void repeatRound(long round) {
    generate(memory.distribution(), round);
  }

  @Override
  public void moveTo(long position) {
    fill(memory.distribution().position, position);
  }

  @Override
  public void reset() {
    state.gainInit(stream(), memory.gain);
    fill(memory.iteration, 0);
    fill(memory.epochPosition, 0);
    iteration = 0;
    if (s.adaptive()) {
      state.stateInit(stream(), s.classes(), s.records(), s.deferrable(), memory.block);
      device.zero(memory.history.address(), state.stateHistoryBytes(s.examples()));
      recount();
    }
  }

  @Override
  public void write(Part part, MemorySegment values) {
    if (values.byteSize() > 0) {
      device.upload(values, memory.at(part).address());
    }
    if (part == Part.ITERATION) {
      iteration = values.get(java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED, 0);
    }
  }

  @Override
  public void read(Part part, MemorySegment values) {
    if (values.byteSize() > 0) {
      device.download(memory.at(part).address(), values);
    }
  }

  @Override
  public void recount() {
    state.stateRecount(
        stream(),
        s.examples(),
        memory.history,
        memory.labels,
        MemorySegment.NULL,
        s.classes(),
        s.records(),
        s.deferrable(),
        memory.block);
  }

  @Override
  public void resume() {
    state.stateRefresh(stream(), s.classes(), s.records(), s.deferrable(), memory.block);
    putInForce();
    buildSums(memory.distribution());
  }

  @Override
  public void synchronize() {
    device.queue().synchronize();
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    device.unregister(this);
    device.settle();
    taken.giveBack();
  }
}
