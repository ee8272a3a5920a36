package dev.rais.cli;

import dev.rais.data.DatasetFetcher;
import dev.rais.data.DatasetInfo;
import dev.rais.data.Datasets;
import dev.rais.data.FetchOptions;
import dev.rais.data.FetchProgress;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code rais data fetch}: downloads a data set. */
@Command(
    name = "fetch",
    header = "Downloads a data set and checks it.",
    description =
        "An interrupted download goes on where it stopped; files that are there already are left"
            + " alone.")
final class DataFetchCommand implements Callable<Integer> {
  @Parameters(paramLabel = "NAME", description = "A name out of `rais data list`.")
  private String name;

  @Option(
      names = {"--data-dir", "--to"},
      paramLabel = "DIR",
      description =
          "Folder to put it in, as DIR/NAME (default: the user's cache, where it is found without"
              + " further options).")
  private Path directory;

  @Option(
      names = "--mirror",
      paramLabel = "URL",
      description = "Address to take the files from in place of the official one.")
  private URI mirror;

  @Option(names = "--quiet", description = "Show no progress.")
  private boolean quiet;

  @Mixin private CommonOptions common;

  private final Console console;

  DataFetchCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    List<DatasetInfo> known = Datasets.known();
    Names.require("data set", name, known.stream().map(DatasetInfo::name).toList());
    Path target = directory == null ? Datasets.cacheDirectory(name) : directory.resolve(name);
    FetchOptions options = FetchOptions.defaults();
    if (mirror != null) {
      options = options.withMirror(mirror);
    }
    DatasetInfo info =
        known.stream().filter(one -> one.name().equals(name)).findFirst().orElseThrow();
    if (!quiet && !info.weakChecksum().isEmpty()) {
      console
          .err()
          .println(
              "checked against an MD5, a weak checksum, as given by %s"
                  .formatted(info.weakChecksum()));
    }
    try (Progress progress = new Progress(info.downloadBytes())) {
      DatasetFetcher.fetch(name, target, options, progress);
    }
    console.out().println(name + " is in " + target);
    return 0;
  }

  /** A bar on a terminal, else a line per file. */
  private final class Progress implements FetchProgress, AutoCloseable {
    private final LiveBar bar;
    // Written by the downloading thread, read by the bar's.
    private volatile String file = "";
    private volatile long done;

    Progress(long totalBytes) {
      bar =
          quiet || !console.live() || totalBytes == 0
              ? null
              : new LiveBar(
                  console,
                  totalBytes,
                  () -> name,
                  remaining ->
                      file.isEmpty()
                          ? "connecting"
                          : "%s of %s, ETA %s, %s"
                              .formatted(
                                  Texts.megabytes(done),
                                  Texts.megabytes(totalBytes),
                                  remaining.isNaN() ? "-" : Texts.clock(remaining),
                                  file));
    }

    @Override
    public void advance(String fileName, long doneBytes, long totalBytes) {
      done = doneBytes;
      if (bar != null) {
        bar.advanceTo(doneBytes);
      } else if (!quiet && !fileName.equals(file)) {
        console.err().println("downloading " + fileName);
      }
      file = fileName;
    }

    @Override
    public void close() {
      if (bar != null) {
        bar.close();
      }
    }
  }
}
