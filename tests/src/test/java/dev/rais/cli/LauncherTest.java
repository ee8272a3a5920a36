package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * The script {@code rais}, in a folder of its own with a Java and a Maven that only say what they
 * are asked to do.
 */
@DisabledOnOs(OS.WINDOWS)
class LauncherTest {
  private record Outcome(int code, String out, String err) {}

  private static final List<String> TOOLS =
      List.of(
          "bash",
          "env",
          "dirname",
          "basename",
          "readlink",
          "find",
          "mkdir",
          "rm",
          "touch",
          "tail",
          "cat",
          "sleep",
          "flock",
          "stty");

  private static final String BASH = "/usr/bin/env bash";

  @TempDir Path folder;
  private Path project;
  private Path tools;
  private Path jdk;
  private Path jar;

  @BeforeEach
  void makeProject() throws IOException {
    project = Files.createDirectories(folder.resolve("pro ject"));
    Path script = Files.copy(repository().resolve("rais"), project.resolve("rais"));
    script.toFile().setExecutable(true);
    Files.createDirectories(project.resolve("java/src"));
    Files.writeString(project.resolve("java/src/A.java"), "");
    Files.writeString(project.resolve("java/pom.xml"), "");
    Files.writeString(project.resolve("pom.xml"), "");
    jar = project.resolve("java/target/rais.jar");

    tools = Files.createDirectories(folder.resolve("tools"));
    for (String tool : TOOLS) {
      for (String place : List.of("/usr/bin", "/bin")) {
        Path real = Path.of(place, tool);
        if (Files.exists(real) && !Files.exists(tools.resolve(tool))) {
          script(tools.resolve(tool), "/bin/sh", "exec " + real + " \"$@\"");
        }
      }
    }
    assumeTrue(Files.exists(tools.resolve("bash")), "no bash");
    jdk = jdk("jdk", "25.0.1");
    maven("echo built >>\"$PWD/built\"; mkdir -p java/target/lib; : >java/target/rais.jar");
  }

  @Test
  void startsJavaWithTheArgumentsWhereTheCallerIs() throws Exception {
    build();
    Outcome outcome = rais(List.of("train", "--out", "a b", ""));
    assertEquals(0, outcome.code(), outcome.toString());
    List<String> lines = outcome.out().lines().toList();
    assertEquals(folder.toRealPath().toString(), Path.of(lines.getFirst()).toRealPath().toString());
    assertTrue(lines.contains("--enable-native-access=ALL-UNNAMED"), outcome.out());
    int main = lines.indexOf("dev.rais.cli.Main");
    assertEquals(List.of("train", "--out", "a b", ""), lines.subList(main + 1, lines.size()));
    String classPath = lines.get(main - 1);
    assertEquals(jar.toRealPath() + ":" + jar.toRealPath().resolveSibling("lib/*"), classPath);
    assertEquals("", outcome.err());
  }

  /** The offline bundle: a Java runtime beside the launcher, which has no compiler. */
  @Test
  void anOfflineBundleRunsWithItsOwnJavaAndBuildsNothing() throws Exception {
    Path runtime = jdk("pro ject/java", "25.0.1");
    Files.delete(runtime.resolve("bin/javac"));
    Outcome outcome = rais(List.of("doctor"));
    assertEquals(0, outcome.code(), outcome.toString());
    List<String> lines = outcome.out().lines().toList();
    assertTrue(lines.contains("java of " + runtime), outcome.out());
    Path lib = project.toRealPath().resolve("lib");
    assertTrue(lines.contains(lib.resolve("rais.jar") + ":" + lib + "/*"), outcome.out());
    assertTrue(!Files.exists(folder.resolve("built")), "nothing is built");
    assertTrue(!Files.exists(project.resolve("built")), "nothing is built");
    assertEquals("", outcome.err());
  }

