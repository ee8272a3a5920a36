package dev.rais.nn;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import java.util.List;

/**
 * All a layer is given when it is bound. The buffers hold what their names say only from where they
 * are filled to where {@link MemoryUse} says that they are last read. Activations and their
 * gradients are of {@link Backend#activations}.
 *
 * @param backend where to compute
 * @param mode what the passes are for
 * @param batch examples m
 * @param index position in {@link Model#layers}, which tells two layers of a kind apart
 * @param inputShape shape of one example's input
 * @param parameters the layer's parameters, in the order of {@link Layer#parameters}
 * @param state what it keeps beside them, in the order of {@link Layer#state}
 * @param input [m, inputShape]: filled before each forward pass
 * @param residual [m, output shape]: to be added, null but in a layer that joins
 * @param output [m, output shape]: to be filled by the forward pass
 * @param outputGradient [m, output shape]: filled before each backward pass; may be overwritten;
 *     null in evaluation mode
 * @param inputGradient [m, inputShape]: to be filled by the backward pass; null where it is not
 *     wanted
 * @param residualGradient [m, output shape]: to be filled by the backward pass; null but in a layer
 *     that joins
 * @param squaredNorms FLOAT32 [m]: to be added to in the mode for example norms, else null
 */
public record LayerContext(
    Backend backend,
    Mode mode,
    int batch,
    int index,
    Shape inputShape,
    List<Parameter> parameters,
    List<StateTensor> state,
    Buffer input,
    Buffer residual,
    Buffer output,
    Buffer outputGradient,
    Buffer inputGradient,
    Buffer residualGradient,
    Buffer squaredNorms) {}
