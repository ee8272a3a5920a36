package dev.rais.bench.peers;

import picocli.CommandLine.Option;

/** The option that says how this library draws. */
final class SamplerOption {
  @Option(
      names = "--sampler",
      paramLabel = "NAME",
      defaultValue = "uniform",
      description = "our sampler; peers draw shuffled epochs (default ${DEFAULT-VALUE})")
  private String name;

  String name() {
    return name;
  }
}
