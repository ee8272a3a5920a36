package dev.rais.sampling;

import static dev.rais.sampling.ExampleHistory.FEATURES;

/**
 * The O(n) work after new c, d: features of every example, their mean, k and the floor, and the
 * leaf u_i v_i of each (docs/algorithm.md §3).
 *
 * @param means what the features are made from
 * @param meanFeatures s̄ over the active examples
 * @param set c, d
 * @param errorScale e, see {@link UncertaintySet#errorScale}
 * @param floor least v; no weight exceeds 1,000 times the mean
 * @param floored examples raised to the floor
 */
record Refresh(
    FrozenMeans means,
    double[] meanFeatures,
    UncertaintySet set,
    double errorScale,
    float floor,
    long floored) {
  private static final double FLOOR = 0.001;

  /** s̄: mean of the features over the active examples. */
  static double[] meanFeatures(
      ExampleHistory history, int[] labels, FrozenMeans means, Population population) {
    double[] sum = new double[FEATURES];
    float[] s = new float[FEATURES];
    for (int i = 0; i < population.size(); i++) {
      if (population.isActive(i)) {
        history.features(i, means.mean(), means.ofClass()[labels[i]], s, 0);
        for (int k = 0; k < FEATURES; k++) {
          sum[k] += s[k];
        }
      }
    }
    for (int k = 0; k < FEATURES; k++) {
      sum[k] /= population.active();
    }
    return sum;
  }

  /** Gives every active example its leaf in {@code distribution}. */
  static Refresh run(
      ExampleHistory history,
      int[] labels,
      FrozenMeans means,
      double[] meanFeatures,
      Population population,
      UncertaintySet set,
      Distribution distribution) {
    double errorScale = set.errorScale(meanFeatures);
    // v is linear in the features, so its mean is the value of the mean features.
    double meanValue = set.robustValue(meanFeatures, errorScale);
    if (!(meanValue > 0)) {
      distribution.build(i -> population.isActive((int) i) ? population.weight((int) i) : 0f);
      return new Refresh(means, meanFeatures, set, errorScale, 1f, 0);
    }
    float floor = (float) (FLOOR * meanValue);
    Refresh refresh = new Refresh(means, meanFeatures, set, errorScale, floor, 0);
    double[] features = new double[FEATURES];
    float[] scratch = new float[FEATURES];
    float[] values = new float[population.size()];
    long floored = 0;
    for (int i = 0; i < values.length; i++) {
      if (population.isActive(i)) {
        float v = refresh.value(history, labels[i], i, features, scratch);
        if (v < floor) {
          floored++;
          v = floor;
        }
        values[i] = population.weight(i) * v;
      }
    }
    distribution.build(i -> values[(int) i]);
    return new Refresh(means, meanFeatures, set, errorScale, floor, floored);
  }

  /** v of one example before the floor. */
  float value(ExampleHistory history, int label, int index, double[] features, float[] scratch) {
    history.features(index, means.mean(), means.ofClass()[label], scratch, 0);
    for (int k = 0; k < FEATURES; k++) {
      features[k] = scratch[k];
    }
    return (float) set.robustValue(features, errorScale);
  }

  void save(SamplerState state) {
    means.save(state, "refresh.means");
    state.put("refresh.meanFeatures", meanFeatures);
    state.put("refresh.c", set.c());
    state.put("refresh.dHat", set.dHat());
    state.put("refresh.scales", set.hStar(), errorScale, floor);
  }

  static Refresh load(SamplerState state, int classes) {
    double[] scales = state.doubles("refresh.scales", 3);
    return new Refresh(
        FrozenMeans.load(state, "refresh.means", classes),
        state.doubles("refresh.meanFeatures", FEATURES),
        new UncertaintySet(
            state.doubles("refresh.c", FEATURES),
            state.doubles("refresh.dHat", FEATURES),
            scales[0]),
        scales[1],
        (float) scales[2],
        0);
  }
}
