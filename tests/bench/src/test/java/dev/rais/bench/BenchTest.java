package dev.rais.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class BenchTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... args) {
    return Main.run(args, new PrintWriter(out, true), new PrintWriter(err, true));
  }

  @Test
  void withoutArgumentsEveryBenchIsListedWithOneLine() {
    assertEquals(0, run());
    for (Bench bench : Benches.all()) {
      var spec = new CommandLine(bench).getCommandSpec();
      String line = "  %-8s %s".formatted(spec.name(), spec.usageMessage().description()[0]);
      assertTrue(out.toString().lines().anyMatch(line::equals), () -> line + " not in\n" + out);
    }
  }

  @Test
  void anUnknownBenchIsWrongUsageAndTheNearestIsNamed() {
    assertEquals(2, run("pers"));
    assertEquals("there is no bench 'pers'; did you mean 'peers'?", err.toString().strip());
  }

  @Test
  void anUnknownModelIsWrongUsageAndTheNearestIsNamed() {
    assertEquals(2, run("self", "--model", "lenet"));
    assertEquals("self: there is no model 'lenet'; did you mean 'lenet5'?", err.toString().strip());
  }

  @Test
  void moreImagesInAStepThanThereAreIsWrongUsage() {
    assertEquals(2, run("peers", "--batch", "64", "--examples", "10"));
    assertEquals(
        "peers: --examples must be at least --batch, but 10 is less than 64",
        err.toString().strip());
  }

  @Test
  void twoStepsOfOurSideGiveOneObjectOnTheLastLine() throws Exception {
    assertEquals(
        0, run("self --steps 2 --rounds 1 --batch 16 --examples 64 --threads 1 --json".split(" ")));
    JsonNode json = new ObjectMapper().readTree(out.toString().lines().toList().getLast());
    assertEquals("self", json.get("bench").asText());
    assertEquals("lenet5", json.get("model").asText());
    assertEquals(16, json.get("batch").asInt());
    assertEquals(431_080, json.get("parameters").asInt());
    assertTrue(json.get("raisImagesPerSecond").asDouble() > 0);
    assertTrue(Double.isFinite(json.get("lastLoss").asDouble()));
  }

  @Test
  void whatRaisAddsToAStepIsOneObjectOnTheLastLine() throws Exception {
    String arguments =
        "overhead --model resnet8 --batch 4 --examples 32 --rounds 2 --seconds 0.01 --threads 1";
    assertEquals(0, run((arguments + " --json").split(" ")), err::toString);
    JsonNode json = new ObjectMapper().readTree(out.toString().lines().toList().getLast());
    assertEquals("overhead", json.get("bench").asText());
    assertEquals(8, json.get("steps").asInt(), "two rounds of half the examples");
    assertEquals(2, json.get("refreshes").asInt(), "a set was trained in each");
    assertEquals(78_042, json.get("parameters").asInt());
    assertTrue(json.get("stepRatioRaisToUniform").asDouble() > 0);
    assertEquals(
        json.get("weightedBatchNormMillis").asDouble()
            / json.get("plainBatchNormMillis").asDouble(),
        json.get("weightedBatchNormOverPlain").asDouble(),
        1e-12);
    for (String share : new String[] {"inputIdleShare", "uniformInputIdleShare"}) {
      double value = json.get(share).asDouble();
      assertTrue(value > 0 && value < 1, share + " " + value);
    }
    double lower = json.get("lowerQuartileOfRatios").asDouble();
    double median = json.get("medianOfRatios").asDouble();
    assertTrue(lower <= median && median <= json.get("upperQuartileOfRatios").asDouble());
  }

  @Test
  void whatACheckpointCostsIsOneObjectOnTheLastLine(@TempDir Path folder) throws Exception {
    String arguments = "checkpoint --model resnet8 --examples 200 --turns 3 --folder " + folder;
    assertEquals(0, run((arguments + " --json").split(" ")), err::toString);
    JsonNode json = new ObjectMapper().readTree(out.toString().lines().toList().getLast());
    assertEquals("checkpoint", json.get("bench").asText());
    assertTrue(json.get("numBytes").asLong() > 2 * 4 * 78_042, "parameters and velocities");
    for (String number : new String[] {"writeSeconds", "copySeconds", "writeOverCopy"}) {
      assertTrue(json.get(number).asDouble() > 0, number);
    }
    double stall = json.get("stallMillis").asDouble();
    assertTrue(stall > 0 && stall <= json.get("mostStallMillis").asDouble());
    assertEquals(0, folder.toFile().list().length, "nothing stays behind");
  }

  @Test
  void theSamplersCostsAreOneObjectOnTheLastLine() throws Exception {
    assertEquals(0, run("sampler --quick --sizes 1000,20000 --json".split(" ")));
    JsonNode json = new ObjectMapper().readTree(out.toString().lines().toList().getLast());
    for (String map : new String[] {"stepNanos", "stepNanosWithRefresh"}) {
      assertTrue(json.get(map).get("1000").asDouble() > 0);
      assertTrue(json.get(map).get("20000").asDouble() > 0);
    }
    for (String number : new String[] {"aliasRatio", "prefixRatio", "rebuildOverSum"}) {
      assertTrue(json.get(number).asDouble() > 0, number);
    }
    assertTrue(Double.isFinite(json.get("refreshOverRead").asDouble()));
    assertEquals(0, json.get("trainSetObjectiveGap").asDouble(), 1e-6);
    double bytes = json.get("bytesPerExample").asDouble();
    assertTrue(bytes > 16 && bytes < 40, "bytes per example " + bytes);
  }

  @Test
  void tooFewExamplesForTheSamplerAreWrongUsage() {
    assertEquals(2, run("sampler", "--sizes", "10000,10"));
    assertEquals(
        "sampler: --sizes must be at least 1000 each, but one is 10", err.toString().strip());
  }

  @Test
  void kernelsAreComparedThenTimedAndGiveOneObjectOnTheLastLine() throws Exception {
    assertEquals(
        0,
        run(
            "kernels --quick --threads 1 --json --kernels lossLayer10,lossLayer1000,sgd,gather,relu,rowNorms,sumTree"
                .split(" ")));
    JsonNode json = new ObjectMapper().readTree(out.toString().lines().toList().getLast());
    assertTrue(json.get("lossLayerSpeedup").asDouble() > 0);
    assertTrue(json.get("lossLayerCopyShare").asDouble() > 0);
    assertTrue(json.get("downcallNanos").asDouble() > 0);
    assertTrue(json.get("criticalDowncallNanos").asDouble() > 0);
    assertFalse(json.get("cuda").asText().isBlank());
    assertTrue(json.get("rows").size() >= 7);
    for (JsonNode row : json.get("rows")) {
      assertTrue(row.get("microseconds").asDouble() > 0, row::toString);
      assertTrue(row.get("copyGigabytesPerSecond").asDouble() > 0, row::toString);
      assertEquals(
          row.get("kernel").asText().equals("sumTree"),
          row.get("copyShare").isNull(),
          row::toString);
      assertEquals(
          row.get("kernel").asText().startsWith("lossLayer"),
          !row.get("speedup").isNull(),
          row::toString);
    }
  }

  @Test
  void anUnknownKernelIsWrongUsageAndAllAreNamed() {
    assertEquals(2, run("kernels", "--kernels", "softmax"));
    assertTrue(
        err.toString().startsWith("kernels: there is no kernel 'softmax'; kernels: lossLayer10, "),
        err::toString);
  }
}
