package dev.rais.train;

import dev.rais.nn.BatchNorm2d;
import dev.rais.nn.Conv2d;
import dev.rais.nn.Dense;
import dev.rais.nn.Dropout;
import dev.rais.nn.GlobalAveragePool;
import dev.rais.nn.Model;
import dev.rais.nn.Relu;
import dev.rais.nn.Shape;

/** Small models that have everything a residual network can have. */
final class ResidualModels {
  private ResidualModels() {}

  /** Batch norms with their running statistics, dropout, blocks with both kinds of shortcut. */
  static Model small(Shape image, int classes) {
    return Model.builder("small", image)
        .add("conv", new Conv2d(3, 3, 4, 1).withoutBias())
        .add("bn", new BatchNorm2d())
        .add("relu", new Relu())
        .residual(
            "block1",
            b -> b.add("conv", new Conv2d(3, 3, 1, 1).withoutBias()).add("bn", new BatchNorm2d()))
        .add("drop", new Dropout(0.2f))
        .residual(
            "block2",
            b -> b.add("conv", new Conv2d(4, 3, 2, 1).withoutBias()).add("bn", new BatchNorm2d()),
            s -> s.add("shortcut", new Conv2d(4, 1, 2, 0)))
        .add("pool", new GlobalAveragePool())
        .add("fc", new Dense(classes))
        .build();
  }
}
