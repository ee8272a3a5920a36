package dev.rais.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The code that this example's README shows is the code that runs. */
class PageTest {
  @Test
  void theReadmesCodeIsThatOfTheSources() throws IOException {
    String sources =
        Files.readString(Path.of("src/main/java/dev/rais/example/TrainingLoop.java"))
            + Files.readString(Path.of("src/djl/java/dev/rais/example/DjlTrainer.java"));
    List<MatchResult> blocks =
        Pattern.compile("```java\n(.*?)```", Pattern.DOTALL)
            .matcher(Files.readString(Path.of("README.md")))
            .results()
            .toList();
    assertEquals(2, blocks.size());
    for (MatchResult block : blocks) {
      assertTrue(sources.contains(block.group(1)), block.group(1));
    }
  }
}
