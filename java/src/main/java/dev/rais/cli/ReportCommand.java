package dev.rais.cli;

import dev.rais.report.ComparisonTable;
import dev.rais.report.ReportPage;
import dev.rais.report.RunFolders;
import dev.rais.train.RunDirectory;
import dev.rais.train.RunJson;
import dev.rais.train.RunRecord;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code rais report}: an HTML page about finished runs. */
@Command(
    name = "report",
    abbreviateSynopsis = true,
    sortOptions = false,
    header = "Makes a page with plots and tables of finished runs.",
    description = {
      "",
      "The page needs no network and no other file. Runs must be on the same data and of the same"
          + " model; those that differ in their seed alone are averaged.",
      ""
    },
    footer = {
      "",
      "Examples:",
      "  rais report runs/mnist --out mnist.html",
      "  rais report runs/one runs/two --out two.html"
    })
final class ReportCommand implements Callable<Integer> {
  @Parameters(
      paramLabel = "RUN",
      arity = "1..*",
      description = "Folders of rais train --out or rais compare.")
  private List<Path> folders;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      required = true,
      description =
          "The page; an earlier one is replaced. The plots are written as SVG and PNG into the"
              + " folder plots beside it.")
  private Path out;

  @Option(
      names = "--json",
      description = "Print the table as JSON, the last line on standard output.")
  private boolean json;

  @Mixin private CommonOptions common;

  private final Console console;

  ReportCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    Path page = out.toAbsolutePath().normalize();
    if (Files.isDirectory(page)) {
      throw CommandException.usage(
          "--out %s is a folder; expected the name of the page, such as %s"
              .formatted(out, out.resolve(ReportPage.FILE)));
    }
    RunDirectory.requireWritable(page.getParent());
    Map<String, List<RunRecord>> runs = RunFolders.read(folders);
    ReportPage.of(runs, RunFolders.classNames(runs))
        .write(page, page.resolveSibling(ReportPage.PLOTS));
    ComparisonTable table = ComparisonTable.of(runs);
    if (json) {
      console.out().println(new RunJson().line(table));
    } else {
      ComparisonTexts.print(console, table);
      console.err().println("the report is in " + out);
    }
    return 0;
  }
}
