/**
 * Benchmarks under one launcher, {@code tests/bench/run NAME}: each is one class that implements
 * {@link dev.rais.bench.Bench}, and one line in {@link dev.rais.bench.Benches}.
 */
package dev.rais.bench;
