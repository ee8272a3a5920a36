package dev.rais.gpucheck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.gpucheck.Programs.Bad;
import dev.rais.gpucheck.Programs.Late;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Programs that hang, fail, or say nothing useful, and steps in which they do. */
class ProgramsTest {
  private static final Duration LONG = Duration.ofMinutes(1);

  @TempDir Path folder;

  private Programs.Ended run(Duration limit, String script) throws Exception {
    return new Programs(folder, folder, "").run("it", limit, List.of("sh", "-c", script));
  }

  /** With what it has started, which ignores being told to end. */
  @Test
  void aProgramThatHangsIsEnded() throws Exception {
    Programs.Ended late =
        run(
            Duration.ofMillis(500),
            "sh -c \"trap '' TERM; echo \\$\\$ >child; sleep 60; sleep 60\" & sleep 60");
    assertTrue(late.late());
    assertThrows(Late.class, late::good);
    long child = Long.parseLong(Files.readString(folder.resolve("child")).strip());
    long begun = System.nanoTime();
    while (ProcessHandle.of(child).map(ProcessHandle::isAlive).orElse(false)) {
      assertTrue(System.nanoTime() - begun < 10e9, "the child lives on");
      Thread.sleep(20);
    }
  }

  @Test
  void aProgramThatFailsIsQuoted() throws Exception {
    Bad bad = assertThrows(Bad.class, () -> run(LONG, "echo ok; echo no; echo; exit 4").good());
    assertEquals("exit status 4: no", bad.getMessage());
    assertEquals("it said nothing", run(LONG, "exit 1").lastLine());
    assertThrows(
        IOException.class,
        () -> new Programs(folder, folder, "").run("x", LONG, List.of("/no/such")));
  }

  @Test
  void theLastWholeObjectCounts() throws Exception {
    assertEquals(
        2, run(LONG, "echo '{\"a\":1}'; echo '{\"a\":2}'; echo end").json().get("a").asInt());
    // One that was ended while it printed has printed the line before.
    assertEquals(1, run(LONG, "echo '{\"a\":1}'; printf '{\"a\":2'").json().get("a").asInt());
    Bad bad = assertThrows(Bad.class, () -> run(LONG, "echo hello").json());
    assertEquals("it printed no results; the last line is: hello", bad.getMessage());
    assertThrows(Bad.class, () -> run(LONG, "printf '\\377\\376'").json());
  }

  @Test
  void programsAreFoundInFolders() throws Exception {
    Path program = Files.writeString(folder.resolve("tool"), "");
    Programs programs = new Programs(folder, folder, "/nowhere:" + folder);
    assertFalse(programs.find("tool").isPresent(), "it cannot be executed");
    assertTrue(program.toFile().setExecutable(true));
    assertEquals(program, programs.find("tool").orElseThrow());
    assertTrue(new Programs(folder, folder, "").find("tool", folder.toString()).isPresent());
  }

  @Test
  void damagedResultsOfKernelBenchAreTold() throws Exception {
    Path file = folder.resolve("bench.json");
    assertEquals(
        "kernel_bench has left no bench.json",
        assertThrows(Bad.class, () -> Steps.benchValues(file)).getMessage());
    Files.writeString(file, "{\"rows\": [");
    String message = assertThrows(Bad.class, () -> Steps.benchValues(file)).getMessage();
    assertTrue(message.startsWith("bench.json is damaged: "), message);
    Files.writeString(file, "{}");
    assertEquals(
        "bench.json has no rows",
        assertThrows(Bad.class, () -> Steps.benchValues(file)).getMessage());
  }

  private static final Duration SECOND = Duration.ofSeconds(1);

  @Test
  void stepsNeedTheirDeviceAndSurviveWhatTheyThrow() {
    var gpu = new Step("x", true, SECOND, limit -> Result.passed(Map.of()));
    assertEquals(Result.State.NOT_RUN, gpu.run("there is no CUDA driver", LONG).state());
    assertEquals("there is no CUDA driver", gpu.run("there is no CUDA driver", LONG).reason());
    assertEquals(Result.State.PASSED, gpu.run(null, LONG).state());
    var broken =
        new Step(
            "y",
            false,
            SECOND,
            limit -> {
              throw new IOException("disk full");
            });
    assertEquals("java.io.IOException: disk full", broken.run(null, LONG).reason());
    assertEquals(Result.State.FAILED, broken.run(null, LONG).state());
  }

  /** Its own limit is a step's fault; that the whole check ends is not. */
  @Test
  void timeThatIsLeftIsAStepsLimit() {
    var late =
        new Step(
            "z",
            false,
            LONG,
            limit -> {
              throw new Late(limit);
            });
    assertEquals("it took longer than 60 s", late.run(null, LONG.multipliedBy(2)).reason());
    assertEquals(Result.State.FAILED, late.run(null, LONG).state());
    Result cut = late.run(null, Duration.ofSeconds(7));
    assertEquals(Result.State.NOT_RUN, cut.state());
    assertEquals("it was ended after the 7 s that were left", cut.reason());
    assertEquals("no time was left; --resume goes on", late.run(null, SECOND).reason());
    assertEquals(
        "no time was left; --resume goes on", late.run(null, Duration.ofSeconds(-3)).reason());
  }
}