  /** At the price of a warning that Java prints, so not for what is over at once. */
  @Test
  void onlyWhatTrainsUsesTheVectorApiAndOnlyWhereJavaHasIt() throws Exception {
    build();
    Path release = jdk.resolve("release");
    String version = Files.readString(release);
    for (String modules : List.of("java.base jdk.incubator.vector", "jdk.incubator.vector a.b")) {
      Files.writeString(release, version + "\nMODULES=\"" + modules + "\"\n");
      assertTrue(usesVectorApi("train") && usesVectorApi("compare"), modules);
      assertFalse(usesVectorApi("doctor") || usesVectorApi("--version"), modules);
    }
    Files.writeString(release, version + "\nMODULES=\"java.base jdk.incubator.vectors\"\n");
    assertFalse(usesVectorApi("train"));
  }

  private boolean usesVectorApi(String command) throws Exception {
    Outcome outcome = rais(List.of(command));
    assertEquals(0, outcome.code(), outcome.toString());
    return outcome.out().lines().toList().contains("--add-modules=jdk.incubator.vector");
  }

  @Test
  void followsSymbolicLinksAndPassesExitCodeAndOptions() throws Exception {
    build();
    Path link = Files.createSymbolicLink(folder.resolve("link"), project.resolve("rais"));
    Path second = Files.createSymbolicLink(folder.resolve("second"), Path.of("link"));
    assertTrue(Files.isSymbolicLink(link));
    ProcessBuilder process = process(second, List.of("fail"));
    process.environment().put("RAIS_JAVA_OPTS", "-Xmx8g -Dx=y");
    Outcome outcome = run(process);
    assertEquals(7, outcome.code(), outcome.toString());
    List<String> lines = outcome.out().lines().toList();
    assertTrue(lines.contains("-Xmx8g") && lines.contains("-Dx=y"), outcome.out());
  }

  @Test
  void javaAlwaysReadsFileNamesAsUtf8() throws Exception {
    build();
    for (String locale : List.of("", "C", "POSIX", "de_DE.UTF-8", "en_US.utf8")) {
      ProcessBuilder process = process(project.resolve("rais"), List.of());
      process.environment().put("LANG", locale);
      String expected = locale.toLowerCase(Locale.ROOT).contains("utf") ? "" : "C.UTF-8";
      assertTrue(run(process).out().contains("\nLC_ALL=" + expected + "\n"), locale);
    }
  }

  @Test
  void buildsOnceAndSaysSo() throws Exception {
    Outcome first = rais(List.of());
    assertEquals(0, first.code(), first.toString());
    assertEquals("rais: building RAIS (first run) ...\n", first.err());
    Outcome second = rais(List.of());
    assertEquals("", second.err());
    assertEquals(1, Files.readAllLines(project.resolve("built")).size());
  }

  @Test
  void buildsAgainWhenASourceIsNewer() throws Exception {
    build();
    for (String source : List.of("java/src/A.java", "java/pom.xml", "pom.xml")) {
      assertEquals("", rais(List.of()).err());
      Files.setLastModifiedTime(
          project.resolve(source), FileTime.from(Instant.now().minusSeconds(5)));
      Files.setLastModifiedTime(jar, FileTime.from(Instant.now().minusSeconds(50)));
      assertEquals("rais: building RAIS (the sources changed) ...\n", rais(List.of()).err());
    }
  }

  @Test
  void twoLaunchesAtOnceBuildOnce() throws Exception {
    assumeTrue(Files.exists(tools.resolve("flock")), "no flock");
    maven(
        "echo built >>\"$PWD/built\"; sleep 0.5; mkdir -p java/target/lib; :"
            + " >java/target/rais.jar");
    Path script = project.resolve("rais");
    Process one = process(script, List.of()).start();
    Process two = process(script, List.of()).start();
    assertEquals(0, one.waitFor());
    assertEquals(0, two.waitFor());
    assertEquals(1, Files.readAllLines(project.resolve("built")).size());
  }

