package dev.rais.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.rais.Requirements;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code kernel_bench} on the CPU, where small shapes show that all of it works but the GPU. */
class KernelBenchTest {
  private static final Path PROGRAM =
      NativeBuild.ROOT.resolve("native-build/out/host/kernel_bench_host");

  @TempDir Path folder;

  /** What a run of the program came to. */
  private record Run(int code, String out, String err) {}

  @BeforeEach
  void buildIt() throws Exception {
    String missing = NativeBuild.missing("host");
    Requirements.need("native-host", missing.isEmpty(), missing);
    NativeBuild.build("host");
  }

  @Test
  void everyRowIsCheckedAndTimed() throws Exception {
    Path json = folder.resolve("results.json");
    Run run = run(PROGRAM, "--quick", "--json", json.toString());
    assertEquals(0, run.code, run.out + run.err);
    JsonNode results = new ObjectMapper().readTree(Files.readString(json));
    assertFalse(results.get("gpu").asBoolean());
    assertTrue(results.get("copyGigabytesPerSecond").asDouble() > 0);
    Set<String> rows = new HashSet<>();
    for (JsonNode row : results.get("rows")) {
      String name = row.get("kernel").asText() + " " + row.get("shape").asText();
      assertTrue(rows.add(name), name + " is there twice");
      assertFalse(row.has("failure"), row.toString());
      assertTrue(row.get("checkedValues").asLong() > 0, name);
      assertTrue(row.get("micros").asDouble() > 0, name);
      assertTrue(row.get("aloneMicros").asDouble() > 0, name);
      if (row.has("bytes")) {
        double gigabytes = row.get("bytes").asDouble() / row.get("micros").asDouble() / 1e3;
        assertEquals(gigabytes, row.get("gigabytesPerSecond").asDouble(), 0.01, name);
        assertTrue(row.get("sameSizeCopyShare").asDouble() >= 0, name);
      }
      assertTrue(run.out.contains(row.get("shape").asText()), name);
    }
    assertTrue(rows.size() > 50, rows.toString());
  }

  @Test
  void everyLauncherIsMeasured() throws Exception {
    String list = run(PROGRAM, "--list").out;
    Set<String> missing = new TreeSet<>();
    for (KernelHeader.Function function : KernelHeader.read().functions()) {
      if (function.isLauncher() && !list.matches("(?s).*\\b" + function.name() + "\\b.*")) {
        missing.add(function.name());
      }
    }
    assertEquals(Set.of(), missing, "no bench in tests/kernels/bench launches these");
  }

  @Test
  void oneKernelCanBeChosen() throws Exception {
    Run run = run(PROGRAM, "--check", "--kernel", "sgd");
    assertEquals(0, run.code, run.err);
    assertTrue(run.out.contains("sgd") && !run.out.contains("softmax_xent"), run.out);
    assertTrue(run.out.contains("values are right"), run.out);
  }

  @Test
  void wrongUsageIsExplained() throws Exception {
    assertEquals(0, run(PROGRAM, "--help").code);
    Run unknown = run(PROGRAM, "--kernel", "nonesuch");
    assertEquals(2, unknown.code);
    assertTrue(unknown.err.startsWith("kernel_bench: there is no bench nonesuch;"), unknown.err);
    assertEquals(2, run(PROGRAM, "--kernel").code);
    assertEquals(2, run(PROGRAM, "--nonesuch").code);
    Run unwritable = run(PROGRAM, "--check", "--kernel", "sgd", "--json", folder.toString());
    assertEquals(1, unwritable.code);
    assertTrue(unwritable.err.contains("cannot write " + folder), unwritable.err);
  }

  @Test
  void withoutAGpuOneSentenceSaysSo() throws Exception {
    String missing = NativeBuild.missing("cuda");
    Requirements.need("nvcc", missing.isEmpty(), missing);
    Requirements.need("no-gpu", !Files.exists(Path.of("/dev/nvidiactl")), "there is a GPU");
    NativeBuild.build("cuda");
    Run run = run(NativeBuild.ROOT.resolve("native-build/out/cuda/kernel_bench"));
    assertEquals(1, run.code);
    assertEquals("", run.out);
    assertTrue(
        run.err.startsWith("kernel_bench: there is no CUDA device to measure on ("), run.err);
    assertEquals(1, run.err.lines().count(), run.err);
  }

  private Run run(Path program, String... arguments) throws Exception {
    String[] command = new String[arguments.length + 1];
    command[0] = program.toString();
    System.arraycopy(arguments, 0, command, 1, arguments.length);
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    int code =
        new ProcessBuilder(command)
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start()
            .waitFor();
    return new Run(code, Files.readString(out), Files.readString(err));
  }
}
