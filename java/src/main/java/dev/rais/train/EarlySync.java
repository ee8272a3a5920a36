package dev.rais.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Lets a disk begin with a large file while the rest of it is still being written, so that the sync
 * at the end has little left to wait for.
 */
final class EarlySync implements AutoCloseable {
  private static final long STEP_BYTES = 8 << 20;

  private final FileChannel channel;
  private long begun;
  private CompletableFuture<Void> sync = CompletableFuture.completedFuture(null);

  EarlySync(FileChannel channel) {
    this.channel = channel;
  }

  /** After a piece was written: begins a sync if enough has come and none is under way. */
  void written() throws IOException {
    if (channel.position() - begun >= STEP_BYTES && sync.isDone()) {
      close();
      begun = channel.position();
      sync = CompletableFuture.runAsync(this::sync);
    }
  }

  private void sync() {
    try {
      channel.force(false);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Waits for a sync under way. Its failure is thrown once: a second time it would hide itself. */
  @Override
  public void close() throws IOException {
    CompletableFuture<Void> begunSync = sync;
    sync = CompletableFuture.completedFuture(null);
    try {
      begunSync.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof UncheckedIOException failure) {
        throw failure.getCause();
      }
      if (e.getCause() instanceof Error error) {
        throw error; // above all, no memory
      }
      throw e;
    }
  }
}
