package dev.rais.backend.cuda;

import dev.rais.backend.Placement;
import dev.rais.backend.Precision;
import dev.rais.backend.cuda.Dnn.MathType;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Properties;

/**
 * How the CUDA backend computes, as system properties say.
 *
 * @param device the device's number ({@value #DEVICE}, default 0)
 * @param precision what is computed in ({@value #PRECISION}: {@code fp32}, the default, {@code
 *     tf32} or {@code bf16})
 * @param deterministic whether the same run gives the same bits ({@value #DETERMINISTIC}, default
 *     true): convolutions then use such algorithms only
 * @param workspaceBytes most memory that a convolution may use besides its operands ({@value
 *     #WORKSPACE} in MiB, default 512)
 * @param images where images lie ({@value #IMAGES}: {@code device} or {@code host}); empty ({@code
 *     auto}, the default) for the device where they fit there, else the host
 */
public record CudaOptions(
    int device,
    Precision precision,
    boolean deterministic,
    long workspaceBytes,
    Optional<Placement> images) {
  /** System property: number of the device. */
  public static final String DEVICE = "rais.cuda.device";

  /** System property: {@code fp32}, {@code tf32} or {@code bf16}. */
  public static final String PRECISION = "rais.cuda.precision";

  /** System property: {@code true} or {@code false}. */
  public static final String DETERMINISTIC = "rais.cuda.deterministic";

  /** System property: MiB. */
  public static final String WORKSPACE = "rais.cuda.workspace";

  /** System property: {@code auto}, {@code device} or {@code host}. */
  public static final String IMAGES = "rais.cuda.images";

  /** Device 0, plain float, the same bits every time, 512 MiB, images where they fit. */
  public static final CudaOptions DEFAULT =
      new CudaOptions(0, Precision.FP32, true, 512L << 20, Optional.empty());

  /**
   * Reads them.
   *
   * @throws IllegalArgumentException for a value that is none
   */
  public static CudaOptions of(Properties properties) {
    int device = number(properties, DEVICE, DEFAULT.device(), 1023);
    int workspace = number(properties, WORKSPACE, (int) (DEFAULT.workspaceBytes() >> 20), 1 << 20);
    Precision precision = precision(properties.getProperty(PRECISION, "fp32"));
    String deterministic = properties.getProperty(DETERMINISTIC, "true").toLowerCase(Locale.ROOT);
    if (!deterministic.equals("true") && !deterministic.equals("false")) {
      throw wrong(DETERMINISTIC, "true or false", deterministic);
    }
    return new CudaOptions(
        device,
        precision,
        Boolean.parseBoolean(deterministic),
        (long) workspace << 20,
        images(properties.getProperty(IMAGES, "auto")));
  }

  /**
   * The same with another precision.
   *
   * @param precision {@code fp32}, {@code tf32} or {@code bf16}
   */
  CudaOptions withPrecision(String precision) {
    return new CudaOptions(device, precision(precision), deterministic, workspaceBytes, images);
  }

  /** The same with images where they are wanted. */
  CudaOptions withImages(Placement place) {
    return new CudaOptions(device, precision, deterministic, workspaceBytes, Optional.of(place));
  }

  private static Optional<Placement> images(String text) {
    return switch (text.toLowerCase(Locale.ROOT)) {
      case "auto" -> Optional.empty();
      case "device" -> Optional.of(Placement.DEVICE);
      case "host" -> Optional.of(Placement.HOST);
      default -> throw wrong(IMAGES, "auto, device or host", text);
    };
  }

  private static Precision precision(String id) {
    return Precision.of(id).orElseThrow(() -> wrong(PRECISION, "fp32, tf32 or bf16", id));
  }

  /**
   * The arithmetics that convolutions may have: cuDNN searches with the first, and tries its
   * default one besides. To bfloat16s that is as good, and all that algorithms without tensor cores
   * have.
   */
  List<MathType> mathTypes() {
    return switch (precision) {
      case FP32 -> List.of(MathType.FLOAT32);
      case TF32 -> List.of(MathType.TF32);
      case BF16 -> List.of(MathType.TENSOR_CORES, MathType.TF32);
    };
  }

  private static int number(Properties properties, String name, int otherwise, int most) {
    String text = properties.getProperty(name);
    if (text == null) {
      return otherwise;
    }
    try {
      int value = Integer.parseInt(text.strip());
      if (value >= 0 && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // The message below says it.
    }
    throw wrong(name, "a number from 0 to " + most, text);
  }

  private static IllegalArgumentException wrong(String name, String expected, String found) {
    return new IllegalArgumentException(
        "-D%s must be %s, not '%s'".formatted(name, expected, found));
  }
}
