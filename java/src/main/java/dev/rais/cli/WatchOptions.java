package dev.rais.cli;

import dev.rais.report.ComparisonListener;
import dev.rais.report.LiveReport;
import dev.rais.report.TensorBoardLogs;
import dev.rais.train.RunDirectory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Option;

/** Ways to watch runs while they go. */
final class WatchOptions {
  private static final Pattern LIVE = Pattern.compile("live(?::(\\d{1,5}))?");

  @Option(
      names = "--report",
      paramLabel = "live[:PORT]",
      description =
          "Serve the report while it is trained, to browsers on this machine; the address is"
              + " printed. PORT is one that is free unless it is given.")
  private String report;

  @Option(
      names = "--tensorboard",
      paramLabel = "DIR",
      description = "Write event files that TensorBoard reads (tensorboard --logdir DIR).")
  private Path tensorboard;

  /** What is told of runs; closing it ends the watching. */
  static final class Watch implements AutoCloseable {
    private final List<ComparisonListener> listeners = new ArrayList<>();
    private LiveReport live;
    private TensorBoardLogs logs;

    /** To be told of runs. */
    ComparisonListener listener() {
      return ComparisonListener.all(listeners);
    }

    @Override
    public void close() {
      if (logs != null) {
        logs.close();
      }
      if (live != null) {
        live.close();
      }
    }
  }

  /** Checks the values, without opening anything. */
  void check() {
    if (report != null) {
      port();
    }
    if (tensorboard != null) {
      RunDirectory.requireWritable(tensorboard);
    }
  }

  private int port() {
    Matcher live = LIVE.matcher(report);
    int port = live.matches() && live.group(1) != null ? Integer.parseInt(live.group(1)) : 0;
    if (!live.matches() || port > 65_535) {
      throw CommandException.usage(
          "--report must be live or live:PORT with a port up to 65535, not " + report);
    }
    return port;
  }

  /**
   * Begins to watch.
   *
   * @param single whether there is one run alone
   */
  Watch open(Console console, List<String> classNames, boolean single) {
    Watch watch = new Watch();
    if (report != null) {
      watch.live = new LiveReport(port(), classNames);
      watch.listeners.add(watch.live);
      console.err().println("report: " + watch.live.address());
    }
    if (tensorboard != null) {
      watch.logs = new TensorBoardLogs(tensorboard, single);
      watch.listeners.add(watch.logs);
    }
    return watch;
  }
}
