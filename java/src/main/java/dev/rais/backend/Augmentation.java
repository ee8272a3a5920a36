package dev.rais.backend;

/**
 * How training images are varied, anew at every use: shifted by up to {@code padding} pixels either
 * way, with zeros moving in (which is a random crop of the padded image), mirrored half of the
 * time, and with a square of side {@code cutout} blanked.
 *
 * <p>What happens to the image in slot j of the minibatch at iteration t is a function of the run's
 * seed, t and j alone, the same bits on every backend. With x0 to x3 the words of the Philox block
 * ({@link dev.rais.random.Philox}) at (t, j) of stream {@link
 * dev.rais.random.Streams#AUGMENTATION}, P the padding, S the cutout, H and W the image's sides:
 *
 * <pre>
 *   dy = (x0 · (2P + 1) &gt;&gt; 32) − P        dx = (x1 · (2P + 1) &gt;&gt; 32) − P
 *   cy = (x2 &gt;&gt; 16) · H &gt;&gt; 16             cx = (x2 mod 2^16) · W &gt;&gt; 16
 *   mirrored if flips are on and x3 ≥ 2^31
 * </pre>
 *
 * Output pixel (y, x) is 0, the normalised mean, where cy − S/2 ≤ y &lt; cy − S/2 + S and the same
 * holds of x with cx. Elsewhere it is the normalised byte at (y + dy, (mirrored ? W − 1 − x : x) +
 * dx), where bytes outside of the image are 0.
 *
 * @param padding P, 0 to 65,535; 0 for no shift
 * @param flip whether images are mirrored
 * @param cutout S, 0 to 65,535; 0 for none
 */
public record Augmentation(int padding, boolean flip, int cutout) {
  /**
   * @throws IllegalArgumentException if a value is out of range
   */
  public Augmentation {
    require("padding", padding);
    require("cutout", cutout);
  }

  private static void require(String what, int value) {
    if (value < 0 || value > ImageShape.MAX_SIDE) {
      throw new IllegalArgumentException(
          "%s must be from 0 to %d, not %d".formatted(what, ImageShape.MAX_SIDE, value));
    }
  }

  /** Whether it leaves images as they are. */
  public boolean isNone() {
    return padding == 0 && !flip && cutout == 0;
  }
}
