package dev.rais.train;

import dev.rais.sampling.ForwardPass;
import dev.rais.sampling.ImportanceSampler;
import dev.rais.sampling.Minibatch;
import dev.rais.sampling.Observation;
import dev.rais.sampling.SamplerState;
import dev.rais.sampling.SamplerStatistics;
import dev.rais.sampling.ScoreKind;
import java.util.List;

/** A sampler of which only the probabilities are asked for. */
record FixedProbabilities(float[] np) implements ImportanceSampler {
  @Override
  public float[] relativeProbabilities() {
    return np;
  }

  @Override
  public int size() {
    return np.length;
  }

  @Override
  public int indexBound() {
    return np.length;
  }

  @Override
  public Minibatch draw(int m, ForwardPass forward) {
    throw new UnsupportedOperationException();
  }

  @Override
  public ScoreKind score() {
    return ScoreKind.NONE;
  }

  @Override
  public boolean usesMoments() {
    return false;
  }

  @Override
  public void observe(Minibatch batch, Observation observation) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void discard(Minibatch batch) {
    throw new UnsupportedOperationException();
  }

  @Override
  public double gainRatio() {
    return 1;
  }

  @Override
  public double effectiveIterations() {
    return 0;
  }

  @Override
  public double learningRate(RateSchedule schedule) {
    return schedule.at(0);
  }

  @Override
  public void append(int[] labels, float[] weights) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void retire(int... indices) {
    throw new UnsupportedOperationException();
  }

  @Override
  public SamplerState state() {
    throw new UnsupportedOperationException();
  }

  @Override
  public List<Minibatch> restore(SamplerState state) {
    throw new UnsupportedOperationException();
  }

  @Override
  public SamplerStatistics statistics() {
    return new SamplerStatistics(0, 0, 0, 0, 0, false, 0);
  }

  @Override
  public void close() {
    // Holds nothing.
  }
}
