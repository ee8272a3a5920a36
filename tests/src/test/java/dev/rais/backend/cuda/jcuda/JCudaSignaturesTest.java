package dev.rais.backend.cuda.jcuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.cuda.panama.BoundFunctions;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcudnn.JCudnn;
import org.junit.jupiter.api.Test;

/**
 * JCuda's classes have the functions that the binding Panama calls, with as many arguments; its
 * natives, where they are there, import them.
 */
class JCudaSignaturesTest {
  /** What JCuda has no methods for; the binding does without. */
  private static final Set<String> LACKING =
      Set.of(
          "cuDeviceGetDefaultMemPool",
          "cuMemPoolSetAttribute",
          "cuMemPoolGetAttribute",
          "cudnnGetLastErrorString");

  /** The names of everything that Panama binds. */
  static Set<String> all() {
    Set<String> names = new TreeSet<>(BoundFunctions.ofDriver().keySet());
    names.addAll(BoundFunctions.ofBlas().keySet());
    names.addAll(BoundFunctions.ofDnn().keySet());
    return names;
  }

  private static void compare(Map<String, Integer> bound, Class<?> methods) {
    bound.forEach(
        (name, count) -> {
          String method = name.replaceFirst("_v2$|WithFlags$", "");
          boolean same =
              Arrays.stream(methods.getMethods())
                  .anyMatch(m -> m.getName().equals(method) && m.getParameterCount() == count);
          boolean returns =
              method.matches("(cublas|cudnn)Get(Status|Error).*|cu(blas|dnn)Get.*Version");
          assertEquals(!LACKING.contains(name), same || returns && has(methods, method), name);
        });
  }

  private static boolean has(Class<?> methods, String name) {
    return Arrays.stream(methods.getMethods()).anyMatch(m -> m.getName().equals(name));
  }

  @Test
  void methodsHaveTheFunctionsArguments() {
    compare(BoundFunctions.ofDriver(), JCudaDriver.class);
    compare(BoundFunctions.ofBlas(), JCublas2.class);
    compare(BoundFunctions.ofDnn(), JCudnn.class);
  }

  private static void imports(JCudaLibrary library, Set<String> names) throws Exception {
    JCudaCallsTest.needNatives(library);
    String text;
    try (var in = JCudaSignaturesTest.class.getResourceAsStream("/lib/" + library.fileName())) {
      text = new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
    }
    for (String name : names) {
      // A name in the table of strings stands between zeros.
      boolean imported = text.contains("\0" + name + "\0");
      assertTrue(
          imported || LACKING.contains(name), name + " is not imported by " + library.fileName());
    }
  }

  @Test
  void nativesImportTheFunctions() throws Exception {
    imports(JCudaLibrary.DRIVER, BoundFunctions.ofDriver().keySet());
    imports(JCudaLibrary.BLAS, BoundFunctions.ofBlas().keySet());
    imports(JCudaLibrary.DNN, BoundFunctions.ofDnn().keySet());
  }
}
