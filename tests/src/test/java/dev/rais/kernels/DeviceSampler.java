package dev.rais.kernels;

import dev.rais.backend.cuda.Kernels;
import dev.rais.backend.cuda.SamplingKernels;
import dev.rais.backend.cuda.StateKernels;
import dev.rais.backend.cuda.StateLayout;
import dev.rais.nn.Schedule;
import dev.rais.random.Streams;
import dev.rais.sampling.JavaSampler;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * RAIS's sampler by kernels alone (docs/sampler-on-device.md). When a set is trained and applied is
 * for its caller to say, who has another sampler to go by.
 */
final class DeviceSampler implements AutoCloseable {
  /** Minibatches whose visits wait at most: the lag, and one to spare. */
  private static final int WAITING = 18;

  final JavaSampler.Setting s;
  private final Machine machine;
  private final SamplingKernels sampling;
  private final StateKernels state;
  private final long seed;
  private final Schedule schedule;
  private final List<DeviceArray> all = new ArrayList<>();

  final DeviceArray history;
  final DeviceArray block;
  final DeviceArray gain;
  final DeviceArray indices;
  final DeviceArray importance;
  final DeviceArray weights;
  final DeviceArray features;
  final DeviceArray rate;
  private final DeviceArray labels;
  private final DeviceArray retired;
  private final DeviceArray objective;
  private final DeviceArray iteration;
  private final DeviceArray epochPosition;
  private final DeviceArray norms;
  private final DeviceArray hidden;
  private final DeviceArray values;
  private final DeviceArray gradientNorm;
  private final DeviceArray rates;
  private final DeviceArray accepted;
  private final DeviceArray roundNumber;
  private final DeviceArray filled;
  private Distribution distribution;
  private Distribution spare;
  private final int deferrable;
  private final int pieces;
  private int active;
  private double weightSum;
  private boolean refreshed;
  private long rounds;

  /** A tree, and with rounds the slots that were made from it. */
  private final class Distribution {
    final DeviceArray leaves = array(sampling.sumTreeLeaves(s.n()) * Float.BYTES);
    final DeviceArray sums = array(sampling.sumTreeSums(s.n()) * Double.BYTES);
    final DeviceArray slots = array(4L * s.n());
    final DeviceArray position = array(8);
    int roundSize;
    int active;
    double weightSum;
  }

  DeviceSampler(
      Machine machine,
      JavaSampler.Setting setting,
      int[] labels,
      float[] objective,
      long seed,
      Schedule schedule,
      double total) {
    this.machine = machine;
    s = setting;
    this.seed = seed;
    this.schedule = schedule;
    Kernels kernels = machine.kernels();
    sampling = kernels.sampling();
    state = kernels.state();
    deferrable = s.rounds() ? WAITING * s.m() : 0;
    active = s.n();
    weightSum = s.n();
    history = array(state.stateHistoryBytes(s.n()));
    block = array(state.stateBytes(s.classes(), s.records(), deferrable));
    gain = array(StateLayout.GAIN_LENGTH * Double.BYTES);
    indices = array(4L * s.m());
    importance = array(4L * s.m());
    weights = array(4L * s.m());
    features = array(4L * s.m() * StateLayout.FEATURES);
    rate = array(4);
    this.labels = array(4L * s.n());
    retired = array((s.n() + 31) / 32 * 4L);
    iteration = array(8);
    epochPosition = array(8);
    norms = array(4L * s.m());
    hidden = array(4L * s.m());
    values = array(4L * s.m());
    gradientNorm = array(8);
    accepted = array(4);
    roundNumber = array(8);
    filled = array(4);
    double[] table = schedule.table(0.05, total);
    pieces = (table.length - 2) / 4;
    rates = array(8L * table.length);
    rates.write(0, MemorySegment.ofArray(table));
    this.labels.write(0, MemorySegment.ofArray(labels));
    this.objective = objective == null ? null : array(4L * s.n());
    if (objective != null) {
      this.objective.write(0, MemorySegment.ofArray(objective));
      weightSum = 0;
      for (float weight : objective) {
        weightSum += weight;
      }
    }
    distribution = new Distribution();
    spare = new Distribution();
    state.stateInit(machine.stream(), s.classes(), s.records(), deferrable, block.at());
    state.gainInit(machine.stream(), gain.at());
    recount();
  }

