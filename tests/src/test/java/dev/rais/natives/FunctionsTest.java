package dev.rais.natives;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.util.NoSuchElementException;
import org.junit.jupiter.api.Test;

/** Signatures, and calls through them. */
class FunctionsTest {
  @Test
  void lettersAreTypes() {
    assertEquals(
        FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_FLOAT, JAVA_DOUBLE, JAVA_INT),
        Functions.descriptor("i(p lf di)"));
    assertEquals(FunctionDescriptor.ofVoid(), Functions.descriptor("v()"));
  }

  @Test
  void whatIsNoSignatureIsRefused() {
    for (String wrong : new String[] {"", "i", "i(", "ip)", "i(x)", "x()", "i(p)p"}) {
      assertThrows(IllegalArgumentException.class, () -> Functions.descriptor(wrong), wrong);
    }
  }

  @Test
  void functionsOfTheLibraryAreCalledAndOthersMissed() throws Throwable {
    var functions =
        new Functions(Linker.nativeLinker().defaultLookup(), NoSuchElementException::new);
    assertEquals(7, (int) functions.bind("abs", "i(i)").invokeExact(-7));
    var e =
        assertThrows(NoSuchElementException.class, () -> functions.bind("no_such_function", "v()"));
    assertEquals("no_such_function", e.getMessage());
  }
}
