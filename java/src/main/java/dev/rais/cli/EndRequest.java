package dev.rais.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Notices SIGTERM and Ctrl-C, and holds the end of the process up until this is closed, so that
 * work can be brought to a good end. The process then ends with the signal's exit code.
 */
final class EndRequest implements AutoCloseable {
  private static final int MOST_SECONDS = 120;

  private final CountDownLatch done = new CountDownLatch(1);
  private final Thread hook = new Thread(this::request, "rais-end-request");
  private volatile boolean requested;

  EndRequest() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  private void request() {
    requested = true;
    try {
      done.await(MOST_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether the process has been told to end. */
  boolean isRequested() {
    return requested;
  }

  @Override
  public void close() {
    done.countDown();
    if (!requested) {
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        // The end has begun this moment; the hook will not wait.
      }
    }
  }
}
