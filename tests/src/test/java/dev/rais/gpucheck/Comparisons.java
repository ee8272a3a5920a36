package dev.rais.gpucheck;

import com.fasterxml.jackson.databind.JsonNode;
import dev.rais.gpucheck.Programs.Bad;
import java.util.LinkedHashMap;
import java.util.Map;

/** What gpu-check takes of the table that {@code rais compare --json} prints. */
final class Comparisons {
  private Comparisons() {}

  /**
   * Numbers of the rows of RAIS and uniform.
   *
   * @throws Bad if one of them is missing
   */
  static Map<String, Object> values(JsonNode table) throws Bad {
    JsonNode uniform = row(table, "uniform");
    JsonNode rais = row(table, "rais");
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("data", table.path("data").asText());
    values.put("model", table.path("model").asText());
    values.put("seeds", table.path("seeds").size());
    values.put("diverged", uniform.path("diverged").asInt() + rais.path("diverged").asInt());
    values.put("uniformEpochs", mean(uniform, "epochs"));
    values.put("raisEpochs", mean(rais, "epochs"));
    values.put("uniformTestError", mean(uniform, "finalTestError"));
    values.put("raisTestError", mean(rais, "finalTestError"));
    values.put("uniformSeconds", mean(uniform, "seconds"));
    values.put("raisSeconds", mean(rais, "seconds"));
    values.put("speedUpEpochs", speedUp(rais, "speedUpEpochs"));
    values.put("speedUpTime", speedUp(rais, "speedUpTime"));
    values.put(
        "addedToAStep", mean(uniform, "imagesPerSecond") / mean(rais, "imagesPerSecond") - 1);
    return values;
  }

  private static JsonNode row(JsonNode table, String sampler) throws Bad {
    for (JsonNode row : table.path("rows")) {
      if (row.path("sampler").asText().equals(sampler)) {
        return row;
      }
    }
    throw new Bad("the comparison has no row of " + sampler);
  }

  /** A speed-up; 0 where RAIS never stays at the test error that uniform ends with. */
  private static double speedUp(JsonNode rais, String name) {
    return rais.path("targetEpochs").isNumber() ? number(rais.path(name)) : 0;
  }

  private static double mean(JsonNode row, String name) {
    return number(row.path(name).path("mean"));
  }

  /** A number; NaN, which JSON has as text, where there is none. */
  private static double number(JsonNode node) {
    return node.isNumber() ? node.asDouble() : Double.NaN;
  }
}
