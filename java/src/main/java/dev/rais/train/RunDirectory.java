package dev.rais.train;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Iterator;
import java.util.List;

/**
 * The files a run leaves behind: config.json and metrics.jsonl from its beginning, summary.json,
 * model.safetensors and draws.safetensors at its end.
 *
 * <p>Closed without {@link #finish} or {@link #saveLastGood}, it takes back what was begun, so that
 * a failed run leaves nothing; but where there are checkpoints, so that it can go on, everything
 * stays. Files of an earlier run in the same folder are replaced.
 */
public final class RunDirectory implements AutoCloseable {
  /** The run's {@link TrainingConfig}. */
  public static final String CONFIG = "config.json";

  /** One {@link Metrics} a line, written as they come. */
  public static final String METRICS = "metrics.jsonl";

  /** The run's {@link Summary}. */
  public static final String SUMMARY = "summary.json";

  /** The network, as {@link ModelFile} writes it. */
  public static final String MODEL = "model.safetensors";

  /** How often each example was trained on: {@link DrawCounts}. */
  public static final String DRAWS = "draws.safetensors";

  /** Why a run ended without a summary: {@link Divergence}. */
  public static final String DIVERGED = "diverged.json";

  /** What a run leaves at its end. */
  private static final List<String> LAST = List.of(SUMMARY, MODEL, DRAWS, DIVERGED);

  /**
   * The end of a run whose loss was no longer finite.
   *
   * @param iteration minibatches trained
   * @param lastGoodIteration those of the state that was saved
   * @param epochs real epochs by then
   * @param message for people
   */
  public record Divergence(long iteration, long lastGoodIteration, double epochs, String message) {}

  private final Path directory;
  private final Path topmostCreated;
  private final RunJson json = new RunJson();
  private RunLock lock;
  private FileChannel metrics;
  private boolean begun;
  private boolean kept;

  private RunDirectory(Path directory, Path topmostCreated) {
    this.directory = directory;
    this.topmostCreated = topmostCreated;
  }

  /**
   * Says early whether a run could write to {@code directory}; touches nothing.
   *
   * @throws RunFileException with the reason if not
   */
  public static void requireWritable(Path directory) {
    Path existing = directory.toAbsolutePath();
    while (existing.getParent() != null && Files.notExists(existing)) {
      existing = existing.getParent();
    }
    if (!Files.isDirectory(existing)) {
      throw new RunFileException(
          "cannot write a run to %s: %s is no folder".formatted(directory, existing));
    }
    if (!Files.isWritable(existing)) {
      throw new RunFileException(
          "cannot write a run to %s: %s may not be written to".formatted(directory, existing));
    }
  }

  /** Says whether a folder holds a run that was interrupted and can go on. */
  public static boolean isInterrupted(Path directory) {
    return !Files.exists(directory.resolve(SUMMARY)) && !Checkpoints.list(directory).isEmpty();
  }

  /**
   * Makes the folder where need be and begins the run's files there.
   *
   * @throws RunFileException if that fails, or another process is at work there; nothing is then
   *     left behind
   */
  public static RunDirectory create(Path directory, TrainingConfig config) {
    requireWritable(directory);
    RunDirectory run = new RunDirectory(directory, topmostMissing(directory));
    try {
      try {
        Files.createDirectories(directory);
        run.lock = RunLock.take(directory);
        run.begun = true;
        for (String name : LAST) {
          Files.deleteIfExists(directory.resolve(name));
        }
        Checkpoints.clear(directory);
        run.metrics =
            FileChannel.open(
                directory.resolve(METRICS),
                StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.WRITE);
      } catch (IOException e) {
        throw new RunFileException(
            "cannot write a run to %s: %s".formatted(directory, WholeFile.reason(e, directory)), e);
      }
      run.write(CONFIG, run.json.document(config));
      return run;
    } catch (Throwable e) {
      try {
        run.close();
      } catch (Throwable second) {
        e.addSuppressed(second);
      }
      throw e;
    }
  }

  /**
   * Removes a run's files, its checkpoints too; what others put into its folder stays.
   *
   * @throws RunFileException if that fails, or another process is at work there
   */
  public static void remove(Path directory) {
    if (!Files.isDirectory(directory)) {
      return;
    }
    try (RunDirectory run = new RunDirectory(directory, null)) {
      run.lock = RunLock.take(directory);
      run.begun = true;
      Checkpoints.clear(directory);
    } catch (IOException e) {
      throw new RunFileException(
          "cannot remove the run in %s: %s".formatted(directory, WholeFile.reason(e, directory)),
          e);
    }
  }

  /**
   * The summary of a finished run.
   *
   * @throws RunFileException if it cannot be read
   */
  public static Summary summary(Path directory) {
    Path file = directory.resolve(SUMMARY);
    try {
      return new RunJson().read(Files.readString(file), Summary.class);
    } catch (IOException e) {
      throw new RunFileException(
          "cannot read %s: %s".formatted(file, WholeFile.reason(e, file)), e);
    } catch (IllegalArgumentException e) {
      throw new RunFileException("%s is %s".formatted(file, e.getMessage()), e);
    }
  }

