package dev.rais.sampling;

/**
 * ḡ and the class means of the norm as they stood at a refresh (docs/algorithm.md §3): until the
 * next one, leaves and recorded features are made from these.
 *
 * @param mean ḡ
 * @param ofClass [classes] mean norm of each class; ḡ where none was seen
 */
record FrozenMeans(float mean, float[] ofClass) {
  void save(SamplerState state, String name) {
    state.put(name, new float[] {mean});
    state.put(name + ".ofClass", ofClass);
  }

  static FrozenMeans load(SamplerState state, String name, int classes) {
    return new FrozenMeans(state.floats(name, 1)[0], state.floats(name + ".ofClass", classes));
  }
}
