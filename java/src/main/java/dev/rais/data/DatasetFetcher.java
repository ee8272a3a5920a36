package dev.rais.data;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Downloads known data sets. Every file is checked against a pinned length and checksum before it
 * gets its final name, an interrupted download resumes, and files that are already right are left
 * alone.
 */
public final class DatasetFetcher {
  private DatasetFetcher() {}

  /**
   * Downloads what is missing of a data set; returns {@code directory}.
   *
   * @param name a known data set
   * @param directory where its files go, made if need be; {@link Datasets#cacheDirectory} is where
   *     they are found later without further options
   * @throws DataException if the name is unknown or built in, or a file cannot be had
   */
  public static Path fetch(
      String name, Path directory, FetchOptions options, FetchProgress progress) {
    KnownDataset dataset = Datasets.require(name);
    KnownDataset.Download download =
        dataset
            .download()
            .orElseThrow(
                () ->
                    new DataException(
                        "data set %s is built in; there is nothing to download, just use it"
                            .formatted(name)));
    fetch(download.files(), options.mirror().orElse(download.base()), directory, options, progress);
    return directory;
  }

  static void fetch(
      List<KnownDataset.RemoteFile> files,
      URI base,
      Path directory,
      FetchOptions options,
      FetchProgress progress) {
    try {
      Files.createDirectories(directory);
    } catch (IOException e) {
      throw new DataException(
          "cannot make the directory %s (%s); choose one you can write to".formatted(directory, e),
          e);
    }
    long total = files.stream().mapToLong(KnownDataset.RemoteFile::numBytes).sum();
    try (HttpClient client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(redirects(base))
            .connectTimeout(options.patience())
            .build()) {
      long finished = 0;
      for (KnownDataset.RemoteFile file : files) {
        long before = finished;
        new FileDownload(
                client,
                below(base, file.name()),
                file,
                directory,
                options,
                bytes -> progress.advance(file.name(), before + bytes, total))
            .run();
        finished += file.numBytes();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DataException(
          "the download was interrupted; run the same command again to resume it", e);
    }
  }

  /** From https only to https; a server on this machine has no reason to send anyone elsewhere. */
  private static HttpClient.Redirect redirects(URI base) {
    return "https".equalsIgnoreCase(base.getScheme())
        ? HttpClient.Redirect.NORMAL
        : HttpClient.Redirect.NEVER;
  }

  /** The address of {@code name} below {@code base}, whether or not that ends with a slash. */
  private static URI below(URI base, String name) {
    String text = base.toString();
    return URI.create(text.endsWith("/") ? text + name : text + "/" + name);
  }
}