  /**
   * Goes on with an interrupted run: its metrics become those of the checkpoint.
   *
   * @param config the run's, from now on
   * @throws RunFileException if that fails, or another process is at work there
   */
  public static RunDirectory resume(Path directory, TrainingConfig config, Checkpoint checkpoint) {
    requireWritable(directory);
    RunDirectory run = new RunDirectory(directory, null);
    run.kept = true;
    run.lock = RunLock.take(directory);
    try {
      Checkpoints.clearPartial(directory);
      Files.deleteIfExists(directory.resolve(DIVERGED));
      run.rewind(checkpoint);
      run.write(CONFIG, run.json.document(config));
      return run;
    } catch (IOException e) {
      run.close();
      throw new RunFileException(
          "cannot go on in %s: %s".formatted(directory, WholeFile.reason(e, directory)), e);
    } catch (Throwable e) {
      run.close();
      throw e;
    }
  }

  /** Makes the metrics those of a checkpoint; what comes is added to them. */
  void rewind(Checkpoint checkpoint) {
    Path file = directory.resolve(METRICS);
    StringBuilder lines = new StringBuilder();
    checkpoint.history().forEach(m -> lines.append(json.line(m)).append('\n'));
    write(METRICS, lines.toString());
    try {
      if (metrics != null) {
        metrics.close();
      }
      metrics = FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new RunFileException(
          "cannot write %s: %s".formatted(file, WholeFile.reason(e, file)), e);
    }
  }

  /** Leaves the files as they are although the run is not finished: it can be resumed. */
  public void keep() {
    kept = true;
  }

  private static Path topmostMissing(Path directory) {
    Path missing = null;
    for (Path at = directory.toAbsolutePath().normalize();
        at != null && Files.notExists(at);
        at = at.getParent()) {
      missing = at;
    }
    return missing;
  }

  /** Where the files are. */
  public Path path() {
    return directory;
  }

  /** Adds an evaluation to metrics.jsonl; whoever reads the file sees it at once. */
  public void add(Metrics evaluation) {
    try {
      byte[] line = (json.line(evaluation) + "\n").getBytes(StandardCharsets.UTF_8);
      writeAll(metrics, ByteBuffer.wrap(line));
    } catch (IOException e) {
      Path file = directory.resolve(METRICS);
      throw new RunFileException(
          "cannot write %s: %s".formatted(file, WholeFile.reason(e, file)), e);
    }
  }

  /** Writes the trained network, the counts of draws and the summary: the run is complete. */
  public void finish(Trainer trainer, ModelFile.Description description) {
    ModelFile.write(directory.resolve(MODEL), trainer.network(), description);
    new DrawCounts(trainer.draws(), trainer.fingerprint()).write(directory.resolve(DRAWS));
    write(SUMMARY, json.document(trainer.summary()));
    kept = true;
  }

  /**
   * Writes what is left of a run that diverged: the network, which is back at its last good state.
   *
   * @return where it was written
   */
  public Path saveLastGood(
      Trainer trainer, ModelFile.Description description, DivergedException why) {
    Path file = directory.resolve(MODEL);
    ModelFile.write(file, trainer.network(), description);
    new DrawCounts(trainer.draws(), trainer.fingerprint()).write(directory.resolve(DRAWS));
    write(
        DIVERGED,
        json.document(
            new Divergence(
                why.iteration(), why.lastGoodIteration(), trainer.epochs(), why.getMessage())));
    kept = true;
    return file;
  }

  private void write(String name, String text) {
    writeText(directory.resolve(name), text);
  }

  /**
   * Writes a text as a file that appears whole or not at all.
   *
   * @throws RunFileException if that fails
   */
  public static void writeText(Path file, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    WholeFile.write(file, channel -> writeAll(channel, ByteBuffer.wrap(bytes)));
  }

  /**
   * Writes lines as a file that appears whole or not at all, without keeping them in memory.
   *
   * @param lines without their ends
   * @throws RunFileException if that fails
   */
  public static void writeLines(Path file, Iterator<String> lines) {
    WholeFile.write(
        file,
        channel -> {
          // Not to be closed: the channel is not ours.
          Writer writer = new BufferedWriter(Channels.newWriter(channel, StandardCharsets.UTF_8));
          while (lines.hasNext()) {
            writer.append(lines.next()).append('\n');
          }
          writer.flush();
        });
  }

  static void writeAll(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  @Override
  public void close() {
    try {
      if (metrics != null) {
        metrics.close();
      }
      kept = kept || begun && !Checkpoints.list(directory).isEmpty();
      if (!kept) {
        takeBackFiles();
      }
    } catch (IOException e) {
      throw new RunFileException(
          "cannot tidy up %s: %s".formatted(directory, WholeFile.reason(e, directory)), e);
    } finally {
      if (lock != null) {
        lock.close();
      }
    }
    if (!kept) {
      takeBackFolders();
    }
  }

  private void takeBackFiles() throws IOException {
    if (begun) {
      Checkpoints.clear(directory);
      for (String name : List.of(CONFIG, METRICS, SUMMARY, MODEL, DRAWS, DIVERGED)) {
        Path file = directory.resolve(name);
        // A folder of that name is not ours.
        if (!Files.isDirectory(file)) {
          Files.deleteIfExists(file);
        }
      }
    }
  }

  /** Only folders made here, and only while nobody has put anything into them. */
  private void takeBackFolders() {
    if (topmostCreated == null) {
      return;
    }
    try {
      for (Path at = directory.toAbsolutePath().normalize();
          at.startsWith(topmostCreated) && isEmptyFolder(at);
          at = at.getParent()) {
        Files.delete(at);
      }
    } catch (IOException e) {
      throw new RunFileException(
          "cannot tidy up %s: %s".formatted(directory, WholeFile.reason(e, directory)), e);
    }
  }

  static boolean isEmptyFolder(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return false;
    }
    try (var entries = Files.list(folder)) {
      return entries.findAny().isEmpty();
    }
  }
}
