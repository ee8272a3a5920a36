package dev.rais.backend.cuda;

import static dev.rais.backend.cuda.CudaBuffer.at;

import dev.rais.backend.Augmentation;
import dev.rais.backend.Buffer;
import dev.rais.backend.ImageShape;
import dev.rais.random.Streams;
import java.lang.foreign.MemorySegment;

/**
 * Makes minibatches of images, wherever those lie. Out of host memory the chosen images are first
 * fetched into scratch memory, so that each byte crosses the bus once, whatever shifts and mirrors
 * read; what follows is the same. Nothing waits, and indices stay on the device.
 */
final class Gather {
  /** What scratch memory is aligned to, and what slots behind the images are. */
  private static final long ALIGNMENT = 256;

  private final Device device;
  private final TrainingKernels kernels;

  Gather(Device device) {
    this.device = device;
    kernels = device.kernels.training();
  }

  /** Images to choose from: bytes [count, shape], and the labels [count] or NULL. */
  record Source(Buffer images, ImageShape shape, MemorySegment labels) {
    long count() {
      return images.count() / shape.size();
    }
  }

  /** Which images, on the device: int32 [rows]. */
  record Chosen(int rows, MemorySegment indices) {}

  /**
   * How images are made values: {@link dev.rais.backend.Backend#gather}.
   *
   * @param iteration int64 in device memory; NULL where nothing is varied
   */
  record Recipe(
      Buffer scale, Buffer shift, Augmentation augmentation, long seed, MemorySegment iteration) {
    static boolean varies(Augmentation augmentation) {
      return augmentation != null && !augmentation.isNone();
    }
  }

  /**
   * Fills a minibatch.
   *
   * @param batchLabels int32 [rows], or NULL where labels are not wanted
   */
  void run(Source source, Chosen chosen, Recipe recipe, Buffer batch, MemorySegment batchLabels) {
    if (CudaBuffer.isOnHost(source.images())) {
      MemorySegment fetched = fetch(source, chosen, batchLabels);
      MemorySegment slots = MemorySegment.ofAddress(fetched.address() + imageBytes(source, chosen));
      gather(
          chosen.rows(),
          source.shape(),
          fetched,
          MemorySegment.NULL,
          new Chosen(chosen.rows(), slots),
          recipe,
          batch,
          MemorySegment.NULL);
    } else {
      gather(
          source.count(),
          source.shape(),
          at(source.images()),
          source.labels(),
          chosen,
          recipe,
          batch,
          batchLabels);
    }
  }

  /** Where the chosen images lie in scratch memory, and behind them their slots. */
  private MemorySegment fetch(Source source, Chosen chosen, MemorySegment batchLabels) {
    long numBytes = imageBytes(source, chosen);
    long scratch = device.scratch(numBytes + (long) Integer.BYTES * chosen.rows());
    MemorySegment fetched = MemorySegment.ofAddress(scratch);
    kernels.fetchImages(
        device.stream(),
        source.count(),
        source.shape().size(),
        at(source.images()),
        source.labels(),
        chosen.rows(),
        chosen.indices(),
        fetched,
        MemorySegment.ofAddress(scratch + numBytes),
        batchLabels);
    return fetched;
  }

  private static long imageBytes(Source source, Chosen chosen) {
    long numBytes = (long) source.shape().size() * chosen.rows();
    return (numBytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  private void gather(
      long count,
      ImageShape shape,
      MemorySegment images,
      MemorySegment labels,
      Chosen chosen,
      Recipe recipe,
      Buffer batch,
      MemorySegment batchLabels) {
    Augmentation augmentation = recipe.augmentation();
    boolean varies = Recipe.varies(augmentation);
    kernels.gatherAugment(
        device.stream(),
        count,
        shape.height(),
        shape.width(),
        shape.channels(),
        images,
        labels,
        chosen.rows(),
        chosen.indices(),
        at(recipe.scale()),
        at(recipe.shift()),
        varies ? augmentation.padding() : 0,
        varies && augmentation.flip() ? 1 : 0,
        varies ? augmentation.cutout() : 0,
        recipe.seed(),
        Streams.AUGMENTATION,
        recipe.iteration(),
        device.activationsCode(),
        at(batch),
        batchLabels);
  }
}
