/**
 * The seam between the network code and the machine: a {@link dev.rais.backend.Backend} allocates
 * {@link dev.rais.backend.Buffer}s and runs operations on them.
 *
 * <p>Everything above this package calls only these types. Shapes are checked here, once, so that
 * an implementation receives arguments that fit. Activations are {@code [batch, height, width,
 * channels]}, convolution weights {@code [outputChannels, kernel, kernel, inputChannels]}, linear
 * weights {@code [outputs, inputs]}; all are dense and row-major.
 */
package dev.rais.backend;
