package dev.rais.cli;

import dev.rais.data.DatasetInfo;
import dev.rais.data.Datasets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code rais data list}: the known data sets and where they are. */
@Command(name = "list", header = "Shows the known data sets and where they are.")
final class DataListCommand implements Callable<Integer> {
  @Option(names = "--data-dir", paramLabel = "DIR", description = DataOptions.DATA_DIR_HELP)
  private Path dataDir;

  @Mixin private CommonOptions common;

  private final Console console;

  DataListCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    DataOptions.requireFolder(dataDir);
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("NAME", "WHERE", "LICENCE", "WHAT"));
    for (DatasetInfo info : Datasets.list(dataDir)) {
      rows.add(List.of(info.name(), info.where(), info.licence(), info.description()));
    }
    Texts.table(console.out(), rows);
    return 0;
  }
}
