package dev.rais.train;

import dev.rais.backend.Precision;
import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.nn.NamedTensor;
import dev.rais.nn.Network;
import dev.rais.nn.Parameter;
import dev.rais.nn.StateTensor;
import dev.rais.sampling.ElementType;
import dev.rais.sampling.SamplerState;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * A run between two of its steps: all that {@link Trainer} needs to go on as if it had never
 * stopped. As a file it is in the safetensors format: parameters and running statistics under their
 * own names, the parameters' velocities behind {@code momentum.}, the arrays of the sampler's state
 * behind {@code sampler.}, {@code draws}, how often each example was trained on, and as metadata
 * the configuration, the counters, the evaluations so far and what it was made with.
 */
public final class Checkpoint {
  private static final String FORMAT = "rais-checkpoint";
  private static final String VERSION = "3";
  private static final String MOMENTUM = "momentum.";
  private static final String SAMPLER = "sampler.";
  private static final String DRAWS = "draws";

  private static final int BLOCK = 4096;

  private static final ValueLayout.OfFloat LITTLE_ENDIAN_FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /**
   * Where a run stands.
   *
   * @param iteration minibatches trained
   * @param forwardExamples examples sent forward, evaluations apart
   * @param backwardExamples examples sent backward
   * @param learningRate η of the last minibatch
   * @param loss running mean of the minibatch loss
   * @param nextEpoch examples trained / n at which the next evaluation is due
   * @param nextTenth tenth of the schedule at which the next evaluation is due
   * @param trainingNanos nanoseconds spent training
   * @param samplerNanos those of them spent by the sampler
   * @param inputNanos those of them spent waiting for input
   * @param totalNanos nanoseconds of the run, evaluations included
   * @param skipped minibatches left out because they were not finite
   * @param skippedInARow those of them since the last that was trained
   * @param rateHalvings how often the learning rate was halved
   */
  record Counters(
      long iteration,
      long forwardExamples,
      long backwardExamples,
      double learningRate,
      double loss,
      double nextEpoch,
      int nextTenth,
      long trainingNanos,
      long samplerNanos,
      long inputNanos,
      long totalNanos,
      long skipped,
      int skippedInARow,
      int rateHalvings) {

    Counters {
      long least = iteration;
      for (long count :
          new long[] {
            forwardExamples,
            backwardExamples,
            nextTenth,
            trainingNanos,
            samplerNanos,
            inputNanos,
            totalNanos,
            skipped,
            skippedInARow,
            rateHalvings
          }) {
        least = Math.min(least, count);
      }
      if (least < 0 || !(nextEpoch >= 0 && nextEpoch < Double.POSITIVE_INFINITY)) {
        throw new IllegalArgumentException(
            "counters: one is negative or not finite: least %d, next epoch %s"
                .formatted(least, nextEpoch));
      }
    }
  }

  /**
   * What a network keeps from step to step, each array flat as in the network.
   *
   * @param values parameters
   * @param velocities of the momentum
   * @param state running statistics
   */
  record Arrays(float[] values, float[] velocities, float[] state) {
    /** Arrays of a network's sizes, not yet filled. */
    static Arrays of(Network network) {
      int count = Math.toIntExact(network.values().count());
      int stateCount = Math.toIntExact(network.stateValues().count());
      return new Arrays(new float[count], new float[count], new float[stateCount]);
    }

    void download(Network network) {
      network.values().download(values, 0);
      network.velocities().download(velocities, 0);
      network.stateValues().download(state, 0);
    }

    void upload(Network network) {
      network.values().upload(values);
      network.valuesWritten();
      network.velocities().upload(velocities);
      network.stateValues().upload(state);
    }
  }

  private final TensorFile contents;
  private final TrainingConfig config;
  private final Counters counters;
  private final List<Metrics> history;

  private Checkpoint(
      TensorFile contents, TrainingConfig config, Counters counters, List<Metrics> history) {
    this.contents = contents;
    this.config = config;
    this.counters = counters;
    this.history = history;
  }

