package dev.rais.train;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.module.SimpleModule;
import dev.rais.nn.Schedule;
import dev.rais.sampling.DrawMode;
import java.io.IOException;
import java.util.Locale;

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
    JsonSerializer<Schedule> schedule =
        new JsonSerializer<>() {
          @Override
          public void serialize(Schedule value, JsonGenerator to, SerializerProvider provider)
              throws IOException {
            to.writeString(value.id());
          }
        };
    JsonSerializer<DrawMode> draw =
        new JsonSerializer<>() {
          @Override
          public void serialize(DrawMode value, JsonGenerator to, SerializerProvider provider)
              throws IOException {
            to.writeString(value.name().toLowerCase(Locale.ROOT));
          }
        };
    mapper.registerModule(
        new SimpleModule()
            .addSerializer(Double.class, finite)
            .addSerializer(double.class, finite)
            .addSerializer(Schedule.class, schedule)
            .addSerializer(DrawMode.class, draw));
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
  String document(Object value) {
    try {
      return mapper.writerWithDefaultPrettyPrinter().writeValueAsString(value) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("no JSON can be made of " + value, e);
    }
  }
}
