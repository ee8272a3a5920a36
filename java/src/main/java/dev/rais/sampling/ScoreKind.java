package dev.rais.sampling;

/** What a sampler wants to know of each example: the meaning of {@link Observation#scores}. */
public enum ScoreKind {
  /** Nothing. */
  NONE,
  /** The example's loss at the parameters of the forward pass; any finite number. */
  LOSS,
  /** A gradient norm, usually the loss layer's ‖softmax − y‖; finite, not negative. */
  GRADIENT_NORM
}
