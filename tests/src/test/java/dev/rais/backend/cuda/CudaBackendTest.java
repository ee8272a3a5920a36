package dev.rais.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.DType;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import dev.rais.backend.Precision;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is particular to the CUDA backend, above a driver, cuBLAS and cuDNN in Java. */
class CudaBackendTest {
  private static final ConvolutionShape SHAPE = new ConvolutionShape(2, 6, 5, 3, 4, 3, 1, 1);

  @TempDir Path folder;

  private static Buffer ones(CudaBackend backend, long count) {
    return ones(backend, DType.FLOAT32, count);
  }

  private static Buffer ones(CudaBackend backend, DType type, long count) {
    float[] ones = new float[(int) count];
    Arrays.fill(ones, 1);
    Buffer buffer = backend.allocate(type, count);
    buffer.upload(ones);
    return buffer;
  }

  /** All three directions of a convolution. */
  private static void convolve(CudaBackend backend) {
    DType type = backend.activations();
    Buffer x = ones(backend, type, SHAPE.inputCount());
    Buffer w = ones(backend, type, SHAPE.weightCount());
    Buffer b = ones(backend, SHAPE.outputChannels());
    Buffer y = ones(backend, type, SHAPE.outputCount());
    Buffer dw = ones(backend, SHAPE.weightCount());
    try (Convolution op = backend.convolution(SHAPE)) {
      op.forward(x, w, b, y);
      // A window in the middle has 27 ones, one in a corner 12.
      float[] found = y.toFloats();
      assertEquals(28, found[(1 * 5 + 1) * 4]);
      assertEquals(13, found[0]);
      op.backwardData(y, w, x);
      op.backwardWeights(x, y, dw, b);
    }
  }

  @Test
  void closingGivesEverythingBack() {
    for (HostCuda cuda : List.of(HostCuda.prompt(), HostCuda.late(), HostCuda.withoutPools())) {
      CudaBackend backend = cuda.backend();
      convolve(backend);
      backend.convolution(SHAPE); // left open, like the buffers
      backend.close();
      assertEquals(0, cuda.driver.alive());
      assertEquals(0, cuda.dnn.alive());
    }
  }

  @Test
  void aDeviceThatCannotBeSetUpIsGivenBack() {
    HostCuda cuda = HostCuda.ofMemory(1 << 20); // less than cuBLAS's workspace
    assertThrows(CudaException.class, cuda::backend);
    assertEquals(0, cuda.driver.alive());
  }

  @Test
  void usedUpMemoryIsToldWithWhatWasAskedAndWhatIsFree() {
    HostCuda cuda = HostCuda.ofMemory(64 << 20);
    try (CudaBackend backend = cuda.backend()) {
      Buffer half = backend.allocate(DType.UINT8, 32 << 20);
      var e = assertThrows(CudaException.class, () -> backend.allocate(DType.FLOAT32, 16 << 20));
      assertEquals(
          "the GPU's memory is used up: 64.0 MiB were asked for, and 28.0 MiB of 64.0 MiB are free",
          e.getMessage());
      half.close();
      // Nothing is lost, what was freed can be had again.
      backend.allocate(DType.UINT8, 40 << 20);
    }
  }

  @Test
  void deterministicConvolutionsUseDeterministicAlgorithmsThatFit() {
    HostCuda cuda = HostCuda.late();
    try (CudaBackend backend = cuda.backend()) {
      convolve(backend);
    }
    assertEquals(Set.of(1), Set.copyOf(cuda.dnn.used()));
  }

  /** What a search says of the arithmetic is no reason to use another than was asked for. */
  @Test
  void theArithmeticIsTheOneAskedForWhateverASearchSays() {
    HostCuda cuda = HostCuda.prompt();
    cuda.dnn.tellDefaultMathOnly();
    try (CudaBackend backend = cuda.backend()) {
      convolve(backend);
    }
    assertEquals(Set.of(1), Set.copyOf(cuda.dnn.used()));
  }

  /** cuDNN tries algorithms that have no tensor cores in its default arithmetic alone. */
  @Test
  void bfloat16sDoWithoutTensorCores() {
    HostCuda cuda = HostCuda.prompt();
    cuda.dnn.lackTensorCores();
    try (CudaBackend backend = cuda.backend(Precision.BF16)) {
      convolve(backend);
    }
    assertEquals(List.of(1, 1, 1), cuda.dnn.used());
    assertEquals(0, cuda.dnn.alive());
  }