  @Test
  void aBuildThatWasKilledIsBegunAgain() throws Exception {
    maven("mkdir -p java/target/lib; echo half >java/target/rais.jar; sleep 2");
    Process killed = process(project.resolve("rais"), List.of()).start();
    while (!Files.exists(jar)) {
      assertTrue(killed.isAlive(), "the build ended");
      Thread.sleep(10);
    }
    killed.destroyForcibly().waitFor();
    maven("echo whole >java/target/rais.jar");
    build();
    assertEquals("whole\n", Files.readString(jar));
    assertEquals("", rais(List.of()).err());
  }

  @Test
  void aFolderInCdpathIsNotMistakenForTheCheckout() throws Exception {
    build();
    Files.createDirectories(folder.resolve("elsewhere/pro ject"));
    ProcessBuilder process = process(Path.of("pro ject/rais"), List.of());
    process.environment().put("CDPATH", folder.resolve("elsewhere").toString());
    Outcome outcome = run(process);
    assertEquals(0, outcome.code(), outcome.toString());
    assertTrue(outcome.out().contains(jar.toRealPath() + ":"), outcome.toString());
  }

  @Test
  void aDumbTerminalGetsLinesAndNoBar() throws Exception {
    assumeTrue(Files.exists(Path.of("/usr/bin/script")), "no script, which makes a terminal");
    build();
    assertTrue(onTerminal("xterm").contains("-Drais.terminal.columns="));
    String dumb = onTerminal("dumb");
    assertTrue(dumb.contains("dev.rais.cli.Main"), dumb);
    assertFalse(dumb.contains("-Drais.terminal.columns="), dumb);
  }

  private String onTerminal(String kind) throws Exception {
    List<String> words = List.of("-qec", "'" + project.resolve("rais") + "'", "/dev/null");
    ProcessBuilder process = process(Path.of("/usr/bin/script"), words);
    process.environment().put("TERM", kind);
    process.environment().put("SHELL", "/bin/sh");
    Outcome outcome = run(process.redirectInput(Path.of("/dev/null").toFile()));
    assertEquals(0, outcome.code(), outcome.toString());
    return outcome.out();
  }

  @Test
  void benchmarksFindTheirJdkWithoutAHome() throws Exception {
    String find = repository().resolve("tests/bench/find-jdk.sh").toString();
    ProcessBuilder process =
        new ProcessBuilder("/bin/bash", "-euc", "source \"$0\"; find_jdk", find);
    process.environment().clear();
    process.environment().put("PATH", "/usr/bin:/bin");
    process.environment().put("RAIS_JAVA_HOME", jdk.toString());
    Outcome outcome = run(process);
    assertEquals(jdk + "\n", outcome.out(), outcome.toString());
  }

  @Test
  void aFailedBuildShowsTheEndOfItsLog() throws Exception {
    maven("echo 'A.java: no such class'; exit 1");
    Outcome outcome = rais(List.of());
    assertEquals(1, outcome.code());
    assertEquals("", outcome.out());
    assertTrue(outcome.err().contains("A.java: no such class\n"), outcome.err());
    assertTrue(outcome.err().contains("rais: the build failed"), outcome.err());
  }

  @Test
  void aMissingMavenIsNamed() throws Exception {
    Files.delete(tools.resolve("mvn"));
    Outcome outcome = rais(List.of());
    assertEquals(1, outcome.code());
    assertEquals(
        "rais: Maven is needed to build RAIS, but there is no mvn on the PATH; install Maven 3.8"
            + " or newer\n",
        outcome.err());
  }

  @Test
  void aWrongJavaHomeIsNamed() throws Exception {
    jdk = jdk("old", "21.0.5");
    Outcome outcome = rais(List.of());
    assertEquals(1, outcome.code());
    assertEquals(
        "rais: RAIS_JAVA_HOME is "
            + jdk
            + ", which is no JDK of version 25 or newer; correct or unset it\n",
        outcome.err());
  }

