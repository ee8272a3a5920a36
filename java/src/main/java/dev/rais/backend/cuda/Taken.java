package dev.rais.backend.cuda;

import java.util.ArrayDeque;
import java.util.Deque;

/** What was taken from a device and how to give it back: the last first. */
final class Taken {
  private final Deque<Runnable> returns = new ArrayDeque<>();

  /** Notes how to give back what was just taken. */
  void push(Runnable giveBack) {
    returns.push(giveBack);
  }

  /** Gives everything back, whatever fails at that; {@code failure} is told. */
  void giveBack(Throwable failure) {
    while (!returns.isEmpty()) {
      try {
        returns.pop().run();
      } catch (RuntimeException e) {
        failure.addSuppressed(e);
      }
    }
  }

  /** Gives everything back. */
  void giveBack() {
    while (!returns.isEmpty()) {
      returns.pop().run();
    }
  }
}
