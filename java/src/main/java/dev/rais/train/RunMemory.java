package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.DType;
import dev.rais.backend.Placement;
import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.nn.MemoryPlan;
import dev.rais.nn.Mode;
import dev.rais.nn.Model;
import dev.rais.nn.TensorSpec;
import java.util.Locale;

/**
 * What a training run keeps in a backend's memory, and where images lie, as planned before anything
 * of it is allocated. What operations need for themselves comes on top; it is small beside
 * activations.
 *
 * @param activations bytes of activations and their gradients, which share memory
 * @param parameters bytes of parameters, gradients, velocities, the last good values and state
 * @param sampler bytes of a sampler in the backend's memory; 0 where it is the host's
 * @param train where training images lie
 * @param trainImages their bytes
 * @param test where test images lie
 * @param testImages their bytes
 */
public record RunMemory(
    long activations,
    long parameters,
    long sampler,
    Placement train,
    long trainImages,
    Placement test,
    long testImages) {
  /** Values, gradients, velocities, last good values. */
  private static final int COPIES = 4;

  /** Values rounded to the type of activations, and gradients as they are summed up in it. */
  private static final int ROUNDED_COPIES = 2;

  /**
   * Plans a run whose images and sampler are the host's.
   *
   * @param batch examples m
   * @param activations their type
   */
  public static RunMemory of(Model model, int batch, DType activations) {
    long parameters = Float.BYTES * COPIES * model.parameterCount();
    if (activations != DType.FLOAT32) {
      parameters += ROUNDED_COPIES * activations.numBytes() * model.parameterCount();
    }
    long state = 2 * Float.BYTES * model.state().stream().mapToLong(TensorSpec::count).sum();
    return new RunMemory(
        MemoryPlan.of(model, batch, Mode.TRAINING).numBytes(activations),
        parameters + state,
        0,
        Placement.SHARED,
        0,
        Placement.SHARED,
        0);
  }

  /** The same with a sampler in the backend's memory. */
  RunMemory withSampler(long numBytes) {
    return new RunMemory(activations, parameters, numBytes, train, trainImages, test, testImages);
  }

  /**
   * The same with images, each set where the backend wants it beside all the rest; every step reads
   * the training set, so it comes first.
   */
  RunMemory withImages(Backend backend, Dataset data) {
    long ofTrain = numBytes(data.train());
    long ofTest = numBytes(data.test());
    Placement first = backend.placement(ofTrain, total());
    long beside = total() + (first == Placement.DEVICE ? ofTrain : 0);
    Placement second = backend.placement(ofTest, beside);
    return new RunMemory(activations, parameters, sampler, first, ofTrain, second, ofTest);
  }

  private static long numBytes(ImageSet images) {
    return images.pixels().length;
  }

  /** Bytes of images in the backend's memory. */
  public long deviceImages() {
    return imagesAt(Placement.DEVICE);
  }

  /** Bytes of images in the host's memory, from where the backend reads them. */
  public long hostImages() {
    return imagesAt(Placement.HOST);
  }

  private long imagesAt(Placement place) {
    return (train == place ? trainImages : 0) + (test == place ? testImages : 0);
  }

  /** All of it that is in the backend's memory. */
  public long total() {
    return activations + parameters + sampler + deviceImages();
  }

  /**
   * Refuses a run that does not fit.
   *
   * @param available bytes that can be taken
   * @param model that this was planned for, as are
   * @param batch its examples, and
   * @param type that of activations
   * @throws IllegalArgumentException with the figures and the largest batch size that fits
   */
  void require(long available, Model model, int batch, DType type) {
    if (total() <= available) {
      return;
    }
    long rest = total() - activations;
    int fits =
        MemoryPlan.within((available - rest) / type.numBytes(), model, batch, Mode.TRAINING)
            .batch();
    long least = of(model, fits, type).activations + rest;
    throw new IllegalArgumentException(
        "batch-size %d needs %s (activations %s, parameters %s%s%s), but only %s are available; %s"
            .formatted(
                batch,
                gigabytes(total()),
                gigabytes(activations),
                gigabytes(parameters),
                sampler == 0 ? "" : ", sampler " + gigabytes(sampler),
                deviceImages() == 0 ? "" : ", images " + gigabytes(deviceImages()),
                gigabytes(available),
                least <= available
                    ? "the largest batch size that fits is " + fits
                    : "not even a batch size of 1 fits: "
                        + (least - deviceImages() <= available
                            ? "leave images in the host's memory (rais.cuda.images)"
                            : "choose a smaller model")));
  }

  private static String gigabytes(long bytes) {
    return String.format(Locale.ROOT, "%.2f GB", bytes / 1e9);
  }
}
