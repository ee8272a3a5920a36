package dev.rais.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.rais.backend.Backend;
import dev.rais.data.DataException;
import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.data.Normalization;
import dev.rais.nn.Model;
import dev.rais.nn.Models;
import dev.rais.nn.NamedTensor;
import dev.rais.nn.Network;
import dev.rais.nn.Shape;
import dev.rais.nn.TensorSpec;
import dev.rais.sampling.ElementType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A trained network as a file in the safetensors format: the parameters, the running statistics of
 * batch norms, and as metadata what is needed to use them (model, input shape, class names,
 * normalisation) and where they come from.
 *
 * <p>Other programs read it too: parameters lie in the network's order as little-endian F32, those
 * of a convolution as [outputs, height, width, inputs], of a linear layer as [outputs, inputs];
 * behind them the running statistics.
 */
public final class ModelFile {
  static final String FORMAT_VERSION = "1";

  private static final int MAX_CLASSES = 100_000;
  private static final int COPY_BYTES = 1 << 16;

  /**
   * What a model file says beside its parameters.
   *
   * @param model name of the model
   * @param input shape of one image
   * @param classNames name of class k at position k
   * @param normalization what images go through first; one mean per channel of {@code input}
   * @param data name of the data set it was trained on
   * @param sampler name of the sampler it was trained with
   */
  public record Description(
      String model,
      Shape input,
      List<String> classNames,
      Normalization normalization,
      String data,
      String sampler) {
    /** Copies the names. */
    public Description {
      classNames = List.copyOf(classNames);
    }

    /** Of what a run trains. */
    public static Description of(TrainingConfig config, Dataset data) {
      ImageSet images = data.train();
      return new Description(
          config.model(),
          new Shape(images.height(), images.width(), images.channels()),
          data.classNames(),
          data.normalization(),
          data.name(),
          config.sampler());
    }
  }

  private final Path file;
  private final Description description;
  private final Map<String, SafetensorsHeader.Tensor> tensors;
  private final long dataStart;

  private ModelFile(Path file, Description description, SafetensorsHeader header) {
    this.file = file;
    this.description = description;
    this.tensors = header.tensors();
    this.dataStart = header.dataStart();
  }

  /**
   * Writes a network; the file appears whole or not at all, in place of an earlier one.
   *
   * @throws RunFileException if that fails
   */
  public static void write(Path file, Network network, Description description) {
    byte[] header = header(network, description);
    WholeFile.write(
        file,
        channel -> {
          ByteBuffer start = ByteBuffer.allocate(8 + header.length).order(ByteOrder.LITTLE_ENDIAN);
          start.putLong(header.length).put(header).flip();
          RunDirectory.writeAll(channel, start);
          ByteBuffer bytes = ByteBuffer.allocate(COPY_BYTES).order(ByteOrder.LITTLE_ENDIAN);
          for (NamedTensor tensor : network.tensors()) {
            for (float value : tensor.value().toFloats()) {
              bytes.putFloat(value);
              if (!bytes.hasRemaining()) {
                RunDirectory.writeAll(channel, bytes.flip());
                bytes.clear();
              }
            }
          }
          RunDirectory.writeAll(channel, bytes.flip());
        });
  }

  private static byte[] header(Network network, Description description) {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode header = mapper.createObjectNode();
    ObjectNode metadata = header.putObject("__metadata__");
    metadata.put("format_version", FORMAT_VERSION);
    metadata.put("model", description.model());
    Shape input = description.input();
    metadata.put("input_shape", input.height() + "x" + input.width() + "x" + input.channels());
    metadata.put("classes", Integer.toString(description.classNames().size()));
    metadata.put("class_names", text(mapper, description.classNames()));
    metadata.put("normalization_mean", text(mapper, description.normalization().mean()));
    metadata.put(
        "normalization_std", text(mapper, description.normalization().standardDeviation()));
    metadata.put("data", description.data());
    metadata.put("sampler", description.sampler());
    metadata.put("created_by", "rais " + Version.current());
    long offset = 0;
    for (NamedTensor tensor : network.tensors()) {
      ObjectNode entry = header.putObject(tensor.name());
      entry.put("dtype", "F32");
      var shape = entry.putArray("shape");
      tensor.dims().forEach(shape::add);
      var offsets = entry.putArray("data_offsets").add(offset);
      offset += tensor.count() * Float.BYTES;
      offsets.add(offset);
    }
    byte[] json = text(mapper, header).getBytes(StandardCharsets.UTF_8);
    // The format wants the data to begin at a multiple of 8 bytes and the padding to be spaces.
    byte[] padded = new byte[(json.length + 7) / 8 * 8];
    Arrays.fill(padded, json.length, padded.length, (byte) ' ');
    System.arraycopy(json, 0, padded, 0, json.length);
    return padded;
  }

