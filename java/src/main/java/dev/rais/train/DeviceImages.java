package dev.rais.train;

import dev.rais.backend.Augmentation;
import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.ImageShape;
import dev.rais.backend.Placement;
import dev.rais.backend.ResidentSampler;
import dev.rais.data.ImageSet;
import dev.rais.data.Normalization;

/** An image set where a backend reads it, with the normalisation that batches are given. */
final class DeviceImages implements AutoCloseable {
  private final ImageSet set;
  private final Buffer pixels;
  private final Buffer scale;
  private final Buffer shift;
  private final Backend backend;
  private final ImageShape shape;

  /**
   * Images where the backend wants them.
   *
   * @param beside bytes of the backend's memory that other things are going to need
   */
  DeviceImages(Backend backend, ImageSet set, Normalization normalization, long beside) {
    this(backend, set, normalization, backend.placement(set.pixels().length, beside));
  }

  DeviceImages(Backend backend, ImageSet set, Normalization normalization, Placement placement) {
    this.backend = backend;
    this.set = set;
    shape = new ImageShape(set.height(), set.width(), set.channels());
    pixels = backend.wrap(set.pixels(), placement);
    float[] mean = normalization.mean();
    float[] deviation = normalization.standardDeviation();
    float[] scales = new float[mean.length];
    float[] shifts = new float[mean.length];
    for (int c = 0; c < mean.length; c++) {
      scales[c] = (float) (1 / (255.0 * deviation[c]));
      shifts[c] = -mean[c] / deviation[c];
    }
    scale = backend.allocate(DType.FLOAT32, scales.length);
    scale.upload(scales);
    shift = backend.allocate(DType.FLOAT32, shifts.length);
    shift.upload(shifts);
  }

  ImageSet set() {
    return set;
  }

  /** Fills {@code batch} with the normalised images at {@code indices}. */
  void gather(Buffer indices, Buffer batch) {
    gather(indices, null, 0, 0, batch);
  }

  /** The same, varied by {@code augmentation}; null for none. */
  void gather(Buffer indices, Augmentation augmentation, long seed, long iteration, Buffer batch) {
    backend.gather(pixels, shape, indices, scale, shift, augmentation, seed, iteration, batch);
  }

  /** The same of what a sampler in the backend's memory has drawn, with its seed and counter. */
  void gather(ResidentSampler drawn, Augmentation augmentation, Buffer batch) {
    drawn.gather(pixels, shape, scale, shift, augmentation, batch);
  }

  @Override
  public void close() {
    pixels.close();
    scale.close();
    shift.close();
  }
}
