package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.data.Dataset;
import dev.rais.nn.BoundNetwork;
import dev.rais.nn.Network;
import dev.rais.nn.Parameter;
import dev.rais.sampling.Ablation;
import dev.rais.sampling.ImportanceSampler;
import java.util.List;

/**
 * What a run's steps work with.
 *
 * @param images the training set
 * @param workspace memory of activations
 * @param net the network's passes in training, m examples at a time
 * @param total length T of the schedule
 */
record StepParts(
    TrainingConfig config,
    Backend backend,
    Dataset data,
    ImportanceSampler sampler,
    DeviceImages images,
    Network network,
    Buffer workspace,
    BoundNetwork net,
    long total,
    StepCounts counts,
    LastGood lastGood) {

  /** The learning rate of the minibatch that was observed last. */
  double learningRate() {
    double rate =
        sampler.learningRate(t -> config.schedule().learningRate(config.learningRate(), t, total));
    return Math.scalb(rate, -counts.rateHalvings);
  }

  /** Whether the gain ratio is that of the final bias, whose gradient is that of the logits. */
  boolean gainOfBiasAlone() {
    return config.ablation().equals(Ablation.LOGIT_GAIN.id());
  }

  /** The gradient that the gain ratio is measured on: the end of all gradients, or all of them. */
  Buffer gainGradient() {
    if (config.exactGain()) {
      return network.gradients();
    }
    List<Parameter> last = network.finalParameters();
    Parameter first = gainOfBiasAlone() ? last.getLast() : last.getFirst();
    Buffer all = network.gradients();
    return all.slice(first.offset(), all.count() - first.offset());
  }
}
