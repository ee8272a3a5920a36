package dev.rais.train;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * Writes a file that is there whole or not at all: under another name first, renamed when complete.
 */
final class WholeFile {
  /** Writes the contents. */
  interface Writer {
    void writeTo(FileChannel channel) throws IOException;
  }

  private WholeFile() {}

  static void write(Path file, Writer writer) {
    Path name = file.getFileName();
    if (name == null) {
      throw new RunFileException(file + " is no name for a file");
    }
    Path partial = file.resolveSibling("." + name + ".part");
    // Ctrl-C in the middle of writing removes it too.
    partial.toFile().deleteOnExit();
    try {
      try (FileChannel channel =
          FileChannel.open(
              partial,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE)) {
        writer.writeTo(channel);
        channel.force(true);
      }
      Files.move(
          partial, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      syncFolder(file);
    } catch (IOException e) {
      RunFileException failure =
          new RunFileException("cannot write " + file + ": " + reason(e, file), e);
      discard(partial, failure);
      throw failure;
    } catch (Throwable e) {
      discard(partial, e);
      throw e;
    }
  }

  private static void discard(Path partial, Throwable why) {
    try {
      Files.deleteIfExists(partial);
    } catch (IOException second) {
      why.addSuppressed(second);
    }
  }

  /** Makes the new name survive a loss of power; not every system can open a folder. */
  private static void syncFolder(Path file) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (AccessDeniedException e) {
      // Windows opens no folders; there the move is as durable as it gets.
    }
  }

  /** What went wrong, in words: the JDK's messages are sometimes only the file's name. */
  static String reason(IOException e, Path file) {
    return switch (e) {
      case AccessDeniedException denied -> "permission denied";
      case NoSuchFileException missing ->
          Files.exists(file) ? "part of its path is missing" : "there is no such file or folder";
      case FileAlreadyExistsException exists -> "a file is in the way";
      case NotDirectoryException wrong -> "part of its path is no folder";
      case FileSystemException other when other.getReason() != null -> other.getReason();
      default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    };
  }
}
