package dev.rais.bench.peers;

import java.util.Locale;

/** Order of images and convolution weights in PyTorch's memory; shapes stay [n, c, h, w]. */
enum DjlLayout {
  /** What a DJL program gets that does nothing about it. */
  CHANNELS_FIRST,
  /** DJL has no call for it, but PyTorch keeps to it once images and weights are so. */
  CHANNELS_LAST;

  private static final String PROPERTY = "rais.bench.djl.layout";

  /** As on the command line. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** JVM flag for the worker process. */
  String flag() {
    return "-D" + PROPERTY + "=" + name();
  }

  /** The layout that this process was started with. */
  static DjlLayout ofThisProcess() {
    return valueOf(System.getProperty(PROPERTY));
  }
}
