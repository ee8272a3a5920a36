package dev.rais.bench.ops;

import dev.rais.bench.Bench;
import dev.rais.bench.BenchException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Unmatched;

/** Hands its arguments to JMH, which runs the benchmarks of this package. */
@Command(
    name = "ops",
    description =
        "operations of a LeNet-5 step on the CPU backend, one by one (takes JMH's options)")
public final class OpsBench implements Bench {
  private static final String ALL = OpsBench.class.getPackageName().replace(".", "\\.") + "\\.";

  @Unmatched private List<String> jmhArguments = new ArrayList<>();

  @Override
  public Integer call() {
    try {
      List<String> arguments = new ArrayList<>(jmhArguments);
      if (new CommandLineOptions(arguments.toArray(String[]::new)).getIncludes().isEmpty()) {
        arguments.add(ALL);
      }
      org.openjdk.jmh.Main.main(arguments.toArray(String[]::new));
      return 0;
    } catch (CommandLineOptionException | IOException e) {
      throw new BenchException("JMH: " + e.getMessage(), e);
    }
  }
}
