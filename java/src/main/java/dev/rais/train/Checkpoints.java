package dev.rais.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The checkpoints of a run directory, in its folder {@code checkpoints}: written by a thread of
 * their own while training goes on, the last few kept.
 *
 * <p>One that cannot be written, say because the disk is full, does not end the run: those before
 * it are still there.
 */
public final class Checkpoints implements AutoCloseable {
  /** The folder within the run's. */
  public static final String FOLDER = "checkpoints";

  private static final Pattern NAME = Pattern.compile("\\d{10,19}\\.safetensors");
  private static final Pattern PARTIAL = Pattern.compile("\\.\\d{10,19}\\.safetensors\\.part");

  private final Path folder;
  private final CheckpointInterval interval;
  private final int keep;
  private final Consumer<String> warnings;
  private final ExecutorService writer =
      Executors.newSingleThreadExecutor(
          Thread.ofPlatform().daemon().name("rais-checkpoints").factory());
  private Future<?> writing;
  private double lastEpochs;
  private final LongSupplier nanos;
  private long lastNanos;

  /**
   * Prepares to write.
   *
   * @param run the run's folder
   * @param keep how many are kept, at least 1
   * @param warnings is told, by any thread, what could not be written
   */
  public Checkpoints(Path run, CheckpointInterval interval, int keep, Consumer<String> warnings) {
    this(run, interval, keep, warnings, System::nanoTime);
  }

  /**
   * The same by another clock.
   *
   * @param nanos its time in nanoseconds, of which only differences count
   */
  Checkpoints(
      Path run,
      CheckpointInterval interval,
      int keep,
      Consumer<String> warnings,
      LongSupplier nanos) {
    this.folder = run.resolve(FOLDER);
    this.interval = interval;
    this.keep = keep;
    this.warnings = warnings;
    this.nanos = nanos;
    lastNanos = nanos.getAsLong();
  }

  /** After each step: begins to write a checkpoint if one is due and none is being written. */
  public void stepped(Trainer trainer) {
    boolean idle = writing == null || writing.isDone();
    if (idle && interval.isDue(trainer.epochs() - lastEpochs, nanos.getAsLong() - lastNanos)) {
      begin(trainer);
    }
  }

  /**
   * Takes epochs trained before this process as saved. A run that may have to go back to a
   * checkpoint gets one to begin with.
   *
   * @throws RunFileException if that cannot be written
   */
  public void startAt(Trainer trainer) {
    lastEpochs = trainer.epochs();
    trainer.prepareCheckpoints();
    if (trainer.rollsBack() && list(folder.getParent()).isEmpty()) {
      writeNow(trainer);
    }
  }

  /**
   * Takes a run that diverged back to its newest checkpoint, with half the learning rate, if it is
   * configured so; what it recorded since is gone from its folder.
   *
   * @return whether it can go on; not where its rate was halved {@link Trainer#MOST_HALVINGS} times
   */
  public boolean rollBack(Trainer trainer, RunDirectory run, DivergedException why) {
    await();
    Optional<Checkpoint> newest =
        trainer.rollsBack() ? newest(folder.getParent(), warnings) : Optional.empty();
    if (newest.isEmpty()) {
      return false;
    }
    trainer.rollBack(newest.get());
    run.rewind(newest.get());
    lastEpochs = trainer.epochs();
    warnings.accept(
        "%s; back at iteration %d with half the learning rate"
            .formatted(why.getMessage(), newest.get().iteration()));
    return true;
  }

  private void begin(Trainer trainer) {
    lastEpochs = trainer.epochs();
    lastNanos = nanos.getAsLong();
    Checkpoint checkpoint = trainer.checkpoint();
    writing =
        writer.submit(
            () -> {
              try {
                write(checkpoint);
              } catch (RunFileException e) {
                warnings.accept(e.getMessage() + "; training goes on");
              } catch (OutOfMemoryError e) {
                warnings.accept(
                    "no memory is left to write a checkpoint (%s); training goes on"
                        .formatted(e.getMessage()));
              }
            });
  }

  /**
   * Writes a checkpoint of the present state and waits for it.
   *
   * @return where it is
   * @throws RunFileException if it cannot be written
   */
  public Path writeNow(Trainer trainer) {
    await();
    return write(trainer.checkpoint());
  }

  private Path write(Checkpoint checkpoint) {
    // Digits that the pattern knows, wherever the program runs.
    Path file =
        folder.resolve(String.format(Locale.ROOT, "%010d.safetensors", checkpoint.iteration()));
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new RunFileException(
          "cannot make the folder %s: %s".formatted(folder, WholeFile.reason(e, folder)), e);
    }
    checkpoint.write(file);
    List<Path> all = list(folder.getParent());
    // Those of later iterations are damaged, or the run went back behind them: they must not take
    // the place of good ones, nor be what it goes on from.
    Path name = file.getFileName();
    int end = (int) all.stream().filter(f -> f.getFileName().compareTo(name) <= 0).count();
    try {
      for (Path later : all.subList(end, all.size())) {
        Files.deleteIfExists(later);
      }
      for (Path old : all.subList(0, Math.max(0, end - keep))) {
        Files.deleteIfExists(old);
      }
    } catch (IOException e) {
      warnings.accept(
          "cannot delete an old checkpoint in %s: %s"
              .formatted(folder, WholeFile.reason(e, folder)));
    }
    return file;
  }

  /** Waits for a checkpoint that is being written. */
  void await() {
    if (writing == null) {
      return;
    }
    boolean interrupted = false;
    while (true) {
      try {
        writing.get();
        break;
      } catch (InterruptedException e) {
        interrupted = true; // the file is nearly there
      } catch (ExecutionException e) {
        if (e.getCause() instanceof Error error) {
          throw error; // above all, no memory
        }
        throw new IllegalStateException("writing a checkpoint failed", e.getCause());
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** The checkpoints in a run's folder, oldest first. */
  public static List<Path> list(Path run) {
    return matching(run, NAME);
  }

  private static List<Path> matching(Path run, Pattern name) {
    try (Stream<Path> files = Files.list(run.resolve(FOLDER))) {
      return files
          .filter(f -> name.matcher(f.getFileName().toString()).matches())
          .sorted()
          .toList();
    } catch (NoSuchFileException e) {
      return List.of();
    } catch (IOException e) {
      throw new RunFileException(
          "cannot list %s: %s".formatted(run.resolve(FOLDER), WholeFile.reason(e, run)), e);
    }
  }

  /** Removes all checkpoints of a run, and what an interrupted one left. */
  static void clear(Path run) throws IOException {
    for (Path file : list(run)) {
      Files.delete(file);
    }
    clearPartial(run);
    if (RunDirectory.isEmptyFolder(run.resolve(FOLDER))) {
      Files.delete(run.resolve(FOLDER));
    }
  }

  /** Removes what a process left that was killed while it wrote. */
  static void clearPartial(Path run) throws IOException {
    for (Path file : matching(run, PARTIAL)) {
      Files.deleteIfExists(file);
    }
  }

  /**
   * The newest checkpoint that is whole.
   *
   * @param run the run's folder
   * @param warnings is told of those that are damaged
   * @return nothing if there is none
   */
  public static Optional<Checkpoint> newest(Path run, Consumer<String> warnings) {
    for (Path file : list(run).reversed()) {
      try {
        return Optional.of(Checkpoint.read(file));
      } catch (RunFileException e) {
        warnings.accept(e.getMessage() + "; the one before it is tried");
      }
    }
    return Optional.empty();
  }

  /** Waits for a checkpoint that is being written. */
  @Override
  public void close() {
    writer.close();
  }
}
