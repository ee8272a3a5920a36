package dev.rais.sampling;

import static dev.rais.sampling.ExampleHistory.FEATURES;

/**
 * What holds from one refresh to the next (docs/algorithm.md §3): c and d, what features are made
 * from, k and the floor.
 *
 * @param means what the features are made from
 * @param meanFeatures s̄ over the active examples
 * @param set c, d
 * @param errorScale e, see {@link UncertaintySet#errorScale}
 * @param floor least v; no weight exceeds 1,000 times the mean
 * @param allZero whether every v is 0, so that draws are uniform
 */
record Refresh(
    FrozenMeans means,
    double[] meanFeatures,
    UncertaintySet set,
    double errorScale,
    float floor,
    boolean allZero) {
  private static final double FLOOR = 0.001;

  static Refresh of(FrozenMeans means, double[] meanFeatures, UncertaintySet set) {
    return of(means, meanFeatures, set, 1);
  }

  /**
   * @param scale what k is multiplied by: 1 but in experiments
   */
  static Refresh of(FrozenMeans means, double[] meanFeatures, UncertaintySet set, double scale) {
    double errorScale = scale * set.errorScale(meanFeatures);
    // v is linear in the features, so its mean is the value of the mean features.
    double meanValue = set.robustValue(meanFeatures, errorScale);
    boolean allZero = !(meanValue > 0);
    float floor = allZero ? 1f : (float) (FLOOR * meanValue);
    return new Refresh(means, meanFeatures, set, errorScale, floor, allZero);
  }

  /** The values v_i that follow. */
  RobustValues values(ExampleHistory history, int[] labels, Population population) {
    return new RobustValues(history, labels, population, means, set, errorScale, floor);
  }

  void save(SamplerState state) {
    means.save(state, "refresh.means");
    state.put("refresh.meanFeatures", meanFeatures);
    state.put("refresh.c", set.c());
    state.put("refresh.dHat", set.dHat());
    state.put("refresh.hStar", set.hStar());
  }

  static Refresh load(SamplerState state, int classes, double scale) {
    return of(
        FrozenMeans.load(state, "refresh.means", classes),
        state.doubles("refresh.meanFeatures", FEATURES),
        new UncertaintySet(
            state.doubles("refresh.c", FEATURES),
            state.doubles("refresh.dHat", FEATURES),
            state.doubles("refresh.hStar", 1)[0]),
        scale);
  }
}
