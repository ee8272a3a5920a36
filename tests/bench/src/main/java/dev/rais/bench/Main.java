package dev.rais.bench;

import dev.rais.data.NearestName;
import java.io.PrintWriter;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParameterException;

/**
 * Lists the benchmarks or runs the one that is named; exit code 2 for wrong usage, 1 on failure.
 */
public final class Main {
  private Main() {}

  @Command(name = "tests/bench/run")
  private static final class Root {}

  /** Runs the command line. */
  public static void main(String[] args) {
    int status = run(args, new PrintWriter(System.out, true), new PrintWriter(System.err, true));
    System.out.flush();
    System.exit(status);
  }

  static int run(String[] args, PrintWriter out, PrintWriter err) {
    CommandLine root = new CommandLine(new Root());
    Benches.all().forEach(bench -> root.addSubcommand(bench));
    root.setCaseInsensitiveEnumValuesAllowed(true);
    root.setOut(out);
    root.setErr(err);
    root.setParameterExceptionHandler(Main::explain);
    root.setExecutionExceptionHandler(
        (e, command, result) -> {
          if (!(e instanceof BenchException)) {
            throw e;
          }
          err.println(command.getCommandName() + ": " + e.getMessage());
          return 1;
        });
    Map<String, CommandLine> benches = root.getSubcommands();
    if (args.length == 0 || args[0].equals("--help") || args[0].equals("-h")) {
      list(benches, out);
      return 0;
    }
    if (!benches.containsKey(args[0])) {
      String nearest =
          NearestName.of(args[0], benches.keySet())
              .map(name -> "; did you mean '" + name + "'?")
              .orElse("; benches: " + String.join(", ", benches.keySet()));
      err.println("there is no bench '" + args[0] + "'" + nearest);
      return 2;
    }
    return root.execute(args);
  }

  private static int explain(ParameterException e, String[] args) {
    CommandLine command = e.getCommandLine();
    command.getErr().println(command.getCommandName() + ": " + e.getMessage());
    return 2;
  }

  private static void list(Map<String, CommandLine> benches, PrintWriter out) {
    out.println("tests/bench/run NAME [OPTIONS], where NAME is");
    benches.forEach(
        (name, command) ->
            out.printf(
                "  %-8s %s%n", name, command.getCommandSpec().usageMessage().description()[0]));
    out.println("tests/bench/run NAME --help lists the options; docs/benchmarks.md tells more.");
  }
}
