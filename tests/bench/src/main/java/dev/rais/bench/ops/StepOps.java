package dev.rais.bench.ops;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.ImageShape;
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

/** What a step does outside of its layers: gather, fused loss layer, update. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class StepOps {
  private static final int CLASSES = 10;
  private static final int IMAGES = 60_000;
  private static final ImageShape IMAGE = new ImageShape(28, 28, 1);
  private static final int IMAGE_BYTES = IMAGE.size();
  private static final int PARAMETERS = 431_080;
  private static final float SCALE = 1 / 80f;
  private static final float SHIFT = -1.5f;
  private static final float RATE = 0.01f;
  private static final float MOMENTUM = 0.9f;
  private static final float DECAY = 5e-4f;

  /** Images of a step. */
  @Param("128")
  public int batch;

  /** 0 for all cores. */
  @Param("0")
  public int threads;

  private Inputs inputs;
  private Buffer images;
  private Buffer indices;
  private Buffer scale;
  private Buffer shift;
  private Buffer gathered;
  private Buffer logits;
  private Buffer labels;
  private Buffer weights;
  private Buffer losses;
  private Buffer norms;
  private Buffer logitGradients;
  private Buffer correctness;
  private Buffer w;
  private Buffer u;
  private Buffer g;

  /** Prepares operands and checks all operations. */
  @Setup(Level.Trial)
  public void prepare() {
    inputs = new Inputs(threads);
    prepareGather();
    prepareLossLayer();
    prepareSgd();
  }

  private void prepareGather() {
    Backend backend = inputs.backend();
    byte[] pixels = inputs.bytes(IMAGES * IMAGE_BYTES);
    int[] chosen = inputs.integers(batch, IMAGES);
    images = backend.allocate(DType.UINT8, pixels.length);
    images.upload(pixels, 0);
    indices = inputs.integers(chosen);
    scale = backend.allocate(DType.FLOAT32, 1);
    scale.upload(new float[] {SCALE});
    shift = backend.allocate(DType.FLOAT32, 1);
    shift.upload(new float[] {SHIFT});
    gathered = inputs.output((long) batch * IMAGE_BYTES);
    gather();
    double[] expected = new double[batch * IMAGE_BYTES];
    for (int i = 0; i < expected.length; i++) {
      int pixel = pixels[chosen[i / IMAGE_BYTES] * IMAGE_BYTES + i % IMAGE_BYTES] & 0xff;
      expected[i] = pixel * (double) SCALE + SHIFT;
    }
    Reference.require("gathered", expected, gathered);
  }

  private void prepareLossLayer() {
    int[] classes = inputs.integers(batch, CLASSES);
    logits = inputs.normal((long) batch * CLASSES);
    labels = inputs.integers(classes);
    weights = inputs.normal(batch);
    losses = inputs.output(batch);
    norms = inputs.output(batch);
    logitGradients = inputs.output((long) batch * CLASSES);
    correctness = inputs.backend().allocate(DType.UINT8, batch);
    lossLayer();
    float[] z = logits.toFloats();
    float[] a = weights.toFloats();
    double[] expectedLosses = new double[batch];
    double[] expectedNorms = new double[batch];
    double[] expectedGradients = new double[z.length];
    for (int j = 0; j < batch; j++) {
      double sum = 0;
      for (int k = 0; k < CLASSES; k++) {
        sum += Math.exp(z[j * CLASSES + k]);
      }
      double squares = 0;
      for (int k = 0; k < CLASSES; k++) {
        double target = k == classes[j] ? 1 : 0;
        double difference = Math.exp(z[j * CLASSES + k]) / sum - target;
        squares += difference * difference;
        expectedGradients[j * CLASSES + k] = a[j] * difference / batch;
      }
      expectedLosses[j] = Math.log(sum) - z[j * CLASSES + classes[j]];
      expectedNorms[j] = Math.sqrt(squares);
    }
    Reference.require("losses", expectedLosses, losses);
    Reference.require("norms", expectedNorms, norms);
    Reference.require("logit gradients", expectedGradients, logitGradients);
  }

  private void prepareSgd() {
    w = inputs.normal(PARAMETERS);
    u = inputs.normal(PARAMETERS);
    g = inputs.normal(PARAMETERS);
    float[] values = w.toFloats();
    float[] velocities = u.toFloats();
    float[] gradients = g.toFloats();
    sgd();
    double[] expected = new double[PARAMETERS];
    for (int i = 0; i < PARAMETERS; i++) {
      double gradient = gradients[i] + (double) DECAY * values[i];
      expected[i] = values[i] + ((double) MOMENTUM * velocities[i] - RATE * gradient);
    }
    Reference.require("updated parameters", expected, w);
  }

  /** A normalised minibatch out of 60,000 images. */
  @Benchmark
  public void gather() {
    inputs.backend().gather(images, IMAGE, indices, scale, shift, gathered);
  }

  /** Losses, norms and gradients of the logits. */
  @Benchmark
  public void lossLayer() {
    inputs
        .backend()
        .lossLayer(
            batch,
            CLASSES,
            logits,
            labels,
            weights,
            1f / batch,
            losses,
            norms,
            logitGradients,
            correctness);
  }

  /** The update of all parameters. */
  @Benchmark
  public void sgd() {
    inputs.backend().sgd(w, u, g, RATE, MOMENTUM, DECAY);
  }

  /** Frees everything. */
  @TearDown(Level.Trial)
  public void close() {
    inputs.close();
  }
}
