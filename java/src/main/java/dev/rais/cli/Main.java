package dev.rais.cli;

import dev.rais.train.Version;
import java.util.ArrayList;
import java.util.List;
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
    description = "Trains deep networks with importance sampling (RAIS-SGD).",
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
    System.exit(run(Console.ofSystem(), args));
  }

  /** Runs the command; returns its exit code. */
  static int run(Console console, String... args) {
    CommandLine line = commandLine(console);
    int code;
    try {
      code = line.execute(args);
    } catch (OutOfMemoryError e) {
      console
          .err()
          .println(
              "rais: memory is used up (%s); give the JVM more, for example with RAIS_JAVA_OPTS=-Xmx8g"
                  .formatted(e.getMessage()));
      code = CommandException.FAILED;
    }
    console.out().flush();
    console.err().flush();
    return code;
  }

  /** The command with its subcommands, ready to parse. */
  static CommandLine commandLine(Console console) {
    CommandLine data = new CommandLine(new DataCommand());
    data.addSubcommand(new DataListCommand(console))
        .addSubcommand(new DataFetchCommand(console))
        .addSubcommand(new DataInfoCommand(console));
    CommandLine line =
        new CommandLine(new Main())
            .addSubcommand(new TrainCommand(console))
            .addSubcommand(new EvalCommand(console))
            .addSubcommand(new PredictCommand(console))
            .addSubcommand(data)
            .addSubcommand(new DoctorCommand(console));
    line.getCommandSpec().version("rais " + Version.current());
    line.setOut(new java.io.PrintWriter(console.out(), true));
    line.setErr(new java.io.PrintWriter(console.err(), true));
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
    CommandLine command = e.getCommandLine();
    String name = command.getCommandSpec().qualifiedName();
    console.err().println("%s: %s; see %s --help".formatted(name, oneLine(usageSentence(e)), name));
    return CommandException.USAGE;
  }

  private static String usageSentence(ParameterException e) {
    if (!(e instanceof UnmatchedArgumentException unmatched)
        || unmatched.getUnmatched().isEmpty()) {
      return e.getMessage();
    }
    String given = unmatched.getUnmatched().getFirst();
    CommandSpec spec = e.getCommandLine().getCommandSpec();
    if (given.startsWith("-")) {
      List<String> known = new ArrayList<>(spec.optionsMap().keySet());
      String option = given.split("=", 2)[0];
      return "there is no option " + option + Names.suggestion(option, known);
    }
    if (spec.subcommands().isEmpty()) {
      return "\"" + given + "\" is one argument too many";
    }
    return "there is no command \""
        + given
        + "\""
        + Names.suggestion(given, spec.subcommands().keySet());
  }

  private static int report(Console console, CommandLine command, Exception e) {
    if (wantsTrace(command)) {
      e.printStackTrace(console.err());
    }
    String message = e.getMessage();
    boolean known =
        e instanceof CommandException
            || e instanceof dev.rais.data.DataException
            || e instanceof dev.rais.train.RunFileException
            || e instanceof dev.rais.train.DivergedException
            || e instanceof IllegalArgumentException
            || e instanceof IllegalStateException;
    if (!known || message == null || message.isBlank()) {
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
