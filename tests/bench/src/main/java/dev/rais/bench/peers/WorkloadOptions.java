package dev.rais.bench.peers;

import dev.rais.data.NearestName;
import dev.rais.nn.Models;
import dev.rais.train.Samplers;
import java.util.List;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options that say what is trained, all but the sampler. */
public final class WorkloadOptions {
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
      names = "--threads",
      paramLabel = "N",
      description = "threads to compute with (default all cores)")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--examples",
      paramLabel = "N",
      description = "images of the data set (default 60000; of residual networks 10000)")
  private Integer examples;

  @Option(names = "--json", description = "print one JSON object instead of a table")
  private boolean json;

  /** Whether one JSON object is wanted. */
  public boolean json() {
    return json;
  }

  /**
   * The workload, once all options were found right.
   *
   * @param sampler how this library draws
   */
  public Workload workload(String sampler) {
    requireName("model", model, Models.names());
    requireName("sampler", sampler, Samplers.names());
    require(batch >= 1, "--batch must be at least 1, not " + batch);
    require(threads >= 1, "--threads must be at least 1, not " + threads);
    int count = examples == null ? Workload.examples(model) : examples;
    require(
        count >= batch,
        "--examples must be at least --batch, but " + count + " is less than " + batch);
    return Workload.of(model, count, batch, sampler, threads);
  }

  /** Wrong usage, said with this message, where a rule does not hold. */
  public void require(boolean holds, String message) {
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
