package dev.rais.backend.cuda.jcuda;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * JCuda's objects of one kind by the handles that they hold. JCuda makes such an object only where
 * a call fills it, so what was made is kept until it is destroyed.
 */
final class Handles<T extends Handles.Handle> {
  /** An object of JCuda that tells its handle. */
  interface Handle {
    long handle();
  }

  private final String kind;
  private final Map<Long, T> objects = new ConcurrentHashMap<>();

  Handles(String kind) {
    this.kind = kind;
  }

  /** Keeps what a call has filled; returns its handle. */
  long keep(T object) {
    objects.put(object.handle(), object);
    return object.handle();
  }

  /**
   * The object of a handle.
   *
   * @throws IllegalArgumentException if it was not made here, or was destroyed
   */
  T get(long handle) {
    return known(handle, objects.get(handle));
  }

  /** The same, to be destroyed. */
  T remove(long handle) {
    return known(handle, objects.remove(handle));
  }

  private T known(long handle, T object) {
    if (object == null) {
      throw new IllegalArgumentException(
          "%x is no %s that the binding jcuda has made, or it was destroyed"
              .formatted(handle, kind));
    }
    return object;
  }
}
