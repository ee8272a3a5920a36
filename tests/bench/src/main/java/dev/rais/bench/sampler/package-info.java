/** The sampler alone, without a network: what a step costs, and whether n matters. */
package dev.rais.bench.sampler;
