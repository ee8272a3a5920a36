package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whatever is wrong with the input: one sentence on standard error, the right exit code, no stack
 * trace, nothing on standard output, nothing left behind.
 */
class BadInputTest {
  @TempDir Path folder;
  private Path out;

  @BeforeEach
  void nameOutputFolder() {
    out = folder.resolve("made/for/the/run");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--sampler | riss    | there is no sampler \"riss\"; did you mean \"rais\"?",
        "--model   | lenet   | there is no model \"lenet\"; did you mean \"lenet5\"?",
        "--data    | mnits   | did you mean \"mnist\"?",
        "--schedule| stpe    | there is no schedule \"stpe\"; did you mean \"step\"?",
        "--backend | cpuu    | there is no backend \"cpuu\"; did you mean \"cpu\"?",
        "--precision | fp64   | there is no precision \"fp64\"; did you mean \"fp32\"?",
        "--draw    | round   | there is no way to draw \"round\"; did you mean \"rounds\"?",
        "--samlper | rais    | there is no option --samlper; did you mean \"--sampler\"?",
        "--epochs  | 0       | --epochs must be above 0 and at most 1000000, not 0.0",
        "--epochs  | NaN     | --epochs must be above 0 and at most 1000000, not NaN",
        "--epochs  | ten     | 'ten' is not a number",
        "--lr      | -0.1    | --lr must be above 0, not -0.1",
        "--lr      | Infinity| --lr must be above 0, not Infinity",
        "--momentum| 1       | --momentum must be from 0 to below 1, not 1.0",
        "--weight-decay  | -1 | --weight-decay must be at least 0, not -1.0",
        "--batch-size    | 0  | --batch-size must be at least 1, not 0",
        "--batch-size    | 8001 | --batch-size 8001 is larger than the training set of 8000 images",
        "--smoothing     | 0  | --smoothing must be above 0 and at most 1, not 0.0",
        "--eval-every    | -1 | --eval-every must be above 0, not -1.0",
        "--oracle-every  | 0  | --oracle-every must be at least 1, not 0",
        "--gain-max      | 0.5| --gain-max must be at least 1, not 0.5",
        "--round-fraction| 9  | --round-fraction must be from 1/64 to 4, not 9.0",
        "--presample     | 0.5| --presample must be from 1 to 100, not 0.5",
        "--selection-pressure | 0 | --selection-pressure must be at least 1, not 0.0",
        "--beta          | -1 | --beta must be from 0 to 100, not -1.0",
        "--prune-ratio   | 1  | --prune-ratio must be from 0 to below 1, not 1.0",
        "--anneal        | 2  | --anneal must be from 0 to 1, not 2.0",
        "--scale         | 0  | --scale must be at least 1, not 0.0",
        "--speed-up      | 0.5| --speed-up must be from 1 to 100, not 0.5",
        "--augment | standrad| there is no augmentation \"standrad\"; did you mean \"standard\"?",
        "--padding       | -1 | --padding must be from 0 to 65535, not -1",
        "--cutout        | -1 | --cutout must be from 0 to 65535, not -1",
        "--threads       | 0  | --threads must be from 1 to 1024, not 0",
        "--threads       | 1.5| '1.5' is not a whole number",
        "--seed          | x  | 'x' is not a whole number",
      })
  void wrongUsageOfTrain(String option, String value, String sentence) throws IOException {
    refused(2, sentence, "train", "--out", out.toString(), option, value);
  }

  @Test
  void optionsThatDoNotGoTogether() throws IOException {
    String target = out.toString();
    for (String sampler :
        List.of("presample", "loshchilov", "selective-backprop", "infobatch", "adascale")) {
      String[] balanced = {"train", "--out", target, "--class-balance", "--sampler", sampler};
      refused(2, "--class-balance goes with the samplers uniform, uniform-iid, rais", balanced);
    }
    refused(
        2,
        "--scale must be at most the batch size of 128, not 129.0",
        "train",
        "--out",
        target,
        "--sampler",
        "adascale",
        "--scale",
        "129");
  }

  @Test
  void wrongUsageOfCommands() throws IOException {
    refused(2, "there is no command \"trian\"; did you mean \"train\"?", "trian");
    refused(2, "there is no command \"ftech\"; did you mean \"fetch\"?", "data", "ftech");
    refused(2, "\"mnist\" is one argument too many", "train", "mnist");
    refused(2, "Missing required option: '--model-file=FILE'", "eval");
    refused(2, "Missing required parameter: 'IMAGE'", "predict", "--model-file", "x");
    refused(2, "there is no data set \"mnits\"; did you mean \"mnist\"?", "data", "fetch", "mnits");
    refused(2, "did you mean \"mnist\"?", "data", "info", "mnits");
    String[] address = {"data", "fetch", "mnist", "--mirror", "http://[no"};
    refused(2, "Invalid value for option '--mirror': 'http://[no' is no valid URI;", address);
  }

  @Test
  void augmentationThatLeavesNothing() throws IOException {
    String sentence = "leave nothing of images of 28x28";
    refused(1, sentence, "train", "--out", out.toString(), "--padding", "28");
    refused(1, sentence, "train", "--out", out.toString(), "--cutout", "29");
  }

  @Test
  void missingData() throws IOException {
    Path empty = Files.createDirectory(folder.resolve("empty"));
    refused(1, "t10k-images", "train", "--data", empty.toString(), "--out", out.toString());
    refused(1, "is no folder", "train", "--data-dir", folder.resolve("no").toString());
    // As of a shell's variable that is not set.
    refused(1, "\"\" is neither a known data set nor a directory", "data", "info", "");
  }

  /** A folder is recorded by its last name alone. */
  @Test
  void savedRunOfDataThatWasAFolder() throws IOException {
    Path data = Cli.smallData(folder.resolve("digits"), 20, 10);
    String[] train = {
      "train",
      "--quiet",
      "--backend",
      "cpu",
      "--threads",
      "1",
      "--model",
      "mlp",
      "--batch-size",
      "10",
      "--epochs",
      "1",
      "--data",
      data.toString(),
      "--out",
      out.toString()
    };
    Cli.Outcome outcome = Cli.rais(train);
    assertEquals(0, outcome.code(), outcome.toString());
    String model = out.resolve("model.safetensors").toString();
    refused(2, "if \"digits\" was a folder, give it with --data", "eval", "--model-file", model);
  }

  @Test
  void damagedData() throws IOException {
    Path data = Cli.smallData(folder.resolve("cut"), 20, 10);
    Path images = data.resolve("train-images-idx3-ubyte");
    byte[] whole = Files.readAllBytes(images);
    Files.write(images, java.util.Arrays.copyOf(whole, whole.length - 1));
    refused(1, images.toString(), "train", "--data", data.toString(), "--out", out.toString());
    // What is made of it cannot be had either, but is no wrong usage.
    refused(1, images.toString(), "data", "info", data + "@subset=3");
    Files.write(images, whole);
    refused(2, "expected a whole number from 1 to 20", "data", "info", data + "@subset=30");
  }

  @Test
  void modelThatCannotTakeTheImages() throws IOException {
    Path data = folder.resolve("tiny");
    Files.createDirectories(data);
    for (String part : List.of("train", "t10k")) {
      byte[] images = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4};
      Files.write(data.resolve(part + "-images-idx3-ubyte"), images);
      byte[] labels = {0, 0, 8, 1, 0, 0, 0, 1, 0};
      Files.write(data.resolve(part + "-labels-idx1-ubyte"), labels);
    }
    refused(
        1,
        "model lenet5, layer conv1, input 2x2x1",
        "train",
        "--data",
        data.toString(),
        "--batch-size",
        "1",
        "--out",
        out.toString());
  }

  @Test
  void outputThatCannotBeWritten() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "mine");
    refused(1, file + " is no folder", "train", "--out", file.toString());
    refused(1, file + " is no folder", "train", "--out", file.resolve("below").toString());
    assertEquals("mine", Files.readString(file));
  }

  @ParameterizedTest
  @ValueSource(strings = {"eval", "predict"})
  void modelFileThatIsNone(String command) throws IOException {
    Path image = folder.resolve("image.png");
    Path missing = folder.resolve("none.safetensors");
    Path text = Files.writeString(folder.resolve("text"), "this is no model file");
    String argument = command.equals("eval") ? "--threads=1" : image.toString();
    String there = missing + ": there is no such file";
    refused(1, there, command, "--model-file", missing.toString(), argument);
    String none = text + " is no whole safetensors file";
    refused(1, none, command, "--model-file", text.toString(), argument);
  }

  @Test
  void verboseShowsTheStackTrace() {
    Cli.Outcome outcome = Cli.rais("train", "--lr", "-1", "--verbose");
    assertEquals(2, outcome.code());
    assertTrue(outcome.err().contains("\tat dev.rais.cli.TrainCommand"), outcome.err());
    assertTrue(outcome.err().endsWith("rais train: --lr must be above 0, not -1.0\n"));
  }

  private void refused(int code, String sentence, String... arguments) throws IOException {
    List<String> before = Cli.contents(folder);
    Cli.Outcome outcome = Cli.rais(arguments);
    assertEquals(code, outcome.code(), outcome.toString());
    assertEquals("", outcome.out());
    assertTrue(outcome.err().contains(sentence), outcome.err());
    assertTrue(outcome.err().startsWith("rais"), outcome.err());
    assertEquals(1, outcome.err().lines().count(), outcome.err());
    assertFalse(outcome.err().contains("Exception"), outcome.err());
    assertEquals(before, Cli.contents(folder));
  }
}
