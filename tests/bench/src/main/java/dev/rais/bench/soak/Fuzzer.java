package dev.rais.bench.soak;

import dev.rais.bench.BenchException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Runs Jazzer on one target in a JVM of its own and reads what it says. */
final class Fuzzer {
  private static final Pattern COVERAGE = Pattern.compile("#\\d+\\s+(\\w+)\\s+cov: (\\d+)");
  private static final Pattern EXECUTIONS =
      Pattern.compile("stat::number_of_executed_units: (\\d+)");

  /** libFuzzer's limit of the time that one input may take. */
  private static final int SECONDS_PER_INPUT = 20;

  /**
   * What came of it.
   *
   * @param executions inputs tried
   * @param coverageAtStart branches that the good files alone reach
   * @param coverage branches reached at the end
   * @param crash what Jazzer said of a finding; null without one
   */
  record Outcome(long executions, int coverageAtStart, int coverage, String crash) {
    /** Without growth nothing was tested: no mutation got the reader to do anything new. */
    boolean grew() {
      return coverage > coverageAtStart;
    }
  }

  private Fuzzer() {}

  /**
   * Fuzzes for a while, or until a finding.
   *
   * @param target class with Jazzer's static methods
   * @param properties system properties for it
   * @param seeds good inputs by name
   */
  static Outcome run(
      Class<?> target, Map<String, String> properties, Map<String, byte[]> seeds, int seconds) {
    try {
      Path folder = Files.createTempDirectory("rais-fuzz");
      try {
        return run(target, properties, seeds, seconds, folder);
      } finally {
        SoakBench.delete(folder);
      }
    } catch (IOException e) {
      throw new BenchException("cannot fuzz: " + e.getMessage(), e);
    }
  }

  private static Outcome run(
      Class<?> target,
      Map<String, String> properties,
      Map<String, byte[]> seeds,
      int seconds,
      Path folder)
      throws IOException {
    Path corpus = Files.createDirectory(folder.resolve("corpus"));
    int longest = 64;
    for (Map.Entry<String, byte[]> seed : seeds.entrySet()) {
      Files.write(corpus.resolve(seed.getKey()), seed.getValue());
      longest = Math.max(longest, seed.getValue().length);
    }
    List<String> flags =
        new java.util.ArrayList<>(
            List.of("-Xmx512m", "-Drais.fuzz.folder=" + folder, "-Djava.io.tmpdir=" + folder));
    properties.forEach((key, value) -> flags.add("-D" + key + "=" + value));
    RaisProcess process =
        new RaisProcess(
            folder.resolve("output"),
            flags,
            List.of(
                "com.code_intelligence.jazzer.Jazzer",
                "--target_class=" + target.getName(),
                "--instrumentation_includes=dev.rais.**",
                "--custom_hook_includes=dev.rais.**",
                "--reproducer_path=" + folder,
                "-artifact_prefix=" + folder + "/",
                "-max_total_time=" + seconds,
                "-timeout=" + SECONDS_PER_INPUT,
                "-max_len=" + 2 * longest,
                "-print_final_stats=1",
                "-seed=1",
                corpus.toString()));
    int status = process.await();
    String text = process.text();
    int first = 0;
    int last = 0;
    Matcher coverage = COVERAGE.matcher(text);
    while (coverage.find()) {
      last = Integer.parseInt(coverage.group(2));
      first = coverage.group(1).equals("INITED") ? last : first;
    }
    Matcher executions = EXECUTIONS.matcher(text);
    boolean counted = executions.find();
    if (status == 0 && !counted) {
      throw new BenchException("Jazzer did not say what it did:\n" + text, null);
    }
    String crash = text.substring(Math.max(0, text.indexOf("\n== ")));
    return new Outcome(
        counted ? Long.parseLong(executions.group(1)) : 0, first, last, status == 0 ? null : crash);
  }
}
