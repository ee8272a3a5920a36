package dev.rais.data;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;

/**
 * Closes a stream when nothing has come out of it for a while, which ends a read that would wait
 * forever. HttpClient's own timeouts end with the headers of an answer.
 */
final class StallGuard implements AutoCloseable {
  private final InputStream stream;
  private final long limitNanos;
  private final Thread watcher;
  private volatile long lastNanos = System.nanoTime();
  private volatile boolean stalled;

  StallGuard(InputStream stream, Duration limit) {
    this.stream = stream;
    this.limitNanos = limit.toNanos();
    this.watcher = Thread.ofVirtual().name("rais-download-watcher").start(this::watch);
  }

  /** Bytes have come. */
  void alive() {
    lastNanos = System.nanoTime();
  }

  /** Whether the stream was closed for want of bytes. */
  boolean stalled() {
    return stalled;
  }

  private void watch() {
    try {
      while (true) {
        long left = limitNanos - (System.nanoTime() - lastNanos);
        if (left <= 0) {
          stalled = true;
          stream.close();
          return;
        }
        Thread.sleep(Duration.ofNanos(left));
      }
    } catch (InterruptedException e) {
      // The transfer is over.
    } catch (IOException e) {
      // The reader meets the same failure.
    }
  }

  @Override
  public void close() {
    watcher.interrupt();
  }
}
