package dev.rais.backend.cpu;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import java.util.ArrayList;
import java.util.List;

/**
 * A program of its own for {@link CpuBackendsTest}: opens the CPU backend, computes 1·2 + 3 on it,
 * and prints what it got.
 */
final class FallbackProbe {
  /** Floats of a buffer that is asked of the system in another way than small ones are. */
  private static final long LARGE = 2 << 20;

  private FallbackProbe() {}

  public static void main(String[] args) {
    List<String> warnings = new ArrayList<>();
    try (Backend backend = CpuBackends.open(2, warnings::add);
        Buffer large = backend.allocate(DType.FLOAT32, LARGE);
        Linear linear = backend.linear(new LinearShape(1, 1, 1))) {
      Buffer[] buffers = new Buffer[4];
      for (int i = 0; i < 4; i++) {
        buffers[i] = backend.allocate(DType.FLOAT32, 1);
        buffers[i].upload(new float[] {i + 1});
      }
      large.fillZero();
      linear.forward(buffers[0], buffers[1], buffers[2], buffers[3]);
      System.out.println("engine: " + backend.description());
      System.out.println("result: " + buffers[3].toFloats()[0]);
    }
    warnings.forEach(warning -> System.out.println("warning: " + warning));
  }
}
