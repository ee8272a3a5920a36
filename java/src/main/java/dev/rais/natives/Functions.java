package dev.rais.natives;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * Binds C functions of a library by name and signature.
 *
 * <p>A signature is a letter for the result and, in parentheses, one for each parameter, with
 * spaces where they help reading: {@code i} for 32 and {@code l} for 64 bits, {@code f} for float,
 * {@code d} for double, {@code p} for any pointer, {@code v} for no result. {@code size_t} is an
 * {@code l}. So {@code "i(pl ff)"} is {@code int32_t name(void*, int64_t, float, float)}.
 */
@SuppressWarnings("restricted") // native access is what this class is for
public final class Functions {
  private static final long MAX_TEXT = 1 << 16;

  private final SymbolLookup symbols;
  private final Function<String, ? extends RuntimeException> missing;

  /**
   * Functions of one library.
   *
   * @param symbols the library
   * @param missing the exception for a function that it lacks, given the function's name
   */
  public Functions(SymbolLookup symbols, Function<String, ? extends RuntimeException> missing) {
    this.symbols = symbols;
    this.missing = missing;
  }

  /**
   * A handle that calls a function.
   *
   * @param options critical for what neither waits nor takes long: it holds up garbage collections
   */
  public MethodHandle bind(String name, String signature, Linker.Option... options) {
    MemorySegment address = symbols.find(name).orElseThrow(() -> missing.apply(name));
    return Linker.nativeLinker().downcallHandle(address, descriptor(signature), options);
  }

  /** The types that a signature stands for. */
  public static FunctionDescriptor descriptor(String signature) {
    List<MemoryLayout> parameters = new ArrayList<>();
    for (char letter : parameters(signature).toCharArray()) {
      parameters.add(layout(letter));
    }
    MemoryLayout[] all = parameters.toArray(MemoryLayout[]::new);
    return signature.charAt(0) == 'v'
        ? FunctionDescriptor.ofVoid(all)
        : FunctionDescriptor.of(layout(signature.charAt(0)), all);
  }

  /** The parameters' letters. */
  public static String parameters(String signature) {
    if (signature.length() < 3
        || signature.charAt(1) != '('
        || signature.indexOf(')') != signature.length() - 1) {
      throw new IllegalArgumentException(
          "a signature is like \"i(pl)\", but this one is \"" + signature + "\"");
    }
    return signature.substring(2, signature.length() - 1).replace(" ", "");
  }

  private static ValueLayout layout(char letter) {
    return switch (letter) {
      case 'i' -> JAVA_INT;
      case 'l' -> JAVA_LONG;
      case 'f' -> JAVA_FLOAT;
      case 'd' -> JAVA_DOUBLE;
      case 'p' -> ADDRESS;
      default -> throw new IllegalArgumentException("'" + letter + "' is no type's letter");
    };
  }

  /** The text that a {@code const char*} points to. */
  public static String text(MemorySegment pointer) {
    return pointer.reinterpret(MAX_TEXT).getString(0);
  }

  /**
   * What a call through a handle threw, to be thrown on: handles may throw anything, C does not.
   */
  public static RuntimeException rethrown(Throwable e) {
    return switch (e) {
      case RuntimeException r -> r;
      case Error r -> throw r;
      default -> new IllegalStateException(e);
    };
  }
}
