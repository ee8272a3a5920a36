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
            IllegalArgumentException.class, () -> Backends.open("cpu", 1, "bf16", warning -> {}));
    assertEquals("there is no precision 'bf16'; precisions: fp32, tf32", precision.getMessage());
    var binding =
        assertThrows(
            IllegalArgumentException.class,
            () -> Backends.open("cpu", 1, "fp32", "jni", warning -> {}));
    assertEquals("there is no CUDA binding 'jni'; bindings: panama, jcuda", binding.getMessage());
  }

  /** TF32 is allowed, not demanded. */
  @Test
  void theCpuTakesEveryPrecision() {
    for (String precision : Backends.PRECISIONS) {
      try (Backend backend = Backends.open("cpu", 1, precision, warning -> {})) {
        assertEquals("cpu", backend.name());
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
    String property = "rais.cuda.driver";
    String before = System.getProperty(property);
    System.setProperty(property, "/does/not/exist.so");
    List<String> warnings = new ArrayList<>();
    try (Backend backend = Backends.open("auto", 1, warnings::add)) {
      assertEquals("cpu", backend.name());
      assertEquals(
          List.of(
              "computing on the CPU: the CUDA driver that -Drais.cuda.driver names,"
                  + " /does/not/exist.so, does not exist"),
          warnings);
    } finally {
      if (before == null) {
        System.clearProperty(property);
      } else {
        System.setProperty(property, before);
      }
    }
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
