package dev.rais.backend.cuda;

import dev.rais.backend.cuda.jcuda.JCudaBlas;
import dev.rais.backend.cuda.jcuda.JCudaDnn;
import dev.rais.backend.cuda.jcuda.JCudaDriver;
import dev.rais.backend.cuda.panama.PanamaBlas;
import dev.rais.backend.cuda.panama.PanamaDnn;
import dev.rais.backend.cuda.panama.PanamaDriver;
import java.util.Locale;

/** By which way the driver, cuBLAS and cuDNN are called. */
enum CudaBinding {
  /** java.lang.foreign. */
  PANAMA {
    @Override
    CudaDriver driver() {
      return PanamaDriver.open();
    }

    @Override
    Blas blas(CudaDriver driver) {
      return PanamaBlas.open(driver == null ? NEWEST_CUDA : driver.version());
    }

    @Override
    Dnn dnn(CudaDriver driver) {
      return PanamaDnn.open();
    }
  },

  /** JCuda's JNI libraries. */
  JCUDA {
    @Override
    CudaDriver driver() {
      return JCudaDriver.open();
    }

    @Override
    Blas blas(CudaDriver driver) {
      return driver == null ? JCudaBlas.open() : JCudaBlas.open((JCudaDriver) driver);
    }

    @Override
    Dnn dnn(CudaDriver driver) {
      return driver == null ? JCudaDnn.open() : JCudaDnn.open((JCudaDriver) driver);
    }
  };

  /** System property: {@code panama} or {@code jcuda}. */
  static final String PROPERTY = "rais.cuda.binding";

  /** Where the driver cannot be asked, any library that it could be the driver for will do. */
  private static final int NEWEST_CUDA = 13_000;

  /** Opens the driver. */
  abstract CudaDriver driver();

  /** Opens cuBLAS; the driver, which this binding has opened, is null if there is none. */
  abstract Blas blas(CudaDriver driver);

  /** Opens cuDNN; the driver, which this binding has opened, is null if there is none. */
  abstract Dnn dnn(CudaDriver driver);

  /** The binding that the system property names; Panama if it names none. */
  static CudaBinding chosen() {
    String name = System.getProperty(PROPERTY);
    return name == null ? PANAMA : of(name);
  }

  /**
   * A binding by its name.
   *
   * @throws IllegalArgumentException for any other name
   */
  static CudaBinding of(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "panama" -> PANAMA;
      case "jcuda" -> JCUDA;
      default ->
          throw new IllegalArgumentException(
              "-D%s must be panama or jcuda, not '%s'".formatted(PROPERTY, name));
    };
  }

  /** What it is and why it is used, for people. */
  static String description() {
    CudaBinding binding = chosen();
    String why =
        System.getProperty(PROPERTY) == null
            ? "the default; --cuda-binding or -D" + PROPERTY + " chooses"
            : "asked for by --cuda-binding or -D" + PROPERTY;
    return "%s, %s: %s"
        .formatted(
            binding.name().toLowerCase(Locale.ROOT),
            binding == PANAMA ? "java.lang.foreign" : "JNI libraries of JCuda",
            why);
  }
}
