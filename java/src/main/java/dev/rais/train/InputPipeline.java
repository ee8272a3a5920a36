package dev.rais.train;

import dev.rais.backend.Augmentation;
import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.util.Arrays;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Fills a network's input with varied minibatches. Where the sampler has decided on the next one
 * already and the backend lets another thread gather, that is made while the present one is
 * computed; what comes out is the same either way, because it depends on seed, iteration and slot
 * alone.
 */
final class InputPipeline implements AutoCloseable {
  private final DeviceImages images;
  private final Augmentation augmentation;
  private final long seed;
  private final Buffer input;
  private final Buffer indices;

  /** The next minibatch, and who makes it; null where nothing is made ahead. */
  private final Buffer nextInput;

  private final Buffer nextIndices;
  private final ExecutorService thread;

  private Future<?> pending;
  private int[] pendingIndices;
  private long pendingIteration;
  private long waitedNanos;
  private long madeAhead;

  /**
   * @param augmentation null for none; then nothing is made ahead, because a copy of what was made
   *     takes as long as making it
   * @param overlap whether to make minibatches ahead where that is possible
   */
  InputPipeline(
      Backend backend,
      DeviceImages images,
      Augmentation augmentation,
      long seed,
      int batch,
      Buffer input,
      boolean overlap) {
    this.images = images;
    this.augmentation = augmentation;
    this.seed = seed;
    this.input = input;
    indices = backend.allocate(DType.INT32, batch);
    boolean ahead = overlap && augmentation != null && backend.supportsConcurrentGather();
    nextInput = ahead ? backend.allocate(input.type(), input.count()) : null;
    nextIndices = ahead ? backend.allocate(DType.INT32, batch) : null;
    thread =
        ahead
            ? Executors.newSingleThreadExecutor(
                Thread.ofPlatform().daemon().name("rais-input").factory())
            : null;
  }

  /** Fills the input with a minibatch. */
  void fill(int[] chosen, long iteration) {
    long begin = System.nanoTime();
    boolean ready =
        await() && pendingIteration == iteration && Arrays.equals(pendingIndices, chosen);
    if (ready) {
      input.copyFrom(nextInput);
      madeAhead++;
    } else {
      indices.upload(chosen);
      images.gather(indices, augmentation, seed, iteration, input);
    }
    waitedNanos += System.nanoTime() - begin;
  }

  /** Whether the next minibatch can be made ahead, if it is known. */
  boolean wantsUpcoming() {
    return thread != null;
  }

  /**
   * Begins to make a minibatch that {@link #fill} will probably ask for; nothing happens if it is
   * not complete.
   */
  void prepare(int[] upcoming, long iteration) {
    if (thread == null || upcoming.length != nextIndices.count()) {
      return;
    }
    pendingIndices = upcoming;
    pendingIteration = iteration;
    pending =
        thread.submit(
            () -> {
              nextIndices.upload(upcoming);
              images.gather(nextIndices, augmentation, seed, iteration, nextInput);
            });
  }

  /** Waits for what was begun; false if nothing was. */
  private boolean await() {
    if (pending == null) {
      return false;
    }
    try {
      pending.get();
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the next minibatch was made", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Error error) {
        throw error; // above all, no memory
      }
      throw new IllegalStateException("the next minibatch could not be made", e.getCause());
    } finally {
      pending = null;
    }
  }

  /** Time that {@link #fill} took: the computing threads had nothing to do meanwhile. */
  long waitedNanos() {
    return waitedNanos;
  }

  /** Minibatches that were there when they were asked for, or in the making. */
  long madeAhead() {
    return madeAhead;
  }

  @Override
  public void close() {
    if (thread != null) {
      // Waits for a minibatch in the making, which uses the buffers.
      thread.close();
      nextInput.close();
      nextIndices.close();
    }
    indices.close();
  }
}
