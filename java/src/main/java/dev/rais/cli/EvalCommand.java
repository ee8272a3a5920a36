package dev.rais.cli;

import dev.rais.backend.Backend;
import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.nn.Network;
import dev.rais.nn.Shape;
import dev.rais.train.Evaluator;
import dev.rais.train.ModelFile;
import dev.rais.train.RunJson;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code rais eval}: measures a saved network on a data set's test images. */
@Command(
    name = "eval",
    abbreviateSynopsis = true,
    sortOptions = false,
    header = "Measures a saved network on test images.",
    description = {
      "",
      "Reports the error, the top-5 error (the class is not among the five most likely) and the"
          + " loss, of all test images and of each class. Batch norms use their running"
          + " statistics.",
      ""
    },
    footer = {"", "Example:", "  rais eval --model-file runs/mnist/model.safetensors --data mnist"})
final class EvalCommand implements Callable<Integer> {
  /**
   * The result as --json prints it. Errors are fractions.
   *
   * @param modelFile the file
   * @param model name of the model
   * @param data name of the data set
   * @param backend what computed
   * @param testImages number of images
   * @param testLoss mean cross-entropy
   * @param testError share whose most likely class is wrong
   * @param testTop5Error share whose class is not among the five most likely
   * @param classes the same of each class
   */
  record Result(
      String modelFile,
      String model,
      String data,
      String backend,
      int testImages,
      double testLoss,
      double testError,
      double testTop5Error,
      List<ClassResult> classes) {}

  /** The figures of one class; a loss or error of no image is null. */
  record ClassResult(String name, int images, double loss, double error, double top5Error) {}

  @Option(
      names = "--model-file",
      paramLabel = "FILE",
      required = true,
      description = "A model.safetensors that `rais train --out` wrote.")
  private Path modelFile;

  @Option(
      names = "--data",
      paramLabel = "NAME|DIR",
      description = "Data set (default: the one the model was trained on).")
  private String data;

  @Option(names = "--data-dir", paramLabel = "DIR", description = DataOptions.DATA_DIR_HELP)
  private Path dataDir;

  @Mixin private BackendOptions backendOptions;

  @Option(names = "--json", description = "Print the result as JSON.")
  private boolean json;

  @Mixin private CommonOptions common;

  private final Console console;

  EvalCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    backendOptions.check();
    ModelFile file = ModelFile.read(modelFile);
    ModelFile.Description description = file.description();
    Dataset dataset = DataOptions.load(data, description.data(), dataDir);
    requireFit(description, dataset);
    try (Backend backend = backendOptions.open(console);
        Network network = file.open(backend)) {
      Evaluator.ByClass result = Evaluator.evaluate(network, dataset, description.normalization());
      List<ClassResult> classes = new ArrayList<>();
      for (Evaluator.Result one : result.classes()) {
        String name = description.classNames().get(classes.size());
        classes.add(new ClassResult(name, one.images(), one.loss(), one.error(), one.top5Error()));
      }
      print(
          new Result(
              modelFile.toString(),
              description.model(),
              dataset.name(),
              backend.description(),
              result.all().images(),
              result.all().loss(),
              result.all().error(),
              result.all().top5Error(),
              classes));
    }
    return 0;
  }

  private void requireFit(ModelFile.Description description, Dataset dataset) {
    ImageSet test = dataset.test();
    Shape input = description.input();
    Shape found = new Shape(test.height(), test.width(), test.channels());
    if (!found.equals(input)) {
      throw CommandException.failed(
          "the model takes images of %s, but those of %s are %s"
              .formatted(input, dataset.name(), found),
          null);
    }
    if (dataset.numClasses() != description.classNames().size()) {
      throw CommandException.failed(
          "the model tells %d classes apart, but %s has %d"
              .formatted(description.classNames().size(), dataset.name(), dataset.numClasses()),
          null);
    }
  }

  private void print(Result result) {
    if (json) {
      console.out().println(new RunJson().line(result));
      return;
    }
    Texts.table(
        console.out(),
        List.of(
            List.of("test error", Texts.percent(result.testError())),
            List.of("top-5 error", Texts.percent(result.testTop5Error())),
            List.of("test loss", Texts.format("%.4f", result.testLoss())),
            List.of("images", Texts.count(result.testImages()))));
    console.out().println();
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("CLASS", "NAME", "IMAGES", "ERROR", "TOP-5 ERROR", "LOSS"));
    for (ClassResult one : result.classes()) {
      boolean some = one.images() > 0;
      rows.add(
          List.of(
              Integer.toString(rows.size() - 1),
              one.name(),
              Texts.count(one.images()),
              some ? Texts.percent(one.error()) : "-",
              some ? Texts.percent(one.top5Error()) : "-",
              some ? Texts.format("%.4f", one.loss()) : "-"));
    }
    Texts.table(console.out(), rows);
  }
}
