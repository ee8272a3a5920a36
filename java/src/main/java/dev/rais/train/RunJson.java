package dev.rais.train;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.rais.nn.BatchNormWeights;
import dev.rais.nn.Schedule;
import dev.rais.sampling.Ablation;
import dev.rais.sampling.DrawMode;
import java.io.IOException;
import java.util.Locale;
import java.util.Objects;

/**
 * The records of a run as JSON, with their components' names as fields: {@link TrainingConfig},
 * {@link Metrics}, {@link Summary}. Choices are written as options name them; a number that is not
 * finite is null, for which JSON has no other word.
 */
public final class RunJson {
  private final ObjectMapper mapper = new ObjectMapper();

  /** Prepares the conversion; one object can be used again. */
  public RunJson() {
    JsonSerializer<Double> finite =
        new JsonSerializer<>() {
          @Override
          public void serialize(Double value, JsonGenerator to, SerializerProvider provider)
              throws IOException {
            if (Double.isFinite(value)) {
              to.writeNumber(value);
            } else {
              to.writeNull();
            }
          }
        };
    JsonDeserializer<Double> orNaN =
        new JsonDeserializer<>() {
          @Override
          public Double deserialize(JsonParser from, DeserializationContext context)
              throws IOException {
            return from.getDoubleValue();
          }

          @Override
          public Double getNullValue(DeserializationContext context) {
            return Double.NaN;
          }
        };
    mapper.enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES);
    mapper.enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES);
    SimpleModule module =
        new SimpleModule()
            .addSerializer(Double.class, finite)
            .addSerializer(double.class, finite)
            .addDeserializer(Double.class, orNaN)
            .addDeserializer(double.class, orNaN);
    addChoice(module, Schedule.class);
    addChoice(module, DrawMode.class);
    addChoice(module, BatchNormWeights.class);
    addChoice(module, OnDivergence.class);
    mapper.registerModule(module);
  }

  /** Writes the constants of an enum as options name them, and reads them back. */
  private static <E extends Enum<E>> void addChoice(SimpleModule module, Class<E> type) {
    module.addSerializer(
        type,
        new JsonSerializer<E>() {
          @Override
          public void serialize(E value, JsonGenerator to, SerializerProvider provider)
              throws IOException {
            to.writeString(value.name().toLowerCase(Locale.ROOT));
          }
        });
    module.addDeserializer(
        type,
        new JsonDeserializer<E>() {
          @Override
          public E deserialize(JsonParser from, DeserializationContext context) throws IOException {
            String text = from.getText();
            for (E value : type.getEnumConstants()) {
              if (value.name().toLowerCase(Locale.ROOT).equals(text)) {
                return value;
              }
            }
            return type.cast(context.handleWeirdStringValue(type, text, "not one of its names"));
          }
        });
  }

  /**
   * Reads what {@link #line} or {@link #document} wrote.
   *
   * @throws IllegalArgumentException if it is something else, with what is wrong in one line
   */
  public <T> T read(String json, Class<T> type) {
    try {
      if (mapper.readTree(json) instanceof ObjectNode object && complete(object, type)) {
        return mapper.treeToValue(object, type);
      }
      return Objects.requireNonNull(mapper.readValue(json, type), "null");
    } catch (JsonProcessingException | NullPointerException e) {
      String reason = e instanceof JsonProcessingException j ? j.getOriginalMessage() : "null";
      throw new IllegalArgumentException(
          "no %s: %s".formatted(type.getSimpleName(), reason.lines().findFirst().orElse("")), e);
    }
  }

  /** Adds what files of earlier versions lack; says whether there was anything to add. */
  private static boolean complete(ObjectNode object, Class<?> type) {
    int before = object.size();
    if (type == Metrics.class) {
      object.putIfAbsent("draws", NullNode.instance);
      object.putIfAbsent("skipped", IntNode.valueOf(0));
    } else if (type == TrainingConfig.class) {
      object.putIfAbsent("ablation", TextNode.valueOf(Ablation.NONE.id()));
      object.putIfAbsent("onDivergence", TextNode.valueOf(OnDivergence.STOP.id()));
    } else if (type == Summary.class) {
      object.putIfAbsent("skipped", IntNode.valueOf(0));
      object.putIfAbsent("rateHalvings", IntNode.valueOf(0));
    }
    return object.size() > before;
  }

  /** One line, without its end. */
  public String line(Object value) {
    try {
      return mapper.writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("no JSON can be made of " + value, e);
    }
  }

  /** Indented lines, for files that people read. */
  public String document(Object value) {
    try {
      return mapper.writerWithDefaultPrettyPrinter().writeValueAsString(value) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("no JSON can be made of " + value, e);
    }
  }
}
