package dev.rais.data;

import dev.rais.data.KnownDataset.RemoteFile;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.function.LongConsumer;

/**
 * The download of one file with a pinned length and checksum. Bytes collect in NAME.part, which a
 * later attempt or a later run continues; only a file that passed both checks is renamed, in one
 * step, to NAME.
 */
final class FileDownload {
  private static final int BUFFER_BYTES = 1 << 16;

  private final HttpClient client;
  private final URI address;
  private final RemoteFile expected;
  private final Path target;
  private final Path part;
  private final FetchOptions options;
  private final LongConsumer progress;

  /** {@code progress} is told the bytes of this file that are here. */
  FileDownload(
      HttpClient client,
      URI address,
      RemoteFile expected,
      Path directory,
      FetchOptions options,
      LongConsumer progress) {
    this.client = client;
    this.address = address;
    this.expected = expected;
    this.target = directory.resolve(expected.name());
    this.part = directory.resolve(expected.name() + ".part");
    this.options = options;
    this.progress = progress;
  }

  /** Returns once the file is there and right. */
  void run() throws InterruptedException {
    long pauseMillis = options.firstPause().toMillis();
    for (int attempt = 1; ; attempt++) {
      try {
        // After a failure too: another process may have finished the file meanwhile.
        if (isRight(target)) {
          progress.accept(expected.numBytes());
          return;
        }
        boolean resumed = transfer();
        if (isRight(part)) {
          Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
          return;
        }
        Files.delete(part);
        if (!resumed) {
          throw new DataException(
              "%s does not have the expected %s %s, so it was deleted; the server or something on the way changed the file, try another mirror"
                  .formatted(address, expected.checksum().algorithm(), expected.checksum().hex()));
        }
        // The first bytes may be of another file, from an earlier run: once more from the start.
        throw new IOException(
            "the resumed file does not have the expected " + expected.checksum().algorithm());
      } catch (IOException e) {
        // An interrupt in the middle of reading or writing arrives as an IOException.
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }
        if (e instanceof FileSystemException && !(e instanceof NoSuchFileException)) {
          throw unwritable(e);
        }
        if (attempt == options.attempts()) {
          throw new DataException(
              "%s could not be downloaded in %d attempts (%s); check the network and run the same command again, it resumes"
                  .formatted(address, attempt, DataException.reason(e)),
              e);
        }
      }
      Thread.sleep(pauseMillis);
      pauseMillis *= 2;
    }
  }

  /**
   * Completes the part file to the expected length. Returns whether it had bytes already that were
   * kept.
   *
   * @throws IOException if another attempt may help
   * @throws DataException if none will
   */
  private boolean transfer() throws IOException, InterruptedException {
    try (FileChannel file =
        FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      requireAlone(file);
      try {
        long have = file.size();
        if (have > expected.numBytes()) {
          have = 0;
        }
        return have == expected.numBytes() || request(file, have) > 0;
      } finally {
        if (file.size() == 0) {
          Files.deleteIfExists(part);
        }
      }
    }
  }

  /** Fetches from offset {@code have} to the end; returns the offset the server agreed to. */
  private long request(FileChannel file, long have) throws IOException, InterruptedException {
    HttpRequest.Builder request = HttpRequest.newBuilder(address).timeout(options.patience());
    if (have > 0) {
      request.header("Range", "bytes=" + have + "-");
    }
    HttpResponse<InputStream> response =
        client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
    try (InputStream body = response.body();
        StallGuard guard = new StallGuard(body, options.patience())) {
      long offset = startOf(response, have, file);
      try {
        copy(body, file, offset, guard);
      } catch (IOException e) {
        throw guard.stalled()
            ? new IOException("no byte came for " + options.patience().toMillis() + " ms", e)
            : e;
      }
      return offset;
    }
  }

  /** The offset in the file at which the response's body starts, by its status and headers. */
  private long startOf(HttpResponse<?> response, long have, FileChannel file) throws IOException {
    int status = response.statusCode();
    if (status == 206 && have > 0) {
      String range = response.headers().firstValue("Content-Range").orElse("");
      if (range.startsWith("bytes " + have + "-")) {
        return have;
      }
      file.truncate(0);
      throw new IOException("asked to resume at byte " + have + ", the server sent " + range);
    }
    if (status == 200) {
      // Also the answer of a server that cannot resume: the whole file, from its start.
      long length = response.headers().firstValueAsLong("Content-Length").orElse(-1);
      if (length >= 0 && length != expected.numBytes()) {
        throw wrongLength(file, "is " + length + " bytes long");
      }
      return 0;
    }
    if (status == 416) {
      file.truncate(0);
      throw new IOException("the server cannot resume at byte " + have);
    }
    if (status == 408 || status == 429 || status >= 500) {
      throw new IOException("the server answered " + status);
    }
    throw new DataException(
        "%s was answered with status %d, but 200 and the file were expected; check the address or use another mirror"
            .formatted(address, status));
  }

  private void copy(InputStream body, FileChannel file, long offset, StallGuard guard)
      throws IOException {
    file.truncate(offset);
    file.position(offset);
    byte[] buffer = new byte[BUFFER_BYTES];
    long done = offset;
    progress.accept(done);
    for (int read; (read = body.read(buffer)) >= 0; ) {
      guard.alive();
      done += read;
      if (done > expected.numBytes()) {
        throw wrongLength(file, "goes on after that");
      }
      write(file, ByteBuffer.wrap(buffer, 0, read));
      progress.accept(done);
    }
    if (done < expected.numBytes()) {
      throw new IOException(
          "the connection ended after %d of %d bytes".formatted(done, expected.numBytes()));
    }
    // On the disk before it gets its final name: a crash must not leave a hole under that name.
    file.force(true);
  }

  private void write(FileChannel file, ByteBuffer bytes) throws IOException {
    try {
      while (bytes.hasRemaining()) {
        file.write(bytes);
      }
    } catch (ClosedChannelException e) {
      throw e; // an interrupt
    } catch (IOException e) {
      throw unwritable(e);
    }
  }

  private DataException wrongLength(FileChannel file, String found) throws IOException {
    file.truncate(0);
    return new DataException(
        "%s should be %d bytes long but %s, so nothing was kept; the server has another file, try another mirror"
            .formatted(address, expected.numBytes(), found));
  }

  private void requireAlone(FileChannel file) throws IOException {
    boolean alone;
    try {
      // Released with the channel.
      alone = file.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      alone = false;
    }
    if (!alone) {
      throw new DataException(
          "another download is writing %s; wait for it to end, then run the same command again"
              .formatted(part));
    }
  }

  private boolean isRight(Path file) throws IOException {
    return Files.isRegularFile(file)
        && Files.size(file) == expected.numBytes()
        && digest(file, expected.checksum().algorithm()).equals(expected.checksum().hex());
  }

  static String digest(Path file, String algorithm) throws IOException {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance(algorithm);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK must have " + algorithm, e);
    }
    try (InputStream in = Files.newInputStream(file)) {
      byte[] buffer = new byte[BUFFER_BYTES];
      for (int read; (read = in.read(buffer)) >= 0; ) {
        digest.update(buffer, 0, read);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** No other attempt helps against a full disk or a folder of somebody else's. */
  private DataException unwritable(IOException e) {
    return new DataException(
        "%s cannot be written (%s); make room or choose another folder, then run the same command again"
            .formatted(part, DataException.reason(e)),
        e);
  }
}
