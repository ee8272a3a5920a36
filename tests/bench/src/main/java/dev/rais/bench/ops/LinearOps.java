package dev.rais.bench.ops;

import dev.rais.backend.Buffer;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
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

/** The two fully connected layers of LeNet-5. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class LinearOps {
  /** Which layer. */
  @Param({"fc1", "fc2"})
  public String layer;

  /** Images of a step. */
  @Param("128")
  public int batch;

  /** 0 for all cores. */
  @Param("0")
  public int threads;

  private Inputs inputs;
  private Linear linear;
  private Buffer x;
  private Buffer w;
  private Buffer b;
  private Buffer y;
  private Buffer dy;
  private Buffer dx;
  private Buffer dw;
  private Buffer db;

  /** Prepares operands and checks all three operations. */
  @Setup(Level.Trial)
  public void prepare() {
    inputs = new Inputs(threads);
    LinearShape shape =
        layer.equals("fc1") ? new LinearShape(batch, 800, 500) : new LinearShape(batch, 500, 10);
    linear = inputs.backend().linear(shape);
    x = inputs.normal(shape.inputCount());
    w = inputs.normal(shape.weightCount());
    b = inputs.normal(shape.outputs());
    y = inputs.output(shape.outputCount());
    dy = inputs.normal(shape.outputCount());
    dx = inputs.output(shape.inputCount());
    dw = inputs.output(shape.weightCount());
    db = inputs.output(shape.outputs());
    forward();
    backwardData();
    backwardWeights();
    float[] xs = x.toFloats();
    float[] ws = w.toFloats();
    float[] dys = dy.toFloats();
    Reference.require("y", Reference.linear(shape, xs, ws, b.toFloats()), y);
    Reference.require("dx", Reference.linearToData(shape, dys, ws), dx);
    Reference.require("dw", Reference.linearToWeights(shape, xs, dys), dw);
    Reference.require("db", Reference.columnSums(dys, shape.outputs()), db);
  }

  /** y. */
  @Benchmark
  public void forward() {
    linear.forward(x, w, b, y);
  }

  /** dx. */
  @Benchmark
  public void backwardData() {
    linear.backwardData(dy, w, dx);
  }

  /** dw and db. */
  @Benchmark
  public void backwardWeights() {
    linear.backwardWeights(x, dy, dw, db);
  }

  /** Frees everything. */
  @TearDown(Level.Trial)
  public void close() {
    inputs.close();
  }
}
