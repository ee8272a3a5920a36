package dev.rais.report;

import dev.rais.backend.Backend;
import dev.rais.data.Dataset;
import dev.rais.train.Checkpoint;
import dev.rais.train.CheckpointInterval;
import dev.rais.train.Checkpoints;
import dev.rais.train.DivergedException;
import dev.rais.train.DrawCounts;
import dev.rais.train.Metrics;
import dev.rais.train.ModelFile;
import dev.rais.train.RunDirectory;
import dev.rais.train.RunFileException;
import dev.rais.train.RunRecord;
import dev.rais.train.Samplers;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Trains the same network from the same initial weights with several samplers, for several seeds.
 *
 * <p>The runs of a seed take turns of about a second, so that a machine that is slow for a while is
 * so for all of them; a run's time is that of its own turns. A run of {@code uniform-short}, whose
 * schedule is shortened to the minibatches that RAIS took, joins them when RAIS is done.
 *
 * <p>Every run has a folder of its own, as {@code rais train} writes it. What is finished there is
 * kept and what was interrupted goes on, so the same comparison can be started again until it is
 * done.
 */
public final class Comparison {
  /** The folder of the runs. */
  public static final String RUNS = "runs";

  private static final long TURN_NANOS = 1_000_000_000;

  /** Least training before a run's time counts, so that no run pays for compiling the code. */
  private static final int WARM_UP_STEPS = 30;

  /** The configuration of a run: the same for all variants but for what they say themselves. */
  @FunctionalInterface
  public interface Configuration {
    /** A configuration with the sampler's defaults, before the variant's own options. */
    TrainingConfig.Builder of(String sampler);
  }

  private final Path runs;
  private final List<Variant> variants;
  private final int seeds;
  private final Configuration configuration;

  /**
   * A comparison.
   *
   * @param out folder of the comparison
   * @param variants what to compare; uniform, rais and uniform-short take part in any case
   * @param seeds K: seeds 0 to K − 1 are used
   * @throws IllegalArgumentException if a variant is there twice or has no valid configuration
   */
  public Comparison(Path out, List<Variant> variants, int seeds, Configuration configuration) {
    this.runs = out.resolve(RUNS);
    this.seeds = seeds;
    this.configuration = configuration;
    this.variants = complete(variants);
    this.variants.forEach(variant -> config(variant, 0));
  }

  /**
   * Uniform first, which is the reference; RAIS, which the short schedule is taken from, unless a
   * variant of it is there.
   */
  private static List<Variant> complete(List<Variant> asked) {
    List<Variant> all = new ArrayList<>();
    all.add(Variant.of(Samplers.UNIFORM));
    for (Variant variant : asked) {
      boolean plain = variant.options().isEmpty();
      if (plain
          && (variant.sampler().equals(Samplers.UNIFORM)
              || variant.sampler().equals(Samplers.UNIFORM_SHORT))) {
        continue;
      }
      if (variant.sampler().equals(Samplers.UNIFORM_SHORT)) {
        throw new IllegalArgumentException(
            "%s takes no options here: its schedule is that of RAIS"
                .formatted(Samplers.UNIFORM_SHORT));
      }
      if (all.contains(variant)) {
        throw new IllegalArgumentException("\"%s\" is listed twice".formatted(variant.label()));
      }
      all.add(variant);
    }
    if (all.stream().noneMatch(variant -> variant.sampler().equals(Samplers.RAIS))) {
      all.add(1, Variant.of(Samplers.RAIS));
    }
    return List.copyOf(all);
  }

  /** The labels of all that is compared, in the order of tables. */
  public List<String> labels() {
    List<String> labels = new ArrayList<>(variants.stream().map(Variant::label).toList());
    labels.add(1, Samplers.UNIFORM_SHORT);
    return labels;
  }

  private TrainingConfig config(Variant variant, long seed) {
    return variant.apply(configuration.of(variant.sampler()).seed(seed)).build();
  }

  private List<PlannedRun> planned(long seed) {
    return variants.stream()
        .map(variant -> PlannedRun.of(runs, variant.label(), config(variant, seed)))
        .toList();
  }

  /** The first variant of RAIS gives the length. */
  private String raisLabel() {
    return variants.stream()
        .filter(variant -> variant.sampler().equals(Samplers.RAIS))
        .findFirst()
        .orElseThrow()
        .label();
  }

  private PlannedRun shortened(long seed, RunRecord rais, int n) {
    TrainingConfig plain = configuration.of(Samplers.UNIFORM_SHORT).seed(seed).build();
    long steps = rais.summary().orElseThrow().iterations();
    double speedUp = Math.clamp((double) plain.scheduleLength(n) / steps, 1, 100);
    return PlannedRun.of(runs, Samplers.UNIFORM_SHORT, plain.toBuilder().speedUp(speedUp).build());
  }

  /**
   * Checks what is in the folder already; changes nothing.
   *
   * @throws RunFileException if it cannot be written to, or holds a damaged run or one of another
   *     configuration or data set
   */
  public void check(Dataset data) {
    RunDirectory.requireWritable(runs);
    for (long seed = 0; seed < seeds; seed++) {
      for (PlannedRun run : planned(seed)) {
        finished(run, data);
        checkpoint(run, warning -> {});
      }
      checkShortened(seed, data);
    }
  }