  /** Offered by a search, or by the file of an earlier one. */
  @Test
  void whatIsRefusedWhenItIsToRunIsNotUsed() throws Exception {
    Path file = folder.resolve("algorithms.txt");
    for (int refused : new int[] {-1, 1, 1}) {
      HostCuda cuda = HostCuda.prompt();
      cuda.dnn.refuseToRun(refused);
      try (CudaBackend backend = cuda.backend(CudaOptions.DEFAULT, AlgorithmCache.in(file))) {
        convolve(backend);
      }
      assertEquals(Set.of(refused == 1 ? 2 : 1), Set.copyOf(cuda.dnn.used()));
    }
    // The first run has found one, the second another, and the third has searched for nothing.
    List<String> ways =
        Files.readAllLines(file).stream().map(l -> l.substring(0, l.indexOf(' '))).toList();
    assertEquals(List.of("1/3", "1/3", "1/3", "2/3", "2/3", "2/3"), ways);
  }

  /** Not with a message about workspaces alone: what cuDNN has said is there. */
  @Test
  void whatAllWereRefusedForIsTold() {
    var fits = new CudaOptions(0, Precision.FP32, true, 1024, Optional.empty());
    HostCuda cuda = HostCuda.prompt();
    cuda.dnn.refuseToRun(2);
    try (CudaBackend backend = cuda.backend(fits, AlgorithmCache.inMemory())) {
      var e = assertThrows(IllegalStateException.class, () -> convolve(backend));
      assertTrue(e.getMessage().contains("no deterministic algorithm"), e.getMessage());
      assertEquals("CUDNN_STATUS_NOT_SUPPORTED", e.getSuppressed()[0].getMessage());
    }
  }

  @Test
  void otherwiseTheFastestIsUsed() {
    var any = new CudaOptions(0, Precision.FP32, false, 1 << 20, Optional.empty());
    HostCuda cuda = HostCuda.late();
    try (CudaBackend backend = cuda.backend(any, AlgorithmCache.inMemory())) {
      convolve(backend);
    }
    assertEquals(Set.of(0), Set.copyOf(cuda.dnn.used()));
  }

  @Test
  void aSmallWorkspaceIsKept() {
    var small = new CudaOptions(0, Precision.FP32, true, 4096, Optional.empty());
    HostCuda cuda = HostCuda.late();
    try (CudaBackend backend = cuda.backend(small, AlgorithmCache.inMemory())) {
      convolve(backend);
    }
    assertEquals(Set.of(2), Set.copyOf(cuda.dnn.used()));
  }

  @Test
  void whatNoAlgorithmCanDoIsTold() {
    var none = new CudaOptions(0, Precision.TF32, true, 1024, Optional.empty());
    HostCuda cuda = HostCuda.prompt();
    try (CudaBackend backend = cuda.backend(none, AlgorithmCache.inMemory())) {
      var e = assertThrows(IllegalStateException.class, () -> convolve(backend));
      assertTrue(e.getMessage().contains("no deterministic algorithm"), e.getMessage());
      assertTrue(e.getMessage().contains("-Drais.cuda.workspace"), e.getMessage());
    }
  }

  @Test
  void aSearchIsMadeOnceForEachShapeAndDirection() {
    HostCuda cuda = HostCuda.prompt();
    try (CudaBackend backend = cuda.backend()) {
      convolve(backend);
      convolve(backend);
    }
    assertEquals(3, cuda.dnn.searches());
  }

  @Test
  void theNextRunNeedsNoSearch() throws Exception {
    Path file = folder.resolve("algorithms.txt");
    for (int searches : new int[] {3, 0}) {
      HostCuda cuda = HostCuda.prompt();
      try (CudaBackend backend = cuda.backend(CudaOptions.DEFAULT, AlgorithmCache.in(file))) {
        convolve(backend);
      }
      assertEquals(searches, cuda.dnn.searches());
      assertEquals(Set.of(1), Set.copyOf(cuda.dnn.used()));
    }
    assertEquals(3, Files.readAllLines(file).size());
  }

  @Test
  void otherOptionsAreSearchedFor() {
    AlgorithmCache cache = AlgorithmCache.inMemory();
    var any = new CudaOptions(0, Precision.FP32, false, 1 << 20, Optional.empty());
    for (CudaOptions options : List.of(CudaOptions.DEFAULT, any)) {
      HostCuda cuda = HostCuda.prompt();
      try (CudaBackend backend = cuda.backend(options, cache)) {
        convolve(backend);
      }
      assertEquals(3, cuda.dnn.searches());
    }
  }

  /** Numbers of no algorithm, of one that needs too much, of TF32, and lines that are none. */
  @Test
  void aFileThatSaysSomethingImpossibleIsSearchedPast() throws Exception {
    Path file = folder.resolve("algorithms.txt");
    HostCuda first = HostCuda.prompt();
    try (CudaBackend backend = first.backend(CudaOptions.DEFAULT, AlgorithmCache.in(file))) {
      convolve(backend);
    }
    String good = Files.readString(file);
    for (String bad : List.of("9/3 ", "5/3 ", "1/0 ", "99999999999999/3 ", "1 ", "x ", "")) {
      Files.writeString(file, good.replaceAll("(?m)^1/3 ", bad));
      HostCuda cuda = HostCuda.prompt();
      try (CudaBackend backend = cuda.backend(CudaOptions.DEFAULT, AlgorithmCache.in(file))) {
        convolve(backend);
      }
      assertEquals(3, cuda.dnn.searches(), bad);
      assertEquals(Set.of(1), Set.copyOf(cuda.dnn.used()));
    }
  }

