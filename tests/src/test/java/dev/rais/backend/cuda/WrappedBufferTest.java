package dev.rais.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.cuda.jcuda.JCudaBuffers;
import dev.rais.backend.cuda.jcuda.JCudaPointers;
import org.junit.jupiter.api.Test;

/**
 * Memory that another library has allocated, as a buffer, and a buffer's place for that library.
 */
class WrappedBufferTest {
  @Test
  void theMemoryIsSharedAndStaysTheOwners() {
    HostCuda cuda = HostCuda.withoutPools();
    try (CudaBackend backend = cuda.backend()) {
      long memory = cuda.driver.allocate(16);
      cuda.driver.write(Scalar.FLOAT32, memory, new double[] {1, 2, 3, 4});
      Buffer wrapped =
          JCudaBuffers.wrap(
              backend, JCudaPointers.devicePointer(memory).withByteOffset(4), DType.FLOAT32, 3);
      assertArrayEquals(new float[] {2, 3, 4}, wrapped.toFloats());
      wrapped.upload(new float[] {5, 6, 7});
      assertArrayEquals(new float[] {1, 5, 6, 7}, cuda.driver.numbers(Scalar.FLOAT32, memory, 4));
      wrapped.close();
      assertThrows(IllegalStateException.class, wrapped::toFloats);
      cuda.driver.free(memory); // fails if it was freed before
    }
  }

  @Test
  void aBufferTellsWhereItLies() {
    HostCuda cuda = HostCuda.withoutPools();
    try (CudaBackend backend = cuda.backend();
        Buffer buffer = backend.allocate(DType.FLOAT32, 5)) {
      buffer.upload(new float[] {1, 2, 3, 4, 5});
      long place = JCudaPointers.address(JCudaBuffers.pointer(buffer.slice(2, 3)));
      assertArrayEquals(new float[] {3, 4, 5}, cuda.driver.numbers(Scalar.FLOAT32, place, 3));
    }
  }

  @Test
  void whatCannotBeSharedIsRefused() {
    try (CudaBackend backend = HostCuda.prompt().backend();
        Backend cpu = Backends.open("cpu", 1, warning -> {});
        Buffer buffer = cpu.allocate(DType.FLOAT32, 1)) {
      assertEquals(
          "memory of INT32 cannot be wrapped: labels and indices are checked on the host; upload"
              + " them",
          refusal(() -> CudaBackends.wrap(backend, 0x1000, DType.INT32, 1)));
      assertEquals(
          "1002 is no address of a FLOAT32: it is no multiple of 4",
          refusal(() -> CudaBackends.wrap(backend, 0x1002, DType.FLOAT32, 1)));
      assertEquals(
          "memory of a GPU is a buffer of the CUDA backend only, not of cpu",
          refusal(() -> CudaBackends.wrap(cpu, 0x1000, DType.FLOAT32, 1)));
      assertEquals(
          "FLOAT32[1] is no buffer of the CUDA backend",
          refusal(() -> CudaBackends.address(buffer)));
    }
  }

  private static String refusal(org.junit.jupiter.api.function.Executable call) {
    return assertThrows(IllegalArgumentException.class, call).getMessage();
  }
}
