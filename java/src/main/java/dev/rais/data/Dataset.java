package dev.rais.data;

import java.util.List;

/**
 * A data set ready to train on: images to learn from, images to test with, and what the classes are
 * called.
 *
 * @param name what the user calls it, for example "mnist"
 * @param train images to learn from
 * @param test images of the same shape, held back
 * @param classNames name of class k at position k; labels are below its size
 */
public record Dataset(String name, ImageSet train, ImageSet test, List<String> classNames) {
  /**
   * @throws DataException if the two sets differ in shape or a label has no class name
   */
  public Dataset {
    classNames = List.copyOf(classNames);
    if (!train.shape().equals(test.shape())) {
      throw new DataException(
          "data set %s has training images of %s but test images of %s; both must have one shape"
              .formatted(name, train.shape(), test.shape()));
    }
    requireLabels(name, "training", train, classNames.size());
    requireLabels(name, "test", test, classNames.size());
  }

  private static void requireLabels(String name, String part, ImageSet images, int numClasses) {
    try {
      images.classCounts(numClasses);
    } catch (DataException e) {
      throw new DataException("data set %s, %s part: %s".formatted(name, part, e.getMessage()), e);
    }
  }

  /** Number of classes. */
  public int numClasses() {
    return classNames.size();
  }

  /** Mean and standard deviation of the training pixels: one pass over them at every call. */
  public Normalization normalization() {
    return Normalization.of(train);
  }
}
