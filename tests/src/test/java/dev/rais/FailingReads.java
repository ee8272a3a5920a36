package dev.rais;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.util.Set;
import org.apache.lucene.tests.mockfile.FilterFileChannel;
import org.apache.lucene.tests.mockfile.FilterFileSystemProvider;
import org.apache.lucene.tests.mockfile.FilterSeekableByteChannel;

/**
 * The default file system as over a bad connection: each read gives few bytes, and after so many of
 * them every read fails.
 */
public final class FailingReads extends FilterFileSystemProvider {
  /** What a failed read says; which file it was, the JDK does not say either. */
  public static final String REASON = "Input/output error";

  private final int most;
  private long left;

  /**
   * A file system.
   *
   * @param most bytes that one read gives, at least 1
   * @param bytes that can be read altogether
   */
  public FailingReads(int most, long bytes) {
    super("slow", Path.of("").getFileSystem());
    this.most = most;
    left = bytes;
  }

  /** The same file seen through this file system. */
  public Path of(Path path) {
    return wrapPath(path);
  }

  /** How many bytes a read may give; fails if there are no more. */
  private synchronized int limit(int wanted) throws IOException {
    int limit = (int) Math.min(Math.min(most, wanted), left);
    if (limit == 0 && wanted > 0) {
      throw new IOException(REASON);
    }
    return limit;
  }

  private synchronized int given(int count) {
    left -= Math.max(0, count);
    return count;
  }

  private interface Read {
    int into(ByteBuffer target) throws IOException;
  }

  private int read(Read read, ByteBuffer target) throws IOException {
    ByteBuffer part = target.slice(target.position(), limit(target.remaining()));
    int count = given(read.into(part));
    target.position(target.position() + Math.max(0, count));
    return count;
  }

  @Override
  public InputStream newInputStream(Path path, OpenOption... options) throws IOException {
    return new FilterInputStream(super.newInputStream(path, options)) {
      @Override
      public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
      }

      @Override
      public int read(byte[] bytes, int offset, int count) throws IOException {
        return given(in.read(bytes, offset, limit(count)));
      }
    };
  }

  @Override
  public FileChannel newFileChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    return new FilterFileChannel(super.newFileChannel(path, options, attributes)) {
      @Override
      public int read(ByteBuffer target) throws IOException {
        return FailingReads.this.read(delegate::read, target);
      }

      @Override
      public int read(ByteBuffer target, long position) throws IOException {
        return FailingReads.this.read(part -> delegate.read(part, position), target);
      }
    };
  }

  @Override
  public SeekableByteChannel newByteChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    return new FilterSeekableByteChannel(super.newByteChannel(path, options, attributes)) {
      @Override
      public int read(ByteBuffer target) throws IOException {
        return FailingReads.this.read(delegate::read, target);
      }
    };
  }
}
