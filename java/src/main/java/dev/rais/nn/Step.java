package dev.rais.nn;

import dev.rais.backend.Buffer;

/**
 * What distinguishes one training step from another, for layers that depend on more than their
 * input.
 *
 * @param exampleWeights FLOAT32 [m] importance weights of the examples, or null where all are equal
 * @param seed the network's seed
 * @param iteration t
 */
public record Step(Buffer exampleWeights, long seed, long iteration) {}
