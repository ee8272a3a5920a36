package dev.rais.bench.checkpoint;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.bench.Bench;
import dev.rais.bench.BenchException;
import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.train.Checkpoint;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Saves a run of a large network and a large data set, in turns with writing the same bytes from
 * memory to a file and syncing it, which is the least that saving can cost.
 */
@Command(
    name = "checkpoint",
    description = "time to write a checkpoint, over a plain copy's, and how long training waits",
    mixinStandardHelpOptions = true)
public final class CheckpointBench implements Bench {
  private static final int SIDE = 32;
  private static final int CHANNELS = 3;
  private static final int CLASSES = 10;

  /**
   * The last line with --json; medians unless said otherwise.
   *
   * @param numBytes of a checkpoint
   * @param writeSeconds from the snapshot to the synced file under its name
   * @param copySeconds to write and sync the same bytes from memory
   * @param writeOverCopy median of the turns' ratios
   * @param stallMillis for which training waits while the snapshot is taken
   * @param mostStallMillis the longest, the first ones of the run included
   */
  record Result(
      String bench,
      String model,
      int examples,
      long numBytes,
      double writeSeconds,
      double copySeconds,
      double writeOverCopy,
      double stallMillis,
      double mostStallMillis) {}

  @Spec private CommandSpec spec;

  @Option(
      names = "--model",
      paramLabel = "NAME",
      defaultValue = "resnet18",
      description = "(default ${DEFAULT-VALUE})")
  private String model;

  @Option(
      names = "--examples",
      paramLabel = "N",
      defaultValue = "50000",
      description = "the sampler's (default ${DEFAULT-VALUE})")
  private int examples;

  @Option(
      names = "--turns",
      paramLabel = "N",
      defaultValue = "41",
      description = "checkpoints and copies (default ${DEFAULT-VALUE})")
  private int turns;

  @Option(
      names = "--folder",
      paramLabel = "DIR",
      description = "where the files are written for a while (default: the working directory)")
  private Path folder = Path.of("");

  @Option(names = "--json", description = "print one JSON object as the last line")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    Path files = Files.createTempDirectory(folder.toAbsolutePath(), "checkpoint-bench");
    Path saved = files.resolve("saved");
    Path copied = files.resolve("copied");
    try {
      Result result = measure(saved, copied);
      PrintWriter out = spec.commandLine().getOut();
      out.println(json ? new ObjectMapper().writeValueAsString(result) : text(result));
      return 0;
    } catch (JsonProcessingException e) {
      throw new BenchException("the result cannot be written as JSON: " + e.getMessage(), e);
    } finally {
      Files.deleteIfExists(saved);
      Files.deleteIfExists(copied);
      Files.delete(files);
    }
  }

  private static String text(Result r) {
    return String.format(
        Locale.ROOT,
        "%s, %,d examples, %,d bytes: written in %.3f s, %.2f times a copy's %.3f s; training"
            + " waits %.1f ms, at most %.1f ms",
        r.model(),
        r.examples(),
        r.numBytes(),
        r.writeSeconds(),
        r.writeOverCopy(),
        r.copySeconds(),
        r.stallMillis(),
        r.mostStallMillis());
  }

  private Result measure(Path saved, Path copied) throws IOException {
    double[] writes = new double[turns];
    double[] copies = new double[turns];
    double[] ratios = new double[turns];
    double[] stalls = new double[turns];
    TrainingConfig config =
        TrainingConfig.builder("noise", model, "rais").batchSize(4).epochs(1).build();
    long numBytes = 0;
    ByteBuffer bytes = null;
    try (Backend backend =
            Backends.open("cpu", Runtime.getRuntime().availableProcessors(), warning -> {});
        Trainer trainer = new Trainer(backend, noise(), config)) {
      trainer.prepareCheckpoints();
      for (int turn = 0; turn < turns; turn++) {
        trainer.advance(new TrainingListener() {});
        long begin = System.nanoTime();
        Checkpoint checkpoint = trainer.checkpoint();
        stalls[turn] = (System.nanoTime() - begin) / 1e6;
        if (turn == 0) {
          checkpoint.write(saved);
          numBytes = Files.size(saved);
          bytes = bytes(saved);
        }
        ByteBuffer copy = bytes.rewind();
        // Now the one first and now the other.
        if (turn % 2 == 0) {
          writes[turn] = seconds(() -> checkpoint.write(saved));
          copies[turn] = seconds(() -> copy(copy, copied));
        } else {
          copies[turn] = seconds(() -> copy(copy, copied));
          writes[turn] = seconds(() -> checkpoint.write(saved));
        }
        ratios[turn] = writes[turn] / copies[turn];
      }
    }
    return new Result(
        "checkpoint",
        model,
        examples,
        numBytes,
        median(writes),
        median(copies),
        median(ratios),
        median(stalls),
        Arrays.stream(stalls).max().orElseThrow());
  }

  private interface Action {
    void run() throws IOException;
  }

  private static double seconds(Action action) throws IOException {
    long begin = System.nanoTime();
    action.run();
    return (System.nanoTime() - begin) / 1e9;
  }

  private static ByteBuffer bytes(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteBuffer bytes = ByteBuffer.allocateDirect(Math.toIntExact(channel.size()));
      while (bytes.hasRemaining()) {
        channel.read(bytes);
      }
      return bytes.flip();
    }
  }

  private static void copy(ByteBuffer bytes, Path file) throws IOException {
    // As a checkpoint is: a new file that takes the place of an older one.
    Path fresh = file.resolveSibling("fresh");
    try (FileChannel channel =
        FileChannel.open(fresh, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      channel.force(true);
    }
    Files.move(fresh, file, StandardCopyOption.REPLACE_EXISTING);
  }

  private Dataset noise() {
    byte[] pixels = new byte[examples * SIDE * SIDE * CHANNELS];
    new Random(1).nextBytes(pixels);
    int[] labels = IntStream.range(0, examples).map(i -> i % CLASSES).toArray();
    ImageSet images = new ImageSet(SIDE, SIDE, CHANNELS, pixels, labels);
    return new Dataset(
        "noise",
        images,
        images.slice(0, 100),
        IntStream.range(0, CLASSES).mapToObj(Integer::toString).toList());
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
  }
}
