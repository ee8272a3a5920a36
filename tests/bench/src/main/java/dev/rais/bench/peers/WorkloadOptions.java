package dev.rais.bench.peers;

import dev.rais.data.NearestName;
import dev.rais.nn.Models;
import dev.rais.train.Samplers;
import java.util.List;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options that say what is trained. */
final class WorkloadOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = "--model",
      paramLabel = "NAME",
      defaultValue = "lenet5",
      description = "network to train (default ${DEFAULT-VALUE})")
  private String model;

  @Option(
      names = "--batch",
      paramLabel = "M",
      defaultValue = "128",
      description = "images of a step (default ${DEFAULT-VALUE})")
  private int batch;

  @Option(
      names = "--sampler",
      paramLabel = "NAME",
      defaultValue = "uniform",
      description = "our sampler; peers draw shuffled epochs (default ${DEFAULT-VALUE})")
  private String sampler;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "threads to compute with (default all cores)")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--examples",
      paramLabel = "N",
      defaultValue = "60000",
      description = "images of the data set (default ${DEFAULT-VALUE})")
  private int examples;

  @Option(names = "--json", description = "print one JSON object instead of a table")
  private boolean json;

  boolean json() {
    return json;
  }

  Workload workload() {
    requireName("model", model, Models.names());
    requireName("sampler", sampler, Samplers.names());
    require(batch >= 1, "--batch must be at least 1, not " + batch);
    require(threads >= 1, "--threads must be at least 1, not " + threads);
    require(
        examples >= batch,
        "--examples must be at least --batch, but " + examples + " is less than " + batch);
    return Workload.of(model, examples, batch, sampler, threads);
  }

  void require(boolean holds, String message) {
    if (!holds) {
      throw new ParameterException(command.commandLine(), message);
    }
  }

  private void requireName(String what, String given, List<String> known) {
    require(
        known.contains(given),
        "there is no "
            + what
            + " '"
            + given
            + "'"
            + NearestName.of(given, known)
                .map(name -> "; did you mean '" + name + "'?")
                .orElse("; there are " + String.join(", ", known)));
  }
}
