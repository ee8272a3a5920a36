package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code rais inspect} prints and leaves behind. */
class InspectCommandTest {
  @TempDir Path folder;

  @Test
  void aRunIsInspected() throws IOException {
    Path data = Cli.smallData(folder.resolve("small"), 640, 100);
    Path run = folder.resolve("run");
    String[] train = {
      "train",
      "--data",
      data.toString(),
      "--model",
      "mlp",
      "--epochs",
      "2",
      "--batch-size",
      "16",
      "--quiet",
      "--out",
      run.toString()
    };
    assertEquals(0, Cli.rais(train).code());
    Cli.Outcome unnamed = Cli.rais("inspect", run.toString());
    assertEquals(2, unnamed.code(), "a folder's data set is not found by its name");

    Cli.Outcome people = Cli.rais("inspect", run.toString(), "--data", data.toString());
    assertEquals(0, people.code(), people.toString());
    assertTrue(people.out().startsWith("CLASS  NAME"), people.out());
    assertTrue(people.out().contains("saved in " + run.resolve("inspect")), people.out());
    assertEquals(
        List.of("classes.csv", "examples.csv", "label-errors.csv", "least.png", "most.png"),
        Cli.contents(run.resolve("inspect")));

    Path out = folder.resolve("elsewhere");
    Cli.Outcome json =
        Cli.rais(
            "inspect",
            run.toString(),
            "--data",
            data.toString(),
            "--json",
            "--out",
            out.toString());
    JsonNode result = new ObjectMapper().readTree(json.lastLine());
    assertEquals(10, result.get("classes").size());
    assertEquals("rais", result.get("sampler").asText());
    assertEquals(5, Cli.contents(out).size());
  }

  @Test
  void mistakesAreNamed() {
    Cli.Outcome none = Cli.rais("inspect", folder.resolve("none").toString());
    assertEquals(1, none.code());
    assertTrue(none.err().contains("there is no folder"), none.err());
    Cli.Outcome few = Cli.rais("inspect", folder.toString(), "--images", "0");
    assertEquals(2, few.code());
    assertTrue(few.err().contains("--images must be from 1 to 10000, not 0"), few.err());
  }
}
