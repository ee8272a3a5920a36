package dev.rais.bench.draws;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.bench.Bench;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.data.Normalization;
import dev.rais.nn.BoundNetwork;
import dev.rais.nn.Mode;
import dev.rais.nn.Network;
import dev.rais.sampling.DrawMode;
import dev.rais.sampling.ImportanceSampler;
import dev.rais.sampling.Minibatch;
import dev.rais.sampling.Observation;
import dev.rais.sampling.OracleSampler;
import dev.rais.sampling.UniformSampler;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Variance of the weighted gradient of a trained network's final layer under uniform draws and
 * under p ∝ norm, each independent and in rounds: of one minibatch, and of the mean of a whole
 * round, times its number of minibatches, so that independent draws have the same figure twice.
 */
@Command(
    name = "draws",
    description = "gradient variance of rounds and of independent draws, on a trained network",
    mixinStandardHelpOptions = true)
public final class DrawsBench implements Bench {
  private static final int BATCH = 500;
  private static final double FLOOR = 0.001;

  /**
   * Variances E‖g − ∇F‖².
   *
   * @param minibatch of one minibatch's gradient
   * @param round of the mean gradient of a round, times the minibatches of a round
   */
  record Variances(double minibatch, double round) {}

  /** The last line with --json. */
  record Result(
      String bench,
      String data,
      String model,
      double epochs,
      int batch,
      int roundSize,
      int rounds,
      double fullGradientSquared,
      Map<String, Variances> variances) {}

  @Spec private CommandSpec spec;

  @Option(
      names = "--data",
      defaultValue = "mnist",
      description = "data set (default ${DEFAULT-VALUE})")
  private String data;

  @Option(names = "--data-dir", description = "where the data set lies")
  private Path dataDir;

  @Option(
      names = "--model",
      defaultValue = "lenet5",
      description = "network (default ${DEFAULT-VALUE})")
  private String model;

  @Option(
      names = "--epochs",
      defaultValue = "3",
      description = "uniform epochs that it is trained first (default ${DEFAULT-VALUE})")
  private double epochs;

  @Option(
      names = "--rounds",
      defaultValue = "60",
      description = "rounds that count (default ${DEFAULT-VALUE})")
  private int rounds;

  @Option(
      names = "--batch",
      defaultValue = "128",
      description = "examples of a minibatch (default ${DEFAULT-VALUE})")
  private int batch;

  @Option(names = "--seed", defaultValue = "0", description = "seed (default ${DEFAULT-VALUE})")
  private long seed;

  @Option(names = "--json", description = "print one JSON object instead of a table")
  private boolean json;

  @Override
  public Integer call() throws JsonProcessingException {
    PrintWriter out = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    Dataset set = Datasets.load(data, dataDir);
    TrainingConfig config =
        TrainingConfig.builder(set.name(), model, "uniform").epochs(epochs).seed(seed).build();
    FinalLayer layer;
    int threads = Runtime.getRuntime().availableProcessors();
    try (Backend backend = Backends.open("cpu", threads, err::println);
        Trainer trainer = new Trainer(backend, set, config)) {
      err.printf("training %s on %s for %s epochs%n", model, set.name(), epochs);
      trainer.run(new TrainingListener() {});
      layer = FinalLayer.of(trainer.network(), set);
    }
    int n = set.train().count();
    int minibatches = n / 2 / batch;
    Map<String, Variances> variances = new LinkedHashMap<>();
    for (boolean weighted : new boolean[] {false, true}) {
      for (DrawMode mode : new DrawMode[] {DrawMode.IID, DrawMode.ROUNDS}) {
        String name = (weighted ? "norm-" : "uniform-") + mode.name().toLowerCase(Locale.ROOT);
        err.println("drawing: " + name);
        try (ImportanceSampler sampler = sampler(weighted, mode, n, minibatches, layer)) {
          variances.put(name, variances(sampler, minibatches, layer));
        }
      }
    }
    Result result =
        new Result(
            "draws",
            set.name(),
            model,
            epochs,
            batch,
            minibatches * batch,
            rounds,
            layer.squaredMean(),
            variances);
    if (json) {
      out.println(new ObjectMapper().writeValueAsString(result));
    } else {
      out.printf(Locale.ROOT, "‖∇F‖² of the final layer: %.4g%n", result.fullGradientSquared);
      out.printf("%-16s %14s %20s%n", "draws", "one minibatch", "round × minibatches");
      variances.forEach(
          (name, v) ->
              out.printf(Locale.ROOT, "%-16s %14.4g %20.4g%n", name, v.minibatch, v.round));
    }
    return 0;
  }

  private ImportanceSampler sampler(
      boolean weighted, DrawMode mode, int n, int minibatches, FinalLayer layer) {
    if (!weighted) {
      return new UniformSampler(n, seed, mode);
    }
    // Rounds as RAIS makes them: new strata every n/2 draws, from values that stay.
    OracleSampler sampler = new OracleSampler(n, seed, mode, minibatches, 10);
    sampler.setNorms(layer.norms);
    return sampler;
  }

