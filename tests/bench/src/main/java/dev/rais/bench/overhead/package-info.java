/**
 * What RAIS adds to a training step of this library: the sampler, and weighted statistics in batch
 * norm.
 */
package dev.rais.bench.overhead;
