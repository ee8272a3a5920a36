package dev.rais.cli;

import dev.rais.data.Dataset;
import dev.rais.data.DatasetInfo;
import dev.rais.data.Datasets;
import dev.rais.data.ImageSet;
import dev.rais.data.Normalization;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code rais data info}: what is in a data set. */
@Command(
    name = "info",
    header = "Shows what is in a data set: images, classes, mean and deviation.")
final class DataInfoCommand implements Callable<Integer> {
  @Parameters(
      paramLabel = "NAME|DIR",
      description = "A name out of `rais data list`, or a folder with the four IDX files.")
  private String data;

  @Option(names = "--data-dir", paramLabel = "DIR", description = DataOptions.DATA_DIR_HELP)
  private Path dataDir;

  @Mixin private CommonOptions common;

  private final Console console;

  DataInfoCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    Dataset dataset = DataOptions.load(data, dataDir);
    ImageSet train = dataset.train();
    Normalization normalization = dataset.normalization();
    Optional<DatasetInfo> known =
        Datasets.list(dataDir).stream().filter(info -> info.name().equals(data)).findFirst();
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("name", dataset.name()));
    known.ifPresent(info -> rows.add(List.of("licence", info.licence())));
    rows.add(List.of("where", known.map(DatasetInfo::where).orElse(data)));
    rows.add(
        List.of("images", "%dx%dx%d".formatted(train.height(), train.width(), train.channels())));
    rows.add(List.of("training", Texts.count(train.count())));
    rows.add(List.of("test", Texts.count(dataset.test().count())));
    rows.add(List.of("mean", numbers(normalization.mean())));
    rows.add(List.of("deviation", numbers(normalization.standardDeviation())));
    Texts.table(console.out(), rows);
    console.out().println();
    Texts.table(console.out(), classes(dataset));
    return 0;
  }

  private static List<List<String>> classes(Dataset dataset) {
    int[] train = dataset.train().classCounts(dataset.numClasses());
    int[] test = dataset.test().classCounts(dataset.numClasses());
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("CLASS", "NAME", "TRAINING", "TEST"));
    for (int k = 0; k < dataset.numClasses(); k++) {
      rows.add(
          List.of(
              Integer.toString(k),
              dataset.classNames().get(k),
              Texts.count(train[k]),
              Texts.count(test[k])));
    }
    return rows;
  }

  /** Per channel, of pixels scaled to [0, 1]. */
  private static String numbers(float[] values) {
    List<String> texts = new ArrayList<>();
    for (float value : values) {
      texts.add(Texts.format("%.4f", value));
    }
    return String.join(", ", texts);
  }
}
