package dev.rais.cli;

import dev.rais.data.DataException;
import dev.rais.data.Dataset;
import dev.rais.data.DatasetImporter;
import dev.rais.data.Datasets;
import dev.rais.data.ImportOptions;
import dev.rais.data.ImportReport;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code rais data import}: makes a data set out of a folder. */
@Command(
    name = "import",
    sortOptions = false,
    header = "Makes a data set out of a folder of images.",
    description = {
      "",
      "The folder holds one folder of PNG or JPEG images for each class, in itself or in folders"
          + " train and test; without those two, a fifth of each class is held back for testing."
          + " A folder with the files of MNIST, CIFAR or SVHN works too. The images are copied:"
          + " afterwards the folder is needed no more.",
      ""
    },
    footer = {"", "Example:", "  rais data import photos --name photos --size 32x32"})
final class DataImportCommand implements Callable<Integer> {
  @Parameters(paramLabel = "DIR", description = "The folder.")
  private Path source;

  @Option(
      names = "--name",
      paramLabel = "N",
      required = true,
      description = "What the data set is called from now on: rais train --data N.")
  private String name;

  @Option(
      names = "--size",
      paramLabel = "HxW",
      description =
          "Height and width that all images are stretched to (default: those of the first).")
  private String size;

  @Option(
      names = "--channels",
      paramLabel = "C",
      description = "1 makes all images grey, 3 coloured (default: as they are, all alike).")
  private Integer channels;

  @Option(
      names = "--skip-bad",
      description = "Leave out images that cannot be used, instead of importing nothing.")
  private boolean skipBad;

  @Option(names = "--force", description = "Replace what was imported under this name before.")
  private boolean force;

  @Option(
      names = {"--data-dir", "--to"},
      paramLabel = "DIR",
      description =
          "Folder to put it in, as DIR/N (default: the user's cache, where it is found without"
              + " further options).")
  private Path directory;

  @Option(names = "--quiet", description = "Show no progress.")
  private boolean quiet;

  @Mixin private CommonOptions common;

  private final Console console;

  DataImportCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    ImportOptions options = options();
    Path target = directory == null ? Datasets.cacheDirectory(name) : directory.resolve(name);
    ImportReport report;
    try (Progress progress = new Progress()) {
      report = DatasetImporter.run(source, name, target, options, progress::advance);
    }
    report
        .skipped()
        .forEach(reason -> console.err().println("rais data import: left out: " + reason));
    Dataset data = report.data();
    console
        .out()
        .println(
            "%s is in %s: %s training and %s test images of %dx%dx%d in %d classes"
                .formatted(
                    name,
                    target,
                    Texts.count(data.train().count()),
                    Texts.count(data.test().count()),
                    data.train().height(),
                    data.train().width(),
                    data.train().channels(),
                    data.numClasses()));
    if (report.resized() > 0) {
      console.out().println(Texts.counted(report.resized(), "image") + " had another size");
    }
    if (!report.skipped().isEmpty()) {
      console.out().println(Texts.counted(report.skipped().size(), "image") + " left out");
    }
    return 0;
  }

  private ImportOptions options() {
    try {
      return new ImportOptions(
          Optional.ofNullable(size).map(ImportOptions.Size::parse),
          Optional.ofNullable(channels),
          skipBad,
          force);
    } catch (DataException e) {
      throw CommandException.usage(e.getMessage(), e);
    }
  }

  /** A bar on a terminal, else a line now and then. */
  private final class Progress implements AutoCloseable {
    private static final int LINES = 10;

    private final AtomicInteger furthest = new AtomicInteger();
    private LiveBar bar;

    void advance(int done, int total) {
      int before = furthest.getAndAccumulate(done, Math::max);
      if (quiet || done <= before) {
        return;
      }
      if (console.live()) {
        bar(total).advanceTo(done);
      } else if ((long) done * LINES / total > (long) before * LINES / total) {
        console.err().println("%s of %s images".formatted(Texts.count(done), Texts.count(total)));
      }
    }

    private synchronized LiveBar bar(int total) {
      if (bar == null) {
        bar =
            new LiveBar(
                console,
                total,
                () -> name,
                remaining ->
                    "%s of %s images, ETA %s"
                        .formatted(
                            Texts.count(furthest.get()),
                            Texts.count(total),
                            remaining.isNaN() ? "-" : Texts.clock(remaining)));
      }
      return bar;
    }

    @Override
    public synchronized void close() {
      if (bar != null) {
        bar.close();
      }
    }
  }
}
