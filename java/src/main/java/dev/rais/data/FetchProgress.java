package dev.rais.data;

/** Is told how far a download is, on the thread that downloads. */
@FunctionalInterface
public interface FetchProgress {
  /**
   * Called often. {@code doneBytes} can fall when a file has to start again.
   *
   * @param fileName the file in work
   * @param doneBytes bytes of the whole data set that are here
   * @param totalBytes bytes of the whole data set
   */
  void advance(String fileName, long doneBytes, long totalBytes);
}
