/**
 * Which examples to train on next, and with what weight: RAIS and its rivals as pure algorithms.
 *
 * <p>The package knows nothing of tensors, files or networks: an {@code ImportanceSampler} hands
 * out indices with importance weights and is told the gradient norms that were observed. Symbols
 * follow docs/algorithm.md.
 */
package dev.rais.sampling;
