package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.report.ComparisonTable;
import dev.rais.report.Statistic;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A comparison's table tells what its means are over, and says "never" only where that is so. */
class ComparisonTextsTest {
  private static final Statistic SOME = new Statistic(0.25, 0.01);

  private static ComparisonTable.Row row(
      String sampler, int runs, int finished, int diverged, double epochs, double speedUp) {
    return new ComparisonTable.Row(
        sampler, runs, finished, diverged, SOME, SOME, SOME, SOME, SOME, SOME, SOME, SOME, epochs,
        epochs, speedUp, speedUp);
  }

  private static List<String> print(ComparisonTable.Row... rows) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    PrintStream to = new PrintStream(out, true, StandardCharsets.UTF_8);
    ComparisonTexts.print(
        new Console(to, to, 0),
        new ComparisonTable(
            "data", "mlp", List.of("cpu"), List.of(0L, 1L, 2L), 0.26, List.of(rows)));
    return out.toString(StandardCharsets.UTF_8).lines().toList();
  }

  @Test
  void samplersWithoutARunForEverySeedAreMarked() {
    List<String> lines =
        print(
            row("uniform", 3, 3, 0, 4, 1),
            row("uniform-short", 2, 2, 0, 2, 2),
            row("rais", 3, 2, 1, Double.NaN, Double.NaN));
    assertTrue(lines.get(1).startsWith("uniform   "), lines.get(1));
    assertTrue(lines.get(2).startsWith("uniform-short (2 of 3 seeds)  "), lines.get(2));
    assertTrue(lines.get(3).startsWith("rais (1 of 3 diverged)  "), lines.get(3));
  }

  @Test
  void aReferenceThatDivergedDoesNotMakeOthersNever() {
    List<String> lines =
        print(
            row("uniform", 3, 2, 1, Double.NaN, Double.NaN),
            row("rais", 3, 3, 0, 2, Double.NaN),
            row("naive", 3, 3, 0, Double.NaN, Double.NaN));
    assertTrue(lines.get(2).matches("rais .* -  +-"), lines.get(2));
    assertTrue(lines.get(3).matches("naive .* never  +never"), lines.get(3));
  }
}