  /**
   * Puts a checkpoint together; the arrays are not copied.
   *
   * @param arrays parameters and what else the network keeps
   * @param history evaluations so far
   * @param draws [n] how often each example was trained on; copied
   * @param data {@link #fingerprint} of the data set
   */
  static Checkpoint of(
      TrainingConfig config,
      Counters counters,
      List<Metrics> history,
      Network network,
      Arrays arrays,
      SamplerState sampler,
      int[] draws,
      String data) {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", FORMAT);
    metadata.put("format_version", VERSION);
    metadata.put("created_by", "rais " + Version.current());
    metadata.put("backend", network.backend().description());
    metadata.put("precision", network.backend().precision().id());
    metadata.put("data", data);
    metadata.put("sampler", sampler.sampler());
    Map<String, TensorFile.Tensor> tensors = new LinkedHashMap<>();
    for (Parameter parameter : network.parameters()) {
      tensors.put(parameter.name(), tensor(parameter, arrays.values()));
    }
    for (StateTensor state : network.state()) {
      tensors.put(state.name(), tensor(state, arrays.state()));
    }
    for (Parameter parameter : network.parameters()) {
      tensors.put(MOMENTUM + parameter.name(), tensor(parameter, arrays.velocities()));
    }
    sampler
        .arrays()
        .forEach(
            (name, array) -> {
              long count = array.values().byteSize() / array.type().numBytes();
              tensors.put(
                  SAMPLER + name,
                  new TensorFile.Tensor(array.type(), List.of(count), array.values()));
            });
    tensors.put(DRAWS, DrawCounts.tensor(draws.clone()));
    return new Checkpoint(
        new TensorFile(metadata, tensors), config, counters, List.copyOf(history));
  }

  private static TensorFile.Tensor tensor(NamedTensor tensor, float[] flat) {
    return new TensorFile.Tensor(
        ElementType.F32,
        tensor.dims().stream().map(Integer::longValue).toList(),
        MemorySegment.ofArray(flat)
            .asSlice(tensor.offset() * Float.BYTES, tensor.count() * Float.BYTES));
  }

  /** What tells one data set from another: its sizes and a checksum of its training images. */
  static String fingerprint(Dataset data) {
    ImageSet train = data.train();
    CRC32C crc = new CRC32C();
    for (ImageSet part : List.of(train, data.test())) {
      crc.update(part.pixels());
      ByteBuffer labels = ByteBuffer.allocate(4 * part.count()).order(ByteOrder.LITTLE_ENDIAN);
      labels.asIntBuffer().put(part.labels());
      crc.update(labels);
    }
    // It is compared with what was written under another locale.
    return String.format(
        Locale.ROOT,
        "%d training and %d test images of %dx%dx%d in %d classes, CRC-32C %08x",
        train.count(),
        data.test().count(),
        train.height(),
        train.width(),
        train.channels(),
        data.numClasses(),
        crc.getValue());
  }

  /**
   * Writes the checkpoint; the file appears whole or not at all.
   *
   * @throws RunFileException if that fails, or the network has values that are not finite
   */
  public void write(Path file) {
    if (!isFinite()) {
      throw new RunFileException(
          "no checkpoint of iteration %d is written: the network has values that are not finite"
              .formatted(iteration()));
    }
    // Here and not in the snapshot, for which training waits.
    RunJson json = new RunJson();
    Map<String, String> metadata = new LinkedHashMap<>(contents.metadata());
    metadata.put("config", json.line(config));
    metadata.put("counters", json.line(counters));
    metadata.put("metrics", json.line(history));
    new TensorFile(metadata, contents.tensors()).write(file);
  }

  /**
   * Reads a checkpoint.
   *
   * @throws RunFileException if the file cannot be read, is damaged, or is none
   */
  public static Checkpoint read(Path file) {
    TensorFile contents = TensorFile.read(file);
    Map<String, String> metadata = contents.metadata();
    if (!FORMAT.equals(metadata.get("format"))) {
      throw new RunFileException(file + " is a safetensors file, but no checkpoint of RAIS");
    }
    if (!VERSION.equals(metadata.get("format_version"))) {
      throw new RunFileException(
          "%s has the format version %s, expected %s; use the RAIS that wrote it"
              .formatted(file, metadata.get("format_version"), VERSION));
    }
    RunJson json = new RunJson();
    try {
      for (String key : List.of("backend", "data", "sampler", "config", "counters", "metrics")) {
        Objects.requireNonNull(metadata.get(key), key);
      }
      return new Checkpoint(
          contents,
          json.read(metadata.get("config"), TrainingConfig.class),
          json.read(metadata.get("counters"), Counters.class),
          List.of(json.read(metadata.get("metrics"), Metrics[].class)));
    } catch (IllegalArgumentException | NullPointerException e) {
      throw new RunFileException(
          "%s: its metadata has no valid %s".formatted(file, e.getMessage()), e);
    }
  }

