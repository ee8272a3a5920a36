package dev.rais.cli;

import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Numbers and tables for people. */
final class Texts {
  private Texts() {}

  /** {@link String#format} with points as decimal marks wherever the program runs. */
  static String format(String format, Object... arguments) {
    return String.format(Locale.ROOT, format, arguments);
  }

  /** A fraction as a percentage: 0.0123 is "1.23 %". */
  static String percent(double fraction) {
    return format("%.2f %%", 100 * fraction);
  }

  /** A whole number with separators: "60,000". */
  static String count(double number) {
    return Double.isFinite(number) ? format("%,d", Math.round(number)) : "-";
  }

  /** Things with their number: "1 image", "2,000 images". */
  static String counted(int number, String thing) {
    return count(number) + " " + thing + (number == 1 ? "" : "s");
  }

  /** A number without digits that say nothing: "10", "0.5". */
  static String shortest(double number) {
    return new BigDecimal(number, new MathContext(6)).stripTrailingZeros().toPlainString();
  }

  /** A time: "0.84 s", "12.3 s", "4:05 min". */
  static String time(double seconds) {
    if (seconds < 10) {
      return format("%.2f s", seconds);
    }
    return seconds < 100 ? format("%.1f s", seconds) : clock(seconds) + " min";
  }

  /** Minutes and seconds: "4:05", with hours "1:04:05". */
  static String clock(double seconds) {
    long whole = Math.round(seconds);
    return whole < 3600
        ? format("%d:%02d", whole / 60, whole % 60)
        : format("%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
  }

  /** An amount of data: "26.4 MB". */
  static String megabytes(double bytes) {
    return format("%.1f MB", bytes / 1e6);
  }

  /** Rows of the same number of cells, columns aligned to the left. */
  static void table(PrintStream out, List<List<String>> rows) {
    lines(rows).forEach(out::println);
  }

  /** The lines of a table. */
  static List<String> lines(List<List<String>> rows) {
    int columns = rows.getFirst().size();
    int[] widths = new int[columns];
    for (List<String> row : rows) {
      for (int c = 0; c < columns; c++) {
        widths[c] = Math.max(widths[c], row.get(c).length());
      }
    }
    List<String> lines = new ArrayList<>();
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder();
      for (int c = 0; c < columns; c++) {
        line.append(row.get(c));
        if (c < columns - 1) {
          line.repeat(' ', widths[c] - row.get(c).length() + 2);
        }
      }
      lines.add(line.toString().stripTrailing());
    }
    return lines;
  }
}
