package dev.rais.sampling;

import java.util.List;
import java.util.function.LongFunction;

/**
 * Every sampler there is, on a made-up task that is a pure function of the example and the step, so
 * that two copies of a run see the same.
 */
final class AllSamplers {
  static final int N = 500;
  static final int M = 16;
  static final int CLASSES = 4;

  /** T. */
  static final long LENGTH = 400;

  /**
   * A sampler to test.
   *
   * @param name for the test's report
   * @param grows whether append and retire are supported
   * @param make makes one for a seed
   */
  record Case(String name, boolean grows, LongFunction<ImportanceSampler> make) {
    ImportanceSampler create(long seed) {
      return make.apply(seed);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private AllSamplers() {}

  static List<Case> all() {
    RaisOptions rais = RaisOptions.defaults().withRecordCapacity(600);
    RaisOptions bold = rais.withCaution(false);
    return List.of(
        new Case("uniform", true, s -> new UniformSampler(N, s, DrawMode.ROUNDS)),
        new Case("uniform-iid", true, s -> new UniformSampler(N, s, DrawMode.IID)),
        new Case("uniform-short", true, s -> new UniformSampler(N, null, s, DrawMode.ROUNDS, 2)),
        new Case("uniform weighted", true, s -> uniformWeighted(s)),
        new Case("rais rounds", true, s -> new RaisSampler(labels(), CLASSES, s, bold)),
        new Case("rais rounds, cautious", true, s -> new RaisSampler(labels(), CLASSES, s, rais)),
        new Case("rais iid", true, s -> new RaisSampler(labels(), CLASSES, s, iid(bold))),
        new Case("rais iid, cautious", true, s -> new RaisSampler(labels(), CLASSES, s, iid(rais))),
        new Case(
            "rais weighted",
            true,
            s -> new RaisSampler(labels(), CLASSES, objectiveWeights(), s, bold)),
        new Case("naive iid", true, s -> new NaiveSampler(N, s, DrawMode.IID, 0.3, 10)),
        new Case("naive rounds", true, s -> new NaiveSampler(N, s, DrawMode.ROUNDS, 0.3, 10)),
        new Case("oracle iid", true, s -> new OracleSampler(N, s, DrawMode.IID, 30, 10)),
        new Case("oracle rounds", true, s -> new OracleSampler(N, s, DrawMode.ROUNDS, 30, 10)),
        new Case("presample", true, s -> new PresampleSampler(N, s, 2)),
        new Case("loshchilov", false, s -> new LoshchilovHutterSampler(N, s, LENGTH, 100)),
        new Case("selective-backprop", false, s -> new SelectiveBackpropSampler(N, s, 1, 200)),
        new Case("infobatch", false, s -> new InfoBatchSampler(N, s, LENGTH, 0.5, 0.875)),
        new Case("adascale", true, s -> new AdaScaleSampler(N, s, 4)));
  }

  private static RaisOptions iid(RaisOptions options) {
    return options.withDraw(DrawMode.IID);
  }

  private static ImportanceSampler uniformWeighted(long seed) {
    return new UniformSampler(N, objectiveWeights(), seed, DrawMode.ROUNDS, 1);
  }

  static int[] labels() {
    int[] labels = new int[N];
    for (int i = 0; i < N; i++) {
      labels[i] = i % CLASSES;
    }
    return labels;
  }

  private static float[] objectiveWeights() {
    return ClassWeights.balanced(java.util.Arrays.stream(labels()).map(k -> k / 2).toArray(), 2);
  }

  /** A skewed norm, or loss, that falls with the step and has noise. */
  static float score(int index, long step) {
    long h = (index * 0x9E3779B97F4A7C15L) ^ (step * 0xC2B2AE3D27D4EB4FL);
    h = (h ^ h >>> 32) * 0xD6E8FEB86659FD93L;
    double noise = 0.8 + 0.4 * ((h >>> 11) * 0x1p-53);
    double skewed = Math.pow(index % 97 / 97.0, 6) * (1 + index % CLASSES) + 0.01;
    return (float) (skewed * noise / (1 + step / 300.0));
  }

  /** Scores at a step. */
  static ForwardPass forward(long step) {
    return indices -> {
      float[] scores = new float[indices.length];
      for (int j = 0; j < scores.length; j++) {
        scores[j] = score(indices[j], step);
      }
      return scores;
    };
  }

  /** Draws, with exact norms first where the sampler wants them. */
  static Minibatch draw(ImportanceSampler sampler, long step) {
    if (sampler instanceof OracleSampler oracle && oracle.needsNorms()) {
      float[] norms = new float[oracle.indexBound()];
      for (int i = 0; i < norms.length; i++) {
        norms[i] = score(i, step);
      }
      oracle.setNorms(norms);
    }
    return sampler.draw(M, forward(step));
  }

  /** What a step shows of a minibatch. */
  static Observation observation(Minibatch batch, long step) {
    int m = batch.size();
    float[] scores = new float[m];
    float[] squares = new float[m];
    double g = 0.05;
    for (int j = 0; j < m; j++) {
      scores[j] = score(batch.indices()[j], step);
      squares[j] = scores[j] * scores[j];
      g += batch.weights()[j] * batch.weights()[j] * squares[j] / ((double) m * m);
    }
    return new Observation(scores, squares, g);
  }
}
