package dev.rais.backend.cpu;

/** oneDNN. */
final class OneDnnBackend extends JavaBackend {
  OneDnnBackend(int threads) {
    super(threads);
  }
}
