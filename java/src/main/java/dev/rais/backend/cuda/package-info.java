/**
 * CUDA: our kernels, bound by hand from {@code kernels/rais_kernels.h} ({@link
 * dev.rais.backend.cuda.Kernels}) and loaded by {@link dev.rais.backend.cuda.KernelLibrary}; the
 * driver behind one small interface ({@link dev.rais.backend.cuda.CudaDriver}); and what owns
 * memory, streams and graphs of a device ({@link dev.rais.backend.cuda.CudaContext}).
 */
package dev.rais.backend.cuda;