  private DeviceArray array(long numBytes) {
    DeviceArray array = new DeviceArray(machine, numBytes);
    all.add(array);
    return array;
  }

  private MemorySegment objective() {
    return objective == null ? MemorySegment.NULL : objective.at();
  }

  private void recount() {
    state.stateRecount(
        machine.stream(),
        s.n(),
        history.at(),
        labels.at(),
        retired.at(),
        s.classes(),
        s.records(),
        deferrable,
        block.at());
  }

  /** Where a part of the state's block begins. */
  long part(int number) {
    return state.stateOffset(s.classes(), s.records(), deferrable, number);
  }

  long total(int number) {
    return block.longs(part(StateLayout.STATE_TOTALS), StateLayout.TOTALS)[number];
  }

  float[] leaves() {
    return distribution.leaves.floats(0, s.n());
  }

  long[] sums() {
    return distribution.sums.longs(0, (int) sampling.sumTreeSums(s.n()));
  }

  /** Retires examples; with rounds, only where no round waits for its border. */
  void retire(int[] gone, float[] objective) {
    int[] words = retired.ints(0, (s.n() + 31) / 32);
    for (int index : gone) {
      words[index / 32] |= 1 << index % 32;
      active--;
      weightSum = objective == null ? active : weightSum - objective[index];
      distribution.active--;
      distribution.weightSum -= objective == null ? 1 : objective[index];
    }
    retired.write(0, MemorySegment.ofArray(words));
    try (DeviceArray which = new DeviceArray(machine, 4L * gone.length);
        DeviceArray zeros = new DeviceArray(machine, 4L * gone.length)) {
      which.write(0, MemorySegment.ofArray(gone));
      sampling.sumTreeUpdate(
          machine.stream(),
          s.n(),
          distribution.leaves.at(),
          distribution.sums.at(),
          gone.length,
          which.at(),
          zeros.at(),
          MemorySegment.NULL);
      machine.synchronize();
    }
    recount();
  }

  /** Draws a minibatch with its weights and features. */
  void draw() {
    if (!refreshed && s.rounds()) {
      sampling.epochTake(
          machine.stream(),
          s.n(),
          retired.at(),
          seed,
          Streams.SHUFFLE,
          epochPosition.at(),
          s.m(),
          indices.at());
    } else if (!refreshed) {
      sampling.uniformDraw(
          machine.stream(),
          s.n(),
          retired.at(),
          seed,
          Streams.UNIFORM_DRAW,
          iteration.at(),
          s.m(),
          indices.at());
    } else if (s.rounds()) {
      filled.write(0, MemorySegment.ofArray(new int[1]));
      sampling.roundTake(
          machine.stream(),
          distribution.roundSize,
          distribution.slots.at(),
          s.n(),
          distribution.leaves.at(),
          distribution.position.at(),
          s.m(),
          filled.at(),
          indices.at());
    } else {
      sampling.sumTreeDraw(
          machine.stream(),
          s.n(),
          distribution.leaves.at(),
          distribution.sums.at(),
          distribution.active,
          seed,
          Streams.WEIGHTED_DRAW,
          iteration.at(),
          s.m(),
          indices.at(),
          MemorySegment.NULL);
    }
    sampling.drawWeights(
        machine.stream(),
        s.n(),
        refreshed ? distribution.leaves.at() : MemorySegment.NULL,
        refreshed ? distribution.sums.at() : MemorySegment.NULL,
        refreshed ? distribution.active : active,
        objective(),
        refreshed ? distribution.weightSum : weightSum,
        s.m(),
        indices.at(),
        importance.at(),
        weights.at(),
        MemorySegment.NULL);
    if (!refreshed) {
      state.stateFreeze(machine.stream(), s.classes(), s.records(), deferrable, block.at());
    }
    state.stateFeatures(
        machine.stream(),
        s.n(),
        history.at(),
        labels.at(),
        s.classes(),
        s.records(),
        deferrable,
        block.at(),
        s.m(),
        indices.at(),
        features.at());
    machine.synchronize();
  }

