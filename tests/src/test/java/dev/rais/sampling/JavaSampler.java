package dev.rais.sampling;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A {@link RaisSampler} laid open, for tests of the kernels that must do the same. */
public final class JavaSampler implements AutoCloseable {
  /**
   * What it samples, and how.
   *
   * @param rounds whether draws come in rounds; else they are independent
   * @param weighted whether the objective has weights
   */
  public record Setting(
      boolean rounds, boolean weighted, int n, int classes, int records, int m, double gainMax) {
    /** K. */
    public int roundSize(int active) {
      return Round.size(ROUND_FRACTION, active, m);
    }
  }

  private static final double ROUND_FRACTION = 0.5;

  private final Setting setting;
  private final RaisSampler sampler;
  private Minibatch batch;
  private double[] applied;
  private boolean prepared;

  /**
   * Nothing drawn.
   *
   * @param objective [n], or null
   */
  public JavaSampler(Setting setting, int[] labels, float[] objective, long seed) {
    this.setting = setting;
    RaisOptions options =
        new RaisOptions(
            setting.rounds() ? DrawMode.ROUNDS : DrawMode.IID,
            setting.records(),
            ROUND_FRACTION,
            setting.gainMax(),
            false,
            false);
    sampler = new RaisSampler(labels, setting.classes(), objective, seed, options);
  }

  /** Draws the next minibatch. */
  public void draw() {
    long before = sampler.statistics().refreshes();
    batch = sampler.draw(setting.m());
    applied = null;
    if (sampler.statistics().refreshes() > before) {
      SamplerState state = sampler.state();
      applied = new double[2 * ExampleHistory.FEATURES + 1];
      System.arraycopy(state.doubles("refresh.c", 6), 0, applied, 0, 6);
      System.arraycopy(state.doubles("refresh.dHat", 6), 0, applied, 6, 6);
      applied[12] = state.doubles("refresh.hStar", 1)[0];
    }
  }

  /** Learns from it. */
  public void observe(float[] norms, float[] squares, double gradient) {
    boolean before = sampler.state().has("preparation");
    sampler.observe(batch, new Observation(norms, squares, gradient));
    prepared = !before && sampler.state().has("preparation");
  }

  public void retire(int... indices) {
    sampler.retire(indices);
  }

  /** c, d̂, h* that the last draw put in force; null if it did not. */
  public double[] applied() {
    return applied;
  }

  /** Whether the last observation began the training of a set. */
  public boolean prepared() {
    return prepared;
  }

  public int[] indices() {
    return batch.indices();
  }

  public float[] weights() {
    return batch.weights();
  }

  public float[] importance() {
    return batch.importance;
  }

  public float[] features() {
    return batch.features;
  }

  public double gainRatio() {
    return sampler.gainRatio();
  }

  public double effectiveIterations() {
    return sampler.effectiveIterations();
  }

  public float learningRate(ImportanceSampler.RateSchedule schedule) {
    return (float) sampler.learningRate(schedule);
  }

  public long boundHits() {
    return sampler.statistics().gainBoundHits();
  }

  public long floored() {
    return sampler.statistics().flooredExamples();
  }

  /** Its state, to be asked for parts of it. */
  public Snapshot snapshot() {
    return new Snapshot(sampler.state(), setting);
  }

  /** A state, in the types and order of the kernels' header. */
  public static final class Snapshot {
    private final SamplerState state;
    private final Setting setting;

    private Snapshot(SamplerState state, Setting setting) {
      this.state = state;
      this.setting = setting;
    }

    public byte[] history() {
      return state.bytes("history").toArray(ValueLayout.JAVA_BYTE);
    }

    public double[] means() {
      return JavaState.means(state, setting.classes());
    }

    public float[] frozen() {
      float[] frozen = new float[1 + setting.classes()];
      frozen[0] = state.floats("rais.frozen", 1)[0];
      System.arraycopy(
          state.floats("rais.frozen.ofClass", setting.classes()), 0, frozen, 1, frozen.length - 1);
      return frozen;
    }

    public float[] ring() {
      return JavaState.ring(state, setting.records());
    }

    /** Records written, revisits among those in the ring. */
    public long[] ringCounts() {
      return state.longs("ring", 2);
    }

    /** The leaves in force; null before the first set. */
    public float[] leaves() {
      if (!state.has("rais.leaves")) {
        return null;
      }
      MemorySegment all = state.bytes("rais.leaves");
      float[] leaves = new float[setting.n()];
      MemorySegment.copy(all, ValueLayout.JAVA_FLOAT, 0, leaves, 0, leaves.length);
      return leaves;
    }

    /** Averages of the three moments, estimate, earned, earned at the bound. */
    public double[] gain() {
      return state.doubles("gain", 6);
    }
  }

  @Override
  public void close() {
    sampler.close();
  }
}
