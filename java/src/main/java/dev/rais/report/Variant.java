package dev.rais.report;

import dev.rais.data.NearestName;
import dev.rais.nn.BatchNormWeights;
import dev.rais.sampling.DrawMode;
import dev.rais.train.Samplers;
import dev.rais.train.TrainingConfig;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.BiConsumer;

/**
 * A sampler to be compared, perhaps with options of its own: {@code rais}, {@code
 * naive:smoothing=0.05}, {@code rais:draw=iid:gain-max=20}.
 *
 * @param sampler one of {@link Samplers#names()}
 * @param options values by option name, in the order in which they were given
 */
public record Variant(String sampler, Map<String, String> options) {
  private static final Map<String, BiConsumer<TrainingConfig.Builder, String>> OPTIONS = known();

  /** Copies the options. */
  public Variant {
    options = new LinkedHashMap<>(options);
  }

  /** Without options of its own. */
  public static Variant of(String sampler) {
    return new Variant(sampler, Map.of());
  }

  private static Map<String, BiConsumer<TrainingConfig.Builder, String>> known() {
    Map<String, BiConsumer<TrainingConfig.Builder, String>> all = new LinkedHashMap<>();
    all.put("epochs", (to, value) -> to.epochs(number(value)));
    all.put("lr", (to, value) -> to.learningRate(number(value)));
    all.put("draw", (to, value) -> to.draw(choice(DrawMode.class, value)));
    all.put("round-fraction", (to, value) -> to.roundFraction(number(value)));
    all.put("gain-max", (to, value) -> to.gainMax(number(value)));
    all.put("smoothing", (to, value) -> to.smoothing(number(value)));
    all.put("oracle-every", (to, value) -> to.oracleEvery(whole(value)));
    all.put("async", (to, value) -> to.async(truth(value)));
    all.put("caution", (to, value) -> to.caution(truth(value)));
    all.put("class-balance", (to, value) -> to.classBalance(truth(value)));
    all.put("presample", (to, value) -> to.presample(number(value)));
    all.put("selection-pressure", (to, value) -> to.selectionPressure(number(value)));
    all.put("beta", (to, value) -> to.beta(number(value)));
    all.put("prune-ratio", (to, value) -> to.pruneRatio(number(value)));
    all.put("anneal", (to, value) -> to.anneal(number(value)));
    all.put("scale", (to, value) -> to.scale(number(value)));
    all.put("batch-norm", (to, value) -> to.batchNorm(choice(BatchNormWeights.class, value)));
    all.put("ablate", TrainingConfig.Builder::ablation);
    return all;
  }

  /**
   * Reads a variant.
   *
   * @throws IllegalArgumentException if a name or value is none, with the nearest name
   */
  public static Variant parse(String text) {
    String[] parts = text.strip().split(":", -1);
    requireKnown("sampler", parts[0], Samplers.names());
    Map<String, String> options = new LinkedHashMap<>();
    for (int i = 1; i < parts.length; i++) {
      String[] pair = parts[i].split("=", 2);
      requireKnown("option of samplers", pair[0], OPTIONS.keySet());
      if (pair.length < 2) {
        throw new IllegalArgumentException(
            "%s in \"%s\" has no value; expected %s=VALUE".formatted(pair[0], text, pair[0]));
      }
      if (options.put(pair[0], pair[1]) != null) {
        throw new IllegalArgumentException(
            "\"%s\" has the option %s twice".formatted(text, pair[0]));
      }
    }
    return new Variant(parts[0], options);
  }

  private static void requireKnown(String what, String given, Collection<String> known) {
    if (!known.contains(given)) {
      throw new IllegalArgumentException(
          "there is no %s \"%s\"; %sknown are %s"
              .formatted(
                  what,
                  given,
                  NearestName.of(given, known)
                      .map(name -> "did you mean \"" + name + "\"? ")
                      .orElse(""),
                  String.join(", ", known)));
    }
  }

  /** What people call it: the text that {@link #parse} reads. */
  public String label() {
    StringBuilder label = new StringBuilder(sampler);
    options.forEach((name, value) -> label.append(':').append(name).append('=').append(value));
    return label.toString();
  }

  /**
   * Sets the options.
   *
   * @throws IllegalArgumentException if a value is none
   */
  public TrainingConfig.Builder apply(TrainingConfig.Builder to) {
    options.forEach(
        (name, value) -> {
          try {
            OPTIONS.get(name).accept(to, value);
          } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                "%s=%s in \"%s\": %s".formatted(name, value, label(), e.getMessage()), e);
          }
        });
    return to;
  }

  private static double number(String value) {
    try {
      return Double.parseDouble(value);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("expected a number", e);
    }
  }

  private static int whole(String value) {
    try {
      return Integer.parseInt(value);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("expected a whole number", e);
    }
  }

  private static boolean truth(String value) {
    return switch (value) {
      case "true" -> true;
      case "false" -> false;
      default -> throw new IllegalArgumentException("expected true or false");
    };
  }

  private static <E extends Enum<E>> E choice(Class<E> type, String value) {
    for (E constant : type.getEnumConstants()) {
      if (constant.name().toLowerCase(Locale.ROOT).equals(value)) {
        return constant;
      }
    }
    throw new IllegalArgumentException(
        "expected one of "
            + String.join(
                ", ",
                java.util.Arrays.stream(type.getEnumConstants())
                    .map(constant -> constant.name().toLowerCase(Locale.ROOT))
                    .toList()));
  }
}
