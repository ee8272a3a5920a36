// Checks (or with --apply rewrites) every Java source of the project with google-java-format.
// Run by the Maven build through the JDK 25 toolchain, because Maven's own JVM may be too old to
// parse the sources.
// Usage: java -cp google-java-format-all-deps.jar tests/format/FormatSources.java [--check|--apply]
// ROOT...

import com.google.googlejavaformat.java.Formatter;
import com.google.googlejavaformat.java.JavaFormatterOptions;
import com.google.googlejavaformat.java.RemoveUnusedImports;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

class FormatSources {
  public static void main(String[] args) throws Exception {
    List<String> roots = new ArrayList<>(Arrays.asList(args));
    boolean apply = roots.remove("--apply");
    roots.remove("--check");
    var formatter = new Formatter(JavaFormatterOptions.defaultOptions());
    int checked = 0;
    List<Path> wrong = new ArrayList<>();
    for (String root : roots) {
      for (Path file : javaFiles(Path.of(root))) {
        String before = Files.readString(file);
        String after;
        try {
          after =
              RemoveUnusedImports.removeUnusedImports(formatter.formatSourceAndFixImports(before));
        } catch (com.google.googlejavaformat.java.FormatterException e) {
          System.err.println(file + ": " + e.getMessage());
          wrong.add(file);
          continue;
        }
        checked++;
        if (!after.equals(before)) {
          wrong.add(file);
          if (apply) {
            Files.writeString(file, after);
          }
        }
      }
    }
    if (checked == 0) {
      System.err.println("format check found no Java source under " + roots);
      System.exit(1);
    }
    if (!wrong.isEmpty() && !apply) {
      System.err.println(
          "not in google-java-format's layout; `mvn -N validate -Dformat.apply` rewrites them:");
      wrong.forEach(file -> System.err.println("  " + file));
      System.exit(1);
    }
    System.out.println(
        "format: "
            + checked
            + " files "
            + (apply ? "(" + wrong.size() + " rewritten)" : "checked"));
  }

  private static List<Path> javaFiles(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .filter(f -> f.toString().endsWith(".java"))
          .filter(f -> !f.toString().contains("/target/"))
          .sorted()
          .toList();
    }
  }
}
