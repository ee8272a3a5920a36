package dev.rais.cli;

import dev.rais.data.DataException;
import dev.rais.train.DivergedException;
import dev.rais.train.RunFileException;
import dev.rais.train.Version;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command {@code rais}: its subcommands, and what becomes of failures. */
@Command(
    name = "rais",
    header = "Trains deep networks with importance sampling (RAIS-SGD).",
    synopsisSubcommandLabel = "COMMAND",
    footer = {
      "",
      "Examples:",
      "  rais train                                train LeNet-5 on the built-in data",
      "  rais train --data mnist --out runs/mnist  the same on MNIST, results kept",
      "  rais data fetch mnist                     download MNIST",
      "  rais COMMAND --help                       what COMMAND can do"
    })
public final class Main implements Callable<Integer> {
  @Mixin private CommonOptions common;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Show the version and exit.")
  private boolean version;

  @Spec private CommandSpec spec;

  private Main() {}

  /** Runs the command and ends the JVM with its exit code. */
  public static void main(String[] args) {
    // Digits and marks of numbers are the same wherever the program runs, in JSON above all.
    Locale.setDefault(Locale.ROOT);
    System.exit(run(Console.ofSystem(), args));
  }

  /** Runs the command; returns its exit code. */
  static int run(Console console, String... args) {
    int code;
    try {
      CommandLine line = commandLine(console);
      code = line.execute(RepeatedOptions.lastOfEach(line, args));
    } catch (Throwable e) {
      code = reportUnknown(console, e, List.of(args).contains(CommonOptions.VERBOSE));
    }
    // Flushes; a PrintStream keeps failures to itself until it is asked.
    if (console.out().checkError() && code == 0) {
      console
          .err()
          .println(
              "rais: standard output could not be written to, so results are missing; is its disk"
                  + " full?");
      code = CommandException.FAILED;
    }
    console.err().flush();
    return code;
  }

  /** Memory used up, broken classes or natives: a sentence, like every other failure. */
  private static int reportUnknown(Console console, Throwable e, boolean trace) {
    if (trace) {
      e.printStackTrace(console.err());
    }
    console
        .err()
        .println(
            "rais: "
                + outOfMemory(e)
                    .orElseGet(
                        () ->
                            "unexpected failure: "
                                + oneLine(e.toString())
                                + "; --verbose shows where"));
    return CommandException.FAILED;
  }

  /** What to say if memory was used up, wherever that was noticed. */
  private static Optional<String> outOfMemory(Throwable e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof OutOfMemoryError) {
        String message = String.valueOf(cause.getMessage());
        // The heap has a limit that can be raised; other memory is the machine's.
        boolean heap = message.contains("heap") || message.contains("GC overhead");
        return Optional.of(
            "memory is used up (%s); %s"
                .formatted(
                    message,
                    heap
                        ? "give the JVM more, for example with RAIS_JAVA_OPTS=-Xmx8g"
                        : "choose a smaller --batch-size or --model, or end other programs"));
      }
    }
    return Optional.empty();
  }

  /** The command with its subcommands, ready to parse. */
  static CommandLine commandLine(Console console) {
    CommandLine data = new CommandLine(new DataCommand());
    data.addSubcommand(new DataListCommand(console))
        .addSubcommand(new DataFetchCommand(console))
        .addSubcommand(new DataImportCommand(console))
        .addSubcommand(new DataInfoCommand(console));
    CommandLine line =
        new CommandLine(new Main())
            .addSubcommand(new TrainCommand(console))
            .addSubcommand(new CompareCommand(console))
            .addSubcommand(new ReportCommand(console))
            .addSubcommand(new InspectCommand(console))
            .addSubcommand(new EvalCommand(console))
            .addSubcommand(new PredictCommand(console))
            .addSubcommand(new ModelCommand(console))
            .addSubcommand(data)
            .addSubcommand(new DoctorCommand(console));
    line.getCommandSpec().version("rais " + Version.current());
    line.setOut(new PrintWriter(console.out(), true));
    line.setErr(new PrintWriter(console.err(), true));
    line.setUsageHelpWidth(Math.clamp(console.columns(), 80, 110));
    line.setParameterExceptionHandler((e, args) -> reportUsage(console, e));
    line.setExecutionExceptionHandler((e, command, parsed) -> report(console, command, e));
    return line;
  }

  @Override
  public Integer call() {
    spec.commandLine().usage(spec.commandLine().getOut());
    return 0;
  }

  private static int reportUsage(Console console, ParameterException e) {
    String name = e.getCommandLine().getCommandSpec().qualifiedName();
    console
        .err()
        .println(
            "%s: %s; %s`%s --help` explains"
                .formatted(name, oneLine(usageSentence(e)), usageSuggestion(e), name));
    return CommandException.USAGE;
  }

  private static String usageSentence(ParameterException e) {
    Optional<String> unmatched = unmatched(e);
    if (unmatched.isEmpty()) {
      // Types by names that say something to people who do not write Java.
      return e.getMessage()
          .replaceFirst("is not a double$", "is not a number")
          .replaceFirst("is not an? (int|long)$", "is not a whole number")
          .replaceFirst(
              "(?s)cannot convert ('.*') to (?:(?:class|interface) )?(?:\\w+\\.)*(\\w+) \\(.*",
              "$1 is no valid $2");
    }
    String given = unmatched.get();
    if (given.startsWith("-")) {
      return "there is no option " + given;
    }
    return e.getCommandLine().getSubcommands().isEmpty()
        ? "\"" + given + "\" is one argument too many"
        : "there is no command \"" + given + "\"";
  }

  private static String usageSuggestion(ParameterException e) {
    CommandSpec spec = e.getCommandLine().getCommandSpec();
    return unmatched(e)
        .map(
            given ->
                Names.suggestion(
                    given,
                    given.startsWith("-")
                        ? spec.optionsMap().keySet()
                        : spec.subcommands().keySet()))
        .orElse("");
  }

  /** What the command line has that the command has not, without a value after "=". */
  private static Optional<String> unmatched(ParameterException e) {
    return e instanceof UnmatchedArgumentException unmatched
        ? unmatched.getUnmatched().stream().findFirst().map(given -> given.split("=", 2)[0])
        : Optional.empty();
  }

  private static int report(Console console, CommandLine command, Exception e) {
    if (wantsTrace(command)) {
      e.printStackTrace(console.err());
    }
    String message = e.getMessage();
    boolean known =
        e instanceof CommandException
            || e instanceof DataException
            || e instanceof RunFileException
            || e instanceof DivergedException
            || e instanceof IllegalArgumentException
            || e instanceof IllegalStateException;
    Optional<String> outOfMemory = outOfMemory(e);
    if (outOfMemory.isPresent()) {
      message = outOfMemory.get();
    } else if (!known || message == null || message.isBlank()) {
      message =
          "unexpected failure: %s; %s --verbose shows where"
              .formatted(e, command.getCommandSpec().qualifiedName());
    }
    console.err().println(command.getCommandSpec().qualifiedName() + ": " + oneLine(message));
    return e instanceof CommandException own ? own.exitCode() : CommandException.FAILED;
  }

  private static boolean wantsTrace(CommandLine command) {
    return Boolean.TRUE.equals(
        command.getCommandSpec().findOption(CommonOptions.VERBOSE).getValue());
  }

  private static String oneLine(String text) {
    return text.strip().replaceAll("\\s*\\R\\s*", " ");
  }
}