  /** What else would be found out only when RAIS is done. */
  private void checkShortened(long seed, Dataset data) {
    PlannedRun rais =
        planned(seed).stream()
            .filter(run -> run.label().equals(raisLabel()))
            .findFirst()
            .orElseThrow();
    Optional<RunRecord> record = finished(rais, data);
    Path folder = runs.resolve(PlannedRun.folderName(Samplers.UNIFORM_SHORT, seed));
    if (record.isEmpty() && (isOver(folder) || RunDirectory.isInterrupted(folder))) {
      throw forced(
          new RunFileException(
              "%s has the length of another run of RAIS than %s, which is not finished; list the other one first"
                  .formatted(folder, rais.directory())));
    }
    if (record.isPresent() && record.get().summary().isPresent()) {
      PlannedRun run = shortened(seed, record.get(), data.train().count());
      finished(run, data);
      checkpoint(run, warning -> {});
    }
  }

  /** The run, if it was over before. */
  private static Optional<RunRecord> finished(PlannedRun run, Dataset data) {
    Path folder = run.directory();
    if (!isOver(folder)) {
      return Optional.empty();
    }
    try {
      RunRecord record = RunRecord.read(folder);
      requireSame(run, record.config());
      String found = DrawCounts.read(folder.resolve(RunDirectory.DRAWS)).data();
      String expected = DrawCounts.fingerprint(data);
      if (!found.equals(expected)) {
        throw new RunFileException(
            "%s is a run on other data: %s, now %s".formatted(folder, found, expected));
      }
      return Optional.of(record);
    } catch (RunFileException e) {
      throw forced(e);
    }
  }

  private static boolean isOver(Path folder) {
    return Files.exists(folder.resolve(RunDirectory.SUMMARY))
        || Files.exists(folder.resolve(RunDirectory.DIVERGED));
  }

  private static Optional<Checkpoint> checkpoint(PlannedRun run, Consumer<String> warnings) {
    if (!RunDirectory.isInterrupted(run.directory())) {
      return Optional.empty();
    }
    Optional<Checkpoint> newest = Checkpoints.newest(run.directory(), warnings);
    try {
      newest.ifPresent(checkpoint -> requireSame(run, checkpoint.config()));
    } catch (RunFileException e) {
      throw forced(e);
    }
    return newest;
  }

  private static void requireSame(PlannedRun run, TrainingConfig begun) {
    try {
      run.config().requireSame(begun);
    } catch (RunFileException e) {
      throw new RunFileException(
          "%s is of another configuration: %s".formatted(run.directory(), e.getMessage()), e);
    }
  }

  private static RunFileException forced(RunFileException e) {
    return new RunFileException(
        e.getMessage() + "; choose another --out, or --force to begin all runs anew", e);
  }

  /** Before any run begins: an interruption would leave later seeds' old runs, as if finished. */
  private void removeAll() {
    for (long seed = 0; seed < seeds; seed++) {
      for (String label : labels()) {
        RunDirectory.remove(runs.resolve(PlannedRun.folderName(label, seed)));
      }
    }
  }

  /**
   * Trains what is still to be trained.
   *
   * @param force whether to begin all runs anew
   * @param stop asked after every minibatch; where it says yes, all runs under way are saved
   * @return all runs by label, or nothing if it was stopped
   * @throws RunFileException as {@link #check} does, or if a file cannot be written
   */
  public Optional<Map<String, List<RunRecord>>> run(
      Backend backend,
      Dataset data,
      CheckpointInterval interval,
      boolean force,
      ComparisonListener listener,
      BooleanSupplier stop) {
    if (force) {
      removeAll();
    } else {
      check(data);
    }
    Map<String, List<RunRecord>> records = new LinkedHashMap<>();
    labels().forEach(label -> records.put(label, new ArrayList<>()));
    boolean warm = false;
    for (long seed = 0; seed < seeds; seed++) {
      Seed all = new Seed(backend, data, interval, force, listener, seed);
      try {
        all.begin();
        if (!warm && !all.underWay.isEmpty()) {
          all.warmUp();
          warm = true;
        }
        if (!all.run(stop)) {
          return Optional.empty();
        }
        all.over.forEach((label, record) -> records.get(label).add(record));
      } finally {
        all.close();
      }
    }
    // Without a run: the short schedule of a RAIS that diverged.
    records.values().removeIf(List::isEmpty);
    return Optional.of(records);
  }

  /** The runs of one seed. */
  private final class Seed implements AutoCloseable {
    private final Backend backend;
    private final Dataset data;
    private final CheckpointInterval interval;
    private final boolean force;
    private final ComparisonListener listener;
    private final long seed;
    private final List<Turns> underWay = new ArrayList<>();
    private final Map<String, RunRecord> over = new LinkedHashMap<>();
    private boolean shortBegun;

