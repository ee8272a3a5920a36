package dev.rais.backend.cuda;

import dev.rais.natives.Functions;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The kernels' library for the host, with launches that go by way of a queue. */
@SuppressWarnings("restricted") // native access is what this class is for
final class HostKernels {
  private static final MethodHandle LAUNCH;

  static {
    try {
      LAUNCH =
          MethodHandles.lookup()
              .findStatic(
                  HostKernels.class,
                  "launch",
                  MethodType.methodType(
                      int.class,
                      HostQueue.class,
                      HostDriver.class,
                      String.class,
                      MethodHandle.class,
                      Object[].class));
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private HostKernels() {}

  /** Binds the library to C functions that submit a launch instead of making it. */
  static Kernels load(Path library, HostQueue queue, HostDriver driver) {
    SymbolLookup real = SymbolLookup.libraryLookup(library, Arena.global());
    Map<String, Kernels.Function> functions =
        Kernels.FUNCTIONS.stream()
            .collect(Collectors.toMap(Kernels.Function::name, Function.identity()));
    return new Kernels(
        library,
        name -> {
          Optional<MemorySegment> found = real.find(name);
          Kernels.Function function = functions.get(name);
          return function == null || !function.isLauncher()
              ? found
              : found.map(address -> stub(queue, driver, function, address));
        });
  }

  private static MemorySegment stub(
      HostQueue queue, HostDriver driver, Kernels.Function function, MemorySegment address) {
    FunctionDescriptor descriptor = Functions.descriptor(function.signature());
    MethodHandle target = Linker.nativeLinker().downcallHandle(address, descriptor);
    MethodType type = descriptor.toMethodType();
    MethodHandle launch =
        MethodHandles.insertArguments(LAUNCH, 0, queue, driver, function.name(), target)
            .asCollector(Object[].class, type.parameterCount())
            .asType(type);
    return Linker.nativeLinker().upcallStub(launch, descriptor, Arena.global());
  }

  /** Called from C: nothing may be thrown, or the JVM ends. */
  private static int launch(
      HostQueue queue, HostDriver driver, String name, MethodHandle target, Object[] arguments) {
    int[] status = {Kernels.OK};
    boolean[] returned = {false};
    queue.submit(
        name,
        () -> {
          try {
            requireReachable(driver, arguments);
            status[0] = (int) target.invokeWithArguments(arguments);
          } catch (Throwable e) {
            throw new AssertionError(name + Arrays.toString(arguments), e);
          }
          if (returned[0] && status[0] != Kernels.OK) {
            throw new AssertionError(name + Arrays.toString(arguments) + " gave " + status[0]);
          }
        });
    returned[0] = true;
    return status[0];
  }

  /** Looks at the pointers behind the first one, the stream. */
  private static void requireReachable(HostDriver driver, Object[] arguments) {
    for (int i = 1; i < arguments.length; i++) {
      if (arguments[i] instanceof MemorySegment pointer && pointer.address() != 0) {
        driver.requireReachable(pointer.address());
      }
    }
  }
}
