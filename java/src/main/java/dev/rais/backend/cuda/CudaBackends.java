package dev.rais.backend.cuda;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends.Part;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.Precision;
import dev.rais.natives.NativeCache;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** Opens the CUDA backend with what this machine has, and says what it lacks. */
public final class CudaBackends {
  /** The oldest driver: that of CUDA 12.0. */
  private static final int OLDEST_DRIVER = 12_000;

  /** The oldest devices that our kernels are compiled for: Ampere. */
  private static final int OLDEST_CAPABILITY = 80;

  private CudaBackends() {}

  /**
   * Opens the backend.
   *
   * @throws IllegalStateException with what is missing, and every place that was looked at
   * @throws IllegalArgumentException for an option that makes no sense
   */
  public static Backend open() {
    return open((String) null, null);
  }

  /**
   * Opens the backend.
   *
   * @param precision {@code fp32}, {@code tf32} or {@code bf16}; null for what the system property
   *     says
   * @param binding {@code panama} or {@code jcuda}; null for what the system property says
   * @throws IllegalStateException with what is missing, and every place that was looked at
   * @throws IllegalArgumentException for an option that makes no sense
   */
  public static Backend open(String precision, String binding) {
    CudaOptions options = CudaOptions.of(System.getProperties());
    return open(
        precision == null ? options : options.withPrecision(precision),
        binding == null ? CudaBinding.chosen() : CudaBinding.of(binding));
  }

  private static Backend open(CudaOptions options, CudaBinding binding) {
    CudaDriver driver = driver(options, binding);
    return new CudaBackend(
        new Device.Libraries(driver, kernels(), binding.blas(driver), dnn(driver, binding)),
        options,
        cache());
  }

  /**
   * Memory of the device that another library has allocated, as a buffer: nothing is copied, and
   * closing the buffer does not free it. The backend works on a stream of its own: what writes the
   * memory elsewhere must be done before the buffer is used, and a download from the buffer tells
   * when the backend has written it.
   *
   * @param backend an open CUDA backend, whose device's primary context the memory belongs to
   * @param pointer its address
   * @param type FLOAT32, BFLOAT16 or UINT8
   * @param count elements
   * @throws IllegalArgumentException for another backend, for INT32, or for an address that is no
   *     multiple of the type's size
   */
  public static Buffer wrap(Backend backend, long pointer, DType type, long count) {
    if (!(backend instanceof CudaBackend cuda)) {
      throw new IllegalArgumentException(
          "memory of a GPU is a buffer of the CUDA backend only, not of " + backend.name());
    }
    return cuda.wrap(pointer, type, count);
  }

  /**
   * Where a buffer of the CUDA backend lies on the device; valid while the buffer is open.
   *
   * @throws IllegalArgumentException for a buffer of another backend
   */
  public static long address(Buffer buffer) {
    if (!(buffer instanceof CudaBuffer)) {
      throw new IllegalArgumentException(buffer + " is no buffer of the CUDA backend");
    }
    return CudaBuffer.pointer(buffer);
  }

  /**
   * What the driver says of the device, or why there is none to use; other libraries, which take
   * long to load where they were not used for a while, are left alone.
   */
  public static Part driverPart() {
    CudaOptions options = CudaOptions.of(System.getProperties());
    return driverPart(options, CudaBinding.chosen(), new CudaDriver[1]);
  }

  private static Part driverPart(CudaOptions options, CudaBinding binding, CudaDriver[] opened) {
    return part(
        "driver",
        () -> {
          opened[0] = driver(options, binding);
          return describe(opened[0], options.device());
        });
  }

