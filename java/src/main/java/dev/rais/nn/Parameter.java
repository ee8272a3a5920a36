package dev.rais.nn;

import dev.rais.backend.Buffer;
import java.util.List;

/**
 * One parameter of a network: views into the network's flat buffers.
 *
 * @param name full name, as in a model file: "conv1.weight"
 * @param dims sizes, outermost first
 * @param offset first element in the flat buffers
 * @param value FLOAT32 view of the values w
 * @param operand what layers multiply activations by: the value, or it rounded to the type of
 *     activations
 * @param gradient FLOAT32 view of the gradients g
 */
public record Parameter(
    String name, List<Integer> dims, long offset, Buffer value, Buffer operand, Buffer gradient)
    implements NamedTensor {}
