package dev.rais.cli;

import dev.rais.backend.DType;
import dev.rais.nn.Model;
import dev.rais.nn.Models;
import dev.rais.nn.Shape;
import dev.rais.train.RunJson;
import dev.rais.train.RunMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code rais model}: which models there are, and what one consists of. */
@Command(
    name = "model",
    abbreviateSynopsis = true,
    sortOptions = false,
    header = "Lists models, or shows a model's layers, parameters and memory.",
    footer = {"", "Example:", "  rais model resnet18 --input 32x32x3 --classes 100 --batch 64"})
final class ModelCommand implements Callable<Integer> {
  private static final Pattern INPUT = Pattern.compile("(\\d{1,5})x(\\d{1,5})x(\\d{1,5})");

  /** A model in the list that --json prints. */
  record Listed(String name, String description, long parameters) {}

  /**
   * A layer as --json prints it.
   *
   * @param name prefix of its parameters in model files
   * @param type what it does
   * @param output height, width and channels of what it makes
   * @param parameters number of its parameters
   */
  record LayerInfo(String name, String type, List<Integer> output, long parameters) {}

  /**
   * A model as --json prints it.
   *
   * @param model its name
   * @param input height, width and channels of an image
   * @param classes number of classes
   * @param parameters number of parameters
   * @param batch images in a minibatch
   * @param activationBytes planned for activations and their gradients in training
   * @param parameterBytes planned for parameters, gradients and what else is kept of each
   * @param layers the layers in order
   */
  record Info(
      String model,
      List<Integer> input,
      int classes,
      long parameters,
      int batch,
      long activationBytes,
      long parameterBytes,
      List<LayerInfo> layers) {}

  @Parameters(
      paramLabel = "NAME",
      arity = "0..1",
      description = "The model to show; without it, the models are listed.")
  private String name;

  @Option(
      names = "--input",
      paramLabel = "HxWxC",
      defaultValue = "32x32x3",
      description = "Height, width and channels of an image (default: ${DEFAULT-VALUE}).")
  private String input;

  @Option(
      names = "--classes",
      paramLabel = "K",
      defaultValue = "10",
      description = "Number of classes (default: ${DEFAULT-VALUE}).")
  private int classes;

  @Option(
      names = "--batch",
      paramLabel = "M",
      defaultValue = "128",
      description =
          "Images in a minibatch, for the memory that training takes (default: ${DEFAULT-VALUE}).")
  private int batch;

  @Option(names = "--json", description = "Print JSON instead of tables.")
  private boolean json;

  @Mixin private CommonOptions common;

  private final Console console;

  ModelCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    if (name != null) {
      Names.require("model", name, Models.names());
    }
    Shape image = image();
    if (classes < 2 || batch < 1) {
      throw CommandException.usage(
          "--classes must be at least 2 and --batch at least 1, not %d and %d"
              .formatted(classes, batch));
    }
    try {
      if (name == null) {
        list(image);
      } else {
        show(Models.create(name, image, classes));
      }
    } catch (ArithmeticException e) {
      throw CommandException.failed(
          "a model for images of %s with %d classes at batch size %d is too large to count"
              .formatted(input, classes, batch),
          e);
    }
    return 0;
  }

  private Shape image() {
    Matcher parts = INPUT.matcher(input);
    if (parts.matches()) {
      int height = Integer.parseInt(parts.group(1));
      int width = Integer.parseInt(parts.group(2));
      int channels = Integer.parseInt(parts.group(3));
      if (Math.min(height, Math.min(width, channels)) > 0) {
        return new Shape(height, width, channels);
      }
    }
    throw CommandException.usage(
        "--input must be HEIGHTxWIDTHxCHANNELS as in 32x32x3, each at least 1, not " + input);
  }

  private void list(Shape image) {
    List<Listed> models = new ArrayList<>();
    for (String each : Models.names()) {
      long parameters = Models.create(each, image, classes).parameterCount();
      models.add(new Listed(each, Models.description(each), parameters));
    }
    if (json) {
      console.out().println(new RunJson().line(models));
      return;
    }
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("NAME", "PARAMETERS", "WHAT IT IS"));
    for (Listed model : models) {
      rows.add(List.of(model.name(), Texts.count(model.parameters()), model.description()));
    }
    Texts.table(console.out(), rows);
    console.out().println();
    console
        .out()
        .println("Parameters are for images of %s in %d classes.".formatted(input, classes));
  }

  private void show(Model model) {
    List<LayerInfo> layers = new ArrayList<>();
    for (Model.NamedLayer layer : model.layers()) {
      layers.add(
          new LayerInfo(
              layer.name(),
              layer.layer().describe(),
              dims(layer.outputShape()),
              layer.parameterCount()));
    }
    RunMemory memory = RunMemory.of(model, batch, DType.FLOAT32);
    if (json) {
      console
          .out()
          .println(
              new RunJson()
                  .line(
                      new Info(
                          model.name(),
                          dims(model.input()),
                          classes,
                          model.parameterCount(),
                          batch,
                          memory.activations(),
                          memory.parameters(),
                          layers)));
      return;
    }
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("LAYER", "TYPE", "OUTPUT", "PARAMETERS"));
    for (int i = 0; i < layers.size(); i++) {
      LayerInfo layer = layers.get(i);
      String output = model.layers().get(i).outputShape().toString();
      String parameters = layer.parameters() == 0 ? "" : Texts.count(layer.parameters());
      rows.add(List.of(layer.name(), layer.type(), output, parameters));
    }
    Texts.table(console.out(), rows);
    console.out().println();
    Texts.table(
        console.out(),
        List.of(
            List.of("input", model.input().toString()),
            List.of("parameters", Texts.count(model.parameterCount())),
            List.of(
                "memory",
                "%s for activations at batch size %d, %s for parameters"
                    .formatted(
                        Texts.megabytes(memory.activations()),
                        batch,
                        Texts.megabytes(memory.parameters())))));
  }

  private static List<Integer> dims(Shape shape) {
    return List.of(shape.height(), shape.width(), shape.channels());
  }
}