  private static String text(ObjectMapper mapper, Object value) {
    try {
      return mapper.writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("no JSON can be made of " + value, e);
    }
  }

  /**
   * Reads what a file says; its parameters are read by {@link #open}.
   *
   * @throws RunFileException if the file is missing or damaged, or not one that RAIS wrote
   */
  public static ModelFile read(Path file) {
    SafetensorsHeader header = SafetensorsHeader.read(file, EnumSet.of(ElementType.F32));
    return new ModelFile(file, describe(file, header.metadata()), header);
  }

  private static Description describe(Path file, Map<String, String> metadata) {
    String version = metadata.get("format_version");
    if (!FORMAT_VERSION.equals(version)) {
      throw new RunFileException(
          version == null
              ? file
                  + " is a safetensors file, but no model of RAIS: its metadata lacks"
                  + " format_version"
              : file
                  + " has the format version "
                  + version
                  + ", expected "
                  + FORMAT_VERSION
                  + "; use the RAIS that wrote it");
    }
    Shape input = shape(file, require(file, metadata, "input_shape"));
    List<String> names =
        List.of(parse(file, "class_names", require(file, metadata, "class_names"), String[].class));
    String classes = require(file, metadata, "classes");
    if (!classes.equals(Integer.toString(names.size())) || names.size() > MAX_CLASSES) {
      throw new RunFileException(
          "%s has %s classes but %d class names; expected as many of both, at most %d"
              .formatted(file, quoted(classes), names.size(), MAX_CLASSES));
    }
    float[] mean = numbers(file, metadata, "normalization_mean");
    float[] deviation = numbers(file, metadata, "normalization_std");
    if (mean.length != input.channels()) {
      throw new RunFileException(
          "%s has a normalization of %d channels, expected %d as in its input shape %dx%dx%d"
              .formatted(
                  file,
                  mean.length,
                  input.channels(),
                  input.height(),
                  input.width(),
                  input.channels()));
    }
    try {
      return new Description(
          require(file, metadata, "model"),
          input,
          names,
          new Normalization(mean, deviation),
          require(file, metadata, "data"),
          require(file, metadata, "sampler"));
    } catch (DataException e) {
      throw new RunFileException(file + ": " + e.getMessage(), e);
    }
  }

  private static float[] numbers(Path file, Map<String, String> metadata, String key) {
    return parse(file, key, require(file, metadata, key), float[].class);
  }

  private static String require(Path file, Map<String, String> metadata, String key) {
    return Optional.ofNullable(metadata.get(key))
        .orElseThrow(() -> new RunFileException("%s: its metadata lacks %s".formatted(file, key)));
  }

  private static <T> T parse(Path file, String key, String text, Class<T> type) {
    try {
      T value = new ObjectMapper().readValue(text, type);
      if (value != null && !(value instanceof Object[] all && Arrays.asList(all).contains(null))) {
        return value;
      }
    } catch (JsonProcessingException e) {
      // The same sentence for everything that is no list of the expected kind.
    }
    throw new RunFileException(
        "%s: its metadata has %s = %s, expected a JSON list of %s"
            .formatted(
                file, key, quoted(text), type == String[].class ? "names" : "finite numbers"));
  }

  private static Shape shape(Path file, String text) {
    String[] parts = text.split("x", 4);
    if (parts.length == 3) {
      try {
        Shape shape =
            new Shape(
                Integer.parseInt(parts[0]), Integer.parseInt(parts[1]), Integer.parseInt(parts[2]));
        int ignored = shape.size();
        return shape;
      } catch (IllegalArgumentException | ArithmeticException e) {
        // Falls through to the sentence below.
      }
    }
    throw new RunFileException(
        "%s: its metadata has input_shape = %s, expected HEIGHTxWIDTHxCHANNELS"
            .formatted(file, quoted(text)));
  }

