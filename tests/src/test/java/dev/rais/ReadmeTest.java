package dev.rais;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.train.Samplers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What the README tells readers to type is what the build and the consumer project do. */
class ReadmeTest {
  private static final int FIRST_SCREEN = 30;

  private final Path root = root();

  @Test
  void theFirstScreenHasTheTwoCommands() throws IOException {
    List<String> lines = Files.readAllLines(root.resolve("README.md"));
    List<String> commands = new ArrayList<>();
    boolean inside = false;
    for (String line : lines.subList(0, FIRST_SCREEN)) {
      if (line.startsWith("```")) {
        inside = !inside;
      } else if (inside) {
        commands.add(line);
      }
    }
    assertEquals(List.of("./rais train", "mvn verify"), commands);
    assertTrue(Files.isExecutable(root.resolve("rais")));
  }

  @Test
  void theSnippetIsWhatTheConsumerRuns() throws IOException {
    String main = read("tests/consumer/src/main/java/consumer/Main.java");
    assertTrue(squeeze(main).contains(squeeze(block("java"))), block("java"));
  }

  @Test
  void theCoordinatesAreThoseTheConsumerUses() throws IOException {
    String pom = read("tests/consumer/pom.xml");
    assertTrue(squeeze(pom).contains(squeeze(block("xml"))), block("xml"));
  }

  @Test
  void everyLinkLeadsToAFile() throws IOException {
    for (String page :
        List.of(
            "README.md",
            "docs/dependencies.md",
            "docs/samplers.md",
            "docs/compare.md",
            "docs/experiments/README.md",
            "docs/data.md",
            "docs/extending.md")) {
      Matcher links = Pattern.compile("]\\(([^)#:]+)(#[^)]*)?\\)").matcher(read(page));
      while (links.find()) {
        Path target = root.resolve(page).resolveSibling(links.group(1));
        assertTrue(Files.exists(target), page + " links to " + links.group(1));
      }
    }
  }

  @Test
  void theSamplersPageHasThemAllAndItsLoopsRun() throws IOException {
    String page = read("docs/samplers.md");
    for (String name : Samplers.names()) {
      assertTrue(page.contains("\n| `" + name + "` | "), name);
    }
    String loops = squeeze(read("tests/src/test/java/dev/rais/sampling/OwnTrainingLoopTest.java"));
    Matcher blocks = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL).matcher(page);
    int count = 0;
    for (; blocks.find(); count++) {
      // The test looks at the sampler before it closes it.
      String loop = squeeze(blocks.group(1)).replaceAll("( })+$", "");
      assertTrue(loops.contains(loop), loop);
    }
    assertEquals(2, count);
  }

  @Test
  void theExamplesOfExtensionsRun() throws IOException {
    String test = squeeze(read("tests/src/test/java/dev/rais/ExtendingTest.java"));
    Matcher blocks =
        Pattern.compile("```java\n(.*?)```", Pattern.DOTALL).matcher(read("docs/extending.md"));
    int count = 0;
    for (; blocks.find(); count++) {
      String example = squeeze(blocks.group(1));
      assertTrue(test.contains(example), example);
    }
    assertEquals(2, count);
  }

  private String block(String language) throws IOException {
    Matcher block =
        Pattern.compile("```" + language + "\n(.*?)```", Pattern.DOTALL).matcher(read("README.md"));
    assertTrue(block.find(), "no block of " + language);
    return block.group(1);
  }

  private static String squeeze(String text) {
    return text.replaceAll("\\s+", " ").strip();
  }

  private String read(String file) throws IOException {
    return Files.readString(root.resolve(file));
  }

  private static Path root() {
    Path at = Path.of("").toAbsolutePath();
    while (!Files.exists(at.resolve("README.md")) || !Files.exists(at.resolve("java/pom.xml"))) {
      at = at.getParent();
    }
    return at;
  }
}
