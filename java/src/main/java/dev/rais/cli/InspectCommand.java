package dev.rais.cli;

import dev.rais.backend.Backend;
import dev.rais.data.Dataset;
import dev.rais.report.Inspection;
import dev.rais.train.RunJson;
import dev.rais.train.RunRecord;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code rais inspect}: which images a run drew, and what is strange about them. */
@Command(
    name = "inspect",
    abbreviateSynopsis = true,
    sortOptions = false,
    header = "Shows which images a run drew most and least, and doubtful labels.",
    description = {
      "",
      "Writes contact sheets (most.png, least.png: class, in brackets what the trained network"
          + " takes the image for, number of draws), tables of classes and of all images"
          + " (classes.csv, examples.csv), and the images whose labels are probably wrong"
          + " (label-errors.csv): of the 2 %% drawn most, those taken for another class with a"
          + " probability of 0.5 or more.",
      ""
    },
    footer = {"", "Example:", "  rais inspect runs/mnist"})
final class InspectCommand implements Callable<Integer> {
  private static final int SHOWN_LABELS = 10;
  private static final int MOST_IMAGES = 10_000;

  /** What --json prints. */
  record Result(
      String run,
      String sampler,
      String data,
      List<Inspection.ClassDraws> classes,
      List<Inspection.Example> labelErrors,
      String savedIn) {}

  @Parameters(paramLabel = "RUN", description = "Folder of a finished run with --out.")
  private Path folder;

  @Option(
      names = "--data",
      paramLabel = "NAME|DIR",
      description = "Data set (default: the name of that which the run was trained on).")
  private String data;

  @Option(names = "--data-dir", paramLabel = "DIR", description = DataOptions.DATA_DIR_HELP)
  private Path dataDir;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Where to write (default: the folder inspect in RUN).")
  private Path out;

  @Option(
      names = "--images",
      paramLabel = "N",
      defaultValue = "50",
      description = "Images on a contact sheet (default: ${DEFAULT-VALUE}).")
  private int images;

  @Mixin private BackendOptions backendOptions;

  @Option(
      names = "--json",
      description = "Print the result as JSON, the last line on standard output.")
  private boolean json;

  @Mixin private CommonOptions common;

  private final Console console;

  InspectCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    backendOptions.check();
    if (images < 1 || images > MOST_IMAGES) {
      throw CommandException.usage(
          "--images must be from 1 to %d, not %d".formatted(MOST_IMAGES, images));
    }
    RunRecord run = RunRecord.read(folder);
    Dataset dataset = DataOptions.load(data, run.config().data(), dataDir);
    Path target = out == null ? folder.resolve("inspect") : out;
    try (Backend backend = backendOptions.open(console)) {
      Inspection inspection = Inspection.of(backend, run, dataset);
      inspection.write(target, images);
      if (inspection.isUniform()) {
        console
            .err()
            .println(
                "rais inspect: %s drew all images about equally often, so their order says little"
                    .formatted(run.config().sampler()));
      }
      print(run, dataset, inspection, target);
    }
    return 0;
  }

  private void print(RunRecord run, Dataset dataset, Inspection inspection, Path target) {
    List<Inspection.Example> labels = inspection.labelErrors();
    if (json) {
      Result result =
          new Result(
              folder.toString(),
              run.config().sampler(),
              dataset.name(),
              inspection.classes(),
              labels,
              target.toString());
      console.out().println(new RunJson().line(result));
      return;
    }
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("CLASS", "NAME", "IMAGES", "DRAWS PER IMAGE", "SHARE OF DRAWS", "ERROR"));
    for (Inspection.ClassDraws row : inspection.classes()) {
      rows.add(
          List.of(
              Integer.toString(row.label()),
              row.name(),
              Texts.count(row.images()),
              Texts.format("%.2f", row.drawsPerImage()),
              Texts.percent(row.drawShare()),
              Texts.percent(row.trainError())));
    }
    Texts.table(console.out(), rows);
    console.out().println();
    if (labels.isEmpty()) {
      console.out().println("no label is doubtful");
    } else {
      console
          .out()
          .println(
              "%s may be wrong%s"
                  .formatted(
                      Texts.counted(labels.size(), "label"),
                      labels.size() > SHOWN_LABELS
                          ? "; the most doubtful " + SHOWN_LABELS + ":"
                          : ":"));
      List<List<String>> doubtful = new ArrayList<>();
      doubtful.add(List.of("IMAGE", "CLASS", "TAKEN FOR", "PROBABILITY", "DRAWS"));
      for (Inspection.Example e : labels.subList(0, Math.min(SHOWN_LABELS, labels.size()))) {
        doubtful.add(
            List.of(
                Integer.toString(e.index()),
                dataset.classNames().get(e.label()),
                dataset.classNames().get(e.predicted()),
                Texts.percent(e.confidence()),
                Texts.count(e.draws())));
      }
      Texts.table(console.out(), doubtful);
    }
    console.out().println();
    console.out().println("saved in " + target);
  }
}
