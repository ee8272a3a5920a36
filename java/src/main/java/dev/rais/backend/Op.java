package dev.rais.backend;

/**
 * Every operation of the seam, so that a backend can say which ones it has ({@link
 * Backend#supports}) and the conformance suite can tell that each one was tried.
 */
public enum Op {
  /** Convolution forward, backward to data, backward to weights. */
  CONVOLUTION,
  /** Fully connected layer forward, backward to data, backward to weights. */
  LINEAR,
  /** Max pooling forward and backward. */
  MAX_POOL,
  /** Mean of each channel over all positions, forward and backward. */
  GLOBAL_AVERAGE_POOL,
  /** Batch norm with weighted statistics, forward and backward, and what is fused with it. */
  BATCH_NORM,
  /** Rectifier forward and backward. */
  RELU,
  /** Sum of two buffers. */
  ADD,
  /** Dropout, whose backward operation is the same. */
  DROPOUT,
  /** Softmax cross-entropy: losses, gradient norms, weighted logit gradients, correctness. */
  LOSS_LAYER,
  /** Exact squared gradient norm of every example for a convolution. */
  CONVOLUTION_GRADIENT_NORMS,
  /** Exact squared gradient norm of every example for a linear layer. */
  LINEAR_GRADIENT_NORMS,
  /** Bytes of chosen images to a normalised float batch. */
  GATHER,
  /** Momentum step with weight decay. */
  SGD,
  /** Floats to bfloat16: what is computed in that needs it. */
  ROUND,
  /** Sum of squares of a buffer. */
  SQUARED_NORM,
  /** Sum of squares of each row. */
  ROW_SQUARED_NORMS
}
