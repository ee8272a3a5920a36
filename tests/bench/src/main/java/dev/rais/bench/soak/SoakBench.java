package dev.rais.bench.soak;

import dev.rais.bench.Bench;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** What takes long and must not break: {@code tests/soak}. */
@Command(
    name = "soak",
    description = "endurance, by tests/soak: killed runs, long runs",
    mixinStandardHelpOptions = true,
    subcommands = {KillSoak.class, LongSoak.class})
public final class SoakBench implements Bench {
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    spec.commandLine().usage(spec.commandLine().getOut());
    return 2;
  }
}
