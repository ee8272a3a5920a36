/** {@code gpu-check} of the offline bundle: steps with time limits, results, and verdicts. */
package dev.rais.gpucheck;
