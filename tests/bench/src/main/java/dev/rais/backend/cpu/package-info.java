/** What benchmarks measure the CPU backend against and its bindings are needed for. */
package dev.rais.backend.cpu;
