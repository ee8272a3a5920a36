package dev.rais.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.ImageShape;
import dev.rais.backend.Placement;
import dev.rais.backend.ResidentSampler;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.Dense;
import dev.rais.nn.Model;
import dev.rais.nn.Relu;
import dev.rais.nn.Shape;
import dev.rais.train.RunMemory;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images lie on the device where they fit beside the run, else in host memory that it reads. */
class ImagePlacementTest {
  private static final int STEPS = 6;
  private static final long PLENTY = 8L << 30;

  /** With few units, as products on the host take time. */
  private static final Model MODEL =
      Model.builder("tiny", new Shape(28, 28, 1))
          .add("fc1", new Dense(8))
          .add("relu", new Relu())
          .add("fc2", new Dense(10))
          .build();

  private final Dataset data = data();

  private static Dataset data() {
    Dataset all = Datasets.load("fashion-mnist-sample", null);
    return new Dataset(
        "small", all.train().slice(0, 64), all.test().slice(0, 20), all.classNames());
  }

  private static TrainingConfig config(String sampler) {
    return TrainingConfig.builder("small", "tiny", sampler)
        .batchSize(8)
        .epochs(2)
        .padding(2)
        .flip(true)
        .async(false)
        .seed(3)
        .build();
  }

  private static CudaBackend open(HostCuda cuda, CudaOptions options) {
    return cuda.backend(options, AlgorithmCache.inMemory());
  }

  /** What a run is planned to keep, and the parameters after some steps. */
  private record Run(RunMemory memory, float[] parameters, long pinnedForImages) {}

  private Run run(long deviceBytes, CudaOptions options, String sampler) {
    HostCuda cuda = HostCuda.ofMemory(deviceBytes);
    Run run;
    try (CudaBackend backend = open(cuda, options)) {
      long pinned = cuda.driver.pinnedBytes();
      try (Trainer trainer = new Trainer(backend, data, config(sampler), MODEL)) {
        for (int i = 0; i < STEPS; i++) {
          trainer.advance(new TrainingListener() {});
        }
        run =
            new Run(
                trainer.memory(),
                trainer.network().values().toFloats(),
                cuda.driver.pinnedBytes() - pinned);
      }
      assertEquals(pinned, cuda.driver.pinnedBytes(), "pinned memory is given back");
    }
    assertEquals(0, cuda.driver.alive());
    return run;
  }

  /** Memory of a device with just room for some bytes, and what is always left free. */
  private static long deviceFor(long numBytes) {
    HostCuda cuda = HostCuda.ofMemory(PLENTY);
    try (CudaBackend backend = open(cuda, CudaOptions.DEFAULT)) {
      return PLENTY - backend.availableMemory() + CudaBackend.MARGIN + numBytes;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"rais", "uniform-iid", "presample"})
  void imagesThatDoNotFitStayOnTheHostAndNoBitChanges(String sampler) {
    Run all = run(PLENTY, CudaOptions.DEFAULT, sampler);
    RunMemory plan = all.memory();
    long train = 64 * 784;
    long test = 20 * 784;
    assertEquals(train + test, plan.deviceImages());
    assertEquals(0, plan.hostImages());
    long rest = plan.total() - train - test;

    Run exactly = run(deviceFor(rest + train + test), CudaOptions.DEFAULT, sampler);
    assertEquals(plan, exactly.memory());

    Run withoutTest = run(deviceFor(rest + train + test - 1), CudaOptions.DEFAULT, sampler);
    assertEquals(Placement.DEVICE, withoutTest.memory().train());
    assertEquals(Placement.HOST, withoutTest.memory().test());
    assertEquals(test, withoutTest.pinnedForImages() - all.pinnedForImages());

    Run withoutTrain = run(deviceFor(rest + train - 1), CudaOptions.DEFAULT, sampler);
    assertEquals(Placement.HOST, withoutTrain.memory().train());
    assertEquals(Placement.DEVICE, withoutTrain.memory().test());
    assertEquals(train, withoutTrain.pinnedForImages() - all.pinnedForImages());

    Run none = run(deviceFor(rest), CudaOptions.DEFAULT, sampler);
    assertEquals(train + test, none.memory().hostImages());
    assertEquals(rest, none.memory().total());
    assertEquals(train + test, none.pinnedForImages() - all.pinnedForImages());

    for (Run other : List.of(exactly, withoutTest, withoutTrain, none)) {
      assertArrayEquals(all.parameters(), other.parameters());
    }
  }

  @Test
  void anOptionSaysWhereImagesLie() {
    long little = deviceFor(0);
    try (CudaBackend auto = open(HostCuda.ofMemory(little), CudaOptions.DEFAULT);
        CudaBackend device =
            open(HostCuda.ofMemory(little), CudaOptions.DEFAULT.withImages(Placement.DEVICE));
        CudaBackend host =
            open(HostCuda.ofMemory(PLENTY), CudaOptions.DEFAULT.withImages(Placement.HOST))) {
      assertEquals(Placement.DEVICE, auto.placement(0, 0));
      assertEquals(Placement.HOST, auto.placement(1, 0));
      assertEquals(Placement.HOST, auto.placement(0, 1));
      assertEquals(Placement.DEVICE, device.placement(1L << 40, 1L << 40));
      assertEquals(Placement.HOST, host.placement(1, 0));
    }
  }

