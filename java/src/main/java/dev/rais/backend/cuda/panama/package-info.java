/** {@link dev.rais.backend.cuda.CudaDriver} through {@code java.lang.foreign}. */
package dev.rais.backend.cuda.panama;
