package dev.rais.backend.cuda.panama;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.Requirements;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Compares what is bound of a library with the C header that lies beside it. */
final class ToolkitHeaders {
  private final String text;

  private ToolkitHeaders(String text) {
    this.text = text;
  }

  /** The headers in a library's toolkit or package; skips the test if it came without. */
  static ToolkitHeaders beside(Path library, String name, String... files) throws IOException {
    Path libraries = library.getParent();
    Path folder =
        (Files.exists(libraries) ? libraries.toRealPath() : libraries).resolveSibling("include");
    StringBuilder all = new StringBuilder();
    for (String file : files) {
      Path header = folder.resolve(file);
      Requirements.need(name, Files.exists(header), "there is no " + header);
      all.append(Files.readString(header));
    }
    // Comments hold parentheses and commas.
    return new ToolkitHeaders(
        all.toString()
            .replaceAll("(?s)/\\*.*?\\*/", " ")
            .replaceAll("//[^\n]*", " ")
            .replaceAll("\\s+", " "));
  }

  /** Each function is declared, in this order, with these types. */
  void declare(List<Bound.Symbol> symbols, String convention) {
    int last = 0;
    for (Bound.Symbol symbol : symbols) {
      Matcher declaration =
          Pattern.compile(
                  "([\\w ]+[\\w*] ?)" + convention + " " + symbol.name() + " ?\\(([^)]*)\\) ?;")
              .matcher(text);
      assertTrue(declaration.find(), symbol.name() + " is not declared");
      assertTrue(declaration.start() >= last, symbol.name() + " is not in the header's order");
      last = declaration.start();
      assertEquals(
          symbol.signature().replace(" ", ""), signature(declaration), declaration.group());
    }
  }

  private static String signature(Matcher declaration) {
    StringBuilder signature = new StringBuilder();
    String result = declaration.group(1);
    signature
        .append(result.contains("*") ? 'p' : result.contains("void") ? 'v' : letter(result))
        .append('(');
    String parameters = declaration.group(2).strip();
    if (!parameters.equals("void")) {
      for (String parameter : parameters.split(",")) {
        signature.append(letter(parameter));
      }
    }
    return signature.append(')').toString();
  }

  private static char letter(String declaration) {
    if (declaration.contains("*")
        || declaration.matches(".*(Handle_t|Descriptor_t|Stream_t)\\b.*")
        || declaration.matches(".*\\bCU(context|stream|event|graph|graphExec|memoryPool)\\b.*")) {
      return 'p';
    }
    return declaration.matches(".*\\b(size_t|CUdeviceptr|unsigned long long)\\b.*") ? 'l' : 'i';
  }

  /**
   * The same for functions that macros give other names: the newest declaration under the name that
   * is written in C. Their order is not that of the header.
   */
  void declareWithMacros(List<Bound.Symbol> symbols, String convention) {
    for (Bound.Symbol symbol : symbols) {
      String written = symbol.name();
      Matcher macro =
          Pattern.compile("#define (cu\\w+) (?:__CUDA_API_PT(?:DS|SZ)\\()?" + symbol.name() + "\\b")
              .matcher(text);
      if (macro.find()) {
        written = macro.group(1);
      }
      Matcher declaration =
          Pattern.compile("([\\w ]+[\\w*] ?)" + convention + " " + written + " ?\\(([^)]*)\\) ?;")
              .matcher(text);
      assertTrue(declaration.find(), symbol.name() + " is not declared");
      assertEquals(
          symbol.signature().replace(" ", ""), signature(declaration), declaration.group());
    }
  }

  /** A constant has this value. */
  void constant(String name, int value) {
    Matcher found = Pattern.compile("\\b" + name + "\\s*=\\s*(-?\\d+)").matcher(text);
    assertTrue(found.find(), name + " is not in the header");
    assertEquals(value, Integer.parseInt(found.group(1)), name);
  }
}