  /** What is there and what is missing, for {@code rais doctor}: each part is looked at. */
  public static List<Part> parts() {
    List<Part> parts = new ArrayList<>();
    CudaOptions options = CudaOptions.of(System.getProperties());
    CudaBinding binding = CudaBinding.chosen();
    CudaDriver[] driver = new CudaDriver[1];
    parts.add(new Part("binding", true, CudaBinding.description()));
    parts.add(driverPart(options, binding, driver));
    parts.add(
        part(
            "kernels",
            () -> {
              Kernels kernels = kernels();
              return kernels.buildInfo() + ", " + kernels.library();
            }));
    parts.add(
        part(
            "cuBLAS",
            () -> {
              Blas blas = binding.blas(driver[0]);
              return blas.description() + ", " + blas.file();
            }));
    parts.add(
        part(
            "cuDNN",
            () -> {
              Dnn dnn = dnn(driver[0], binding);
              return dnn.description() + ", " + dnn.file();
            }));
    return parts;
  }

  private static Part part(String name, Supplier<String> details) {
    try {
      return new Part(name, true, details.get());
    } catch (IllegalStateException e) {
      return new Part(name, false, oneLine(e));
    }
  }

  /** What an exception says, the places of a search included, in one line. */
  static String oneLine(Exception e) {
    return String.valueOf(e.getMessage())
        .strip()
        .replaceAll(":\\s*\n\\s*", ": ")
        .replaceAll("\\s*\n\\s*", "; ");
  }

  /** Why the backend could not be opened: one sentence, without the places of a search. */
  public static String reason(IllegalStateException e) {
    return oneLine(e)
        .replaceFirst("[.:;]? Tried:.*", " (rais doctor tells where it was looked for)");
  }

  /** What is computed in where nothing else is asked for. */
  public static Precision defaultPrecision() {
    return CudaOptions.of(System.getProperties()).precision();
  }

  /** Whether something is amiss, rather than that this machine has no GPU. */
  public static boolean isWorthTelling(IllegalStateException e) {
    return !(e instanceof CudaUnavailableException unavailable && unavailable.isNoDriver());
  }

  private static String describe(CudaDriver driver, int device) {
    try (CudaContext context = CudaContext.open(driver, device)) {
      return context.description();
    }
  }

  private static CudaDriver driver(CudaOptions options, CudaBinding binding) {
    CudaDriver driver = binding.driver();
    check(driver, options.device());
    return driver;
  }

  /** Refuses drivers and devices that are too old. */
  static void check(CudaDriver driver, int device) {
    int version = driver.version();
    if (version < OLDEST_DRIVER) {
      throw new CudaUnavailableException(
          ("the CUDA driver is too old: it supports CUDA %d.%d, and 12.0 is needed; install driver"
                  + " 525 or newer")
              .formatted(version / 1000, version % 1000 / 10));
    }
    int count = driver.deviceCount();
    if (count == 0) {
      throw new CudaUnavailableException(
          "the CUDA driver sees no device (CUDA_VISIBLE_DEVICES may hide some)");
    }
    if (device < count) {
      int capability = driver.computeCapability(device);
      if (capability < OLDEST_CAPABILITY) {
        throw new CudaUnavailableException(
            "%s has compute capability %d.%d; the kernels need 8.0 (Ampere) or newer"
                .formatted(driver.deviceName(device), capability / 10, capability % 10));
      }
    }
  }

  private static Kernels kernels() {
    return KernelLibrary.load();
  }

  private static Dnn dnn(CudaDriver driver, CudaBinding binding) {
    Dnn dnn = binding.dnn(driver);
    if (driver != null) {
      checkCuda(dnn, driver.version());
    }
    return dnn;
  }

  /** Refuses a cuDNN that would load, and fail at its first call. */
  static void checkCuda(Dnn dnn, int driverVersion) {
    int needed = dnn.cudaVersion();
    if (needed / 1000 > driverVersion / 1000) {
      throw new CudaUnavailableException(
          ("%s at %s is for CUDA %d, but the driver supports CUDA %d.%d; install the one for CUDA"
                  + " %d, or a newer driver")
              .formatted(
                  dnn.description(),
                  dnn.file(),
                  needed / 1000,
                  driverVersion / 1000,
                  driverVersion % 1000 / 10,
                  driverVersion / 1000));
    }
  }

  private static AlgorithmCache cache() {
    try {
      return AlgorithmCache.in(NativeCache.folder("cudnn").resolve("algorithms.txt"));
    } catch (IOException e) {
      return AlgorithmCache.inMemory();
    }
  }
}
