package dev.rais.backend.cuda.panama;

import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.natives.Functions;
import java.lang.invoke.MethodHandle;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A library's functions, bound by a list of names and signatures. */
final class Bound {
  /**
   * A function of a library.
   *
   * @param signature as {@link Functions} has it
   */
  record Symbol(String name, String signature) {}

  private final Map<String, MethodHandle> handles = new HashMap<>();

  /**
   * Binds them all.
   *
   * @throws CudaUnavailableException if one is missing
   */
  Bound(LibrarySearch.Library library, List<Symbol> symbols, String needed) {
    var functions =
        new Functions(
            library.symbols(),
            name ->
                new CudaUnavailableException(
                    "%s has no %s; %s is needed".formatted(library.file(), name, needed)));
    for (Symbol symbol : symbols) {
      handles.put(symbol.name(), functions.bind(symbol.name(), symbol.signature()));
    }
  }

  MethodHandle handle(String name) {
    MethodHandle handle = handles.get(name);
    if (handle == null) {
      throw new IllegalArgumentException(name + " is not in the list of functions");
    }
    return handle;
  }
}