  /** Learns from it. */
  void observe(float[] newNorms, float[] hiddenSquaredNorms, double gradient) {
    norms.write(0, MemorySegment.ofArray(newNorms));
    hidden.write(0, MemorySegment.ofArray(hiddenSquaredNorms));
    gradientNorm.write(0, MemorySegment.ofArray(new double[] {gradient}));
    state.gain(
        machine.stream(),
        s.m(),
        weights.at(),
        importance.at(),
        MemorySegment.NULL,
        norms.at(),
        hidden.at(),
        MemorySegment.NULL,
        gradientNorm.at(),
        s.gainMax(),
        rates.at(),
        pieces,
        MemorySegment.NULL,
        iteration.at(),
        gain.at(),
        rate.at(),
        accepted.at(),
        MemorySegment.NULL,
        0);
    state.stateObserve(
        machine.stream(),
        s.n(),
        history.at(),
        labels.at(),
        retired.at(),
        s.classes(),
        s.records(),
        deferrable,
        block.at(),
        s.m(),
        indices.at(),
        importance.at(),
        norms.at(),
        features.at(),
        accepted.at());
    if (refreshed && !s.rounds()) {
      state.stateValues(
          machine.stream(),
          s.n(),
          history.at(),
          labels.at(),
          retired.at(),
          objective(),
          s.classes(),
          s.records(),
          deferrable,
          block.at(),
          s.m(),
          indices.at(),
          values.at());
      sampling.sumTreeUpdate(
          machine.stream(),
          s.n(),
          distribution.leaves.at(),
          distribution.sums.at(),
          s.m(),
          indices.at(),
          values.at(),
          MemorySegment.NULL);
    }
    machine.synchronize();
  }

  /** The training of a set begins: with rounds, visits wait from now on. */
  void prepare() {
    state.statePrepare(
        machine.stream(), s.classes(), s.records(), deferrable, block.at(), s.rounds() ? 1 : 0);
    spare.roundSize = s.roundSize(active);
    machine.synchronize();
  }

  /** A set is applied. */
  void apply(double[] set) {
    block.write(part(StateLayout.STATE_SET), MemorySegment.ofArray(set));
    if (s.rounds()) {
      build(spare);
      roundNumber.write(0, MemorySegment.ofArray(new long[] {rounds++}));
      spare.position.write(0, MemorySegment.ofArray(new long[1]));
      sampling.roundGenerate(
          machine.stream(),
          s.n(),
          spare.leaves.at(),
          spare.sums.at(),
          spare.active,
          seed,
          Streams.ROUND_OFFSET,
          Streams.ROUND_ORDER,
          roundNumber.at(),
          spare.roundSize,
          spare.slots.at(),
          MemorySegment.NULL);
      Distribution used = distribution;
      distribution = spare;
      spare = used;
    } else {
      state.statePrepare(machine.stream(), s.classes(), s.records(), deferrable, block.at(), 0);
      build(distribution);
    }
    state.stateApply(machine.stream(), s.classes(), s.records(), deferrable, block.at());
    state.stateVisit(
        machine.stream(),
        s.n(),
        history.at(),
        labels.at(),
        retired.at(),
        s.classes(),
        s.records(),
        deferrable,
        block.at());
    machine.synchronize();
    refreshed = true;
  }

  private void build(Distribution target) {
    state.stateRefresh(machine.stream(), s.classes(), s.records(), deferrable, block.at());
    state.stateLeaves(
        machine.stream(),
        s.n(),
        history.at(),
        labels.at(),
        retired.at(),
        objective(),
        s.classes(),
        s.records(),
        deferrable,
        block.at(),
        target.leaves.at());
    sampling.sumTreeBuild(
        machine.stream(), s.n(), target.leaves.at(), target.sums.at(), MemorySegment.NULL);
    target.active = active;
    target.weightSum = weightSum;
  }

  /** The schedule of its learning rates. */
  Schedule schedule() {
    return schedule;
  }

  @Override
  public void close() {
    all.forEach(DeviceArray::close);
  }
}
