package dev.rais.sampling;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * How well an uncertainty set foretold the norms that were observed last, from features as they
 * were before each observation.
 *
 * <p>With r = ṽ − ⟨c,s̃⟩ the residual of an observation and ⟨d,s̃⟩ its squared half-axis, the set
 * says that the mean of w̃ r² / ⟨d,s̃⟩ is at most 1 (docs/algorithm.md §2 and §3).
 *
 * @param records observations that were looked at; 0 where there is no set
 * @param insideShare share of them with r² ≤ ⟨d,s̃⟩; NaN without any
 * @param constraint weighted mean of r² / ⟨d,s̃⟩; NaN without any
 * @param predicted mean of ⟨c,s̃⟩ in groups of equally many observations, by rising prediction
 * @param observed mean of ṽ in the same groups
 */
public record Calibration(
    int records,
    double insideShare,
    double constraint,
    List<Double> predicted,
    List<Double> observed) {
  /** Of samplers without an uncertainty set. */
  public static final Calibration NONE =
      new Calibration(0, Double.NaN, Double.NaN, List.of(), List.of());

  /** The newest observations that are looked at: most of them newer than the set. */
  private static final int NEWEST = 4096;

  private static final int GROUPS = 12;

  /** Copies the lists. */
  public Calibration {
    predicted = List.copyOf(predicted);
    observed = List.copyOf(observed);
  }

  static Calibration of(UncertaintySet set, RecordRing.Records records) {
    int count = Math.min(NEWEST, records.count());
    if (count == 0) {
      return NONE;
    }
    int from = records.count() - count;
    double[] predictions = new double[count];
    double[] norms = new double[count];
    double[] dHat = set.dHat();
    double[] features = new double[dHat.length];
    int inside = 0;
    double sum = 0;
    double weights = 0;
    for (int i = 0; i < count; i++) {
      double axis = 0;
      for (int k = 0; k < features.length; k++) {
        features[k] = records.features()[k][from + i];
        axis += dHat[k] * features[k];
      }
      axis *= set.hStar();
      predictions[i] = set.predict(features);
      norms[i] = records.norms()[from + i];
      double square = (norms[i] - predictions[i]) * (norms[i] - predictions[i]);
      inside += square <= axis ? 1 : 0;
      double weight = records.weights()[from + i];
      // An axis of 0 says that the prediction is exact.
      sum += square == 0 ? 0 : weight * square / axis;
      weights += weight;
    }
    List<Double> predicted = new ArrayList<>();
    List<Double> observed = new ArrayList<>();
    group(predictions, norms, predicted, observed);
    return new Calibration(count, (double) inside / count, sum / weights, predicted, observed);
  }

  private static void group(
      double[] predictions, double[] norms, List<Double> predicted, List<Double> observed) {
    int[] order =
        IntStream.range(0, norms.length)
            .boxed()
            .sorted(Comparator.comparingDouble(i -> predictions[i]))
            .mapToInt(i -> i)
            .toArray();
    int groups = Math.min(GROUPS, order.length);
    for (int g = 0; g < groups; g++) {
      int begin = (int) ((long) g * order.length / groups);
      int end = (int) ((long) (g + 1) * order.length / groups);
      double predictedSum = 0;
      double observedSum = 0;
      for (int i = begin; i < end; i++) {
        predictedSum += predictions[order[i]];
        observedSum += norms[order[i]];
      }
      predicted.add(predictedSum / (end - begin));
      observed.add(observedSum / (end - begin));
    }
  }
}
