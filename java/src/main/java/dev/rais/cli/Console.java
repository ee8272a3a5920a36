package dev.rais.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * Where a command writes.
 *
 * @param out for results
 * @param err for progress, warnings and failures
 * @param columns width of the terminal that {@code err} is; 0 if it is none
 */
record Console(PrintStream out, PrintStream err, int columns) {
  /** Set by the launcher where standard error is a terminal: its width, or empty if unknown. */
  private static final String COLUMNS_PROPERTY = "rais.terminal.columns";

  private static final int USUAL_COLUMNS = 80;

  static Console ofSystem() {
    return new Console(stream(FileDescriptor.out), stream(FileDescriptor.err), systemColumns());
  }

  /** UTF-8 whatever the locale: JSON demands it and terminals expect it. */
  private static PrintStream stream(FileDescriptor descriptor) {
    return new PrintStream(new Output(descriptor), true, StandardCharsets.UTF_8);
  }

  /** A reader that goes away, as head does, has what it wanted: the rest is no failure. */
  private static final class Output extends FileOutputStream {
    Output(FileDescriptor descriptor) {
      super(descriptor);
    }

    @Override
    public void write(byte[] bytes, int from, int length) throws IOException {
      try {
        super.write(bytes, from, length);
      } catch (IOException e) {
        if (!String.valueOf(e.getMessage()).contains("Broken pipe")) {
          throw e;
        }
      }
    }
  }

  private static int systemColumns() {
    String columns = System.getProperty(COLUMNS_PROPERTY);
    if (columns == null) {
      return 0;
    }
    try {
      int known = Integer.parseInt(columns.strip());
      return known > 0 ? known : USUAL_COLUMNS;
    } catch (NumberFormatException e) {
      return USUAL_COLUMNS;
    }
  }

  /** Whether progress can be drawn over itself. */
  boolean live() {
    return columns > 0;
  }
}
