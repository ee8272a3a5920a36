package dev.rais.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.kernels.KernelHeader;
import dev.rais.kernels.NativeBuild;
import dev.rais.natives.Functions;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The header, what is bound of it, and the golden list of symbols say the same. */
class KernelsHeaderTest {
  private final KernelHeader header = KernelHeader.read();

  @Test
  void theHeaderIsRead() {
    assertTrue(header.functions().size() >= 14, header.functions().toString());
    var sgd =
        header.functions().stream().filter(f -> f.name().equals("rais_sgd")).findFirst().get();
    assertEquals("i(plppippffpppp)", sgd.signature());
    assertEquals(new KernelHeader.Parameter("const void*", "g"), sgd.parameters().get(5));
  }

  @Test
  void everyFunctionIsBoundInTheHeadersOrderWithItsTypes() {
    List<String> declared =
        header.functions().stream().map(f -> f.name() + " " + f.signature()).toList();
    List<String> bound =
        Kernels.FUNCTIONS.stream()
            .map(f -> f.name() + " " + f.signature().replace(" ", ""))
            .toList();
    assertEquals(String.join("\n", declared), String.join("\n", bound));
  }

  @Test
  void launchersAreTheFunctionsThatTakeAStream() {
    for (int i = 0; i < Kernels.FUNCTIONS.size(); i++) {
      assertEquals(
          header.functions().get(i).isLauncher(),
          Kernels.FUNCTIONS.get(i).isLauncher(),
          Kernels.FUNCTIONS.get(i).name());
    }
  }

  /** In this order too, which is how one finds one's way from the header to Java. */
  @Test
  void everyFunctionIsAMethodWithItsTypes() {
    List<String> expected = new ArrayList<>();
    for (KernelHeader.Function f : header.functions()) {
      List<String> types = new ArrayList<>();
      for (MemoryLayout parameter : Functions.descriptor(f.signature()).argumentLayouts()) {
        types.add(((ValueLayout) parameter).carrier().getSimpleName());
      }
      if (!List.of("rais_abi_version", "rais_build_info", "rais_last_error").contains(f.name())) {
        expected.add(camelCase(f.name()) + types);
      }
    }
    List<String> found = new ArrayList<>();
    for (Class<?> type :
        List.of(
            SamplingKernels.class, StateKernels.class, TrainingKernels.class, LayerKernels.class)) {
      for (Method m : type.getDeclaredMethods()) {
        if (Modifier.isPublic(m.getModifiers())) {
          found.add(
              m.getName()
                  + Arrays.stream(m.getParameterTypes()).map(Class::getSimpleName).toList());
        }
      }
    }
    assertEquals(
        String.join("\n", expected.stream().sorted().toList()),
        String.join("\n", found.stream().sorted().toList()));
  }

  private static String camelCase(String name) {
    return Pattern.compile("_(\\w)")
        .matcher(name.substring("rais_".length()))
        .replaceAll(m -> m.group(1).toUpperCase(Locale.ROOT));
  }

  @Test
  void everyConstantHasItsValue() throws Exception {
    assertFalse(header.constants().isEmpty());
    for (Map.Entry<String, Integer> constant : header.constants().entrySet()) {
      int found =
          switch (constant.getKey()) {
            case "INVALID_ARGUMENT", "CUDA_ERROR", "UNSUPPORTED" ->
                1 + KernelException.Status.valueOf(constant.getKey()).ordinal();
            default -> field(constant.getKey()).getInt(null);
          };
      assertEquals(constant.getValue(), found, "RAIS_" + constant.getKey());
    }
  }

  private static Field field(String name) throws NoSuchFieldException {
    for (Class<?> type : List.of(Kernels.class, StateLayout.class)) {
      for (Field field : type.getDeclaredFields()) {
        if (field.getName().equals(name)) {
          return field;
        }
      }
    }
    throw new NoSuchFieldException(name + " is in the header only");
  }

  @Test
  void theMetricsHaveTheHeadersFields() throws Exception {
    String text = Files.readString(NativeBuild.ROOT.resolve("kernels/rais_kernels.h"));
    Matcher struct =
        Pattern.compile("struct rais_step_metrics \\{(.*?)\\}", Pattern.DOTALL).matcher(text);
    assertTrue(struct.find());
    List<String> declared =
        Pattern.compile("(\\w+) (\\w+);")
            .matcher(struct.group(1).replaceAll("/\\*.*?\\*/", ""))
            .results()
            .map(m -> m.group(1) + " " + camelCase("rais_" + m.group(2)))
            .toList();
    List<String> bound =
        StateLayout.STEP_METRICS.memberLayouts().stream()
            .map(
                m ->
                    switch (((ValueLayout) m).carrier().getSimpleName()) {
                          case "long" -> "int64_t";
                          case "int" -> "int32_t";
                          case String other -> other;
                        }
                        + " "
                        + m.name().orElseThrow())
            .toList();
    assertEquals(declared, bound);
  }

  @Test
  void theGoldenListHasTheHeadersFunctions() throws Exception {
    List<String> golden = Files.readAllLines(NativeBuild.ROOT.resolve("kernels/symbols.txt"));
    assertEquals(
        header.functions().stream().map(KernelHeader.Function::name).sorted().toList(), golden);
  }

  @Test
  void pointersAreSegments() {
    assertEquals(MemorySegment.class, Functions.descriptor("i(p)").toMethodType().parameterType(0));
  }
}
