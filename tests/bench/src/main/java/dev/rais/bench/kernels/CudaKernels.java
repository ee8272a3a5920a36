package dev.rais.bench.kernels;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.rais.backend.cuda.Kernels;
import dev.rais.random.Streams;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** CUDA kernels through their binding: so many launches, then one wait. */
final class CudaKernels {
  private static final int LAUNCHES = 20;

  private CudaKernels() {}

  static Kernel of(String name, Machine machine, Sizes sizes) {
    return switch (name) {
      case "sgd" -> new Sgd(machine, sizes);
      case "relu" -> new Relu(machine, sizes);
      case "gather" -> new Gather(machine, sizes);
      case "rowNorms" -> new RowNorms(machine, sizes);
      case "sumTree" -> new TreeStep(machine, sizes);
      default -> new LossLayer(machine, sizes, KernelNames.classes(name));
    };
  }

  private abstract static class OnDevice implements Kernel {
    final Machine machine;
    final Kernels kernels;
    private final List<Machine.Memory> memories = new ArrayList<>();
    private final Machine.Memory source;
    private final Machine.Memory target;
    private final long copiedBytes;

    OnDevice(Machine machine, Sizes sizes) {
      this.machine = machine;
      kernels = machine.kernels();
      copiedBytes = 4L * sizes.elements(8);
      source = zeros(copiedBytes);
      target = zeros(copiedBytes);
    }

    final Machine.Memory zeros(long numBytes) {
      return with(numBytes, host -> {});
    }

    final Machine.Memory floats(float[] values) {
      return with(
          4L * values.length,
          host -> MemorySegment.copy(values, 0, host, JAVA_FLOAT, 0, values.length));
    }

    final Machine.Memory integers(int[] values) {
      return with(
          4L * values.length,
          host -> MemorySegment.copy(values, 0, host, JAVA_INT, 0, values.length));
    }

    final Machine.Memory bytes(byte[] values) {
      return with(
          values.length, host -> MemorySegment.copy(values, 0, host, JAVA_BYTE, 0, values.length));
    }

    private Machine.Memory with(long numBytes, java.util.function.Consumer<MemorySegment> fill) {
      Machine.Memory memory = machine.allocate(numBytes);
      memories.add(memory);
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment host = arena.allocate(numBytes, 16);
        fill.accept(host);
        memory.write(host);
      }
      return memory;
    }