  /** A text out of the file, shortened: a hostile one must not fill the screen. */
  static String quoted(String text) {
    String shown = text.length() > 60 ? text.substring(0, 60) + "..." : text;
    return "\"" + shown.replaceAll("\\p{Cntrl}", "?") + "\"";
  }

  /** What the file says beside its parameters. */
  public Description description() {
    return description;
  }

  /**
   * Makes the network of the file on a backend; the caller closes it.
   *
   * @throws RunFileException if the file's parameters are not the model's, or cannot be read
   */
  public Network open(Backend backend) {
    Model model;
    try {
      if (!Models.names().contains(description.model())) {
        throw new IllegalArgumentException(
            "there is no model "
                + quoted(description.model())
                + "; models: "
                + String.join(", ", Models.names()));
      }
      model =
          Models.create(description.model(), description.input(), description.classNames().size());
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new RunFileException(file + ": " + e.getMessage(), e);
    }
    return open(backend, model);
  }

  /** Like {@link #open(Backend)} for a model of one's own, which must be the one that was saved. */
  public Network open(Backend backend, Model model) {
    // Before anything is allocated: sizes in the file must not decide how much memory is used.
    requireTensors(model);
    Network network = new Network(backend, model, 0);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      for (NamedTensor tensor : network.tensors()) {
        tensor.value().upload(values(channel, tensor.name()));
      }
      network.valuesWritten();
      return network;
    } catch (IOException e) {
      network.close();
      throw new RunFileException("cannot read " + file + ": " + WholeFile.reason(e, file), e);
    } catch (RuntimeException | Error e) {
      network.close();
      throw e;
    }
  }

  private void requireTensors(Model model) {
    Map<String, List<Integer>> expected = new LinkedHashMap<>();
    try {
      for (List<TensorSpec> specs : List.of(model.parameters(), model.state())) {
        for (TensorSpec spec : specs) {
          expected.put(spec.name(), spec.dims());
        }
      }
    } catch (ArithmeticException e) {
      throw new RunFileException(
          "%s: its input shape %s is too large for model %s"
              .formatted(file, description.input(), quoted(description.model())),
          e);
    }
    expected.forEach(
        (name, dims) -> {
          SafetensorsHeader.Tensor found = tensors.get(name);
          if (found == null) {
            throw new RunFileException(
                "%s lacks the tensor %s that model %s has".formatted(file, name, model.name()));
          }
          if (!found.dims().equals(dims.stream().map(Integer::longValue).toList())) {
            throw new RunFileException(
                "%s: tensor %s has the shape %s, expected %s for model %s"
                    .formatted(file, name, found.dims(), dims, model.name()));
          }
        });
    List<String> extra = new ArrayList<>(tensors.keySet());
    extra.removeAll(expected.keySet());
    if (!extra.isEmpty()) {
      throw new RunFileException(
          "%s has the tensor %s, which model %s has not"
              .formatted(file, quoted(extra.getFirst()), model.name()));
    }
  }

  /** Bytes to read at once of so many floats, which may be more bytes than an int counts. */
  static int pieceBytes(int floats) {
    return (int) Math.min(COPY_BYTES, (long) floats * Float.BYTES);
  }

  private float[] values(FileChannel channel, String name) throws IOException {
    SafetensorsHeader.Tensor tensor = tensors.get(name);
    float[] values = new float[Math.toIntExact((tensor.end() - tensor.begin()) / Float.BYTES)];
    ByteBuffer bytes = ByteBuffer.allocate(COPY_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    long position = dataStart + tensor.begin();
    int done = 0;
    while (done < values.length) {
      bytes.clear().limit(pieceBytes(values.length - done));
      while (bytes.hasRemaining()) {
        int read = channel.read(bytes, position);
        if (read < 0) {
          throw new RunFileException(file + " became shorter while it was read");
        }
        position += read;
      }
      bytes.flip();
      while (bytes.hasRemaining()) {
        float value = bytes.getFloat();
        if (!Float.isFinite(value)) {
          throw new RunFileException(
              "%s: element %d of tensor %s is %s, expected a finite number"
                  .formatted(file, done, name, value));
        }
        values[done++] = value;
      }
    }
    return values;
  }
}
