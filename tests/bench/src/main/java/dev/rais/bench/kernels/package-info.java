/**
 * JMH benchmarks of what a Java user calls: a call into a library, kernels of the CPU and, where
 * there is a GPU, the CUDA kernels through their binding. Each takes turns with a copy of the same
 * size, and is compared with a reference before it is timed.
 */
package dev.rais.bench.kernels;
