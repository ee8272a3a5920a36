package dev.rais.example;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.rais.data.DataException;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.sampling.DrawMode;
import dev.rais.sampling.ImportanceSampler;
import dev.rais.sampling.RaisOptions;
import dev.rais.sampling.RaisSampler;
import dev.rais.sampling.UniformSampler;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command line of this example; exit code 2 for wrong usage, 1 for failure. */
@Command(
    name = "examples/djl/run",
    description = "Trains a small convolutional network of DJL on examples that RAIS draws.",
    sortOptions = false)
public final class RunCommand implements Callable<Integer> {
  private static final double MOMENTUM = 0.9;
  private static final double WEIGHT_DECAY = 5e-4;

  private final ForeignLibrary library;

  @Spec private CommandSpec spec;

  @Option(
      names = "--sampler",
      paramLabel = "NAME",
      defaultValue = "rais",
      description =
          "Who chooses examples: rais, uniform (this library's shuffled epochs), or djl-random"
              + " (DJL's own loop on its own shuffled data set). Default: ${DEFAULT-VALUE}.")
  private String sampler;

  @Option(
      names = "--epochs",
      paramLabel = "E",
      defaultValue = "10",
      description = "Length of the run in epochs equivalent. Default: ${DEFAULT-VALUE}.")
  private double epochs;

  @Option(
      names = "--batch-size",
      paramLabel = "M",
      defaultValue = "128",
      description = "Examples in a minibatch. Default: ${DEFAULT-VALUE}.")
  private int batchSize;

  @Option(
      names = "--lr",
      paramLabel = "RATE",
      defaultValue = "0.01",
      description =
          "Learning rate; a tenth of it from half of the run on, a hundredth from four fifths"
              + " on. Default: ${DEFAULT-VALUE}.")
  private double learningRate;

  @Option(
      names = "--seed",
      paramLabel = "S",
      defaultValue = "1",
      description = "Seed of draws and initial parameters. Default: ${DEFAULT-VALUE}.")
  private int seed;

  @Option(
      names = "--data",
      paramLabel = "NAME|DIR",
      defaultValue = "fashion-mnist",
      description =
          "A data set by name, or a folder with four IDX files; fashion-mnist-sample is built in."
              + " Default: ${DEFAULT-VALUE}.")
  private String data;

  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description = "Where to look for data sets first.")
  private Path dataDir;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads of the other library. Default: all processors.")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(names = "--json", description = "Print the result as one JSON object.")
  private boolean json;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help and exit.")
  private boolean help;

  private RunCommand(ForeignLibrary library) {
    this.library = library;
  }

  /** Runs a command line with the networks of {@code library}; returns the exit code. */
  public static int run(ForeignLibrary library, String[] args, PrintWriter out, PrintWriter err) {
    CommandLine command = new CommandLine(new RunCommand(library));
    command.setOut(out);
    command.setErr(err);
    command.setParameterExceptionHandler(
        (e, wrong) -> {
          err.println(command.getCommandName() + ": " + e.getMessage());
          return 2;
        });
    command.setExecutionExceptionHandler(
        (e, line, result) -> {
          if (!(e instanceof TrainingException || e instanceof DataException)) {
            throw e;
          }
          err.println(command.getCommandName() + ": " + e.getMessage());
          return 1;
        });
    return command.execute(args);
  }

  @Override
  public Integer call() throws JsonProcessingException {
    require(epochs > 0 && epochs <= 1e6, "--epochs must be above 0");
    require(learningRate > 0 && learningRate <= 1e6, "--lr must be above 0");
    require(batchSize >= 1, "--batch-size must be at least 1");
    require(threads >= 1, "--threads must be at least 1");
    boolean own = sampler.equals(library.ownSampler());
    require(
        own || sampler.equals("rais") || sampler.equals("uniform"),
        "--sampler must be rais, uniform or " + library.ownSampler() + ", not " + sampler);
    Dataset dataset = Datasets.load(data, dataDir);
    require(
        batchSize <= dataset.train().count(),
        "--batch-size must be at most the " + dataset.train().count() + " training examples");
    RunSettings settings =
        new RunSettings(sampler, epochs, batchSize, learningRate, MOMENTUM, WEIGHT_DECAY, seed);
    PrintWriter err = spec.commandLine().getErr();
    Consumer<String> progress =
        line -> {
          err.println(sampler + ": " + line);
          err.flush();
        };
    RunSummary summary =
        own
            ? library.runAlone(dataset, settings, threads, progress)
            : run(dataset, settings, progress);
    print(summary, spec.commandLine().getOut());
    return 0;
  }

  private void require(boolean holds, String rule) {
    if (!holds) {
      throw new ParameterException(spec.commandLine(), rule);
    }
  }

  private RunSummary run(Dataset dataset, RunSettings settings, Consumer<String> progress) {
    int n = dataset.train().count();
    int classes = dataset.numClasses();
    try (ImportanceSampler chooser = sampler(dataset, settings);
        ForeignTrainer trainer = library.open(dataset, settings, threads)) {
      RunLog log = new RunLog(settings, dataset.name(), n, trainer, progress);
      return new TrainingLoop(chooser, trainer, classes, settings).run(log);
    }
  }

  private static ImportanceSampler sampler(Dataset dataset, RunSettings settings) {
    int[] labels = dataset.train().labels();
    return settings.sampler().equals("rais")
        ? new RaisSampler(labels, dataset.numClasses(), settings.seed(), RaisOptions.defaults())
        : new UniformSampler(labels.length, settings.seed(), DrawMode.ROUNDS);
  }

  private void print(RunSummary summary, PrintWriter out) throws JsonProcessingException {
    if (json) {
      out.println(new ObjectMapper().writeValueAsString(summary));
    } else {
      row(out, "sampler", "%s", summary.sampler());
      row(out, "epochs", "%.2f", summary.epochs());
      row(out, "epochs equivalent", "%.2f", summary.epochsEquivalent());
      row(out, "mean gain ratio", "%.2f", summary.meanGainRatio());
      row(out, "test error", "%.2f %%", 100 * summary.finalTestError());
      row(out, "train loss", "%.4f", summary.finalTrainLoss());
      row(out, "training time", "%.1f s", summary.seconds());
    }
    out.flush();
  }

  private static void row(PrintWriter out, String name, String format, Object value) {
    out.printf(Locale.ROOT, "%-18s " + format + "%n", name, value);
  }
}
