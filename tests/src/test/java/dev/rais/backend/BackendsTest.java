package dev.rais.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which backend opens, and what is said where another one was hoped for. */
class BackendsTest {
  @Test
  void unknownNamesAreToldWithTheKnownOnes() {
    var backend =
        assertThrows(IllegalArgumentException.class, () -> Backends.open("gpu", 1, warning -> {}));
    assertEquals("there is no backend 'gpu'; backends: auto, cpu, cuda", backend.getMessage());
    var precision =
        assertThrows(
            IllegalArgumentException.class, () -> Backends.open("cpu", 1, "fp64", warning -> {}));
    assertEquals(
        "there is no precision 'fp64'; precisions: fp32, tf32, bf16", precision.getMessage());
    var binding =
        assertThrows(
            IllegalArgumentException.class,
            () -> Backends.open("cpu", 1, "fp32", "jni", warning -> {}));
    assertEquals("there is no CUDA binding 'jni'; bindings: panama, jcuda", binding.getMessage());
  }

  /** TF32 is allowed, not demanded. */
  @Test
  void theCpuComputesInFloatWhereThatIsAllowed() {
    for (String precision : List.of("fp32", "tf32")) {
      try (Backend backend = Backends.open("cpu", 1, precision, warning -> {})) {
        assertEquals("cpu", backend.name());
        assertEquals(Precision.FP32, backend.precision());
      }
    }
  }

  @Test
  void bf16IsRefusedOnTheCpu() {
    var asked =
        assertThrows(
            IllegalArgumentException.class, () -> Backends.open("cpu", 1, "bf16", warning -> {}));
    assertEquals(
        "precision bf16 is for CUDA alone: the CPU computes in fp32, which --precision fp32 asks"
            + " for",
        asked.getMessage());
    try (Backend cpu = Backends.open("cpu", 1, warning -> {})) {
      var kept =
          assertThrows(IllegalArgumentException.class, () -> cpu.allocate(DType.BFLOAT16, 3));
      assertEquals(
          "the CPU computes in float and keeps no bfloat16: use the precision fp32",
          kept.getMessage());
    }
  }

  /** Where CUDA was to compute in bf16 the CPU does not take over in another precision. */
  @Test
  void withoutCudaBf16IsRefused() {
    withoutDriver(
        () -> {
          var e =
              assertThrows(
                  IllegalStateException.class,
                  () -> Backends.open("auto", 1, "bf16", warning -> {}));
          assertEquals(
              "precision bf16 needs CUDA, and the CUDA driver that -Drais.cuda.driver names,"
                  + " /does/not/exist.so, does not exist; the CPU computes in fp32, which"
                  + " --precision fp32 asks for",
              e.getMessage());
          with(
              "rais.cuda.precision",
              "bf16",
              () -> {
                assertThrows(
                    IllegalStateException.class, () -> Backends.open("auto", 1, warning -> {}));
                // What is asked for is more than what is usual.
                Backends.open("auto", 1, "fp32", warning -> {}).close();
              });
        });
  }

  private static void withoutDriver(Runnable body) {
    with("rais.cuda.driver", "/does/not/exist.so", body);
  }

  private static void with(String property, String value, Runnable body) {
    String before = System.getProperty(property);
    System.setProperty(property, value);
    try {
      body.run();
    } finally {
      if (before == null) {
        System.clearProperty(property);
      } else {
        System.setProperty(property, before);
      }
    }
  }

  /** As this machine is: either CUDA opens, or there is a reason. */
  @Test
  void cudaOpensOrSaysWhyNotAndAutoFollows() {
    List<String> warnings = new ArrayList<>();
    try (Backend auto = Backends.open("auto", 1, warnings::add)) {
      if (auto.name().equals("cuda")) {
        Backends.open("cuda", 1, warnings::add).close();
        assertEquals(List.of(), warnings);
        return;
      }
    }
    var e =
        assertThrows(IllegalStateException.class, () -> Backends.open("cuda", 1, warning -> {}));
    boolean noDriver = e.getMessage().startsWith("there is no CUDA driver");
    assertTrue(
        noDriver || warnings.getFirst().startsWith("computing on the CPU: "), warnings.toString());
    warnings.forEach(warning -> assertTrue(!warning.contains("\n"), warning));
  }

  /** A driver that was asked for and is not there: a GPU was hoped for. */
  @Test
  void theCpuTakesOverWithOneLineThatSaysWhy() {
    withoutDriver(
        () -> {
          List<String> warnings = new ArrayList<>();
          try (Backend backend = Backends.open("auto", 1, warnings::add)) {
            assertEquals("cpu", backend.name());
            assertEquals(
                List.of(
                    "computing on the CPU: the CUDA driver that -Drais.cuda.driver names,"
                        + " /does/not/exist.so, does not exist"),
                warnings);
          }
        });
  }

  @Test
  void everyBackendIsProbed() {
    List<Backends.Availability> all = Backends.probe(1);
    assertEquals(List.of("cpu", "cuda"), all.stream().map(Backends.Availability::name).toList());
    assertTrue(all.get(0).available());
    List<String> parts = all.get(1).parts().stream().map(Backends.Part::name).toList();
    assertEquals(List.of("binding", "driver", "kernels", "cuBLAS", "cuDNN"), parts.subList(0, 5));
    for (Backends.Part part : all.get(1).parts()) {
      assertTrue(!part.details().isBlank() && !part.details().contains("\n"), part.toString());
    }
  }
}
