package dev.rais.backend.cuda.panama;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.Requirements;
import dev.rais.backend.cuda.CudaException;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.Dnn;
import dev.rais.backend.cuda.Dnn.Direction;
import dev.rais.backend.cuda.Dnn.MathType;
import dev.rais.backend.cuda.Scalar;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * cuDNN as far as it goes without a GPU: its functions have the types that are bound, and
 * descriptors describe what they should. Needs the library: {@code RAIS_CUDA_PATH} or {@code
 * -Drais.cuda.path} says where, as for RAIS itself.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PanamaDnnTest {
  private PanamaDnn dnn;

  private PanamaDnn dnn() {
    if (dnn == null) {
      try {
        dnn = PanamaDnn.open();
      } catch (CudaUnavailableException e) {
        Requirements.need("cudnn", false, e.getMessage());
      }
    }
    return dnn;
  }

  @Test
  void itTellsItsVersionAndItsFile() {
    assertTrue(dnn().description().matches("cuDNN 9\\.\\d+\\.\\d+"), dnn().description());
    assertTrue(dnn().file().isAbsolute(), dnn().file().toString());
    assertEquals(9, dnn().version() / 10_000);
    assertTrue(List.of(12, 13).contains(dnn().cudaVersion() / 1000), "" + dnn().cudaVersion());
  }

  @Test
  void functionsAndConstantsAreTheHeaders() throws Exception {
    var headers =
        ToolkitHeaders.beside(dnn().file(), "cudnn", "cudnn_graph.h", "cudnn_ops.h", "cudnn_cnn.h");
    headers.declare(PanamaDnn.FUNCTIONS, "CUDNNWINAPI");
    headers.constant("CUDNN_TENSOR_NHWC", PanamaDnn.NHWC);
    headers.constant("CUDNN_DATA_FLOAT", PanamaDnn.DATA_FLOAT);
    headers.constant("CUDNN_DATA_BFLOAT16", PanamaDnn.DATA_BFLOAT16);
    headers.constant("CUDNN_CROSS_CORRELATION", PanamaDnn.CROSS_CORRELATION);
    headers.constant("CUDNN_DETERMINISTIC", 1);
    headers.constant("CUDNN_FMA_MATH", MathType.FLOAT32.code());
    headers.constant("CUDNN_DEFAULT_MATH", MathType.TF32.code());
    headers.constant("CUDNN_TENSOR_OP_MATH", MathType.TENSOR_CORES.code());
    headers.constant("CUDNN_CONVOLUTION_FWD_ALGO_COUNT", Direction.FORWARD.algorithms());
    headers.constant("CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT", Direction.BACKWARD_DATA.algorithms());
    headers.constant(
        "CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT", Direction.BACKWARD_WEIGHTS.algorithms());
  }

  /** cuDNN computes the output's shape out of what it was told: order of arguments included. */
  @Test
  void descriptorsDescribeTheConvolution() {
    long x = dnn().createTensor(Scalar.FLOAT32, 7, 13, 29, 3);
    long w = dnn().createFilter(Scalar.FLOAT32, 5, 4, 3);
    long convolution = dnn().createConvolution(1, 2, MathType.FLOAT32);
    long y = dnn().createTensor(Scalar.FLOAT32, 7, 6, 14, 5);
    try {
      assertArrayEquals(
          new int[] {7, 5, 6, 14}, dnn().outputShape(new Dnn.Descriptors(x, w, convolution, y)));
    } finally {
      dnn().destroyTensor(x);
      dnn().destroyTensor(y);
      dnn().destroyFilter(w);
      dnn().destroyConvolution(convolution);
    }
  }

  @Test
  void aFailedCallTellsWhichAndWhy() {
    // Opened here: a test that is skipped inside of assertThrows fails.
    PanamaDnn opened = dnn();
    var e =
        assertThrows(CudaException.class, () -> opened.createTensor(Scalar.FLOAT32, 0, 1, 1, 1));
    assertTrue(
        e.getMessage().startsWith("cudnnSetTensor4dDescriptor: CUDNN_STATUS_BAD_PARAM"),
        e.getMessage());
  }

  /** As in cudnn_cnn.h: two ints, a float, padding, a size_t, two ints and three to come. */
  @Test
  void resultsOfASearchAreRead() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment results = arena.allocate(3 * 48L, 8);
      result(results.asSlice(0), 6, 0, 0.25f, 5L << 32, 1, 3);
      result(results.asSlice(48), 1, 3000, -1, 0, 0, 0);
      result(results.asSlice(96), 0, 0, 4, 17, 0, 0);
      assertEquals(
          List.of(
              new Dnn.Algorithm(6, 3, true, 5L << 32, 0.25f),
              new Dnn.Algorithm(0, 0, false, 17, 4)),
          PanamaDnn.algorithms(results, 3));
    }
  }

  private static void result(
      MemorySegment r, int number, int status, float time, long memory, int same, int mathType) {
    r.set(ValueLayout.JAVA_INT, 0, number);
    r.set(ValueLayout.JAVA_INT, 4, status);
    r.set(ValueLayout.JAVA_FLOAT, 8, time);
    r.set(ValueLayout.JAVA_LONG, 16, memory);
    r.set(ValueLayout.JAVA_INT, 24, same);
    r.set(ValueLayout.JAVA_INT, 28, mathType);
  }
}
