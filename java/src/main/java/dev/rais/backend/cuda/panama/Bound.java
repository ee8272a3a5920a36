package dev.rais.backend.cuda.panama;

import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.LibrarySearch;
import dev.rais.natives.Functions;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

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
   * @param missing what to say of one that is missing, given its name
   * @throws CudaUnavailableException with that
   */
  Bound(SymbolLookup library, List<Symbol> symbols, UnaryOperator<String> missing) {
    var functions =
        new Functions(library, name -> new CudaUnavailableException(missing.apply(name)));
    for (Symbol symbol : symbols) {
      handles.put(symbol.name(), functions.bind(symbol.name(), symbol.signature()));
    }
  }

  /** The same of a library that was searched for. */
  static Bound of(LibrarySearch.Library library, List<Symbol> symbols, String needed) {
    return new Bound(
        library.symbols(),
        symbols,
        name -> "%s has no %s; %s is needed".formatted(library.file(), name, needed));
  }

  MethodHandle handle(String name) {
    MethodHandle handle = handles.get(name);
    if (handle == null) {
      throw new IllegalArgumentException(name + " is not in the list of functions");
    }
    return handle;
  }
}
