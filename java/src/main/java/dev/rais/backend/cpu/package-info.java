/**
 * The CPU backend: oneDNN's C API through {@code java.lang.foreign}, Java loops for the rest, and a
 * pure-Java path for hosts where the native library cannot be loaded.
 */
package dev.rais.backend.cpu;
