package dev.rais.bench.kernels;

import dev.rais.backend.cuda.CudaContext;
import dev.rais.backend.cuda.CudaException;
import dev.rais.backend.cuda.CudaStream;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.DeviceMemory;
import dev.rais.backend.cuda.KernelLibrary;
import dev.rais.backend.cuda.Kernels;
import dev.rais.backend.cuda.KernelsUnavailableException;
import dev.rais.backend.cuda.panama.PanamaDriver;
import dev.rais.natives.Functions;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/** The first CUDA device. */
@SuppressWarnings("restricted") // native access is what this class is for
final class CudaMachine implements Machine {
  private static final String DRIVER = "libcuda.so.1";

  private final Kernels kernels;
  private final CudaContext context;
  private final CudaStream stream;
  private final MethodHandle deviceCopy;

  private CudaMachine(Kernels kernels, CudaContext context) {
    this.kernels = kernels;
    this.context = context;
    stream = context.newStream();
    // Training copies nothing within the device, so the library's driver has no such call.
    deviceCopy =
        new Functions(
                SymbolLookup.libraryLookup(DRIVER, Arena.global()), IllegalStateException::new)
            .bind("cuMemcpyDtoDAsync_v2", "i(lllp)");
  }

  static CudaMachine open() {
    return new CudaMachine(KernelLibrary.load(), CudaContext.open(PanamaDriver.open(), 0));
  }

  /** Why there is none, on one line; empty if there is one. */
  static String missing() {
    try {
      KernelLibrary.load();
      CudaContext.open(PanamaDriver.open(), 0).close();
      return "";
    } catch (CudaUnavailableException | KernelsUnavailableException | CudaException e) {
      return e.getMessage().lines().map(String::strip).reduce((a, b) -> a + " " + b).orElse("");
    }
  }

  @Override
  public Kernels kernels() {
    return kernels;
  }

  @Override
  public MemorySegment stream() {
    return stream.pointer();
  }

  @Override
  public Memory allocate(long numBytes) {
    DeviceMemory memory = context.allocate(numBytes);
    return new Memory() {
      @Override
      public MemorySegment pointer() {
        return memory.at(0);
      }

      @Override
      public void write(MemorySegment host) {
        memory.copyFrom(host, 0, stream);
        stream.synchronize();
      }

      @Override
      public void read(MemorySegment host) {
        memory.copyTo(host, 0, stream);
        stream.synchronize();
      }

      @Override
      public void close() {
        memory.close();
      }
    };
  }

  @Override
  public void copy(Memory from, Memory to, long numBytes) {
    int status;
    try {
      status =
          (int)
              deviceCopy.invokeExact(
                  to.pointer().address(), from.pointer().address(), numBytes, stream.pointer());
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
    if (status != 0) {
      throw new IllegalStateException("a copy within the device failed with CUDA error " + status);
    }
  }

  @Override
  public void synchronize() {
    stream.synchronize();
  }

  @Override
  public void close() {
    stream.close();
    context.close();
  }
}
