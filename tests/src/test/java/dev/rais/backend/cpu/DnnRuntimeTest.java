package dev.rais.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.abort;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The memory that operations on oneDNN share. */
class DnnRuntimeTest {
  private static final long TOO_MUCH = Long.MAX_VALUE / 4;

  private DnnRuntime runtime;

  @BeforeEach
  void open() {
    try {
      runtime = new DnnRuntime(new Dnn(), 1);
    } catch (DnnUnavailableException e) {
      abort("no oneDNN here: " + e.getMessage());
    }
  }

  @AfterEach
  void close() {
    if (runtime != null) {
      runtime.close();
    }
  }

  /** Operations made before go on with it, and native code checks no address. */
  @Test
  void whatThereIsStaysWhereMoreCannotBeHad() {
    runtime.reserveScratchpad(1000);
    runtime.reserveStaging(2000);
    runtime.reserveTiles(3000);
    assertThrows(OutOfMemoryError.class, () -> runtime.reserveScratchpad(TOO_MUCH));
    assertThrows(OutOfMemoryError.class, () -> runtime.reserveStaging(TOO_MUCH));
    assertThrows(OutOfMemoryError.class, () -> runtime.reserveTiles(TOO_MUCH));
    assertEquals(1000, runtime.scratchpad().fill((byte) 1).byteSize());
    assertEquals(2000, runtime.staging().fill((byte) 1).byteSize());
    assertEquals(3000, runtime.tiles().fill((byte) 1).byteSize());
  }

  @Test
  void itGrowsAndDoesNotShrink() {
    runtime.reserveScratchpad(1000);
    var before = runtime.scratchpad();
    runtime.reserveScratchpad(5000);
    assertEquals(5000, runtime.scratchpad().fill((byte) 1).byteSize());
    assertThrows(IllegalStateException.class, () -> before.fill((byte) 1));
    runtime.reserveScratchpad(1);
    assertEquals(5000, runtime.scratchpad().byteSize());
  }
}
