package dev.rais.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code rais data}: the commands about data sets. */
@Command(
    name = "data",
    header = "Lists, downloads, imports and describes data sets.",
    synopsisSubcommandLabel = "COMMAND",
    footer = {"", "Example:", "  rais data fetch mnist"})
final class DataCommand implements Callable<Integer> {
  @Mixin private CommonOptions common;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    spec.commandLine().usage(spec.commandLine().getOut());
    return 0;
  }
}