  /** A run that does not fit because images were told to lie on the device says so. */
  @Test
  void imagesThatMustLieOnTheDeviceCountWhenARunIsRefused() {
    RunMemory plan = run(PLENTY, CudaOptions.DEFAULT, "rais").memory();
    long available = plan.total() - plan.deviceImages() / 2;
    HostCuda cuda = HostCuda.ofMemory(deviceFor(available) - CudaBackend.MARGIN);
    CudaOptions options = CudaOptions.DEFAULT.withImages(Placement.DEVICE);
    try (CudaBackend backend = open(cuda, options)) {
      var e =
          assertThrows(
              IllegalArgumentException.class,
              () -> new Trainer(backend, data, config("rais"), MODEL).close());
      assertTrue(e.getMessage().contains(", images 0.00 GB), but only"), e.getMessage());
    }
  }

  /** Whatever the host does next, the device reads the images that were there. */
  @Test
  void imagesAreKeptUntilTheDeviceHasReadThem() {
    HostCuda cuda = HostCuda.late();
    try (CudaBackend backend = open(cuda, CudaOptions.DEFAULT)) {
      Buffer images = backend.wrap(new byte[] {1, 2, 3, 4, 5, 6}, Placement.HOST);
      Buffer batch = gather(cuda, backend, images, 2, 0);
      images.close();
      assertArrayEquals(new float[] {5, 6, 1, 2}, batch.toFloats());
    }
  }

  private static Buffer gather(HostCuda cuda, CudaBackend backend, Buffer images, int... chosen) {
    Buffer one = backend.allocate(DType.FLOAT32, 1);
    one.upload(new float[] {1});
    Buffer zero = backend.allocate(DType.FLOAT32, 1);
    Buffer indices = backend.allocate(DType.INT32, chosen.length);
    Buffer batch = backend.allocate(DType.FLOAT32, 2L * chosen.length);
    indices.upload(chosen);
    cuda.queue.drain();
    cuda.queue.takeCalls();
    backend.gather(images, new ImageShape(2, 1, 1), indices, one, zero, batch);
    return batch;
  }

  @Test
  void readingThemWaitsForNothing() {
    HostCuda cuda = HostCuda.late();
    try (CudaBackend backend = open(cuda, CudaOptions.DEFAULT)) {
      Buffer images = backend.wrap(new byte[6], Placement.HOST);
      gather(cuda, backend, images, 2, 0);
      List<String> expected = List.of("rais_fetch_images", "rais_gather_augment");
      assertEquals(
          expected,
          cuda.queue.takeCalls().stream().filter(c -> !c.startsWith("allocate")).toList());
      gather(cuda, backend, images, 1, 0);
      assertEquals(expected, cuda.queue.takeCalls(), "scratch memory is there by now");
    }
  }

  @Test
  void onlyGatherUsesThem() {
    HostCuda cuda = HostCuda.late();
    try (CudaBackend backend = open(cuda, CudaOptions.DEFAULT);
        Buffer images = backend.wrap(new byte[] {7, 8}, Placement.HOST);
        Buffer bytes = backend.allocate(DType.UINT8, 2)) {
      byte[] found = new byte[2];
      for (var write :
          List.<org.junit.jupiter.api.function.Executable>of(
              images::fillZero,
              () -> images.upload(new byte[2], 0),
              () -> images.copyFrom(bytes))) {
        var e = assertThrows(IllegalStateException.class, write);
        assertEquals("images in the host's memory are only read: UINT8[2]", e.getMessage());
      }
      images.download(found);
      assertArrayEquals(new byte[] {7, 8}, found);
    }
  }

  @Test
  void pinnedMemoryThatIsUsedUpIsToldWithWhatItIsFor() {
    HostCuda cuda = HostCuda.late();
    try (CudaBackend backend = open(cuda, CudaOptions.DEFAULT)) {
      cuda.driver.refuse(0);
      var e =
          assertThrows(CudaException.class, () -> backend.wrap(new byte[3 << 20], Placement.HOST));
      assertEquals(
          "the host memory that the GPU can reach is used up: 3.0 MiB were asked for; raise the"
              + " limit of locked memory (ulimit -l) or the container's of memory; images that"
              + " are not on the GPU lie there",
          e.getMessage());
    }
    assertEquals(0, cuda.driver.alive());
  }

  /** What is planned for a sampler is what it takes. */
  @Test
  void aSamplerTakesWhatIsPlanned() {
    HostCuda cuda = HostCuda.prompt();
    try (CudaBackend backend = open(cuda, CudaOptions.DEFAULT)) {
      for (boolean adaptive : new boolean[] {true, false}) {
        for (boolean rounds : new boolean[] {true, false}) {
          for (int examples : new int[] {1, 1000, 5003}) {
            takesWhatIsPlanned(cuda, backend, setting(examples, adaptive, rounds));
          }
        }
      }
    }
  }

  private static ResidentSampler.Setting setting(int examples, boolean adaptive, boolean rounds) {
    float[] objective = new float[examples];
    Arrays.fill(objective, 1);
    int batch = Math.min(examples, 16);
    return new ResidentSampler.Setting(
        new int[examples],
        3,
        rounds ? objective : null,
        examples,
        batch,
        adaptive,
        rounds,
        adaptive ? 50 : 1,
        adaptive && rounds ? 17 * batch : 0,
        adaptive && rounds ? 4 * batch : 0,
        1,
        100,
        new double[6]);
  }

  private static void takesWhatIsPlanned(
      HostCuda cuda, CudaBackend backend, ResidentSampler.Setting setting) {
    long before = cuda.driver.usedBytes();
    long planned = backend.residentSamplerBytes(setting);
    assertEquals(before, cuda.driver.usedBytes(), "planning takes nothing");
    try (ResidentSampler sampler = backend.residentSampler(setting).orElseThrow()) {
      assertEquals(planned, cuda.driver.usedBytes() - before, setting.toString());
      assertEquals(setting.batch(), sampler.labels().count());
    }
    assertEquals(before, cuda.driver.usedBytes());
  }
}
