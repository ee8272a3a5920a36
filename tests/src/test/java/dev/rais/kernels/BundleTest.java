package dev.rais.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.rais.Requirements;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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
  void aJdkWithoutJlinkIsNamed(@TempDir Path jdk) throws Exception {
    Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"25.0.1\"\n");
    Path java = Files.createDirectory(jdk.resolve("bin")).resolve("java");
    assertTrue(Files.createFile(java).toFile().setExecutable(true));
    String message = refusal("env", "RAIS_JAVA_HOME=" + jdk, "native-build/bundle");
    assertTrue(message.contains("ended with 1"), message);
    assertTrue(message.contains(jdk + " has no jlink"), message);
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
    for (String name : List.of("pytorch_side_by_side.py", "pytorch_kernels.py")) {
      String script = files.resolve(name).toString();
      NativeBuild.run(
          "/usr/bin/python3", "-c", "import ast; ast.parse(open('" + script + "').read())");
    }
  }

  /** Wherever Python has them from: an environment may take packages from another one. */
  @Test
  void librariesAreLookedForWherePythonHasItsPackages(@TempDir Path home) throws Exception {
    boolean python = Files.exists(Path.of("/usr/bin/python3"));
    Requirements.need("python3", python, "there is no /usr/bin/python3");
    Path script = NativeBuild.ROOT.resolve("native-build/bundle-files/gpu-check");
    Files.copy(script, home.resolve("gpu-check"), StandardCopyOption.COPY_ATTRIBUTES);
    Path java = Files.createDirectories(home.resolve("java/bin")).resolve("java");
    Files.writeString(java, "#!/bin/sh\necho \"$RAIS_CUDA_PATH\"\n");
    assertTrue(java.toFile().setExecutable(true));
    Path site = home.resolve("elsewhere/packages");
    Files.createDirectories(site.resolve("nvidia/cudnn/lib"));
    Path without = Files.createDirectories(home.resolve("without"));
    String found =
        NativeBuild.run(
            "env",
            "PATH=/usr/bin:/bin",
            "PYTHONPATH=" + without + ":" + site,
            "RAIS_CUDA_PATH=/mine",
            home.resolve("gpu-check").toString());
    List<String> folders = List.of(found.strip().split(":"));
    assertEquals(List.of("/mine", site.toString()), folders.subList(0, 2), found);
    assertFalse(folders.contains(without.toString()), found);
  }

  /** What the scripts print is what gpu-check looks for, tried on the CPU where PyTorch is. */
  @Test
  void scriptsRunOnTheCpu() throws Exception {
    Path files = NativeBuild.ROOT.resolve("native-build/bundle-files");
    Requirements.need("torch", hasTorch(), "python3 has no torch");
    JsonNode training =
        lastLine(
            NativeBuild.run(
                "python3",
                files.resolve("pytorch_side_by_side.py").toString(),
                "--device=cpu",
                "--model=resnet18",
                "--batch=2",
                "--examples=8",
                "--augment",
                "--precision=bf16",
                "--seconds=0.1",
                "--warmup=0",
                "--repeats=1",
                "--ways=graph,eager-contiguous,eager"));
    assertTrue(training.get("eager").isNumber(), training.toString());
    assertTrue(training.get("eager-contiguous").isNumber(), training.toString());
    assertTrue(training.get("graph").isTextual(), "a CUDA graph on the CPU: " + training);
    assertEquals(11_173_962, training.get("parameters").asInt());
    JsonNode kernels =
        lastLine(
            NativeBuild.run(
                "python3",
                files.resolve("pytorch_kernels.py").toString(),
                "--device=cpu",
                "--small",
                "--seconds=0.01"));
    assertTrue(kernels.get("multinomialMicros").isNumber(), kernels.toString());
    assertEquals("m=9 K=10 fp32", kernels.get("softmaxXent").get(0).get("shape").asText());
    assertTrue(kernels.get("softmaxXent").get(0).get("micros").isNumber(), kernels.toString());
  }

  /** However long a first step takes, a repeat is of many steps: it begins and ends with a wait. */
  @Test
  void whatIsCompiledFirstIsNotTakenForATimeOfAStep() throws Exception {
    Requirements.need("torch", hasTorch(), "python3 has no torch");
    String program =
        """
        import argparse, sys, time
        sys.path.insert(0, sys.argv[1])
        from pytorch_side_by_side import measure
        taken = []
        def step():
            taken.append(0)
            time.sleep(2 if len(taken) == 1 else 0.001)
        measure(step, argparse.Namespace(device="cpu", warmup=0.1, seconds=1, repeats=4, batch=1))
        print(len(taken))
        """;
    String folder = NativeBuild.ROOT.resolve("native-build/bundle-files").toString();
    String steps = NativeBuild.run("python3", "-B", "-c", program, folder).strip();
    assertTrue(Integer.parseInt(steps) > 200, steps + " steps, though a second was to be timed");
  }

  private static boolean hasTorch() throws Exception {
    return new ProcessBuilder("sh", "-c", "python3 -c 'import torch' 2>/dev/null").start().waitFor()
        == 0;
  }

  private static JsonNode lastLine(String text) throws Exception {
    String last = text.lines().filter(l -> l.startsWith("{")).reduce((a, b) -> b).orElse("{}");
    return new ObjectMapper().readTree(last);
  }
}
