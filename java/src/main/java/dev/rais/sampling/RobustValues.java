package dev.rais.sampling;

import static dev.rais.sampling.ExampleHistory.BLOCK;

import java.util.concurrent.atomic.LongAdder;

/**
 * The robust values v_i = max(floor, ⟨c + e d̂, s_i⟩) as of one refresh (docs/algorithm.md §2, §3),
 * evaluated straight from the history.
 *
 * <p>While class means, c, d̂ and e are frozen, all that is common to the examples of a class is
 * one number: v_i = base + a_last · last + a_previous · previous + a_average · average, with one
 * base for the class's visited examples and one for those never visited, whose norms are kept as 0.
 * So an example costs three multiplications and no branch. No term is negative, so that floats lose
 * nothing but last bits. One example or all of them give the same bits.
 */
final class RobustValues {
  private final ExampleHistory history;
  private final int[] labels;
  private final Population population;

  private final Terms terms;

  /**
   * What values are made of; nothing is negative.
   *
   * @param bases [2 classes] base of a class's visited examples, then of those never visited
   * @param last factor of the norm seen last
   * @param previous factor of the norm before
   * @param average factor of the moving average
   * @param floor smaller values are raised to this
   */
  record Terms(float[] bases, float last, float previous, float average, float floor) {}

  /**
   * Values under a set and frozen means.
   *
   * @param labels [n] class of each example
   * @param means what features are made from
   * @param errorScale e, from {@link UncertaintySet#errorScale}
   * @param floor smaller values are raised to this; at least 0
   */
  RobustValues(
      ExampleHistory history,
      int[] labels,
      Population population,
      FrozenMeans means,
      UncertaintySet set,
      double errorScale,
      float floor) {
    this.history = history;
    this.labels = labels;
    this.population = population;
    float[] ofClass = means.ofClass();
    double[] a = set.c();
    double[] dHat = set.dHat();
    for (int k = 0; k < a.length; k++) {
      a[k] += errorScale * dHat[k];
    }
    double filledIn =
        a[ExampleHistory.LAST]
            + a[ExampleHistory.PREVIOUS]
            + a[ExampleHistory.AVERAGE]
            + a[ExampleHistory.NEVER_SEEN];
    float[] bases = new float[2 * ofClass.length];
    for (int k = 0; k < ofClass.length; k++) {
      double visited =
          a[ExampleHistory.MEAN] * means.mean() + a[ExampleHistory.CLASS_MEAN] * ofClass[k];
      bases[2 * k] = (float) visited;
      bases[2 * k + 1] = (float) (visited + filledIn * ofClass[k]);
    }
    terms =
        new Terms(
            bases,
            (float) a[ExampleHistory.LAST],
            (float) a[ExampleHistory.PREVIOUS],
            (float) a[ExampleHistory.AVERAGE],
            floor);
  }

  /**
   * Gives every active example its leaf u_i v_i.
   *
   * @return how many values were raised to the floor
   */
  long build(Distribution distribution) {
    return build(distribution, VectorApi.pays(population.size()));
  }

  long build(Distribution distribution, boolean vectorApi) {
    LongAdder raised = new LongAdder();
    distribution.build(() -> new Filler(vectorApi, raised));
    return raised.sum();
  }

  /** Fills ranges of values, on one thread. */
  private final class Filler implements SumTree.LeafBlock {
    private final BlockValues blocks;
    private final LongAdder raised;

    Filler(boolean vectorApi, LongAdder raised) {
      blocks =
          vectorApi
              ? new VectorBlockValues(terms, history, labels)
              : new ArrayBlockValues(terms, history, labels);
      this.raised = raised;
    }

    @Override
    public void fill(long from, int count, float[] values) {
      int below = 0;
      for (int done = 0; done < count; done += BLOCK) {
        int first = (int) from + done;
        int length = Math.min(BLOCK, count - done);
        below += blocks.fill(first, length, values, done);
        below -= leaveOut(first, length, values, done);
        if (population.isWeighted()) {
          for (int i = 0; i < length; i++) {
            values[done + i] *= population.weight(first + i);
          }
        }
      }
      raised.add(below);
    }

    /** Makes retired examples' values 0; returns how many of them had been raised. */
    private int leaveOut(int first, int length, float[] values, int to) {
      int raisedOnes = 0;
      for (int i = population.nextRetired(first);
          i >= 0 && i < first + length;
          i = population.nextRetired(i + 1)) {
        raisedOnes += values[to + i - first] == terms.floor() ? 1 : 0;
        values[to + i - first] = 0;
      }
      return raisedOnes;
    }
  }

  /** 1 for 0 visits, else 0. A branch would often be mispredicted. */
  static int neverVisited(int visits) {
    return (visits - 1) >>> 31;
  }

  /**
   * The leaves u_i v_i of a few examples, 0 for the retired.
   *
   * @param indices [at least count] which
   * @param values [at least count] receives their leaves
   * @return how many were raised to the floor
   */
  int at(int[] indices, int count, float[] values) {
    int raised = 0;
    for (int j = 0; j < count; j++) {
      int i = indices[j];
      float v =
          terms.bases()[2 * labels[i] + neverVisited(history.visits(i))]
              + terms.last() * history.last(i)
              + terms.previous() * history.previous(i)
              + terms.average() * history.average(i);
      if (!population.isActive(i)) {
        values[j] = 0;
        continue;
      }
      if (v < terms.floor()) {
        v = terms.floor();
        raised++;
      }
      values[j] = population.weight(i) * v;
    }
    return raised;
  }
}
