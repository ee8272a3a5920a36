package dev.rais.train;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Keeps two processes from writing to one run directory: a lock on a file there that names its
 * owner. The system drops the lock when the process ends, however it ends.
 */
final class RunLock implements AutoCloseable {
  static final String FILE = "run.lock";

  private static final int MOST_BYTES = 200;

  /** Spaces at the file's end, by whose number it is told from another process's. */
  private static final int MOST_PADDING = 1 << 16;

  private final Path file;
  private final FileChannel channel;

  private RunLock(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  /**
   * Takes the lock.
   *
   * @throws RunFileException if another process has it, or the file cannot be written
   */
  static RunLock take(Path directory) {
    Path file = directory.resolve(FILE);
    try {
      FileChannel channel =
          FileChannel.open(
              file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      boolean mine = false;
      try {
        mine = tryLock(channel) != null;
        if (!mine) {
          throw new RunFileException("%s is in use by %s".formatted(directory, owner(channel)));
        }
        String me =
            "process %d since %s\n"
                .formatted(
                    ProcessHandle.current().pid(), Instant.now().truncatedTo(ChronoUnit.SECONDS));
        channel.truncate(0);
        String padding = " ".repeat(ThreadLocalRandom.current().nextInt(MOST_PADDING));
        RunDirectory.writeAll(
            channel, ByteBuffer.wrap((me + padding).getBytes(StandardCharsets.UTF_8)));
        // The last owner may have deleted the file after it was opened here. Only its size tells:
        // to open a file again, and close that, gives the lock back (POSIX).
        if (!Files.exists(file) || Files.size(file) != channel.size()) {
          throw new RunFileException("%s is in use by another process".formatted(directory));
        }
        return new RunLock(file, channel);
      } catch (IOException | RuntimeException e) {
        channel.close(); // the file may be another's
        throw e;
      } catch (Error e) {
        try (channel) {
          if (mine) {
            Files.deleteIfExists(file);
          }
        }
        throw e;
      }
    } catch (IOException e) {
      throw new RunFileException(
          "cannot lock %s: %s".formatted(file, WholeFile.reason(e, file)), e);
    }
  }

  private static FileLock tryLock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock();
    } catch (OverlappingFileLockException e) {
      return null; // this very process has it
    }
  }

  private static String owner(FileChannel channel) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(MOST_BYTES);
    channel.read(bytes, 0);
    String text = new String(bytes.array(), 0, bytes.position(), StandardCharsets.UTF_8).strip();
    return text.isEmpty() ? "another process" : text;
  }

  @Override
  public void close() {
    try (channel) {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new RunFileException(
          "cannot unlock %s: %s".formatted(file, WholeFile.reason(e, file)), e);
    }
  }
}
