package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.rais.nn.Models;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code rais model} tells what models consist of. */
class ModelCommandTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  static List<String> names() {
    return Models.names();
  }

  @Test
  void listsAllModels() throws IOException {
    String table = Cli.rais("model").out();
    JsonNode json = JSON.readTree(Cli.rais("model", "--json").lastLine());
    assertEquals(Models.names().size(), json.size());
    for (int i = 0; i < json.size(); i++) {
      String name = Models.names().get(i);
      assertEquals(name, json.get(i).get("name").asText());
      assertTrue(table.contains("\n" + name + " "), table);
    }
    assertTrue(table.contains("resnet20  272,474     residual network of 20 layers"), table);
  }

  @ParameterizedTest
  @MethodSource("names")
  void showsEveryLayerAndTheSumOfTheirParameters(String name) throws IOException {
    Cli.Outcome text = Cli.rais("model", name, "--input", "28x28x1", "--classes", "7");
    assertEquals(0, text.code(), text.toString());
    Cli.Outcome outcome =
        Cli.rais("model", name, "--input", "28x28x1", "--classes", "7", "--batch", "9", "--json");
    JsonNode json = JSON.readTree(outcome.lastLine());
    long sum = 0;
    for (JsonNode layer : json.get("layers")) {
      sum += layer.get("parameters").asLong();
      assertTrue(text.out().contains("\n" + layer.get("name").asText() + " "), text.out());
    }
    assertEquals(json.get("parameters").asLong(), sum);
    JsonNode last = json.get("layers").get(json.get("layers").size() - 1);
    assertEquals("[1,1,7]", last.get("output").toString());
    assertEquals("[28,28,1]", json.get("input").toString());
    assertEquals(9, json.get("batch").asInt());
    assertTrue(json.get("activationBytes").asLong() > 9 * 28 * 28 * 4);
    assertTrue(json.get("parameterBytes").asLong() >= 16 * sum);
  }

  @Test
  void theTableIsAlignedAndSaysWhatIsFused() {
    String out = Cli.rais("model", "resnet18", "--batch", "64").out();
    assertTrue(
        out.contains(
            """

            stage2.block1.shortcut.conv  conv 1x1, stride 2     16x16x128  8,192
            stage2.block1.shortcut.bn    batch norm             16x16x128  256
            stage2.block1.conv1          conv 3x3, stride 2     16x16x128  73,728
            stage2.block1.bn1            batch norm, relu       16x16x128  256
            stage2.block1.conv2          conv 3x3               16x16x128  147,456
            stage2.block1.bn2            batch norm, add, relu  16x16x128  256
            """),
        out);
    assertTrue(out.contains("\nparameters  11,173,962\n"), out);
    assertTrue(out.contains(" for activations at batch size 64, "), out);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "resnet19 |                       | 2 | there is no model \"resnet19\"; did you mean"
            + " \"resnet18\"?",
        "resnet8  | --input=32x32         | 2 | --input must be HEIGHTxWIDTHxCHANNELS as in"
            + " 32x32x3, each at least 1, not 32x32",
        "resnet8  | --input=32x0x3        | 2 | --input must be HEIGHTxWIDTHxCHANNELS",
        "resnet8  | --classes=1           | 2 | --classes must be at least 2 and --batch at least"
            + " 1, not 1 and 128",
        "resnet8  | --batch=0             | 2 | not 10 and 0",
        "lenet5   | --input=2x2x1         | 1 | model lenet5, layer conv1, input 2x2x1",
        "mlp      | --input=99999x99999x9 | 1 | a model for images of 99999x99999x9 with 10 classes"
            + " at batch size 128 is too large to count"
      })
  void wrongUseGetsASentence(String name, String option, int code, String sentence) {
    Cli.Outcome outcome =
        option == null ? Cli.rais("model", name) : Cli.rais("model", name, option);
    assertEquals(code, outcome.code(), outcome.toString());
    assertTrue(outcome.err().startsWith("rais model: "), outcome.err());
    assertTrue(outcome.err().contains(sentence), outcome.err());
  }
}
