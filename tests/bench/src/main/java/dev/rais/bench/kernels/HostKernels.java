package dev.rais.bench.kernels;

import dev.rais.backend.Augmentation;
import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.ImageShape;
import dev.rais.backend.cpu.HostCopy;
import dev.rais.backend.cpu.SeparateLossSteps;
import dev.rais.sampling.SumTree;
import java.util.SplittableRandom;

/** Kernels of the CPU backend, called as a user calls them. */
final class HostKernels {
  private HostKernels() {}

  static Kernel of(String name, int threads, Sizes sizes) {
    return switch (name) {
      case "sgd" -> new Sgd(threads, sizes);
      case "relu" -> new Relu(threads, sizes);
      case "gather" -> new Gather(threads, sizes);
      case "rowNorms" -> new RowNorms(threads, sizes);
      case "sumTree" -> new TreeStep(threads, sizes);
      default -> new LossLayer(threads, sizes, KernelNames.classes(name));
    };
  }

  /** A backend, and a copy of as many bytes as a kernel moves. */
  private abstract static class OnHost implements Kernel {
    final Backend backend;
    private final HostCopy copy;
    private final Buffer source;
    private final Buffer target;

    OnHost(int threads, Sizes sizes) {
      backend =
          Backends.open(
              "cpu",
              threads,
              warning -> {
                throw new IllegalStateException(warning);
              });
      copy = new HostCopy(threads);
      source = floats(Sizes.values(sizes.elements(8), 99));
      target = floats(source.count());
    }

    final Buffer floats(float[] values) {
      Buffer buffer = backend.allocate(DType.FLOAT32, values.length);
      buffer.upload(values);
      return buffer;
    }

    /** Written once, so that no page is new to the first measurement. */
    final Buffer floats(long count) {
      Buffer buffer = backend.allocate(DType.FLOAT32, count);
      buffer.fillZero();
      return buffer;
    }

    final Buffer integers(int[] values) {
      Buffer buffer = backend.allocate(DType.INT32, values.length);
      buffer.upload(values);
      return buffer;
    }

    @Override
    public int repeats() {
      return 1;
    }

    @Override
    public final long copyBytes() {
      return 2 * source.numBytes();
    }

    @Override
    public final void copy() {
      copy.copy(source, target);
    }

    @Override
    public void close() {
      copy.close();
      backend.close();
    }
  }

  private static final class LossLayer extends OnHost {
    private final int rows;
    private final int classes;
    private final float[] z;
    private final int[] y;
    private final float[] w;
    private final Buffer logits;
    private final Buffer labels;
    private final Buffer weights;
    private final Buffer losses;
    private final Buffer norms;
    private final Buffer gradients;
    private final Buffer correctness;
    private final SeparateLossSteps steps;

    LossLayer(int threads, Sizes sizes, int classes) {
      super(threads, sizes);
      this.classes = classes;
      rows = sizes.rows(classes, 8);
      z = Sizes.values(rows * classes, 1);
      y = Sizes.integers(rows, classes, 2);
      w = Sizes.values(rows, 3);
      logits = floats(z);
      labels = integers(y);
      weights = floats(w);
      losses = floats(rows);
      norms = floats(rows);
      gradients = floats((long) rows * classes);
      correctness = backend.allocate(DType.UINT8, rows);
      steps = new SeparateLossSteps(threads, rows, classes);
    }

    @Override
    public long bytes() {
      return 8L * rows * classes;
    }

    @Override
    public void check() {
      run();
      checkResults("fused loss layer");
      gradients.fillZero();
      runSeparately();
      checkResults("separate loss layer");
    }

    private void checkResults(String what) {
      Check.lossLayer(
          what,
          classes,
          z,
          y,
          w,
          1.0 / rows,
          losses.toFloats(),
          norms.toFloats(),
          gradients.toFloats());
    }

    @Override
    public void run() {
      backend.lossLayer(
          rows, classes, logits, labels, weights, 1f / rows, losses, norms, gradients, correctness);
    }

    @Override
    public boolean hasSeparateSteps() {
      return true;
    }

    @Override
    public void runSeparately() {
      steps.run(logits, labels, weights, 1f / rows, losses, norms, gradients);
    }

    @Override
    public void close() {
      steps.close();
      super.close();
    }
  }

  private static final class Sgd extends OnHost {
    private static final float RATE = 1e-4f;
    private static final float MOMENTUM = 0.9f;
    private static final float DECAY = 5e-4f;

    private final Buffer w;
    private final Buffer u;
    private final Buffer g;

    Sgd(int threads, Sizes sizes) {
      super(threads, sizes);
      int count = sizes.elements(20);
      w = floats(Sizes.values(count, 1));
      u = floats(Sizes.values(count, 2));
      g = floats(Sizes.values(count, 3));
    }

    @Override
    public long bytes() {
      return 5 * w.numBytes();
    }

    @Override
    public void check() {
      float[] values = w.toFloats();
      float[] velocities = u.toFloats();
      float[] gradients = g.toFloats();
      run();
      Check.values(
          "sgd",
          w.toFloats(),
          i ->
              values[i]
                  + (double) MOMENTUM * velocities[i]
                  - RATE * (gradients[i] + (double) DECAY * values[i]),
          1e-6);
    }