  @Test
  void theFirstJdkThatIsNewEnoughIsUsed() throws Exception {
    build();
    hideInstalledJdks();
    Path home = folder.resolve("home");
    jdk("home/.jdks/jdk-21", "21.0.5");
    Path newer = jdk("home/.sdkman/candidates/java/26-ea", "26-ea");
    ProcessBuilder process = process(project.resolve("rais"), List.of());
    process.environment().remove("RAIS_JAVA_HOME");
    process.environment().put("JAVA_HOME", jdk("old", "17").toString());
    process.environment().put("HOME", home.toString());
    Outcome outcome = run(process);
    assertEquals(0, outcome.code(), outcome.toString());
    assertTrue(outcome.out().contains("java of " + newer + "\n"), outcome.out());
  }

  @Test
  void aMissingJdkIsNamed() throws Exception {
    hideInstalledJdks();
    ProcessBuilder process = process(project.resolve("rais"), List.of());
    process.environment().remove("RAIS_JAVA_HOME");
    Outcome outcome = run(process);
    assertEquals(1, outcome.code());
    assertTrue(
        outcome.err().startsWith("rais: no JDK of version 25 or newer was found; install one"),
        outcome.err());
    assertEquals(1, outcome.err().lines().count());
  }

  private void hideInstalledJdks() throws IOException {
    Path script = project.resolve("rais");
    String text = Files.readString(script);
    String hidden = text.replaceAll("/(usr/lib/jvm|Library/Java)", "/nowhere");
    assertTrue(!hidden.equals(text));
    Files.writeString(script, hidden);
  }

  private void build() throws Exception {
    Outcome outcome = rais(List.of());
    assertEquals(0, outcome.code(), outcome.toString());
  }

  private Outcome rais(List<String> arguments) throws Exception {
    return run(process(project.resolve("rais"), arguments));
  }

  private ProcessBuilder process(Path script, List<String> arguments) {
    List<String> command = new ArrayList<>(List.of(script.toString()));
    command.addAll(arguments);
    ProcessBuilder process = new ProcessBuilder(command).directory(folder.toFile());
    process.environment().clear();
    process.environment().put("PATH", tools.toString());
    process.environment().put("RAIS_JAVA_HOME", jdk.toString());
    return process;
  }

  private Outcome run(ProcessBuilder process) throws Exception {
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    process.redirectOutput(out.toFile()).redirectError(err.toFile());
    int code = process.start().waitFor();
    return new Outcome(
        code,
        Files.readString(out, StandardCharsets.UTF_8),
        Files.readString(err, StandardCharsets.UTF_8));
  }

  /** A JDK whose java prints where it is, its folder and its arguments, one a line. */
  private Path jdk(String name, String version) throws IOException {
    Path home = folder.resolve(name);
    Files.createDirectories(home.resolve("bin"));
    Files.writeString(
        home.resolve("release"), "IMPLEMENTOR=\"Test\"\nJAVA_VERSION=\"" + version + "\"\n");
    script(home.resolve("bin/javac"), BASH, "exit 1");
    script(
        home.resolve("bin/java"),
        BASH,
        "echo \"$PWD\"; echo \"java of "
            + home
            + "\"; echo \"LC_ALL=${LC_ALL:-}\"; printf '%s\\n' \"$@\"; for last; do :; done;"
            + " [ \"${last:-}\" != fail ] || exit 7");
    return home;
  }

  private void maven(String body) throws IOException {
    script(tools.resolve("mvn"), BASH, body);
  }

  private static void script(Path file, String shell, String body) throws IOException {
    Files.writeString(file, "#!" + shell + "\n" + body + "\n");
    file.toFile().setExecutable(true);
  }

  private static Path repository() {
    Path at = Path.of("").toAbsolutePath();
    while (!Files.exists(at.resolve("rais")) || !Files.exists(at.resolve("java/pom.xml"))) {
      at = at.getParent();
    }
    return at;
  }
}
