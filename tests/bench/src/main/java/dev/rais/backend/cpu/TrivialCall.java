package dev.rais.backend.cpu;

import dev.rais.natives.Functions;
import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/** A function of oneDNN that does next to nothing: how many engines there are for a processor. */
@SuppressWarnings("restricted") // native access is what this class is for
public final class TrivialCall {
  private static final int CPU = 1;

  // Static and final, as only such handles are inlined.
  private static final MethodHandle ORDINARY;
  private static final MethodHandle CRITICAL;

  static {
    var library = SymbolLookup.libraryLookup(DnnLoader.load(), Arena.global());
    var functions = new Functions(library, IllegalStateException::new);
    ORDINARY = functions.bind("dnnl_engine_get_count", "l(i)");
    CRITICAL = functions.bind("dnnl_engine_get_count", "l(i)", Linker.Option.critical(false));
  }

  private TrivialCall() {}

  /** Calls it. */
  public static long ordinary() {
    try {
      return (long) ORDINARY.invokeExact(CPU);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Calls it without a thread transition. */
  public static long critical() {
    try {
      return (long) CRITICAL.invokeExact(CPU);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }
}