    @Override
    public void run() {
      backend.sgd(w, u, g, RATE, MOMENTUM, DECAY);
    }
  }

  private static final class Relu extends OnHost {
    private final Buffer x;
    private final Buffer y;

    Relu(int threads, Sizes sizes) {
      super(threads, sizes);
      x = floats(Sizes.values(sizes.elements(8), 1));
      y = floats(x.count());
    }

    @Override
    public long bytes() {
      return 2 * x.numBytes();
    }

    @Override
    public void check() {
      float[] values = x.toFloats();
      run();
      Check.values("relu", y.toFloats(), i -> Math.max(0, values[i]), 0);
    }

    @Override
    public void run() {
      backend.relu(x, y);
    }
  }

  private static final class RowNorms extends OnHost {
    private static final int COLUMNS = 512;

    private final Buffer x;
    private final Buffer norms;

    RowNorms(int threads, Sizes sizes) {
      super(threads, sizes);
      int rows = sizes.rows(COLUMNS, 4);
      x = floats(Sizes.values(rows * COLUMNS, 1));
      norms = floats(rows);
    }

    @Override
    public long bytes() {
      return x.numBytes() + norms.numBytes();
    }

    @Override
    public void check() {
      float[] values = x.toFloats();
      run();
      Check.values(
          "row norms",
          norms.toFloats(),
          j -> {
            double sum = 0;
            for (int k = j * COLUMNS; k < (j + 1) * COLUMNS; k++) {
              sum += (double) values[k] * values[k];
            }
            return sum;
          },
          1e-6);
    }

    @Override
    public void run() {
      backend.rowSquaredNorms(x, norms);
    }
  }

  private static final class Gather extends OnHost {
    private static final ImageShape IMAGE = new ImageShape(32, 32, 3);
    private static final float SCALE = 1 / 64f;
    private static final float SHIFT = -2;

    private final byte[] pixels;
    private final int[] chosen;
    private final Buffer images;
    private final Buffer indices;
    private final Buffer scale;
    private final Buffer shift;
    private final Buffer batch;
    private long iteration;

    Gather(int threads, Sizes sizes) {
      super(threads, sizes);
      int rows = sizes.rows(IMAGE.size(), 5);
      int count = 3 * rows;
      pixels = new byte[count * IMAGE.size()];
      new SplittableRandom(1).nextBytes(pixels);
      chosen = Sizes.integers(rows, count, 2);
      images = backend.allocate(DType.UINT8, pixels.length);
      images.upload(pixels, 0);
      indices = integers(chosen);
      scale = floats(new float[] {SCALE, SCALE, SCALE});
      shift = floats(new float[] {SHIFT, SHIFT, SHIFT});
      batch = floats((long) rows * IMAGE.size());
    }

    @Override
    public long bytes() {
      return batch.numBytes() + batch.count();
    }

    /**
     * Only shifts and mirrors move pixels; the tests compare each, here their number must agree.
     */
    @Override
    public void check() {
      backend.gather(images, IMAGE, indices, scale, shift, batch);
      Check.values(
          "gather",
          batch.toFloats(),
          i -> {
            int size = IMAGE.size();
            int pixel = pixels[chosen[i / size] * size + i % size] & 0xff;
            return pixel * (double) SCALE + SHIFT;
          },
          1e-6);
      run();
      for (float value : batch.toFloats()) {
        if (!(value >= SHIFT && value <= 255 * SCALE + SHIFT)) {
          throw new IllegalStateException("gather: varied images have a value " + value);
        }
      }
    }

    @Override
    public void run() {
      var usual = new Augmentation(4, true, 0);
      backend.gather(images, IMAGE, indices, scale, shift, usual, 1, iteration++, batch);
    }
  }

  /** 1024 draws and as many updates of the leaves drawn. */
  private static final class TreeStep extends OnHost {
    private static final int DRAWS = 1024;

    private final SumTree tree;
    private final double[] positions = new double[DRAWS];
    private final int[] indices = new int[DRAWS];
    private final float[] values = new float[DRAWS];
    private final SplittableRandom random = new SplittableRandom(4);

    TreeStep(int threads, Sizes sizes) {
      super(threads, sizes);
      tree = new SumTree(sizes.leaves());
      float[] leaves = Sizes.values(sizes.leaves(), 1);
      tree.build(i -> Math.abs(leaves[(int) i]));
    }

    @Override
    public long bytes() {
      return 0;
    }

    @Override
    public void check() {
      double before = tree.total();
      run();
      double change = 0;
      for (long i = 0; i < tree.size(); i++) {
        change += tree.get(i);
      }
      if (!(Math.abs(tree.total() - change) <= 1e-9 * before)) {
        throw new IllegalStateException(
            "sum tree: the root is %s, but the leaves add up to %s"
                .formatted(tree.total(), change));
      }
    }

    @Override
    public void run() {
      double total = tree.total();
      for (int j = 0; j < DRAWS; j++) {
        positions[j] = random.nextDouble() * total;
      }
      tree.find(positions, indices, DRAWS);
      for (int j = 0; j < DRAWS; j++) {
        values[j] = 0.5f + (j & 7);
      }
      tree.update(indices, values, DRAWS);
    }

    @Override
    public void close() {
      tree.close();
      super.close();
    }
  }
}
