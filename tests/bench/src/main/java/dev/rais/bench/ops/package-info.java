/**
 * JMH benchmarks of the operations that a LeNet-5 step is made of, at its shapes, on the CPU
 * backend. Before an operation is timed its result is compared with {@link
 * dev.rais.bench.ops.Reference}.
 */
package dev.rais.bench.ops;
