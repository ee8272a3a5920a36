package dev.rais.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Placement;
import dev.rais.backend.Precision;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import org.junit.jupiter.api.Test;

/** What is said where the CUDA backend cannot be opened, and its options. */
class CudaBackendsTest {
  /** An interface of which only these methods answer. */
  private static <T> T answering(Class<T> type, Map<String, Object> answers) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (proxy, method, arguments) -> {
              Object answer = answers.get(method.getName());
              if (answer == null) {
                throw new AssertionError(method + " was called");
              }
              return answer;
            }));
  }

  private static CudaDriver driver(int version, int devices, int capability) {
    return answering(
        CudaDriver.class,
        Map.of(
            "version", version,
            "deviceCount", devices,
            "deviceName", "Test 1000",
            "computeCapability", capability));
  }

  private static String refusal(CudaDriver driver, int device) {
    return assertThrows(CudaUnavailableException.class, () -> CudaBackends.check(driver, device))
        .getMessage();
  }

  @Test
  void anOldDriverIsRefusedWithWhatIsNeeded() {
    assertEquals(
        "the CUDA driver is too old: it supports CUDA 11.8, and 12.0 is needed; install driver 525"
            + " or newer",
        refusal(driver(11_080, 1, 90), 0));
  }

  @Test
  void aDriverWithoutDevicesIsRefused() {
    assertTrue(refusal(driver(13_000, 0, 90), 0).contains("sees no device"));
  }

  @Test
  void anOldDeviceIsRefusedWithWhatIsNeeded() {
    assertEquals(
        "Test 1000 has compute capability 7.5; the kernels need 8.0 (Ampere) or newer",
        refusal(driver(13_000, 1, 75), 0));
  }

  @Test
  void othersAreTaken() {
    CudaBackends.check(driver(12_000, 1, 80), 0);
    CudaBackends.check(driver(13_010, 8, 120), 7);
  }

  @Test
  void aDeviceThatIsNotThereIsNamed() {
    var e =
        assertThrows(
            CudaUnavailableException.class, () -> CudaContext.open(driver(13_000, 2, 90), 2));
    assertTrue(e.getMessage().startsWith("there is no CUDA device 2"), e.getMessage());
  }

  @Test
  void aLibraryForANewerCudaIsRefused() {
    Dnn dnn =
        answering(
            Dnn.class,
            Map.of(
                "cudaVersion",
                13_000,
                "description",
                "cuDNN 9.14.0",
                "file",
                java.nio.file.Path.of("libcudnn.so.9")));
    CudaBackends.checkCuda(dnn, 13_000);
    var e = assertThrows(CudaUnavailableException.class, () -> CudaBackends.checkCuda(dnn, 12_040));
    assertEquals(
        "cuDNN 9.14.0 at libcudnn.so.9 is for CUDA 13, but the driver supports CUDA 12.4;"
            + " install the one for CUDA 12, or a newer driver",
        e.getMessage());
  }

  @Test
  void theReasonIsOneSentence() {
    var e =
        new CudaUnavailableException(
            "cuDNN could not be loaded: libcudnn.so.9 is needed. Tried:\n"
                + "  a: not in b\n"
                + "Install it.");
    assertEquals(
        "cuDNN could not be loaded: libcudnn.so.9 is needed (rais doctor tells where it was looked"
            + " for)",
        CudaBackends.reason(e));
    assertEquals(
        "cuDNN could not be loaded: libcudnn.so.9 is needed. Tried: a: not in b; Install it.",
        CudaBackends.oneLine(e));
    assertTrue(CudaBackends.isWorthTelling(e));
    assertFalse(CudaBackends.isWorthTelling(CudaUnavailableException.noDriver("none", null)));
  }

  private static CudaOptions options(String... properties) {
    Properties all = new Properties();
    for (int i = 0; i < properties.length; i += 2) {
      all.setProperty(properties[i], properties[i + 1]);
    }
    return CudaOptions.of(all);
  }

  @Test
  void optionsAreSystemProperties() {
    assertEquals(CudaOptions.DEFAULT, options());
    assertEquals(
        new CudaOptions(3, Precision.TF32, false, 64L << 20, Optional.of(Placement.HOST)),
        options(
            "rais.cuda.device", "3",
            "rais.cuda.precision", "TF32",
            "rais.cuda.deterministic", "false",
            "rais.cuda.workspace", "64",
            "rais.cuda.images", "Host"));
    assertEquals(Optional.of(Placement.DEVICE), options("rais.cuda.images", "device").images());
    assertEquals(Optional.empty(), options("rais.cuda.images", "auto").images());
  }

  @Test
  void aWrongOptionIsToldWithWhatIsRight() {
    for (String[] wrong :
        new String[][] {
          {"rais.cuda.device", "x", "a number from 0 to 1023"},
          {"rais.cuda.device", "-1", "a number from 0 to 1023"},
          {"rais.cuda.precision", "fp64", "fp32, tf32 or bf16"},
          {"rais.cuda.deterministic", "yes", "true or false"},
          {"rais.cuda.workspace", "1G", "a number from 0 to 1048576"},
          {"rais.cuda.images", "gpu", "auto, device or host"}
        }) {
      var e =
          assertThrows(IllegalArgumentException.class, () -> options(wrong[0], wrong[1]), wrong[0]);
      assertTrue(
          e.getMessage().startsWith("-D" + wrong[0] + " must be " + wrong[2] + ", not '"),
          e.getMessage());
    }
  }
}