  private Variances variances(ImportanceSampler sampler, int minibatches, FinalLayer layer) {
    double[] full = layer.mean();
    double one = 0;
    double whole = 0;
    float[] none = new float[batch];
    for (int r = 0; r < rounds; r++) {
      double[] sum = new double[full.length];
      if (sampler instanceof OracleSampler oracle && oracle.needsNorms()) {
        oracle.setNorms(layer.norms);
      }
      for (int b = 0; b < minibatches; b++) {
        Minibatch minibatch = sampler.draw(batch);
        double[] g = layer.gradient(minibatch);
        for (int i = 0; i < g.length; i++) {
          one += (g[i] - full[i]) * (g[i] - full[i]) / ((double) rounds * minibatches);
          sum[i] += g[i];
        }
        sampler.observe(minibatch, new Observation(none, none, 0));
      }
      for (int i = 0; i < sum.length; i++) {
        double difference = sum[i] / minibatches - full[i];
        whole += difference * difference * minibatches / rounds;
      }
    }
    return new Variances(one, whole);
  }

  /** Per-example gradients of the final layer, as their factors δ_i and (h_i, 1). */
  private static final class FinalLayer {
    private final int classes;
    private final int hidden;

    /** [n][classes] softmax − y. */
    private final float[][] deltas;

    /** [n][hidden + 1] input of the layer, and 1 for the bias. */
    private final float[][] inputs;

    /** [n] loss-layer norms, raised to a floor as RAIS does. */
    private final float[] norms;

    private FinalLayer(int classes, int hidden, float[][] deltas, float[][] inputs) {
      this.classes = classes;
      this.hidden = hidden;
      this.deltas = deltas;
      this.inputs = inputs;
      norms = new float[deltas.length];
      double sum = 0;
      for (int i = 0; i < norms.length; i++) {
        double square = 0;
        for (float d : deltas[i]) {
          square += (double) d * d;
        }
        norms[i] = (float) Math.sqrt(square);
        sum += norms[i];
      }
      float floor = (float) (FLOOR * sum / norms.length);
      for (int i = 0; i < norms.length; i++) {
        norms[i] = Math.max(norms[i], floor);
      }
    }

    static FinalLayer of(Network network, Dataset set) {
      Backend backend = network.backend();
      int n = set.train().count();
      int classes = set.numClasses();
      int m = Math.min(BATCH, n);
      float[][] deltas = new float[n][classes];
      float[][] inputs = new float[n][];
      int hidden;
      try (BoundNetwork net = network.bind(m, Mode.EVALUATION);
          Buffer labels = backend.allocate(DType.INT32, m);
          Buffer losses = backend.allocate(DType.FLOAT32, m);
          Buffer norms = backend.allocate(DType.FLOAT32, m);
          Buffer gradients = backend.allocate(DType.FLOAT32, (long) m * classes);
          Buffer correctness = backend.allocate(DType.UINT8, m)) {
        hidden = Math.toIntExact(net.finalInput().count() / m);
        for (int from = 0; from < n; from += m) {
          int used = Math.min(m, n - from);
          int[] y = new int[m];
          for (int j = 0; j < used; j++) {
            y[j] = set.train().label(from + j);
          }
          net.input().upload(normalized(set, from, m));
          labels.upload(y);
          net.forward();
          backend.lossLayer(
              m, classes, net.logits(), labels, null, 1, losses, norms, gradients, correctness);
          float[] delta = gradients.toFloats();
          float[] h = net.finalInput().toFloats();
          for (int j = 0; j < used; j++) {
            System.arraycopy(delta, j * classes, deltas[from + j], 0, classes);
            inputs[from + j] = new float[hidden + 1];
            System.arraycopy(h, j * hidden, inputs[from + j], 0, hidden);
            inputs[from + j][hidden] = 1;
          }
        }
      }
      return new FinalLayer(classes, hidden, deltas, inputs);
    }

    private static float[] normalized(Dataset set, int from, int m) {
      Normalization normalization = set.normalization();
      int size = set.train().bytesPerImage();
      int channels = set.train().channels();
      float[] x = new float[m * size];
      byte[] pixels = set.train().pixels();
      int end = Math.min(x.length, pixels.length - from * size);
      for (int i = 0; i < end; i++) {
        int c = i % channels;
        float value = (pixels[from * size + i] & 0xff) / 255f;
        x[i] = (value - normalization.mean()[c]) / normalization.standardDeviation()[c];
      }
      return x;
    }

    /** (1/m) Σ w_j δ_j ⊗ (h_j, 1). */
    double[] gradient(Minibatch batch) {
      double[] g = new double[classes * (hidden + 1)];
      for (int j = 0; j < batch.size(); j++) {
        add(batch.indices()[j], batch.weights()[j] / (double) batch.size(), g);
      }
      return g;
    }

    /** ∇F: the mean over all examples. */
    double[] mean() {
      double[] g = new double[classes * (hidden + 1)];
      for (int i = 0; i < deltas.length; i++) {
        add(i, 1.0 / deltas.length, g);
      }
      return g;
    }

    double squaredMean() {
      double sum = 0;
      for (double g : mean()) {
        sum += g * g;
      }
      return sum;
    }

    private void add(int i, double factor, double[] g) {
      float[] h = inputs[i];
      for (int k = 0; k < classes; k++) {
        double d = factor * deltas[i][k];
        int at = k * (hidden + 1);
        for (int l = 0; l < h.length; l++) {
          g[at + l] += d * h[l];
        }
      }
    }
  }
}
