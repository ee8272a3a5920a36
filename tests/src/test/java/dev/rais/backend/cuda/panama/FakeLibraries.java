package dev.rais.backend.cuda.panama;

import dev.rais.kernels.NativeBuild;
import dev.rais.natives.Functions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A driver, cuBLAS and cuDNN that write down how they are called: a line for each call into the
 * file that {@code RAIS_CALLS} names, with numbers, handles, and for factors what they point to.
 * What is computed is made up, and a call with a number {@value #WRONG} fails.
 */
public final class FakeLibraries {
  /** A number that makes a call fail with status 2. */
  public static final int WRONG = 666;

  /** What calls leave where a pointer argument points to: argument's number, then its type. */
  private static final Map<String, String> RESULTS =
      Map.ofEntries(
          Map.entry("cuGetErrorString", "1s"),
          Map.entry("cuGetErrorName", "1s"),
          Map.entry("cuDriverGetVersion", "0i"),
          Map.entry("cuDeviceGet", "0i"),
          Map.entry("cuDeviceGetCount", "0i"),
          Map.entry("cuDeviceGetName", "0t"),
          Map.entry("cuDeviceGetAttribute", "0i"),
          Map.entry("cuDevicePrimaryCtxRetain", "0h"),
          Map.entry("cuMemGetInfo_v2", "0h 1h"),
          Map.entry("cuMemAlloc_v2", "0h"),
          Map.entry("cuMemHostAlloc", "0h"),
          Map.entry("cuMemAllocAsync", "0h"),
          Map.entry("cuStreamCreate", "0h"),
          Map.entry("cuStreamEndCapture", "1h"),
          Map.entry("cuEventCreate", "0h"),
          Map.entry("cuGraphInstantiateWithFlags", "0h"),
          Map.entry("cublasCreate_v2", "0h"),
          Map.entry("cublasGetProperty", "1i"),
          Map.entry("cublasGetMathMode", "1z"),
          Map.entry("cublasGemmEx", "6f 13f"),
          Map.entry("cudnnGetLastErrorString", "0e"),
          Map.entry("cudnnCreate", "0h"),
          Map.entry("cudnnCreateTensorDescriptor", "0h"),
          Map.entry("cudnnCreateFilterDescriptor", "0h"),
          Map.entry("cudnnCreateConvolutionDescriptor", "0h"),
          Map.entry("cudnnGetConvolution2dForwardOutputDim", "3i 4i 5i 6i"),
          Map.entry("cudnnFindConvolutionForwardAlgorithmEx", "9c 10r"),
          Map.entry("cudnnFindConvolutionBackwardDataAlgorithmEx", "9c 10r"),
          Map.entry("cudnnFindConvolutionBackwardFilterAlgorithmEx", "9c 10r"),
          Map.entry("cudnnGetConvolutionForwardWorkspaceSize", "6h"),
          Map.entry("cudnnGetConvolutionBackwardDataWorkspaceSize", "6h"),
          Map.entry("cudnnGetConvolutionBackwardFilterWorkspaceSize", "6h"),
          Map.entry("cudnnConvolutionForward", "1f 10f"),
          Map.entry("cudnnConvolutionBackwardData", "1f 10f"),
          Map.entry("cudnnConvolutionBackwardFilter", "1f 10f"));

  private static final String COMMON =
      """
      #include <cstdio>
      #include <cstdlib>
      #include <cstring>
      static long next = 0x1000;
      static int number = 70;
      static FILE* calls() {
        static FILE* file = fopen(getenv("RAIS_CALLS"), "a");
        return file;
      }
      static void value(long v) { fprintf(calls(), " %lx", v); }
      static void value(int v) { fprintf(calls(), " %d", v); }
      static void value(void* v) {
        if ((unsigned long)v < 0x100000) value((long)v); else fprintf(calls(), " *");
      }
      struct Result { int algo, status; float time; long memory; int same, math, none[3]; };
      static_assert(sizeof(Result) == 48, "as cuDNN has it");
      extern "C" {
      """;

  private FakeLibraries() {}

  /** Builds the three of them into a folder. */
  public static void build(Path folder) throws IOException, InterruptedException {
    library(folder.resolve("libcuda.so.1"), PanamaDriver.FUNCTIONS);
    List<Bound.Symbol> blas = new ArrayList<>(PanamaBlas.FUNCTIONS);
    // What JCublas calls besides.
    blas.add(new Bound.Symbol("cublasGetMathMode", "i(pp)"));
    library(folder.resolve("libcublas.so.12"), blas);
    library(folder.resolve("libcudnn.so.9"), PanamaDnn.FUNCTIONS);
  }

  private static void library(Path file, List<Bound.Symbol> symbols)
      throws IOException, InterruptedException {
    StringBuilder code = new StringBuilder(COMMON);
    symbols.forEach(symbol -> code.append(function(symbol)));
    String name = file.getFileName().toString();
    Path source = Files.writeString(file.resolveSibling(name + ".cpp"), code.append("}\n"));
    // The symbols' version, as cuBLAS has it.
    Path versions = Files.writeString(file.resolveSibling(name + ".map"), name + " { *; };\n");
    NativeBuild.run(
        "c++",
        "-shared",
        "-fPIC",
        "-Wl,-soname," + name,
        "-Wl,--version-script," + versions,
        "-o",
        file.toString(),
        source.toString());
  }

  private static String function(Bound.Symbol symbol) {
    String letters = Functions.parameters(symbol.signature());
    StringBuilder parameters = new StringBuilder();
    StringBuilder body = new StringBuilder();
    StringBuilder wrong = new StringBuilder("false");
    for (int i = 0; i < letters.length(); i++) {
      char letter = letters.charAt(i);
      parameters.append(i == 0 ? "" : ", ").append(type(letter)).append(" a").append(i);
      body.append("  value(a%d);\n".formatted(i));
      if (letter != 'p') {
        wrong.append(" || a%d == %d".formatted(i, WRONG));
      }
    }
    String results = RESULTS.getOrDefault(symbol.name(), "");
    StringBuilder left = new StringBuilder();
    for (String result : results.isEmpty() ? new String[0] : results.split(" ")) {
      left.append("  ").append(leave(result)).append('\n');
    }
    return """
    %s %s(%s) {
      fprintf(calls(), "%s");
    %s  bool wrong = %s;
      if (!wrong) {
    %s  }
      fprintf(calls(), "\\n");
      fflush(calls());
    %s}
    """
        .formatted(
            type(symbol.signature().charAt(0)),
            symbol.name(),
            parameters,
            symbol.name(),
            body,
            wrong,
            left,
            returned(symbol));
  }

  private static String leave(String result) {
    String a = "a" + result.replaceAll("\\D", "");
    return switch (result.charAt(result.length() - 1)) {
      case 'i' -> "*(int*)" + a + " = ++number;";
      case 'z' -> "*(int*)" + a + " = 0;";
      case 'h' -> "*(long*)" + a + " = next += 0x100;";
      case 's' -> "*(const char**)" + a + " = \"its text\";";
      case 't' -> "strcpy((char*)" + a + ", \"a device\");";
      case 'e' -> "*(char*)" + a + " = 0;";
      case 'f' -> "fprintf(calls(), \" =%g\", *(float*)" + a + ");";
      case 'c' -> "*(int*)" + a + " = 2;";
      case 'r' ->
          "((Result*)%s)[0] = {5, 0, 0.5f, 1L << 33, 1, 3}; ((Result*)%s)[1] = {1, 9, -1, 0, 0, 0};"
              .formatted(a, a);
      default -> throw new IllegalArgumentException(result);
    };
  }

  private static String type(char letter) {
    return switch (letter) {
      case 'i' -> "int";
      case 'l' -> "long";
      case 'p' -> "void*";
      default -> "void";
    };
  }

  private static String returned(Bound.Symbol symbol) {
    return switch (symbol.signature().charAt(0)) {
      case 'i' -> "  return wrong ? 2 : 0;\n";
      case 'l' ->
          "  return %d;\n".formatted(symbol.name().endsWith("nGetVersion") ? 90_600 : 12_060);
      case 'p' -> "  return (void*)\"its name\";\n";
      default -> "";
    };
  }
}
