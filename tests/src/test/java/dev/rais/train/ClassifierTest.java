package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import dev.rais.backend.cpu.JavaBackend;
import dev.rais.data.Normalization;
import dev.rais.nn.Models;
import dev.rais.nn.Network;
import dev.rais.nn.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Classifying single images with a backend of the caller's. */
class ClassifierTest {
  private static final Shape INPUT = new Shape(3, 2, 1);

  @TempDir Path folder;

  /** Has no fully connected layers if it shall not, and remembers which savepoints were used. */
  private static final class Backend extends JavaBackend {
    private boolean hasLinear = true;
    private int savepoints;
    private final List<Integer> goneBackTo = new ArrayList<>();

    Backend() {
      super(1);
    }

    @Override
    public Linear linear(LinearShape shape) {
      if (!hasLinear) {
        throw new IllegalStateException("no " + shape);
      }
      return super.linear(shape);
    }

    @Override
    public Consumer<Throwable> savepoint() {
      int number = savepoints++;
      return super.savepoint().andThen(failure -> goneBackTo.add(number));
    }
  }

  private final Backend backend = new Backend();
  private ModelFile file;

  @BeforeEach
  void writeModel() {
    Path path = folder.resolve("mlp.safetensors");
    try (Network network = new Network(backend, Models.mlp(INPUT, 3), 1)) {
      ModelFile.write(
          path,
          network,
          new ModelFile.Description(
              "mlp",
              INPUT,
              List.of("a", "b", "c"),
              new Normalization(new float[] {0.25f}, new float[] {0.5f}),
              "data",
              "uniform"));
    }
    file = ModelFile.read(path);
    backend.savepoints = 0;
  }

  @AfterEach
  void close() {
    backend.close();
  }

  @Test
  void probabilitiesAreOfTheImage() {
    try (Classifier classifier = new Classifier(backend, file)) {
      double[] one = classifier.probabilities(new byte[] {0, 1, 2, 3, 4, 5});
      double[] other = classifier.probabilities(new byte[] {-1, -1, 0, 0, -1, -1});
      assertEquals(3, one.length);
      assertEquals(1, one[0] + one[1] + one[2], 1e-12);
      assertTrue(Math.abs(one[0] - other[0]) > 1e-6, "whatever the image");
      assertArrayEquals(one, classifier.probabilities(new byte[] {0, 1, 2, 3, 4, 5}));
    }
  }

  /** The network was loaded by then. */
  @Test
  void oneThatCannotBeMadeLeavesNothing() {
    backend.hasLinear = false;
    assertThrows(IllegalStateException.class, () -> new Classifier(backend, file));
    assertTrue(backend.goneBackTo.contains(0), "gone back to " + backend.goneBackTo);
  }
}
