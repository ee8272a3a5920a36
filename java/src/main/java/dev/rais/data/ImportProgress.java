package dev.rais.data;

/** Is told how far an import is, by several threads at once. */
@FunctionalInterface
public interface ImportProgress {
  /** Called for every image. */
  void advance(int doneImages, int totalImages);
}
