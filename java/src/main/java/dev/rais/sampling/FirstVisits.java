package dev.rais.sampling;

import java.util.BitSet;

/**
 * Foretells how many records of a ring on a device are no first visits, while draws are uniform and
 * so known without asking: by them the first training is timed. Records tell first visits by a
 * feature that is the class's mean norm, which is taken to be above 0.
 */
final class FirstVisits {
  private final DrawMode mode;
  private final RecordRing ring;
  private final UniformDraws draws;
  private final BitSet seen = new BitSet();

  /**
   * @param state of a sampler none of whose examples are retired
   */
  FirstVisits(SamplerState state, RaisOptions options, int n, long seed) {
    mode = options.draw();
    ring = new RecordRing(RaisSampler.capacity(options, n));
    ring.load(state);
    Population population = new Population(n, null);
    draws = new UniformDraws(population, seed);
    draws.load(state);
    try (ExampleHistory history = new ExampleHistory(n)) {
      history.load(state, population);
      for (int i = 0; i < n; i++) {
        seen.set(i, history.visits(i) > 0);
      }
    }
  }

  /** Follows the draw of this number. */
  void draw(long number, int m) {
    Minibatch batch = new Minibatch(null, number, m, ExampleHistory.FEATURES, false);
    draws.fill(batch, mode);
    for (int j = 0; j < m; j++) {
      boolean first = !seen.get(batch.indices()[j]);
      batch.features[j * ExampleHistory.FEATURES + ExampleHistory.NEVER_SEEN] = first ? 1 : 0;
    }
    for (int j = 0; j < m; j++) {
      ring.add(batch, j, 0);
      seen.set(batch.indices()[j]);
    }
  }

  /** Records in the ring that are no first visits. */
  int revisits() {
    return ring.revisits();
  }
}
