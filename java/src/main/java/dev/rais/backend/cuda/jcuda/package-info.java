/**
 * The driver, cuBLAS and cuDNN through JCuda's JNI libraries, for programs that hold JCuda's
 * pointers already: the same three interfaces as {@code panama}, one method per call.
 */
package dev.rais.backend.cuda.jcuda;
