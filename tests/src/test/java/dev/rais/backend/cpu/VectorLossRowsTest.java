package dev.rais.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.MethodModel;
import java.lang.classfile.attribute.CodeAttribute;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the speed of {@link VectorLossRows} rests on. */
class VectorLossRowsTest {
  /** The default of HotSpot's FreqInlineSize: no longer method is inlined, however hot. */
  private static final int MOST_INLINED = 325;

  @ParameterizedTest
  @CsvSource({
    "VectorLossRows,measured",
    "VectorLossRows,largest",
    "VectorLossRows$Sums,exponentials"
  })
  void longLoopsAreCompiledByThemselves(String of, String name) throws IOException {
    List<MethodModel> methods =
        model(of).methods().stream().filter(m -> m.methodName().equalsString(name)).toList();
    assertEquals(1, methods.size(), name);
    CodeAttribute code = (CodeAttribute) methods.getFirst().code().orElseThrow();
    assertTrue(
        code.codeLength() > MOST_INLINED,
        () -> name + " has " + code.codeLength() + " bytecodes and may be inlined");
  }

  private static ClassModel model(String name) throws IOException {
    try (InputStream in = VectorLossRows.class.getResourceAsStream(name + ".class")) {
      return ClassFile.of().parse(in.readAllBytes());
    }
  }
}
