package dev.rais.cli;

import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * Lets the last one count of an option that is given several times, so that a script's options can
 * be overridden behind them. Picocli would begin its group of options anew there, and forget what
 * was given of it before.
 */
final class RepeatedOptions {
  /** Arguments that belong together; of no option where that is null. */
  private record Part(OptionSpec option, List<String> arguments) {}

  private RepeatedOptions() {}

  /** The arguments without options that are given again later. */
  static String[] lastOfEach(CommandLine line, String... arguments) {
    List<Part> parts = parts(line, List.of(arguments));
    List<String> kept = new ArrayList<>();
    for (int k = 0; k < parts.size(); k++) {
      OptionSpec option = parts.get(k).option;
      boolean again =
          option != null
              && parts.subList(k + 1, parts.size()).stream().anyMatch(p -> p.option == option);
      if (!again) {
        kept.addAll(parts.get(k).arguments);
      }
    }
    return kept.toArray(String[]::new);
  }

  private static List<Part> parts(CommandLine line, List<String> arguments) {
    List<Part> parts = new ArrayList<>();
    CommandLine command = line;
    for (int k = 0; k < arguments.size(); k++) {
      String argument = arguments.get(k);
      if (argument.equals("--")) {
        parts.add(new Part(null, arguments.subList(k, arguments.size())));
        break;
      }
      OptionSpec option = option(command.getCommandSpec(), argument);
      boolean takesNext =
          option != null
              && !argument.contains("=")
              && k + 1 < arguments.size()
              && takes(command.getCommandSpec(), option, arguments.get(k + 1));
      int end = takesNext ? k + 2 : k + 1;
      parts.add(new Part(option, arguments.subList(k, end)));
      if (option == null) {
        command = command.getSubcommands().getOrDefault(argument, command);
      }
      k = end - 1;
    }
    return parts;
  }

  private static OptionSpec option(CommandSpec spec, String argument) {
    String name = argument.split("=", 2)[0];
    OptionSpec option = spec.optionsMap().get(name);
    return option == null ? spec.negatedOptionsMap().get(name) : option;
  }

  /** Whether what follows an option is its value. */
  private static boolean takes(CommandSpec spec, OptionSpec option, String next) {
    return option.arity().min() > 0
        ? option(spec, next) == null
        : option.arity().max() > 0 && !next.startsWith("-");
  }
}
