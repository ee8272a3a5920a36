/**
 * The driver, cuBLAS and cuDNN through {@code java.lang.foreign}: found, loaded and bound by hand.
 */
package dev.rais.backend.cuda.panama;
