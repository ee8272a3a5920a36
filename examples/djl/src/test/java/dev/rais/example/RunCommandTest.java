package dev.rais.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.rais.data.Dataset;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** The command line, with a network in plain Java. */
class RunCommandTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @Test
  void aRunEndsInOneJsonObject() throws Exception {
    int code =
        run("--data", "fashion-mnist-sample", "--sampler", "uniform", "--epochs", "1", "--json");
    assertEquals(0, code, err.toString());
    JsonNode result = new ObjectMapper().readTree(out.toString());
    assertEquals("uniform", result.get("sampler").asText());
    assertEquals("fashion-mnist-sample", result.get("data").asText());
    assertEquals(1, result.get("epochs").asDouble(), 0.01);
    assertEquals(1, result.get("epochsEquivalent").asDouble(), 0.01);
    assertEquals(1, result.get("meanGainRatio").asDouble(), 1e-9);
    assertTrue(result.get("finalTestError").asDouble() < 0.4, out.toString());
    assertTrue(result.get("finalTrainLoss").asDouble() < 1, out.toString());
    assertTrue(result.get("seconds").asDouble() > 0, out.toString());
  }

  @Test
  void withoutJsonThereIsATable() {
    assertEquals(0, run("--data", "fashion-mnist-sample", "--epochs", "0.1"), err.toString());
    assertTrue(out.toString().startsWith("sampler            rais\n"), out.toString());
    assertTrue(out.toString().contains("mean gain ratio    1.00\n"), out.toString());
  }

  @Test
  void theOtherLibrarysOwnLoopIsASamplerToo() {
    assertEquals(0, run("--data", "fashion-mnist-sample", "--sampler", "own"), err.toString());
    assertTrue(out.toString().contains("test error         12.50 %"), out.toString());
    assertEquals("own: alone\n", err.toString());
  }

  @Test
  void wrongUsageIsCode2AndAFailureCode1() {
    assertUsageError("--sampler must be rais, uniform or own, not raiss", "--sampler", "raiss");
    assertUsageError("--epochs must be above 0", "--epochs", "0");
    assertUsageError("--lr must be above 0", "--lr", "NaN");
    assertUsageError("--threads must be at least 1", "--threads", "0");
    assertUsageError("--batch-size must be at least 1", "--batch-size", "0");
    assertUsageError(
        "--batch-size must be at most the 8000 training examples",
        "--batch-size",
        "8001",
        "--data",
        "fashion-mnist-sample");
    err.getBuffer().setLength(0);
    assertEquals(1, run("--data", "no-such-data"));
    assertTrue(err.toString().startsWith("examples/djl/run: \"no-such-data\""), err.toString());
  }

  @Test
  void helpNamesEveryOption() {
    assertEquals(0, run("--help"));
    for (String option : new String[] {"sampler", "epochs", "seed", "data", "threads", "json"}) {
      assertTrue(out.toString().contains("--" + option), option);
    }
  }

  private void assertUsageError(String message, String... args) {
    err.getBuffer().setLength(0);
    assertEquals(2, run(args));
    assertEquals("examples/djl/run: " + message + "\n", err.toString());
  }

  private int run(String... args) {
    return RunCommand.run(
        new PlainJava(), args, new PrintWriter(out, true), new PrintWriter(err, true));
  }

  private static final class PlainJava implements ForeignLibrary {
    @Override
    public String ownSampler() {
      return "own";
    }

    @Override
    public ForeignTrainer open(Dataset data, RunSettings settings, int threads) {
      return new Perceptron(data, settings, 16);
    }

    @Override
    public RunSummary runAlone(
        Dataset data, RunSettings settings, int threads, Consumer<String> progress) {
      progress.accept("alone");
      return new RunSummary("own", data.name(), settings.seed(), 1, 1, 1, 0.125, 1, 1, 1);
    }
  }
}
