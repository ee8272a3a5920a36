package dev.rais.sampling;

/** How indices are drawn from p (docs/algorithm.md §7). */
public enum DrawMode {
  /** A round fixes p and uses up a systematic sample of it in random order. */
  ROUNDS,
  /** Each draw independent, from the current p. */
  IID
}
