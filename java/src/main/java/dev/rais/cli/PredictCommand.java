package dev.rais.cli;

import dev.rais.backend.Backend;
import dev.rais.data.DataException;
import dev.rais.data.ImageFiles;
import dev.rais.nn.Shape;
import dev.rais.train.Classifier;
import dev.rais.train.ModelFile;
import dev.rais.train.RunJson;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code rais predict}: tells what images show. */
@Command(
    name = "predict",
    abbreviateSynopsis = true,
    sortOptions = false,
    header = "Tells what images show.",
    description = {
      "",
      "Shows the most likely classes of PNG or JPEG images. Each is made to fit the model's input"
          + " first: size, and grey if the model knows only grey. (The MNIST family shows bright"
          + " things on black.)",
      ""
    },
    footer = {"", "Example:", "  rais predict --model-file runs/mnist/model.safetensors seven.png"})
final class PredictCommand implements Callable<Integer> {
  /** One class of an image, with its probability. */
  record Guess(String name, double probability) {}

  /** An image and its most likely classes, the likeliest first. */
  record Prediction(String image, List<Guess> classes) {}

  @Parameters(paramLabel = "IMAGE", arity = "1..*", description = "PNG or JPEG files.")
  private List<Path> images;

  @Option(
      names = "--model-file",
      paramLabel = "FILE",
      required = true,
      description = "A model.safetensors that `rais train --out` wrote.")
  private Path modelFile;

  @Option(
      names = "--top",
      paramLabel = "K",
      defaultValue = "3",
      description = "Classes to show per image (default: ${DEFAULT-VALUE}).")
  private int top;

  @Mixin private BackendOptions backendOptions;

  @Option(names = "--json", description = "Print one JSON object per image.")
  private boolean json;

  @Mixin private CommonOptions common;

  private final Console console;

  PredictCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    backendOptions.check();
    if (top < 1) {
      throw CommandException.usage("--top must be at least 1, not " + top);
    }
    ModelFile file = ModelFile.read(modelFile);
    int refused = 0;
    try (Backend backend = backendOptions.open(console);
        Classifier classifier = new Classifier(backend, file)) {
      for (Path image : images) {
        try {
          print(predict(classifier, file.description(), image));
        } catch (DataException e) {
          console.err().println("rais predict: " + e.getMessage());
          refused++;
        }
      }
    }
    return refused == 0 ? 0 : CommandException.FAILED;
  }

  private Prediction predict(Classifier classifier, ModelFile.Description description, Path image) {
    Shape input = description.input();
    byte[] pixels = ImageFiles.read(image, input.height(), input.width(), input.channels());
    double[] probabilities = classifier.probabilities(pixels);
    List<Guess> guesses =
        IntStream.range(0, probabilities.length)
            .mapToObj(k -> new Guess(description.classNames().get(k), probabilities[k]))
            .sorted(Comparator.comparingDouble(Guess::probability).reversed())
            .limit(top)
            .toList();
    return new Prediction(image.toString(), guesses);
  }

  private void print(Prediction prediction) {
    if (json) {
      console.out().println(new RunJson().line(prediction));
      return;
    }
    String guesses =
        prediction.classes().stream()
            .map(guess -> Texts.format("%s %.1f %%", guess.name(), 100 * guess.probability()))
            .collect(Collectors.joining(", "));
    console.out().println(prediction.image() + ": " + guesses);
  }
}
