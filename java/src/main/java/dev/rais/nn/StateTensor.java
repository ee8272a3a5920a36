package dev.rais.nn;

import dev.rais.backend.Buffer;
import java.util.List;

/**
 * What a layer keeps beside its parameters, not trained but a part of the network: running
 * statistics.
 *
 * @param name full name, as in a model file: "bn1.running_mean"
 * @param dims sizes, outermost first
 * @param offset first element in the flat buffer
 * @param value FLOAT32 view
 */
public record StateTensor(String name, List<Integer> dims, long offset, Buffer value)
    implements NamedTensor {}
