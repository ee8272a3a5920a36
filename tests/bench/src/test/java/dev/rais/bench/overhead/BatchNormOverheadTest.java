package dev.rais.bench.overhead;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import dev.rais.nn.Models;
import dev.rais.nn.Shape;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BatchNormOverheadTest {
  private static final Shape IMAGE = new Shape(32, 32, 3);

  @Test
  void everyBatchNormOfTheModelIsCounted() {
    var layers = BatchNormOverhead.layers(Models.create("resnet20", IMAGE, 10), 8);
    // 19 convolutions in line and two shortcuts.
    assertEquals(21, layers.values().stream().mapToInt(count -> count).sum());
    assertEquals(7, layers.get(new BatchNormShape(8, 1024, 16, 1e-5f, Fusion.RELU)));
    assertEquals(1, layers.get(new BatchNormShape(8, 256, 32, 1e-5f, Fusion.NONE)));
  }

  /** Refuses to time anything if oneDNN's results are not ours. */
  @Test
  void oneDnnComputesWhatWeDoWithoutWeights() {
    List<String> told = new ArrayList<>();
    BatchNormOverhead overhead =
        BatchNormOverhead.measure(Models.create("resnet8", IMAGE, 10), 3, 1, told::add);
    assertTrue(overhead.weightedSeconds() > 0 && overhead.plainSeconds() > 0);
    assertEquals(5, told.size(), () -> String.join("\n", told));
  }

  @Test
  void aModelWithoutBatchNormHasNoRatio() {
    Shape digit = new Shape(28, 28, 1);
    assertNull(BatchNormOverhead.measure(Models.create("lenet5", digit, 10), 3, 1, line -> {}));
  }
}
