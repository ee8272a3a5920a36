package dev.rais.cli;

import java.io.PrintStream;
import java.util.function.Function;
import java.util.function.Supplier;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarConsumer;
import me.tongfei.progressbar.ProgressBarRenderer;
import me.tongfei.progressbar.ProgressState;

/**
 * A progress bar on a terminal, redrawn a few times a second: texts left and right of it, the bar
 * in what room they leave. When the program is interrupted, the line is ended cleanly.
 */
final class LiveBar implements AutoCloseable {
  private static final int REDRAW_MILLIS = 150;
  private static final int MINIMUM_BAR = 8;
  private static final int MAXIMUM_BAR = 40;

  private final Line line;
  private final ProgressBar bar;
  private final Thread onInterrupt;

  /**
   * Draws the bar at 0.
   *
   * @param max what {@link #advanceTo} reaches at the end
   * @param left text before the bar
   * @param right text after the bar, given the seconds that remain, NaN while unknown
   */
  LiveBar(Console console, long max, Supplier<String> left, Function<Double, String> right) {
    line = new Line(console.err(), console.columns());
    onInterrupt = new Thread(line::close);
    Runtime.getRuntime().addShutdownHook(onInterrupt);
    bar =
        new ProgressBarBuilder()
            .setInitialMax(Math.max(1, max))
            .setUpdateIntervalMillis(REDRAW_MILLIS)
            .continuousUpdate()
            .setRenderer(new Renderer(left, right))
            .setConsumer(line)
            .build();
  }

  void advanceTo(long position) {
    bar.stepTo(Math.min(position, bar.getMax()));
  }

  @Override
  public void close() {
    bar.close();
    line.close();
    try {
      Runtime.getRuntime().removeShutdownHook(onInterrupt);
    } catch (IllegalStateException e) {
      // The program is already ending, and the hook has run or finds nothing to do.
    }
  }

  private record Renderer(Supplier<String> left, Function<Double, String> right)
      implements ProgressBarRenderer {
    @Override
    public String render(ProgressState state, int columns) {
      double share = Math.clamp(state.getNormalizedProgress(), 0.0, 1.0);
      double elapsed = state.getTotalElapsed().toMillis() / 1e3;
      double remaining = share > 0 ? elapsed * (1 - share) / share : Double.NaN;
      String before = left.get() + " [";
      String after = "] " + right.apply(remaining);
      int room = columns - before.length() - after.length();
      int length = Math.clamp(room, MINIMUM_BAR, MAXIMUM_BAR);
      int full = (int) Math.round(share * length);
      return before + "█".repeat(full) + " ".repeat(length - full) + after;
    }
  }

  /** One line of the terminal that is written again and again. */
  private static final class Line implements ProgressBarConsumer {
    private final PrintStream err;
    private final int columns;
    private int shown;
    private boolean closed;

    Line(PrintStream err, int columns) {
      this.err = err;
      this.columns = columns;
    }

    @Override
    public int getMaxRenderedLength() {
      // A full last column makes some terminals go to the next line.
      return Math.max(1, columns - 1);
    }

    @Override
    public synchronized void accept(String text) {
      if (closed) {
        return;
      }
      String cut = text.substring(0, Math.min(text.length(), getMaxRenderedLength()));
      err.print("\r" + cut + " ".repeat(Math.max(0, shown - cut.length())));
      err.flush();
      shown = cut.length();
    }

    @Override
    public synchronized void close() {
      if (!closed) {
        closed = true;
        err.println();
      }
    }
  }
}
