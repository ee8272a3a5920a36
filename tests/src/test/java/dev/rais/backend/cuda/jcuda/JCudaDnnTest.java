package dev.rais.backend.cuda.jcuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.Requirements;
import dev.rais.backend.cuda.CudaException;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.Dnn;
import dev.rais.backend.cuda.Dnn.MathType;
import dev.rais.backend.cuda.LibrarySearch;
import dev.rais.backend.cuda.Scalar;
import java.util.List;
import org.junit.jupiter.api.Test;

/** cuDNN 9 by way of JCudnn, as far as it goes without a GPU. */
class JCudaDnnTest {
  private static JCudaDnn open() {
    JCudaCallsTest.needNatives(JCudaLibrary.DNN);
    try {
      return JCudaDnn.open();
    } catch (CudaUnavailableException e) {
      Requirements.need("cudnn", false, e.getMessage());
      throw e; // never: the line above ends the test
    }
  }

  /** cuDNN computes the output's shape out of what it was told: order of arguments included. */
  @Test
  void descriptorsDescribeTheConvolution() {
    JCudaDnn dnn = open();
    assertTrue(dnn.description().matches("cuDNN 9\\.\\d+\\.\\d+"), dnn.description());
    long x = dnn.createTensor(Scalar.FLOAT32, 7, 13, 29, 3);
    long w = dnn.createFilter(Scalar.FLOAT32, 5, 4, 3);
    long convolution = dnn.createConvolution(1, 2, MathType.FLOAT32);
    long y = dnn.createTensor(Scalar.FLOAT32, 7, 6, 14, 5);
    assertArrayEquals(
        new int[] {7, 5, 6, 14}, dnn.outputShape(new Dnn.Descriptors(x, w, convolution, y)));
    dnn.destroyTensor(x);
    dnn.destroyTensor(y);
    dnn.destroyFilter(w);
    dnn.destroyConvolution(convolution);
    var e = assertThrows(IllegalArgumentException.class, () -> dnn.destroyTensor(x));
    assertTrue(e.getMessage().contains("is no description of a tensor"), e.getMessage());
  }

  /** The status is cuDNN 9's, of which JCudnn's own name would be another one's. */
  @Test
  void aFailedCallHasCudnnsText() {
    JCudaDnn dnn = open();
    var e = assertThrows(CudaException.class, () -> dnn.createTensor(Scalar.FLOAT32, 0, 1, 1, 1));
    assertTrue(
        e.getMessage().startsWith("cudnnSetTensor4dDescriptor: CUDNN_STATUS_BAD_PARAM"),
        e.getMessage());
  }

  @Test
  void withoutCudnnItIsTold() {
    var e =
        assertThrows(
            CudaUnavailableException.class,
            () -> JCudaDnn.open(new LibrarySearch(List.of(), false), Streams.NONE));
    assertTrue(e.getMessage().startsWith("cuDNN could not be loaded"), e.getMessage());
    assertTrue(e.getMessage().contains("nvidia-cudnn-cu13"), e.getMessage());
  }

  @Test
  void missingNativesAreNamedWithTheirArtifact() {
    JCudaLibrary other =
        new JCudaLibrary("JNone", "jcuda.jcudnn.JCudnn", "org.jcuda:jnone:" + JCudaLibrary.VERSION);
    var e =
        assertThrows(
            CudaUnavailableException.class,
            () ->
                other.load(
                    () -> {
                      throw new UnsatisfiedLinkError("nothing");
                    }));
    assertEquals(
        "JCuda's natives for Linux on x86-64 are not on the class path:"
            + " libJNone-12.6.0-linux-x86_64.so is missing; add org.jcuda:jnone-natives:12.6.0"
            + " with the classifier linux-x86_64",
        e.getMessage());
  }

  @Test
  void missingClassesAreNamedWithTheirArtifact() {
    var library = new JCudaLibrary("JNone", "jcuda.NoSuch", "org.jcuda:jnone:1");
    var e = assertThrows(CudaUnavailableException.class, library::requireClasses);
    assertTrue(e.getMessage().contains("org.jcuda:jnone:1"), e.getMessage());
  }
}