    final float[] floatsOf(Machine.Memory memory, int count) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment host = arena.allocate(4L * count, 16);
        memory.read(host);
        return host.toArray(JAVA_FLOAT);
      }
    }

    /** Puts it on the stream once. */
    abstract void launch();

    /** Bytes of one launch. */
    abstract long bytesOnce();

    @Override
    public final long bytes() {
      return LAUNCHES * bytesOnce();
    }

    @Override
    public final long copyBytes() {
      return LAUNCHES * 2 * copiedBytes;
    }

    @Override
    public final int repeats() {
      return LAUNCHES;
    }

    final void once() {
      launch();
      machine.synchronize();
    }

    @Override
    public final void run() {
      for (int i = 0; i < LAUNCHES; i++) {
        launch();
      }
      machine.synchronize();
    }

    @Override
    public final void copy() {
      for (int i = 0; i < LAUNCHES; i++) {
        machine.copy(source, target, copiedBytes);
      }
      machine.synchronize();
    }

    @Override
    public void close() {
      memories.forEach(Machine.Memory::close);
      machine.close();
    }
  }

  private static final class LossLayer extends OnDevice {
    private final int rows;
    private final int classes;
    private final float[] z;
    private final int[] y;
    private final float[] w;
    private final Machine.Memory logits;
    private final Machine.Memory labels;
    private final Machine.Memory weights;
    private final Machine.Memory losses;
    private final Machine.Memory norms;
    private final Machine.Memory gradients;
    private final Machine.Memory correctness;

    LossLayer(Machine machine, Sizes sizes, int classes) {
      super(machine, sizes);
      this.classes = classes;
      rows = sizes.rows(classes, 8);
      z = Sizes.values(rows * classes, 1);
      y = Sizes.integers(rows, classes, 2);
      w = Sizes.values(rows, 3);
      logits = floats(z);
      labels = integers(y);
      weights = floats(w);
      losses = zeros(4L * rows);
      norms = zeros(4L * rows);
      gradients = zeros(4L * rows * classes);
      correctness = zeros(rows);
    }

    @Override
    long bytesOnce() {
      return 8L * rows * classes;
    }

    @Override
    public void check() {
      once();
      Check.lossLayer(
          "loss layer's kernel",
          classes,
          z,
          y,
          w,
          1.0 / rows,
          floatsOf(losses, rows),
          floatsOf(norms, rows),
          floatsOf(gradients, rows * classes));
    }

    @Override
    void launch() {
      kernels
          .training()
          .softmaxXent(
              machine.stream(),
              rows,
              classes,
              Kernels.FLOAT32,
              logits.pointer(),
              labels.pointer(),
              -1,
              weights.pointer(),
              MemorySegment.NULL,
              1f / rows,
              0f,
              losses.pointer(),
              norms.pointer(),
              gradients.pointer(),
              correctness.pointer());
    }
  }

  private static final class Sgd extends OnDevice {
    private static final float RATE = 1e-4f;
    private static final float MOMENTUM = 0.9f;
    private static final float DECAY = 5e-4f;

    private final int count;
    private final Machine.Memory w;
    private final Machine.Memory u;
    private final Machine.Memory g;
    private final Machine.Memory rate;
    private final Machine.Memory squaredNorm;
    private final Machine.Memory workspace;

    Sgd(Machine machine, Sizes sizes) {
      super(machine, sizes);
      count = sizes.elements(20);
      w = floats(Sizes.values(count, 1));
      u = floats(Sizes.values(count, 2));
      g = floats(Sizes.values(count, 3));
      rate = floats(new float[] {RATE});
      squaredNorm = zeros(8);
      workspace = zeros(kernels.training().sgdWorkspaceBytes(count));
    }

    @Override
    long bytesOnce() {
      return 20L * count;
    }

    @Override
    public void check() {
      float[] values = floatsOf(w, count);
      float[] velocities = floatsOf(u, count);
      float[] gradients = floatsOf(g, count);
      once();
      Check.values(
          "sgd's kernel",
          floatsOf(w, count),
          i ->
              values[i]
                  + (double) MOMENTUM * velocities[i]
                  - RATE * (gradients[i] + (double) DECAY * values[i]),
          1e-6);
    }

    @Override
    void launch() {
      kernels
          .training()
          .sgd(
              machine.stream(),
              count,
              w.pointer(),
              u.pointer(),
              Kernels.FLOAT32,
              g.pointer(),
              rate.pointer(),
              MOMENTUM,
              DECAY,
              MemorySegment.NULL,
              squaredNorm.pointer(),
              MemorySegment.NULL,
              workspace.pointer());
    }
  }

  private static final class Relu extends OnDevice {
    private final float[] values;
    private final Machine.Memory x;
    private final Machine.Memory y;

    Relu(Machine machine, Sizes sizes) {
      super(machine, sizes);
      values = Sizes.values(sizes.elements(8), 1);
      x = floats(values);
      y = zeros(4L * values.length);
    }

    @Override
    long bytesOnce() {
      return 8L * values.length;
    }

    @Override
    public void check() {
      once();
      Check.values("relu's kernel", floatsOf(y, values.length), i -> Math.max(0, values[i]), 0);
    }

    @Override
    void launch() {
      kernels
          .layers()
          .relu(machine.stream(), values.length, Kernels.FLOAT32, x.pointer(), y.pointer());
    }
  }

  private static final class RowNorms extends OnDevice {
    private static final int COLUMNS = 512;

    private final int rows;
    private final float[] values;
    private final Machine.Memory x;
    private final Machine.Memory norms;

    RowNorms(Machine machine, Sizes sizes) {
      super(machine, sizes);
      rows = sizes.rows(COLUMNS, 4);
      values = Sizes.values(rows * COLUMNS, 1);
      x = floats(values);
      norms = zeros(4L * rows);
    }

    @Override
    long bytesOnce() {
      return 4L * values.length + 4L * rows;
    }

    @Override
    public void check() {
      once();
      Check.values(
          "row norms' kernel",
          floatsOf(norms, rows),
          j -> {
            double sum = 0;
            for (int k = j * COLUMNS; k < (j + 1) * COLUMNS; k++) {
              sum += (double) values[k] * values[k];
            }
            return sum;
          },
          1e-5);
    }

    @Override
    void launch() {
      kernels
          .training()
          .rowSquaredNorms(
              machine.stream(), rows, COLUMNS, Kernels.FLOAT32, x.pointer(), norms.pointer());
    }
  }

  private static final class Gather extends OnDevice {
    private static final int SIDE = 32;
    private static final int CHANNELS = 3;
    private static final int SIZE = SIDE * SIDE * CHANNELS;
    private static final float SCALE = 1 / 64f;
    private static final float SHIFT = -2;

    private final int rows;
    private final int count;
    private final byte[] pixels;
    private final int[] chosen;
    private final Machine.Memory images;
    private final Machine.Memory indices;
    private final Machine.Memory scale;
    private final Machine.Memory shift;
    private final Machine.Memory iteration;
    private final Machine.Memory batch;

    Gather(Machine machine, Sizes sizes) {
      super(machine, sizes);
      rows = sizes.rows(SIZE, 5);
      count = 3 * rows;
      pixels = new byte[count * SIZE];
      new SplittableRandom(1).nextBytes(pixels);
      chosen = Sizes.integers(rows, count, 2);
      images = bytes(pixels);
      indices = integers(chosen);
      scale = floats(new float[] {SCALE, SCALE, SCALE});
      shift = floats(new float[] {SHIFT, SHIFT, SHIFT});
      iteration = zeros(8);
      batch = zeros(4L * rows * SIZE);
    }

    @Override
    long bytesOnce() {
      return 5L * rows * SIZE;
    }

    @Override
    public void check() {
      launch(0, 0);
      machine.synchronize();
      Check.values(
          "gather's kernel",
          floatsOf(batch, rows * SIZE),
          i -> (pixels[chosen[i / SIZE] * SIZE + i % SIZE] & 0xff) * (double) SCALE + SHIFT,
          1e-6);
    }

    @Override
    void launch() {
      launch(4, 1);
    }

    private void launch(int padding, int flip) {
      kernels
          .training()
          .gatherAugment(
              machine.stream(),
              count,
              SIDE,
              SIDE,
              CHANNELS,
              images.pointer(),
              MemorySegment.NULL,
              rows,
              indices.pointer(),
              scale.pointer(),
              shift.pointer(),
              padding,
              flip,
              0,
              1,
              Streams.AUGMENTATION,
              iteration.pointer(),
              Kernels.FLOAT32,
              batch.pointer(),
              MemorySegment.NULL);
    }
  }

  /** 1024 draws and as many updates of the leaves drawn. */
  private static final class TreeStep extends OnDevice {
    private static final int DRAWS = 1024;

    private final int size;
    private final Machine.Memory leaves;
    private final Machine.Memory sums;
    private final int sumCount;
    private final Machine.Memory iteration;
    private final Machine.Memory indices;
    private final Machine.Memory weights;
    private final Machine.Memory values;

    TreeStep(Machine machine, Sizes sizes) {
      super(machine, sizes);
      size = sizes.leaves();
      float[] initial =
          new float[Math.toIntExact(kernels.sampling().sumTreeLeaves(size))]; // padding is 0
      float[] random = Sizes.values(size, 1);
      for (int i = 0; i < size; i++) {
        initial[i] = Math.abs(random[i]);
      }
      leaves = floats(initial);
      sumCount = Math.toIntExact(kernels.sampling().sumTreeSums(size));
      sums = zeros(8L * sumCount);
      iteration = zeros(8);
      indices = zeros(4 * DRAWS);
      weights = zeros(4 * DRAWS);
      float[] set = new float[DRAWS];
      for (int j = 0; j < DRAWS; j++) {
        set[j] = 0.5f + (j & 7);
      }
      values = floats(set);
      kernels
          .sampling()
          .sumTreeBuild(
              machine.stream(), size, leaves.pointer(), sums.pointer(), MemorySegment.NULL);
      machine.synchronize();
    }

    @Override
    long bytesOnce() {
      return 0;
    }

    @Override
    public void check() {
      once();
      int count = Math.toIntExact(kernels.sampling().sumTreeLeaves(size));
      double expected = 0;
      for (float leaf : floatsOf(leaves, count)) {
        expected += leaf;
      }
      double root;
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment host = arena.allocate(8L * sumCount, 16);
        sums.read(host);
        root = host.getAtIndex(JAVA_DOUBLE, kernels.sampling().sumTreeRoot(size));
      }
      if (!(Math.abs(root - expected) <= 1e-9 * expected)) {
        throw new IllegalStateException(
            "sum tree's kernels: the root is %s, but the leaves add up to %s"
                .formatted(root, expected));
      }
    }

    @Override
    void launch() {
      kernels
          .sampling()
          .sumTreeDraw(
              machine.stream(),
              size,
              leaves.pointer(),
              sums.pointer(),
              size,
              1,
              Streams.WEIGHTED_DRAW,
              iteration.pointer(),
              DRAWS,
              indices.pointer(),
              weights.pointer());
      kernels
          .sampling()
          .sumTreeUpdate(
              machine.stream(),
              size,
              leaves.pointer(),
              sums.pointer(),
              DRAWS,
              indices.pointer(),
              values.pointer(),
              MemorySegment.NULL);
    }
  }
}
