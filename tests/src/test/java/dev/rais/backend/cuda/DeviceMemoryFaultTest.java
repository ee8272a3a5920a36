package dev.rais.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Placement;
import dev.rais.backend.Precision;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.Model;
import dev.rais.nn.Models;
import dev.rais.nn.Shape;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A device that refuses any one of the requests for memory, on it or on the host, or for a context,
 * a stream or an event: the refusal is told, what was made before it is given back, and the next
 * attempt succeeds.
 */
class DeviceMemoryFaultTest {
  private static final int STEPS = 3;

  /** Little workspace, as the driver fills it with rubbish each time. */
  private static final CudaOptions OPTIONS =
      new CudaOptions(0, Precision.FP32, true, 1 << 20, Optional.empty());

  private final Dataset data = data();

  private static Dataset data() {
    Dataset all = Datasets.load("fashion-mnist-sample", null);
    return new Dataset("small", all.train().slice(0, 24), all.test().slice(0, 2), all.classNames());
  }

  /** Lets each request of some work be refused in turn; returns how many there were. */
  private static int refuseEach(HostCuda cuda, Runnable work) {
    work.run();
    int before = cuda.driver.alive();
    int operations = cuda.dnn.alive();
    for (int request = 0; ; request++) {
      cuda.driver.refuse(request);
      String refusal = null;
      try {
        work.run();
      } catch (CudaException e) {
        assertEquals(2, e.code());
        refusal = e.getMessage();
      }
      assertEquals(cuda.driver.hasRefused(), refusal != null, "request " + request);
      assertEquals(before, cuda.driver.alive(), "left open by request " + request);
      assertEquals(operations, cuda.dnn.alive(), "cuDNN's, left open by request " + request);
      if (refusal == null) {
        return request;
      }
      assertTrue(
          refusal.equals(HostDriver.NO_OBJECT) || refusal.contains(" were asked for"), refusal);
    }
  }

  @Test
  void openingABackend() {
    for (HostCuda cuda : List.of(HostCuda.late(), HostCuda.withoutPools())) {
      // A context, a stream, host memory with two events, and three blocks on the device.
      assertEquals(8, refuseEach(cuda, () -> cuda.backend().close()));
      assertEquals(0, cuda.driver.alive());
    }
  }

  /** On a backend that others go on to use. */
  @ParameterizedTest
  @CsvSource({
    "rais, DEVICE",
    "uniform, DEVICE",
    "presample, DEVICE",
    "oracle, DEVICE",
    "rais, HOST",
    "presample, HOST"
  })
  void makingATrainer(String sampler, Placement images) {
    HostCuda cuda = HostCuda.late();
    CudaOptions options = CudaOptions.DEFAULT.withImages(images);
    try (CudaBackend backend = cuda.backend(options, AlgorithmCache.inMemory())) {
      int requests = refuseEach(cuda, () -> trainer(backend, sampler).close());
      assertTrue(requests > 20, requests + " requests");
    }
    assertEquals(0, cuda.driver.alive());
  }

  /** Scratch memory and what steps are recorded in come with the first steps. */
  @ParameterizedTest
  @CsvSource({
    "uniform, fp32, DEVICE",
    "presample, fp32, DEVICE",
    "uniform, bf16, DEVICE",
    "uniform, fp32, HOST"
  })
  void firstSteps(String sampler, String precision, Placement images) {
    HostCuda cuda = HostCuda.late();
    CudaOptions options = OPTIONS.withPrecision(precision).withImages(images);
    int requests =
        refuseEach(
            cuda,
            () -> {
              try (CudaBackend backend = cuda.backend(options, AlgorithmCache.inMemory());
                  Trainer trainer = trainer(backend, sampler)) {
                for (int i = 0; i < STEPS; i++) {
                  trainer.advance(new TrainingListener() {});
                }
              }
            });
    assertTrue(requests > 30, requests + " requests");
    assertEquals(0, cuda.driver.alive());
  }

  private Trainer trainer(CudaBackend backend, String sampler) {
    TrainingConfig config =
        TrainingConfig.builder("small", "lenet5", sampler)
            .batchSize(4)
            .epochs(1)
            .evalEvery(1)
            .padding(1)
            .async(false)
            .seed(5)
            .build();
    Model model = Models.create("lenet5", new Shape(28, 28, 1), data.numClasses());
    return new Trainer(backend, data, config, model);
  }
}