  /**
   * How often each example was trained on.
   *
   * @throws RunFileException if there are not n such counts
   */
  int[] draws(int n) {
    return DrawCounts.ints(contents, DRAWS, n);
  }

  /** The run's configuration. */
  public TrainingConfig config() {
    return config;
  }

  /** Minibatches trained. */
  public long iteration() {
    return counters.iteration();
  }

  /** Whether all parameters, velocities and running statistics are finite numbers. */
  boolean isFinite() {
    return contents.tensors().entrySet().parallelStream()
        .filter(e -> e.getValue().type() == ElementType.F32 && !e.getKey().startsWith(SAMPLER))
        .allMatch(e -> isFinite(e.getValue().values()));
  }

  /** 0 times a number is 0, 0 times anything else is NaN; in sums that C2 can vectorise. */
  private static boolean isFinite(MemorySegment floats) {
    float[] block = new float[BLOCK];
    float[] sums = new float[BLOCK];
    long count = floats.byteSize() / Float.BYTES;
    for (long at = 0; at < count; at += BLOCK) {
      int here = (int) Math.min(BLOCK, count - at);
      MemorySegment.copy(floats, LITTLE_ENDIAN_FLOAT, at * Float.BYTES, block, 0, here);
      for (int i = 0; i < here; i++) {
        sums[i] += 0 * block[i];
      }
    }
    float sum = 0;
    for (float partial : sums) {
      sum += partial;
    }
    return sum == 0;
  }

  /** Evaluations so far. */
  public List<Metrics> history() {
    return history;
  }

  /** What computed, with versions; another one may round differently. */
  public String backend() {
    return contents.metadata().get("backend");
  }

  /** What was computed in; empty where that was not written yet. */
  public Optional<Precision> precision() {
    return Precision.of(contents.metadata().getOrDefault("precision", ""));
  }

  /**
   * Refuses a precision whose activations have another type. TF32 is float that may be rounded on
   * the way, so that either may go on with the other.
   */
  void requireActivationsOf(Precision here) {
    Precision begun = precision().orElse(here);
    if (here.activations() != begun.activations()) {
      throw new RunFileException(
          "precision is %s, but the run was begun with %s".formatted(here.id(), begun.id()));
    }
  }

  /** What the data set was, see {@link #fingerprint}. */
  String data() {
    return contents.metadata().get("data");
  }

  Counters counters() {
    return counters;
  }

  /** The sampler's state. */
  SamplerState sampler() {
    Map<String, SamplerState.Array> arrays = new LinkedHashMap<>();
    contents
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (name.startsWith(SAMPLER)) {
                arrays.put(
                    name.substring(SAMPLER.length()),
                    new SamplerState.Array(tensor.type(), tensor.values()));
              }
            });
    return new SamplerState(contents.metadata().get("sampler"), arrays);
  }

  /**
   * The network's arrays.
   *
   * @throws RunFileException if they are not those of this network
   */
  Arrays arrays(Network network) {
    Arrays arrays = Arrays.of(network);
    for (Parameter parameter : network.parameters()) {
      read(parameter.name(), parameter, arrays.values());
      read(MOMENTUM + parameter.name(), parameter, arrays.velocities());
    }
    for (StateTensor state : network.state()) {
      read(state.name(), state, arrays.state());
    }
    return arrays;
  }

  private void read(String name, NamedTensor wanted, float[] flat) {
    TensorFile.Tensor tensor = contents.tensors().get(name);
    List<Long> dims = wanted.dims().stream().map(Integer::longValue).toList();
    if (tensor == null || tensor.type() != ElementType.F32 || !tensor.dims().equals(dims)) {
      throw new RunFileException(
          "the checkpoint has %s for %s, the network needs %s of F32"
              .formatted(
                  tensor == null ? "nothing" : tensor.dims() + " of " + tensor.type(), name, dims));
    }
    MemorySegment.copy(
        tensor.values(),
        LITTLE_ENDIAN_FLOAT,
        0,
        flat,
        Math.toIntExact(wanted.offset()),
        Math.toIntExact(wanted.count()));
  }
}
