package dev.rais.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.rais.backend.BatchNorm;
import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.DType;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import dev.rais.backend.MaxPool;
import dev.rais.backend.PoolShape;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Operations can be recorded as a graph and replayed, once they have been run: nothing in them
 * waits for the device, allocates, or reads the host's memory later.
 */
class CaptureTest {
  private static final int BATCH = 4;
  private static final int CLASSES = 5;

  /** A small network with what it needs, and a step of it. */
  private static final class Step implements AutoCloseable {
    private final CudaBackend backend;
    private final Random random = new Random(3);
    private final Convolution convolution;
    private final BatchNorm norm;
    private final MaxPool pool;
    private final Linear linear;
    private final Buffer x;
    private final Buffer y;
    private final Buffer normed;
    private final Buffer pooled;
    private final Buffer logits;
    private final Buffer[] perChannel = new Buffer[8];
    private final Buffer convolutionWeights;
    private final Buffer gradient;
    private final Buffer velocity;
    private final Buffer weights;
    private final Buffer bias;
    private final Buffer labels;
    private final Buffer losses;
    private final Buffer norms;
    private final Buffer flags;
    private final Buffer dPooled;
    private final Buffer dNormed;

    Step(CudaBackend backend) {
      this.backend = backend;
      var shape = new ConvolutionShape(BATCH, 6, 6, 4, 8, 3, 1, 1).withoutBias();
      convolution = backend.convolution(shape);
      var normShape = new BatchNormShape(BATCH, 36, 8, 1e-5f, Fusion.RELU);
      norm = backend.batchNorm(normShape);
      pool = backend.maxPool(new PoolShape(BATCH, 6, 6, 8, 2, 2));
      linear = backend.linear(new LinearShape(BATCH, 72, CLASSES));
      x = random(shape.inputCount());
      convolutionWeights = random(shape.weightCount());
      gradient = random(shape.weightCount());
      velocity = random(shape.weightCount());
      y = random(shape.outputCount());
      normed = random(shape.outputCount());
      dNormed = random(shape.outputCount());
      pooled = random(BATCH * 72);
      dPooled = random(BATCH * 72);
      weights = random(72 * CLASSES);
      bias = random(CLASSES);
      logits = random(BATCH * CLASSES);
      losses = random(BATCH);
      norms = random(BATCH);
      Arrays.setAll(perChannel, i -> random(8));
      labels = backend.allocate(DType.INT32, BATCH);
      labels.upload(new int[] {1, 4, 0, 2});
      flags = backend.allocate(DType.UINT8, BATCH);
    }

    private Buffer random(long count) {
      float[] values = new float[(int) count];
      for (int i = 0; i < values.length; i++) {
        values[i] = random.nextFloat();
      }
      Buffer buffer = backend.allocate(DType.FLOAT32, count);
      buffer.upload(values);
      return buffer;
    }

    void run() {
      Buffer[] c = perChannel;
      convolution.forward(x, convolutionWeights, null, y);
      norm.forward(y, null, c[0], c[1], null, normed, c[2], c[3], c[4], c[5], 0.1f);
      pool.forward(normed, pooled);
      linear.forward(pooled, weights, bias, logits);
      backend.lossLayer(BATCH, CLASSES, logits, labels, null, 0.25f, losses, norms, logits, flags);
      linear.backwardData(logits, weights, dPooled);
      pool.backward(dPooled, dNormed);
      norm.backward(y, null, dNormed, null, c[0], c[1], c[2], c[3], dNormed, c[6], c[7], null);
      convolution.backwardWeights(x, dNormed, gradient, null);
      backend.sgd(convolutionWeights, velocity, gradient, 0.1f, 0.9f, 1e-3f);
    }

    float[] learned() {
      return convolutionWeights.toFloats();
    }

    @Override
    public void close() {
      convolution.close();
      norm.close();
      pool.close();
      linear.close();
    }
  }

  @Test
  void aReplayedStepGivesTheBitsOfOneThatIsRun() {
    HostCuda plain = HostCuda.late();
    HostCuda captured = HostCuda.late();
    try (CudaBackend first = plain.backend();
        CudaBackend second = captured.backend();
        Step run = new Step(first);
        Step replayed = new Step(second)) {
      run.run();
      replayed.run(); // chooses algorithms, allocates scratch memory
      captured.queue.takeCalls();
      captured.queue.beginCapture();
      replayed.run();
      long graph = captured.queue.endCapture();
      List<String> calls = captured.queue.takeCalls();
      assertFalse(calls.stream().anyMatch(c -> c.startsWith("allocate")), calls.toString());
      float[] before = replayed.learned();
      assertArrayEquals(run.learned(), before); // nothing was done while it was recorded
      for (int i = 0; i < 3; i++) {
        run.run();
        captured.queue.launch(graph);
        assertFalse(Arrays.equals(before, run.learned()));
        assertArrayEquals(run.learned(), replayed.learned());
      }
    }
  }

  /** What gives the host a number cannot be recorded, and says so. */
  @Test
  void whatWaitsIsRefusedWhileRecording() {
    HostCuda cuda = HostCuda.late();
    try (CudaBackend backend = cuda.backend()) {
      Buffer buffer = backend.allocate(DType.FLOAT32, 4);
      cuda.queue.beginCapture();
      assertThrows(CudaException.class, buffer::toFloats);
      assertThrows(CudaException.class, () -> backend.squaredNorm(buffer));
      cuda.queue.endCapture();
    }
  }
}
