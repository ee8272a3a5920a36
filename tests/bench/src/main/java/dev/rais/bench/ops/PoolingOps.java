package dev.rais.bench.ops;

import dev.rais.backend.Buffer;
import dev.rais.backend.MaxPool;
import dev.rais.backend.PoolShape;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** The two poolings of LeNet-5 and the rectifiers behind them. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class PoolingOps {
  /** Which layer. */
  @Param({"pool1", "pool2"})
  public String layer;

  /** Images of a step. */
  @Param("128")
  public int batch;

  /** 0 for all cores. */
  @Param("0")
  public int threads;

  private Inputs inputs;
  private MaxPool pool;
  private Buffer x;
  private Buffer y;
  private Buffer dy;
  private Buffer dx;
  private Buffer rectified;
  private Buffer rectifiedGradient;

  /** Prepares operands and checks all operations. */
  @Setup(Level.Trial)
  public void prepare() {
    inputs = new Inputs(threads);
    PoolShape shape =
        layer.equals("pool1")
            ? new PoolShape(batch, 24, 24, 20, 2, 2)
            : new PoolShape(batch, 8, 8, 50, 2, 2);
    pool = inputs.backend().maxPool(shape);
    x = inputs.normal(shape.inputCount());
    y = inputs.output(shape.outputCount());
    dy = inputs.normal(shape.outputCount());
    dx = inputs.output(shape.inputCount());
    rectified = inputs.output(shape.outputCount());
    rectifiedGradient = inputs.output(shape.outputCount());
    forward();
    backward();
    relu();
    reluBackward();
    check(Reference.winners(shape, x.toFloats()));
  }

  private void check(int[] winners) {
    float[] xs = x.toFloats();
    float[] dys = dy.toFloats();
    double[] ys = new double[winners.length];
    double[] dxs = new double[xs.length];
    double[] positive = new double[winners.length];
    double[] passed = new double[winners.length];
    for (int i = 0; i < winners.length; i++) {
      ys[i] = xs[winners[i]];
      dxs[winners[i]] += dys[i];
      positive[i] = Math.max(ys[i], 0);
      passed[i] = ys[i] > 0 ? dys[i] : 0;
    }
    Reference.require("y", ys, y);
    Reference.require("dx", dxs, dx);
    Reference.require("relu", positive, rectified);
    Reference.require("relu backward", passed, rectifiedGradient);
  }

  /** Maxima. */
  @Benchmark
  public void forward() {
    pool.forward(x, y);
  }

  /** Gradients to where the maxima were. */
  @Benchmark
  public void backward() {
    pool.backward(dy, dx);
  }

  /** The rectifier on the maxima. */
  @Benchmark
  public void relu() {
    inputs.backend().relu(y, rectified);
  }

  /** Its gradient. */
  @Benchmark
  public void reluBackward() {
    inputs.backend().reluBackward(rectified, dy, rectifiedGradient);
  }

  /** Frees everything. */
  @TearDown(Level.Trial)
  public void close() {
    inputs.close();
  }
}
