package dev.rais.cli;

import dev.rais.data.ContactSheet;
import dev.rais.data.Dataset;
import dev.rais.data.DatasetInfo;
import dev.rais.data.Datasets;
import dev.rais.data.ImageSet;
import dev.rais.data.Normalization;
import dev.rais.train.RunJson;
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
      description =
          "A name out of `rais data list`, or a folder with the files of MNIST, CIFAR or SVHN.")
  private String data;

  @Option(names = "--data-dir", paramLabel = "DIR", description = DataOptions.DATA_DIR_HELP)
  private Path dataDir;

  @Option(
      names = "--contact-sheet",
      paramLabel = "FILE.png",
      description = "Write a picture of up to ten training images of each class, a row for each.")
  private Path contactSheet;

  @Option(names = "--json", description = "Print one JSON object instead of tables.")
  private boolean json;

  @Mixin private CommonOptions common;

  /** A class and how many images it has. */
  record ClassCount(String name, int training, int test) {}

  /** The object that --json prints; mean and deviation are of pixels scaled to [0, 1]. */
  record Info(
      String name,
      String where,
      int height,
      int width,
      int channels,
      int training,
      int test,
      float[] mean,
      float[] standardDeviation,
      List<ClassCount> classes) {}

  private final Console console;

  DataInfoCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    Dataset dataset = DataOptions.load(data, dataDir);
    Optional<DatasetInfo> known =
        Datasets.list(dataDir).stream().filter(info -> info.name().equals(data)).findFirst();
    Info info = info(dataset, known.map(DatasetInfo::where).orElse(data));
    if (contactSheet != null) {
      ContactSheet.write(dataset, contactSheet);
    }
    if (json) {
      console.out().println(new RunJson().line(info));
      return 0;
    }
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("name", info.name()));
    known.ifPresent(found -> rows.add(List.of("licence", found.licence())));
    rows.add(List.of("where", info.where()));
    rows.add(List.of("images", "%dx%dx%d".formatted(info.height(), info.width(), info.channels())));
    rows.add(List.of("training", Texts.count(info.training())));
    rows.add(List.of("test", Texts.count(info.test())));
    rows.add(List.of("mean", numbers(info.mean())));
    rows.add(List.of("deviation", numbers(info.standardDeviation())));
    if (contactSheet != null) {
      rows.add(List.of("contact sheet", contactSheet.toString()));
    }
    Texts.table(console.out(), rows);
    console.out().println();
    Texts.table(console.out(), table(info.classes()));
    return 0;
  }

  private static Info info(Dataset data, String where) {
    ImageSet train = data.train();
    Normalization normalization = data.normalization();
    int[] training = train.classCounts(data.numClasses());
    int[] test = data.test().classCounts(data.numClasses());
    List<ClassCount> classes = new ArrayList<>();
    for (int k = 0; k < data.numClasses(); k++) {
      classes.add(new ClassCount(data.classNames().get(k), training[k], test[k]));
    }
    return new Info(
        data.name(),
        where,
        train.height(),
        train.width(),
        train.channels(),
        train.count(),
        data.test().count(),
        normalization.mean(),
        normalization.standardDeviation(),
        classes);
  }

  private static List<List<String>> table(List<ClassCount> classes) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("CLASS", "NAME", "TRAINING", "TEST"));
    for (ClassCount one : classes) {
      rows.add(
          List.of(
              Integer.toString(rows.size() - 1),
              one.name(),
              Texts.count(one.training()),
              Texts.count(one.test())));
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
