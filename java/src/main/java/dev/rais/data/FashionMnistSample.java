package dev.rais.data;

import java.io.InputStream;
import java.util.List;

/**
 * The data set inside the jar, so that a first training run needs no download: the 10,000 test
 * images of Fashion-MNIST, in file order the first 8,000 to train on and the last 2,000 to test
 * with. Its licence and notice lie beside it in the resources.
 */
final class FashionMnistSample {
  static final String NAME = "fashion-mnist-sample";
  static final int TRAIN_COUNT = 8_000;

  private FashionMnistSample() {}

  static Dataset load(List<String> classNames) {
    String imagesName = NAME + "/" + IdxLayout.TEST_IMAGES + ".gz";
    String labelsName = NAME + "/" + IdxLayout.TEST_LABELS + ".gz";
    ImageSet all =
        IdxReader.combine(
            imagesName,
            IdxReader.readImages(imagesName, resource(imagesName)),
            labelsName,
            IdxReader.readLabels(labelsName, resource(labelsName)));
    return new Dataset(
        NAME, all.slice(0, TRAIN_COUNT), all.slice(TRAIN_COUNT, all.count()), classNames);
  }

  private static InputStream resource(String name) {
    InputStream in = FashionMnistSample.class.getResourceAsStream(name);
    if (in == null) {
      throw new DataException(
          "the built-in file %s is not in this build of RAIS; build or install RAIS again"
              .formatted(name));
    }
    return in;
  }
}
