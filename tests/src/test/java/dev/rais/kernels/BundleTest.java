package dev.rais.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.Requirements;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** What of {@code native-build/build bundle} takes no minutes; it is made on request only. */
class BundleTest {
  private static String refusal(String... command) {
    return assertThrows(AssertionError.class, () -> NativeBuild.run(command)).getMessage();
  }

  @Test
  void wrongUsageIsTold() {
    String message = refusal("native-build/build", "bundle", "--nonsense");
    assertTrue(message.contains("ended with 2"), message);
    assertTrue(message.contains("bundle: unknown argument: --nonsense"), message);
    assertTrue(message.contains("--kernels FOLDER"), message);
  }

  @Test
  void withoutAJdkItSaysWhatToSet() {
    String message = refusal("env", "JAVA_HOME=/does/not/exist", "native-build/bundle");
    assertTrue(message.contains("ended with 1"), message);
    assertTrue(message.contains("set it to a JDK 25 or newer"), message);
  }

  @Test
  void theForwardingLibraryNeedsJcublassNatives() {
    String message = refusal("native-build/build", "cublas12-on-13", "/does/not/exist.jar");
    assertTrue(message.contains("there is no /does/not/exist.jar"), message);
    assertTrue(message.contains("org.jcuda:jcublas-natives"), message);
  }

  @Test
  void scriptsAreWellFormed() throws Exception {
    Path files = NativeBuild.ROOT.resolve("native-build/bundle-files");
    assertEquals("", NativeBuild.run("bash", "-n", files.resolve("gpu-check").toString()));
    assertEquals("", NativeBuild.run("bash", "-n", "native-build/bundle"));
    boolean python = Files.exists(Path.of("/usr/bin/python3"));
    Requirements.need("python3", python, "there is no /usr/bin/python3");
    String script = files.resolve("pytorch_side_by_side.py").toString();
    NativeBuild.run(
        "/usr/bin/python3", "-c", "import ast; ast.parse(open('" + script + "').read())");
  }
}
