package dev.rais.bench.ops;

import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
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

/** The two convolutions of LeNet-5. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class ConvolutionOps {
  /** Which layer. */
  @Param({"conv1", "conv2"})
  public String layer;

  /** Images of a step. */
  @Param("128")
  public int batch;

  /** 0 for all cores. */
  @Param("0")
  public int threads;

  private Inputs inputs;
  private Convolution convolution;
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
    ConvolutionShape shape =
        layer.equals("conv1")
            ? new ConvolutionShape(batch, 28, 28, 1, 20, 5, 1, 0)
            : new ConvolutionShape(batch, 12, 12, 20, 50, 5, 1, 0);
    convolution = inputs.backend().convolution(shape);
    x = inputs.normal(shape.inputCount());
    w = inputs.normal(shape.weightCount());
    b = inputs.normal(shape.outputChannels());
    y = inputs.output(shape.outputCount());
    dy = inputs.normal(shape.outputCount());
    dx = inputs.output(shape.inputCount());
    dw = inputs.output(shape.weightCount());
    db = inputs.output(shape.outputChannels());
    forward();
    backwardData();
    backwardWeights();
    float[] xs = x.toFloats();
    float[] ws = w.toFloats();
    float[] dys = dy.toFloats();
    Reference.require("y", Reference.convolution(shape, xs, ws, b.toFloats()), y);
    Reference.require("dx", Reference.convolutionToData(shape, dys, ws), dx);
    Reference.require("dw", Reference.convolutionToWeights(shape, xs, dys), dw);
    Reference.require("db", Reference.columnSums(dys, shape.outputChannels()), db);
  }

  /** y. */
  @Benchmark
  public void forward() {
    convolution.forward(x, w, b, y);
  }

  /** dx; a step needs it of conv2 only. */
  @Benchmark
  public void backwardData() {
    convolution.backwardData(dy, w, dx);
  }

  /** dw and db. */
  @Benchmark
  public void backwardWeights() {
    convolution.backwardWeights(x, dy, dw, db);
  }

  /** Frees everything. */
  @TearDown(Level.Trial)
  public void close() {
    inputs.close();
  }
}
