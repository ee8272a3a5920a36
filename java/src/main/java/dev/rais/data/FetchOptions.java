package dev.rais.data;

import java.net.URI;
import java.time.Duration;
import java.util.Optional;

/**
 * How a download behaves.
 *
 * @param mirror address to take the files from in place of the official one; what arrives is
 *     checked against the same checksums
 * @param attempts how often each file is tried, at least 1
 * @param firstPause wait before the second attempt; it doubles with every further one
 * @param patience how long to wait for a connection, an answer, or the next byte
 */
public record FetchOptions(
    Optional<URI> mirror, int attempts, Duration firstPause, Duration patience) {

  /**
   * @throws DataException if a value makes no sense or the mirror is no http or https address
   */
  public FetchOptions {
    if (attempts < 1 || firstPause.isNegative() || !patience.isPositive()) {
      throw new DataException(
          "a download needs at least 1 attempt, a pause of 0 or more and a patience above 0, not %d, %s and %s"
              .formatted(attempts, firstPause, patience));
    }
    mirror.ifPresent(FetchOptions::requireWeb);
  }

  /** The official address, 4 attempts with pauses of 1, 2 and 4 seconds, 30 seconds of patience. */
  public static FetchOptions defaults() {
    return new FetchOptions(Optional.empty(), 4, Duration.ofSeconds(1), Duration.ofSeconds(30));
  }

  /** The same with another address to download from. */
  public FetchOptions withMirror(URI address) {
    return new FetchOptions(Optional.of(address), attempts, firstPause, patience);
  }

  private static void requireWeb(URI address) {
    boolean web =
        "http".equalsIgnoreCase(address.getScheme())
            || "https".equalsIgnoreCase(address.getScheme());
    if (!web || address.getHost() == null) {
      throw new DataException(
          "the mirror \"%s\" is no web address; it must start with https:// or http:// and a host"
              .formatted(address));
    }
  }
}
