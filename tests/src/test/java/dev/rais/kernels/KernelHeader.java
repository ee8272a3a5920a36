package dev.rais.kernels;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * {@code kernels/rais_kernels.h}, read: its functions and its constants.
 *
 * @param functions in the header's order
 * @param constants numbers that are defined, without the prefix {@code RAIS_}
 */
public record KernelHeader(List<Function> functions, Map<String, Integer> constants) {
  private static final Pattern COMMENT = Pattern.compile("/\\*.*?\\*/", Pattern.DOTALL);
  private static final Pattern FUNCTION =
      Pattern.compile("RAIS_API\\s+([^;(]+?)\\b(rais_\\w+)\\(([^)]*)\\);");
  private static final Pattern PARAMETER = Pattern.compile("(.*\\W)(\\w+)", Pattern.DOTALL);
  private static final Pattern CONSTANT =
      Pattern.compile("^#define RAIS_(\\w+) +(\\d+)\\b", Pattern.MULTILINE);

  /** A parameter and its type, as the header writes it. */
  public record Parameter(String type, String name) {}

  /** A function that the header declares. */
  public record Function(String result, String name, List<Parameter> parameters) {
    /** Whether it puts kernels on a stream; the others only compute. */
    public boolean isLauncher() {
      return !parameters.isEmpty() && parameters.getFirst().type().equals("rais_stream");
    }

    /** Its types in the letters of {@link dev.rais.natives.Functions}. */
    public String signature() {
      StringBuilder letters = new StringBuilder();
      for (Parameter p : parameters) {
        letters.append(letter(p.type()));
      }
      return letter(result) + "(" + letters + ")";
    }

    private static char letter(String type) {
      if (type.endsWith("*")) {
        return 'p';
      }
      return switch (type) {
        case "rais_stream" -> 'p';
        case "int32_t", "uint32_t" -> 'i';
        case "int64_t", "uint64_t" -> 'l';
        case "float" -> 'f';
        case "double" -> 'd';
        case "void" -> 'v';
        default -> throw new AssertionError("the header has a type that no test knows: " + type);
      };
    }
  }

  /** Reads the checkout's header. */
  public static KernelHeader read() {
    Path file = NativeBuild.ROOT.resolve("kernels/rais_kernels.h");
    try {
      return parse(Files.readString(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static KernelHeader parse(String text) {
    Map<String, Integer> constants = new LinkedHashMap<>();
    Matcher constant = CONSTANT.matcher(text);
    while (constant.find()) {
      constants.put(constant.group(1), Integer.valueOf(constant.group(2)));
    }
    List<Function> functions = new ArrayList<>();
    Matcher function = FUNCTION.matcher(COMMENT.matcher(text).replaceAll(""));
    while (function.find()) {
      functions.add(
          new Function(
              spaces(function.group(1)), function.group(2), parameters(function.group(3))));
    }
    return new KernelHeader(functions, constants);
  }

  private static List<Parameter> parameters(String text) {
    if (text.strip().equals("void")) {
      return List.of();
    }
    List<Parameter> parameters = new ArrayList<>();
    for (String parameter : text.split(",")) {
      Matcher m = PARAMETER.matcher(parameter.strip());
      if (!m.matches()) {
        throw new AssertionError("the header has a parameter without a name: " + parameter);
      }
      parameters.add(new Parameter(spaces(m.group(1)), m.group(2)));
    }
    return parameters;
  }

  private static String spaces(String text) {
    return text.strip().replaceAll("\\s+", " ");
  }
}
