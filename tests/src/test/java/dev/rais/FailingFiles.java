package dev.rais;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.util.Set;
import org.apache.lucene.tests.mockfile.FilterFileChannel;
import org.apache.lucene.tests.mockfile.FilterFileSystemProvider;
import org.apache.lucene.tests.mockfile.FilterSeekableByteChannel;

/**
 * The default file system with every change counted, so that from a chosen one on it fails as a
 * full disk does, as one that was mounted read-only, or as one that is dying. The write that fails
 * first leaves half of its bytes behind.
 */
public final class FailingFiles extends FilterFileSystemProvider {
  /** What is wrong with the disk. */
  public enum Fault {
    /** Nothing can be added; what is there can be renamed and deleted. */
    FULL("No space left on device"),
    /** Nothing can be changed. */
    READ_ONLY("Read-only file system"),
    /** One single change fails, those after it do not. */
    ONE_ERROR("Input/output error");

    private final String reason;

    Fault(String reason) {
      this.reason = reason;
    }
  }

  private enum Change {
    ADD,
    RENAME,
    DELETE
  }

  private final Fault fault;
  private long failAt = Long.MAX_VALUE;
  private long changes;

  /** A file system that works until {@link #failAt}. */
  public FailingFiles(Fault fault) {
    super("failing", Path.of("").getFileSystem());
    this.fault = fault;
  }

  /** The same file seen through this file system. */
  public Path of(Path path) {
    return wrapPath(path);
  }

  /** Counts from 0 again; the change of this number is the first to fail. */
  public synchronized void failAt(long change) {
    failAt = change;
    changes = 0;
  }

  /** Whether anything has failed since {@link #failAt}. */
  public synchronized boolean hasFailed() {
    return changes > failAt;
  }

  /** Works again. */
  public synchronized void heal() {
    failAt = Long.MAX_VALUE;
  }

  private synchronized boolean fails(Change change) {
    long number = changes++;
    return switch (fault) {
      case FULL -> number >= failAt && change == Change.ADD;
      case READ_ONLY -> number >= failAt;
      case ONE_ERROR -> number == failAt;
    };
  }

  private void require(Change change, String file) throws IOException {
    if (fails(change)) {
      throw failure(file);
    }
  }

  private FileSystemException failure(String file) {
    return new FileSystemException(file, null, fault.reason);
  }

  @Override
  public void checkAccess(Path path, AccessMode... modes) throws IOException {
    synchronized (this) {
      if (fault == Fault.READ_ONLY
          && changes > failAt
          && Set.of(modes).contains(AccessMode.WRITE)) {
        throw failure(path.toString());
      }
    }
    super.checkAccess(path, modes);
  }

  @Override
  public void createDirectory(Path path, FileAttribute<?>... attributes) throws IOException {
    if (!Files.exists(toDelegate(path))) {
      require(Change.ADD, path.toString());
    }
    super.createDirectory(path, attributes);
  }

  @Override
  public void delete(Path path) throws IOException {
    require(Change.DELETE, path.toString());
    super.delete(path);
  }

  @Override
  public boolean deleteIfExists(Path path) throws IOException {
    if (Files.exists(toDelegate(path))) {
      require(Change.DELETE, path.toString());
    }
    return super.deleteIfExists(path);
  }

  @Override
  public void move(Path from, Path to, CopyOption... options) throws IOException {
    require(Change.RENAME, to.toString());
    super.move(from, to, options);
  }

  private void requireOpen(Path path, Set<? extends OpenOption> options) throws IOException {
    if (options.contains(StandardOpenOption.WRITE) || options.contains(StandardOpenOption.APPEND)) {
      require(Change.ADD, path.toString());
    }
  }

  @Override
  public OutputStream newOutputStream(Path path, OpenOption... options) throws IOException {
    require(Change.ADD, path.toString());
    return new FilterOutputStream(super.newOutputStream(path, options)) {
      @Override
      public void write(byte[] bytes, int offset, int count) throws IOException {
        if (fails(Change.ADD)) {
          out.write(bytes, offset, count / 2);
          throw failure(path.toString());
        }
        out.write(bytes, offset, count);
      }
    };
  }

  @Override
  public FileChannel newFileChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    requireOpen(path, options);
    return new FilterFileChannel(super.newFileChannel(path, options, attributes)) {
      @Override
      public int write(ByteBuffer bytes) throws IOException {
        if (fails(Change.ADD)) {
          delegate.write(half(bytes));
          throw failure(path.toString());
        }
        return delegate.write(bytes);
      }

      @Override
      public void force(boolean metadata) throws IOException {
        require(Change.ADD, path.toString());
        delegate.force(metadata);
      }

      @Override
      public FileChannel truncate(long size) throws IOException {
        require(Change.RENAME, path.toString());
        delegate.truncate(size);
        return this;
      }
    };
  }

  @Override
  public SeekableByteChannel newByteChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    requireOpen(path, options);
    return new FilterSeekableByteChannel(super.newByteChannel(path, options, attributes)) {
      @Override
      public int write(ByteBuffer bytes) throws IOException {
        if (fails(Change.ADD)) {
          delegate.write(half(bytes));
          throw failure(path.toString());
        }
        return delegate.write(bytes);
      }
    };
  }

  private static ByteBuffer half(ByteBuffer bytes) {
    return bytes.slice(bytes.position(), bytes.remaining() / 2);
  }
}
