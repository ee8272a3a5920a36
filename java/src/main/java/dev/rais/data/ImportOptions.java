package dev.rais.data;

import java.util.Optional;

/**
 * How images in folders become a data set.
 *
 * @param size of all images; empty for that of the first
 * @param channels 1 to make all grey, 3 to make all red, green, blue; empty to keep them, where all
 *     must be alike
 * @param skipBad whether images that cannot be used are left out instead of refused
 * @param replace whether a data set that was imported under the name may be replaced
 */
public record ImportOptions(
    Optional<Size> size, Optional<Integer> channels, boolean skipBad, boolean replace) {

  /** Height and width in pixels. */
  public record Size(int height, int width) {
    /**
     * @throws DataException if one is not from 1 to 4,096
     */
    public Size {
      if (Math.min(height, width) < 1 || Math.max(height, width) > 4096) {
        throw new DataException(
            "images can be from 1 to 4096 pixels high and wide, not %dx%d"
                .formatted(height, width));
      }
    }

    /**
     * Reads "HxW".
     *
     * @throws DataException if it is something else
     */
    public static Size parse(String text) {
      var parts = java.util.regex.Pattern.compile("(\\d{1,9})[xX](\\d{1,9})").matcher(text);
      if (!parts.matches()) {
        throw new DataException(
            "a size is height and width in pixels, such as 32x32, not \"%s\"".formatted(text));
      }
      return new Size(Integer.parseInt(parts.group(1)), Integer.parseInt(parts.group(2)));
    }
  }

  /**
   * @throws DataException if channels are not 1 or 3
   */
  public ImportOptions {
    if (channels.isPresent() && channels.get() != 1 && channels.get() != 3) {
      throw new DataException("channels can be 1 or 3, not %d".formatted(channels.get()));
    }
  }

  /** The first image's size and channels, every image must be good, nothing is replaced. */
  public static ImportOptions defaults() {
    return new ImportOptions(Optional.empty(), Optional.empty(), false, false);
  }
}
