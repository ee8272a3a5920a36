package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a run that does not come to its end leaves behind: what was there before. */
class RunDirectoryTest {
  private static final TrainingConfig CONFIG =
      TrainingConfig.builder("data", "mlp", "rais").build();

  @TempDir Path folder;

  @Test
  void evaluationsCanBeReadAtOnce() throws IOException {
    try (RunDirectory run = RunDirectory.create(folder.resolve("run"), CONFIG)) {
      run.add(metrics(1, 0.5));
      run.add(metrics(2, Double.NaN));
      List<String> lines = Files.readAllLines(run.path().resolve(RunDirectory.METRICS));
      assertEquals(2, lines.size());
      assertTrue(lines.get(0).startsWith("{\"iteration\":1,"), lines.get(0));
      assertTrue(lines.get(0).contains("\"trainLoss\":0.5,"), lines.get(0));
      assertTrue(lines.get(1).contains("\"trainLoss\":null,"), "JSON knows no NaN");
    }
  }

  @Test
  void anUnfinishedRunTakesBackItsFilesAndFolders() {
    Path mine = folder.resolve("a/b/c");
    try (RunDirectory run = RunDirectory.create(mine, CONFIG)) {
      run.add(metrics(1, 0.5));
      assertTrue(Files.exists(mine.resolve(RunDirectory.CONFIG)));
    }
    assertFalse(Files.exists(folder.resolve("a")));
    assertTrue(Files.exists(folder));
  }

  @Test
  void whatOthersPutThereStays() throws IOException {
    Path mine = folder.resolve("a/b");
    try (RunDirectory run = RunDirectory.create(mine, CONFIG)) {
      Files.writeString(run.path().resolve("notes.txt"), "keep");
    }
    assertEquals("keep", Files.readString(mine.resolve("notes.txt")));
    assertFalse(Files.exists(mine.resolve(RunDirectory.CONFIG)));
  }

  @Test
  void aFolderThatWasThereStays() {
    try (RunDirectory run = RunDirectory.create(folder, CONFIG)) {
      run.add(metrics(1, 0.5));
    }
    assertTrue(Files.isDirectory(folder));
    assertFalse(Files.exists(folder.resolve(RunDirectory.METRICS)));
  }

  @Test
  void aRunIsRemovedAndNothingElse() throws IOException {
    try (RunDirectory run = RunDirectory.create(folder, CONFIG)) {
      run.add(metrics(1, 0.5));
      run.keep();
    }
    Files.writeString(folder.resolve(RunDirectory.SUMMARY), "{}");
    Files.writeString(folder.resolve(RunDirectory.DRAWS), "{}");
    Path checkpoints = Files.createDirectory(folder.resolve(Checkpoints.FOLDER));
    Files.writeString(checkpoints.resolve("0000000012.safetensors"), "x");
    Files.writeString(folder.resolve("notes.txt"), "keep");
    RunDirectory.remove(folder);
    try (var left = Files.walk(folder)) {
      assertEquals(List.of(folder, folder.resolve("notes.txt")), left.toList());
    }
    RunDirectory.remove(folder.resolve("none"));
    assertFalse(Files.exists(folder.resolve("none")));
  }

  @Test
  void aRunAtWorkIsNotRemoved() {
    try (RunDirectory run = RunDirectory.create(folder, CONFIG)) {
      assertThrows(RunFileException.class, () -> RunDirectory.remove(folder));
      assertTrue(Files.exists(run.path().resolve(RunDirectory.CONFIG)));
    }
  }

  /** Text of ten million lines is no single array. */
  @Test
  void linesAreWrittenAsTheyCome() throws IOException {
    Path file = folder.resolve("lines.csv");
    Path partial = folder.resolve(".lines.csv.part");
    Iterator<String> lines =
        IntStream.range(0, 100_000)
            .mapToObj(
                i -> {
                  try {
                    assertTrue(i < 99_999 || Files.size(partial) > 500_000, "most is on disk");
                  } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                  }
                  assertFalse(Files.exists(file), "whole or not at all");
                  return "ä" + i;
                })
            .iterator();
    RunDirectory.writeLines(file, lines);
    List<String> found = Files.readAllLines(file);
    assertEquals(100_000, found.size());
    assertEquals("ä99999", found.getLast());
    assertFalse(Files.exists(partial));
  }

  @Test
  void aFileInTheWayIsNamed() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "mine");
    Path below = file.resolve("run");
    RunFileException e =
        assertThrows(RunFileException.class, () -> RunDirectory.create(below, CONFIG));
    assertEquals("cannot write a run to " + below + ": " + file + " is no folder", e.getMessage());
    assertEquals("mine", Files.readString(file));
  }

  @Test
  void aFolderWhereAFileShouldBeIsNotReplaced() throws IOException {
    Path blocked = Files.createDirectories(folder.resolve("run/config.json/full"));
    assertThrows(RunFileException.class, () -> RunDirectory.create(folder.resolve("run"), CONFIG));
    assertTrue(Files.exists(blocked));
    assertFalse(Files.exists(folder.resolve("run").resolve(RunDirectory.METRICS)));
  }

  private static Metrics metrics(long iteration, double loss) {
    return new Metrics(
        iteration,
        0.1,
        0.2,
        1,
        0.01,
        loss,
        loss,
        0.9,
        0.5,
        0,
        0,
        0,
        false,
        1,
        1,
        0,
        1.5,
        Draws.UNKNOWN);
  }
}
