package dev.rais.backend.cpu;

/** Single-precision matrix products in Java. */
final class Gemm {
  private Gemm() {}
}
