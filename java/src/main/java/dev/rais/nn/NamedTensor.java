package dev.rais.nn;

import dev.rais.backend.Buffer;
import java.util.List;

/** An array that a network keeps from step to step and that its files hold under this name. */
public sealed interface NamedTensor permits Parameter, StateTensor {
  /** Full name, as in a model file: "conv1.weight". */
  String name();

  /** Sizes, outermost first. */
  List<Integer> dims();

  /** First element in the flat buffer of its kind. */
  long offset();

  /** FLOAT32 view of the flat buffer. */
  Buffer value();

  /** Number of elements. */
  default long count() {
    return value().count();
  }
}
