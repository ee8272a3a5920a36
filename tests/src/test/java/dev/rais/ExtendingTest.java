package dev.rais;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.MaxPool;
import dev.rais.backend.PoolShape;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.BatchNorm2d;
import dev.rais.nn.BoundLayer;
import dev.rais.nn.Conv2d;
import dev.rais.nn.Dense;
import dev.rais.nn.Dropout;
import dev.rais.nn.Layer;
import dev.rais.nn.LayerContext;
import dev.rais.nn.MemoryUse;
import dev.rais.nn.Model;
import dev.rais.nn.Network;
import dev.rais.nn.Relu;
import dev.rais.nn.Shape;
import dev.rais.nn.Step;
import dev.rais.train.ModelFile;
import dev.rais.train.Summary;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The examples of docs/extending.md: a layer and a model of one's own are trained and saved. */
class ExtendingTest {
  @TempDir Path folder;

  /** The largest value of every channel of a square image. */
  record GlobalMaxPool() implements Layer {
    @Override
    public Shape outputShape(Shape input) {
      if (input.height() != input.width()) {
        throw new IllegalArgumentException("needs as many rows as columns");
      }
      return Shape.vector(input.channels());
    }

    @Override
    public MemoryUse memory() {
      return MemoryUse.NONE;
    }

    @Override
    public BoundLayer bind(LayerContext context) {
      int side = context.inputShape().height();
      int channels = context.inputShape().channels();
      MaxPool op =
          context.backend().maxPool(new PoolShape(context.batch(), side, side, channels, side, 1));
      return new BoundLayer() {
        @Override
        public void forward(Step step) {
          op.forward(context.input(), context.output());
        }

        @Override
        public void backward(Step step) {
          if (context.inputGradient() != null) {
            op.backward(context.outputGradient(), context.inputGradient());
          }
        }

        @Override
        public void close() {
          op.close();
        }
      };
    }
  }

  @Test
  void aModelOfOnesOwnIsTrainedAndSaved() {
    Dataset sample = Datasets.load("fashion-mnist-sample", null);
    Dataset data =
        new Dataset(
            "some",
            sample.train().slice(0, 2000),
            sample.test().slice(0, 500),
            sample.classNames());
    try (Backend backend = Backends.open("cpu", 1, warning -> {})) {
      Model model =
          Model.builder("tiny", new Shape(28, 28, 1))
              .add("conv", new Conv2d(16, 3, 2, 1).withoutBias())
              .add("bn", new BatchNorm2d())
              .add("relu", new Relu())
              .residual(
                  "block", b -> b.add("conv", new Conv2d(16, 3, 1, 1)).add("bn", new BatchNorm2d()))
              .add("pool", new GlobalMaxPool())
              .add("drop", new Dropout(0.1f))
              .add("fc", new Dense(10))
              .build();
      TrainingConfig config =
          TrainingConfig.builder(data.name(), model.name(), "rais")
              .batchSize(16)
              .learningRate(0.05)
              .epochs(4)
              .build();
      try (Trainer trainer = new Trainer(backend, data, config, model)) {
        Summary summary = trainer.run(new TrainingListener() {});
        assertEquals("tiny", summary.model());
        assertTrue(summary.finalTestError() < 0.5, "it must have learned: " + summary);

        Path file = folder.resolve("tiny.safetensors");
        ModelFile.write(
            file,
            trainer.network(),
            new ModelFile.Description(
                "tiny",
                model.input(),
                data.classNames(),
                data.normalization(),
                data.name(),
                "rais"));
        try (Network loaded = ModelFile.read(file).open(backend, model)) {
          assertArrayEquals(trainer.network().values().toFloats(), loaded.values().toFloats());
          assertArrayEquals(
              trainer.network().stateValues().toFloats(), loaded.stateValues().toFloats());
        }
      }
    }
  }
}
