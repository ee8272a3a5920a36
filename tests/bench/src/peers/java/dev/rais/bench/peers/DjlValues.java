package dev.rais.bench.peers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.cpu.CpuBackends;
import dev.rais.bench.BenchException;
import dev.rais.nn.Model;
import dev.rais.nn.Network;
import dev.rais.nn.Shape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Gives DJL's network the initial values of ours, so that both must show the same losses. */
final class DjlValues {
  private DjlValues() {}

  static void copyInitialValues(Workload workload, List<Parameter> parameters) {
    Model model = workload.network();
    List<Shape> inputs = parameterInputs(model);
    if (inputs.size() != parameters.size()) {
      throw new BenchException(
          "DJL's %s has %d parameter arrays, ours %d"
              .formatted(workload.model(), parameters.size(), inputs.size()));
    }
    // The engine without natives: nothing of ours shall compute in this process.
    System.setProperty(CpuBackends.ENGINE_PROPERTY, "java");
    try (Backend backend = Backends.open("cpu", 1, System.err::println);
        Network network = new Network(backend, model, workload.seed())) {
      for (int i = 0; i < parameters.size(); i++) {
        var ours = network.parameters().get(i);
        copy(ours.value().toFloats(), ours.dims(), inputs.get(i), parameters.get(i));
      }
    }
  }

  /** The input shape of the layer that each parameter belongs to. */
  private static List<Shape> parameterInputs(Model model) {
    List<Shape> inputs = new ArrayList<>();
    for (Model.NamedLayer layer : model.layers()) {
      int count = layer.layer().parameters(layer.inputShape()).size();
      inputs.addAll(Collections.nCopies(count, layer.inputShape()));
    }
    return inputs;
  }

  private static void copy(float[] values, List<Integer> dims, Shape input, Parameter target) {
    NDManager owner = target.getArray().getManager();
    try (NDManager scope = owner.newSubManager()) {
      // A copy, because an array made from Java's memory does not outlive it, nor do its views.
      NDArray array = scope.create(values).duplicate();
      int outputs = dims.get(0);
      if (dims.size() == 4) {
        // [out, height, width, in] to [out, in, height, width]
        array = array.reshape(outputs, dims.get(1), dims.get(2), dims.get(3));
        array = toChannelsFirst(array);
      } else if (dims.size() == 2) {
        array = array.reshape(outputs, input.height(), input.width(), input.channels());
        array = array.transpose(0, 3, 1, 2).reshape(outputs, input.size());
      }
      array.attach(owner);
      array.setRequiresGradient(true);
      target.close();
      target.setShape(null);
      target.setArray(array);
    }
  }

  /**
   * [n, height, width, channels] as [n, channels, height, width]. PyTorch's convolutions keep to
   * the order that images and weights have in memory: a transposed view leaves it channels-last.
   */
  static NDArray toChannelsFirst(NDArray array) {
    NDArray view = array.transpose(0, 3, 1, 2);
    return switch (DjlLayout.ofThisProcess()) {
      case CHANNELS_LAST -> view;
      case CHANNELS_FIRST -> view.flatten().reshape(view.getShape());
    };
  }
}
