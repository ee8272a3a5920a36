package dev.rais.backend.cuda.jcuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import org.junit.jupiter.api.Test;

/** Addresses as JCuda's objects and back; no native library is needed for that. */
class JCudaPointersTest {
  private static final long ADDRESS = 0x7f12_3456_7800L;

  @Test
  void addressesComeBack() {
    assertEquals(ADDRESS, JCudaPointers.address(JCudaPointers.pointer(ADDRESS)));
    assertEquals(ADDRESS, JCudaPointers.address(JCudaPointers.devicePointer(ADDRESS)));
  }

  @Test
  void offsetsCount() {
    CUdeviceptr device = JCudaPointers.devicePointer(ADDRESS).withByteOffset(24);
    assertEquals(ADDRESS + 24, JCudaPointers.address(device));
    Pointer pointer = JCudaPointers.pointer(ADDRESS).withByteOffset(8).withByteOffset(4);
    assertEquals(ADDRESS + 12, JCudaPointers.address(pointer));
  }

  @Test
  void whatIsNotOnTheDeviceIsRefused() {
    for (Pointer host :
        new Pointer[] {
          new Pointer(),
          new CUdeviceptr(),
          Pointer.to(new float[3]),
          Pointer.to(ByteBuffer.allocateDirect(8)),
          Pointer.to(new Pointer())
        }) {
      var e = assertThrows(IllegalArgumentException.class, () -> JCudaPointers.address(host));
      assertTrue(e.getMessage().contains("holds no address of the device"), e.getMessage());
    }
  }
}