  @Test
  void aFileThatCannotBeWrittenDoesNoHarm() {
    HostCuda cuda = HostCuda.prompt();
    Path file = folder.resolve("no/such/folder");
    try (CudaBackend backend = cuda.backend(CudaOptions.DEFAULT, AlgorithmCache.in(file))) {
      convolve(backend);
    }
    assertEquals(Set.of(1), Set.copyOf(cuda.dnn.used()));
  }

  /** The host memory of uploads is used again only when the device has read it. */
  @Test
  void manyUploadsArriveThoughTheDeviceIsLate() {
    try (CudaBackend backend = HostCuda.late().backend()) {
      int count = 300_000;
      Buffer[] buffers = new Buffer[20];
      for (int i = 0; i < buffers.length; i++) {
        float[] values = new float[count];
        Arrays.fill(values, i);
        buffers[i] = backend.allocate(DType.FLOAT32, count);
        buffers[i].upload(values);
        Arrays.fill(values, -1);
      }
      for (int i = 0; i < buffers.length; i++) {
        float[] expected = new float[count];
        Arrays.fill(expected, i);
        assertArrayEquals(expected, buffers[i].toFloats());
      }
    }
  }

  /** More than the host memory of uploads holds. */
  @Test
  void largeBuffersAreCopiedInParts() {
    try (CudaBackend backend = HostCuda.late().backend()) {
      float[] values = new float[3_000_017];
      for (int i = 0; i < values.length; i++) {
        values[i] = i;
      }
      Buffer buffer = backend.allocate(DType.FLOAT32, values.length);
      buffer.upload(values);
      assertArrayEquals(values, buffer.toFloats());
    }
  }

  @Test
  void operationsDoNotWaitForTheDevice() {
    HostCuda cuda = HostCuda.late();
    try (CudaBackend backend = cuda.backend()) {
      var shape = new LinearShape(4, 6, 5);
      Buffer x = ones(backend, 24);
      Buffer w = ones(backend, 30);
      Buffer b = ones(backend, 5);
      Buffer y = ones(backend, 20);
      Buffer images = backend.wrap(new byte[36]);
      Buffer indices = backend.allocate(DType.INT32, 2);
      Buffer one = ones(backend, 1);
      Buffer batch = ones(backend, 24);
      cuda.queue.drain();
      cuda.queue.takeCalls();
      try (Linear op = backend.linear(shape)) {
        indices.upload(new int[] {2, 0});
        backend.gather(images, new dev.rais.backend.ImageShape(3, 4, 1), indices, one, one, batch);
        op.forward(x, w, b, y);
        backend.relu(y, y);
        op.backwardWeights(x, y, w, b);
        backend.sgd(w, w.slice(0, 30), w, 0.1f, 0.9f, 0);
      }
      assertEquals(
          List.of(
              "copy 8 to the device",
              "rais_gather_augment",
              "gemm 5 4 6",
              "rais_bias_relu",
              "rais_relu",
              "gemm 6 5 4",
              "rais_bias_relu_backward",
              "fill 1 ints",
              "rais_sgd"),
          cuda.queue.takeCalls().stream().filter(c -> !c.startsWith("allocate")).toList());
    }
  }

  @Test
  void itTellsWhatComputes() {
    try (CudaBackend backend = HostCuda.prompt().backend()) {
      assertEquals("cuda", backend.name());
      assertEquals(
          "the host, compute capability 8.0, driver for CUDA 13.0, convolutions in Java, products"
              + " in Java, fp32",
          backend.description());
    }
    for (Precision precision : Precision.values()) {
      try (CudaBackend backend = HostCuda.prompt().backend(precision)) {
        assertTrue(backend.description().endsWith(", " + precision.id()), backend.description());
        assertEquals(precision, backend.precision());
      }
    }
  }

  /** Contexts are a thread's: another one that takes over makes the device its own. */
  @Test
  void anotherThreadMayTakeOver() throws Exception {
    try (CudaBackend backend = HostCuda.late().backend()) {
      Buffer buffer = ones(backend, 3);
      Throwable[] thrown = new Throwable[1];
      Thread thread = new Thread(() -> backend.add(buffer, buffer, buffer));
      thread.setUncaughtExceptionHandler((t, e) -> thrown[0] = e);
      thread.start();
      thread.join();
      assertEquals(null, thrown[0]);
      assertArrayEquals(new float[] {2, 2, 2}, buffer.toFloats());
    }
  }
}
