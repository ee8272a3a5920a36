package dev.rais.data;

import java.net.URI;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

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
  private static final Set<String> LOOPBACK = Set.of("localhost", "127.0.0.1", "[::1]");

  /**
   * @throws DataException if a value makes no sense or the mirror is no https address
   */
  public FetchOptions {
    if (attempts < 1 || firstPause.isNegative() || !patience.isPositive()) {
      throw new DataException(
          "a download needs at least 1 attempt, a pause of 0 or more and a patience above 0, not %d, %s and %s"
              .formatted(attempts, firstPause, patience));
    }
    mirror.ifPresent(FetchOptions::requireSafe);
  }

  /** The official address, 4 attempts with pauses of 1, 2 and 4 seconds, 30 seconds of patience. */
  public static FetchOptions defaults() {
    return new FetchOptions(Optional.empty(), 4, Duration.ofSeconds(1), Duration.ofSeconds(30));
  }

  /** The same with another address to download from. */
  public FetchOptions withMirror(URI address) {
    return new FetchOptions(Optional.of(address), attempts, firstPause, patience);
  }

  private static void requireSafe(URI address) {
    if (address.getHost() == null || !isSafe(address)) {
      throw new DataException(
          "the mirror \"%s\" is no address to download from; it must start with https:// and a host (http:// only on this machine)"
              .formatted(address));
    }
  }

  /** Nobody on the way can see or change what comes: https, or a server on this very machine. */
  static boolean isSafe(URI address) {
    return "https".equalsIgnoreCase(address.getScheme())
        || "http".equalsIgnoreCase(address.getScheme()) && LOOPBACK.contains(address.getHost());
  }
}