    Seed(
        Backend backend,
        Dataset data,
        CheckpointInterval interval,
        boolean force,
        ComparisonListener listener,
        long seed) {
      this.backend = backend;
      this.data = data;
      this.interval = interval;
      this.force = force;
      this.listener = listener;
      this.seed = seed;
    }

    void begin() {
      for (PlannedRun run : planned(seed)) {
        begin(run);
      }
    }

    private void begin(PlannedRun run) {
      Optional<RunRecord> before = force ? Optional.empty() : finished(run, data);
      if (before.isPresent()) {
        ended(run, before.get());
        return;
      }
      Optional<Checkpoint> from = force ? Optional.empty() : checkpoint(run, listener::note);
      underWay.add(new Turns(run, from));
    }

    private void ended(PlannedRun run, RunRecord record) {
      over.put(run.label(), record);
      listener.over(run, record);
      if (!run.label().equals(raisLabel()) || shortBegun) {
        return;
      }
      shortBegun = true;
      if (record.summary().isPresent()) {
        begin(shortened(seed, record, data.train().count()));
      } else {
        listener.note(
            "seed %d: %s diverged, so there is no %s"
                .formatted(seed, run.label(), Samplers.UNIFORM_SHORT));
      }
    }

    /** Trains a little of each run, whose results are thrown away. */
    void warmUp() {
      for (Turns turns : underWay) {
        try (Trainer trainer = new Trainer(backend, data, turns.run.config())) {
          long begin = System.nanoTime();
          TrainingListener nobody = new TrainingListener() {};
          for (int step = 0;
              step < WARM_UP_STEPS && !trainer.finished() && System.nanoTime() - begin < TURN_NANOS;
              step++) {
            trainer.advance(nobody);
          }
        } catch (DivergedException e) {
          // The run itself will tell.
        }
      }
    }

    /** Lets the runs take turns until all are over; says whether they are. */
    boolean run(BooleanSupplier stop) {
      while (!underWay.isEmpty()) {
        for (Turns turns : List.copyOf(underWay)) {
          RunRecord record = turns.turn(stop);
          if (record != null) {
            underWay.remove(turns);
            turns.close();
            ended(turns.run, record);
          }
          if (stop.getAsBoolean()) {
            forAll(Turns::save);
            return false;
          }
        }
      }
      return true;
    }

    @Override
    public void close() {
      forAll(Turns::close);
    }

    /** For each run under way, the others too where it fails for one. */
    private void forAll(Consumer<Turns> action) {
      RuntimeException failure = null;
      for (Turns turns : underWay) {
        try {
          action.accept(turns);
        } catch (RuntimeException e) {
          if (failure == null) {
            failure = e;
          } else {
            failure.addSuppressed(e);
          }
        }
      }
      if (failure != null) {
        throw failure;
      }
    }

    /** A run under way, and what it needs. */
    private final class Turns implements AutoCloseable {
      private final PlannedRun run;
      private final Trainer trainer;
      private final RunDirectory files;
      private final Checkpoints checkpoints;
      private final TrainingListener toFiles =
          new TrainingListener() {
            @Override
            public void progressed(Progress progress) {
              listener.progressed(run, progress);
            }

            @Override
            public void evaluated(Metrics metrics) {
              files.add(metrics);
              listener.evaluated(run, metrics);
            }
          };

      Turns(PlannedRun run, Optional<Checkpoint> from) {
        this.run = run;
        trainer = new Trainer(backend, data, run.config());
        RunDirectory opened = null;
        try {
          from.ifPresent(trainer::restore);
          opened =
              from.isPresent()
                  ? RunDirectory.resume(run.directory(), run.config(), from.get())
                  : RunDirectory.create(run.directory(), run.config());
          // Many runs are open at once: one that fails must not take the others' work with it.
          opened.keep();
        } catch (RuntimeException e) {
          trainer.close();
          throw e;
        }
        files = opened;
        checkpoints = new Checkpoints(run.directory(), interval, 1, listener::note);
        checkpoints.startAt(trainer);
        listener.begun(
            run,
            from.map(Checkpoint::iteration).orElse(0L),
            from.map(Checkpoint::history).orElse(List.of()));
      }

      /** Trains for a while; gives the run if it is then over. */
      RunRecord turn(BooleanSupplier stop) {
        long begin = System.nanoTime();
        try {
          while (!trainer.finished() && System.nanoTime() - begin < TURN_NANOS) {
            trainer.advance(toFiles);
            if (stop.getAsBoolean()) {
              break;
            }
          }
          trainer.settle();
          if (!trainer.finished()) {
            checkpoints.stepped(trainer);
            return null;
          }
          files.finish(trainer, ModelFile.Description.of(run.config(), data));
        } catch (DivergedException e) {
          if (checkpoints.rollBack(trainer, files, e)) {
            return null;
          }
          files.saveLastGood(trainer, ModelFile.Description.of(run.config(), data), e);
        }
        return RunRecord.read(run.directory());
      }

      void save() {
        checkpoints.writeNow(trainer);
      }

      @Override
      public void close() {
        checkpoints.close();
        files.close();
        trainer.close();
      }
    }
  }
}
