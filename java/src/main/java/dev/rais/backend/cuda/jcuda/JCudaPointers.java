package dev.rais.backend.cuda.jcuda;

import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;

/**
 * Addresses as JCuda's objects, and back. Its classes keep an address to themselves; subclasses may
 * set it and read it.
 */
public final class JCudaPointers {
  private JCudaPointers() {}

  /** A pointer to an address of the device or of native host memory. */
  private static final class Address extends Pointer {
    Address(long address) {
      super(address);
    }

    Address(Pointer pointer) {
      super(pointer);
    }

    long value() {
      return getNativePointer() + getByteOffset();
    }
  }

  /** An address is the null pointer's with an offset. */
  private static final class DeviceAddress extends CUdeviceptr {
    DeviceAddress(long address) {
      super(new CUdeviceptr(), address);
    }
  }

  /** An address as a pointer. */
  public static Pointer pointer(long address) {
    return new Address(address);
  }

  /** An address of the device as JCuda's driver calls take it. */
  public static CUdeviceptr devicePointer(long address) {
    return new DeviceAddress(address);
  }

  /**
   * The address that a pointer, or a CUdeviceptr, holds.
   *
   * @throws IllegalArgumentException if it is null, or points to Java's memory
   */
  public static long address(Pointer pointer) {
    long address = new Address(pointer).value();
    if (address == 0) {
      throw new IllegalArgumentException(
          "%s holds no address of the device: it is null or points to an array or buffer of Java; allocate it with cudaMalloc or cuMemAlloc"
              .formatted(pointer));
    }
    return address;
  }
}
