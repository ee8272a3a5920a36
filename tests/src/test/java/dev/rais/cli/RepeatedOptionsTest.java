package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Of an option that is given several times the last one counts, and nothing else is lost. */
class RepeatedOptionsTest {
  @ParameterizedTest
  @CsvSource({
    "compare --seeds 3 --out a --seeds 1 --json, compare --out a --seeds 1 --json",
    "compare --seeds=3 --out a --seeds 1, compare --out a --seeds 1",
    "compare --seeds 3 --seeds=1 --seeds 2, compare --seeds 2",
    "compare --no-caution --out a --caution, compare --out a --caution",
    "train --quiet --out a --quiet, train --out a --quiet",
    // Values that look like options, commands, or the same option.
    "train --out --out --quiet, train --out --quiet",
    "train --lr -1 --out train --lr 2, train --out train --lr 2",
    // Of no option, unknown, of another command, behind the end of options.
    "predict a.png b.png a.png, predict a.png b.png a.png",
    "train --nonesuch 1 --nonesuch 2, train --nonesuch 1 --nonesuch 2",
    "data import a --name x --name y, data import a --name y",
    "train --out a -- --out b, train --out a -- --out b",
    "model resnet18 --batch 1 --batch 2, model resnet18 --batch 2",
    "'', ''"
  })
  void theLastOneCounts(String given, String kept) {
    assertArrayEquals(
        words(kept),
        RepeatedOptions.lastOfEach(
            Main.commandLine(new Console(System.out, System.err, 80)), words(given)));
  }

  /** A list is one value too: the later replaces the earlier. */
  @Test
  void aListIsReplaced() {
    assertArrayEquals(
        words("compare --out a --samplers naive,oracle"),
        RepeatedOptions.lastOfEach(
            Main.commandLine(new Console(System.out, System.err, 80)),
            words("compare --samplers uniform,rais --out a --samplers naive,oracle")));
  }

  private static String[] words(String text) {
    return text.isEmpty() ? new String[0] : text.split(" ");
  }
}
