package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where numbers are written with other digits and marks: in a JVM of its own, in Egypt. */
class LocaleTest {
  @TempDir Path folder;

  /** Loads the data set in the folder that is its argument, as a program of the user's own does. */
  static final class Loads {
    public static void main(String[] arguments) {
      System.out.println(Datasets.load(arguments[0], null).train().count() == 10);
    }
  }

  @Test
  void filesAreFoundByTheNamesTheyArePublishedUnder() throws Exception {
    Path data = LayoutsTest.cifar10(folder.resolve("data"));
    assertEquals("true\n", inEgypt(Loads.class.getName(), data.toString()));
  }

  @Test
  void numbersOfTheCommandAreTheSameEverywhere() throws Exception {
    String main = "dev.rais.cli.Main";
    String model = inEgypt(main, "model", "lenet5", "--json");
    assertTrue(model.contains("\"type\":\"conv 5x5\""), model);
    String info = inEgypt(main, "data", "info", "fashion-mnist-sample");
    assertTrue(info.contains("images     28x28x1\n"), info);
  }

  private String inEgypt(String main, String... arguments)
      throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Duser.language=ar",
                "-Duser.country=EG",
                "-cp",
                System.getProperty("java.class.path"),
                main));
    command.addAll(List.of(arguments));
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    ProcessBuilder process = new ProcessBuilder(command);
    process.redirectOutput(out.toFile()).redirectError(err.toFile());
    int code = process.start().waitFor();
    assertEquals(0, code, Files.readString(err));
    return Files.readString(out, StandardCharsets.UTF_8);
  }
}
