package dev.rais.data;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * A data set in one file, as it lies in memory, so that it is there in a fraction of a second.
 *
 * <p>Big-endian: the magic "RAISDATA", the format version, the length of the header, the CRC-32C of
 * all that follows; the header (see {@link Header}); then labels and pixels of the training images,
 * labels and pixels of the test images. Labels are ints, pixels unsigned bytes [count, height,
 * width, channels].
 */
final class DatasetFile {
  /** What {@code rais data import} made: the data set itself. */
  static final String IMPORTED = "imported.rais";

  /** A copy of files that take longer to read, made anew when they change. */
  static final String CACHE = "cache.rais";

  static final int VERSION = 1;

  private static final byte[] MAGIC = {'R', 'A', 'I', 'S', 'D', 'A', 'T', 'A'};
  private static final int PREAMBLE_BYTES = MAGIC.length + 3 * Integer.BYTES;
  private static final int MAX_HEADER_BYTES = 1 << 24;
  private static final int CHUNK_BYTES = 1 << 20;
  private static final String PARTIAL = ".part";

  /**
   * What is known without reading the images.
   *
   * @param source where the images come from, for people
   * @param stamp what the source was like; a cache with another stamp is out of date
   */
  record Header(
      String name,
      String source,
      String stamp,
      int height,
      int width,
      int channels,
      int trainCount,
      int testCount,
      List<String> classNames) {
    Header {
      classNames = List.copyOf(classNames);
    }

    private long contentBytes() {
      return contentBytes(trainCount) + contentBytes(testCount);
    }

    private long contentBytes(int count) {
      return (long) Integer.BYTES * count + ImageSet.requiredBytes(count, height, width, channels);
    }

    private byte[] bytes() throws IOException {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (DataOutputStream out = new DataOutputStream(bytes)) {
        out.writeUTF(name);
        out.writeUTF(source);
        out.writeUTF(stamp);
        for (int size : new int[] {height, width, channels, trainCount, testCount}) {
          out.writeInt(size);
        }
        out.writeInt(classNames.size());
        for (String className : classNames) {
          out.writeUTF(className);
        }
      }
      return bytes.toByteArray();
    }

    private static Header of(byte[] bytes) throws IOException {
      try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
        String name = in.readUTF();
        String source = in.readUTF();
        String stamp = in.readUTF();
        int[] sizes = new int[5];
        for (int i = 0; i < sizes.length; i++) {
          sizes[i] = in.readInt();
        }
        int classes = in.readInt();
        List<String> classNames = new ArrayList<>();
        for (int k = 0; k < classes; k++) {
          classNames.add(in.readUTF());
        }
        return new Header(
            name, source, stamp, sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], classNames);
      }
    }
  }

  /** The beginning of a file: its header, and what the rest is checked against. */
  private record Start(Header header, int crc, byte[] headerBytes) {}

  private DatasetFile() {}

  /**
   * Writes a data set; the file appears whole or not at all.
   *
   * @throws DataException if that fails
   */
  static void write(Path file, Dataset data, String source, String stamp) {
    // A name of its own: another process may be writing the same file.
    Path partial =
        file.resolveSibling("." + file.getFileName() + "." + UUID.randomUUID() + PARTIAL);
    // Ctrl-C in the middle of writing removes it too.
    partial.toFile().deleteOnExit();
    try {
      Files.createDirectories(file.toAbsolutePath().getParent());
      removeAbandoned(file);
      try (FileChannel channel =
          FileChannel.open(partial, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        lock(channel);
        writeTo(channel, data, source, stamp);
        Files.move(
            partial, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(partial);
      }
    } catch (IOException e) {
      throw new DataException("%s cannot be written: %s".formatted(file, e), e);
    }
  }

  /** Deletes what processes left behind that were killed while they wrote the file. */
  private static void removeAbandoned(Path file) {
    String start = "." + file.getFileName() + ".";
    try (Stream<Path> siblings = Files.list(file.toAbsolutePath().getParent())) {
      siblings
          .filter(sibling -> sibling.getFileName().toString().startsWith(start))
          .filter(sibling -> sibling.getFileName().toString().endsWith(PARTIAL))
          .forEach(DatasetFile::removeIfAbandoned);
    } catch (IOException | UncheckedIOException e) {
      // What cannot be listed stays.
    }
  }

  private static void removeIfAbandoned(Path partial) {
    try (FileChannel channel = FileChannel.open(partial, StandardOpenOption.WRITE)) {
      if (lock(channel)) {
        Files.deleteIfExists(partial);
      }
    } catch (IOException e) {
      // Somebody else's: it stays.
    }
  }

  /** Who writes has a lock, which the system drops when that process ends. */
  private static boolean lock(FileChannel channel) {
    try {
      return channel.tryLock() != null;
    } catch (IOException | OverlappingFileLockException e) {
      return false; // a file system without locks, or this very process has it
    }
  }

  private static void writeTo(FileChannel channel, Dataset data, String source, String stamp)
      throws IOException {
    ImageSet train = data.train();
    Header header =
        new Header(
            data.name(),
            source,
            stamp,
            train.height(),
            train.width(),
            train.channels(),
            train.count(),
            data.test().count(),
            data.classNames());
    byte[] headerBytes = header.bytes();
    List<ByteBuffer> parts = new ArrayList<>();
    parts.add(ByteBuffer.wrap(headerBytes));
    for (ImageSet part : List.of(train, data.test())) {
      ByteBuffer labels = ByteBuffer.allocate(Integer.BYTES * part.count());
      labels.asIntBuffer().put(part.labels());
      parts.add(labels);
      parts.add(ByteBuffer.wrap(part.pixels()));
    }
    CRC32C crc = new CRC32C();
    parts.forEach(part -> crc.update(part.duplicate()));
    ByteBuffer preamble = ByteBuffer.allocate(PREAMBLE_BYTES);
    preamble.put(MAGIC).putInt(VERSION).putInt(headerBytes.length).putInt((int) crc.getValue());
    parts.addFirst(preamble.flip());
    for (ByteBuffer part : parts) {
      // In pieces: the JDK copies heap memory to native memory as much at once as it is given.
      while (part.hasRemaining()) {
        ByteBuffer piece = part.slice(part.position(), Math.min(CHUNK_BYTES, part.remaining()));
        part.position(part.position() + channel.write(piece));
      }
    }
    channel.force(true);
  }

  /**
   * Reads what {@link #write} wrote.
   *
   * @throws DataException if the file is damaged, of another version, or none
   */
  static Dataset read(Path file) {
    try (FileChannel channel = FileChannel.open(file)) {
      Start start = start(file, channel);
      Header header = start.header();
      long expected = PREAMBLE_BYTES + start.headerBytes().length + header.contentBytes();
      if (channel.size() != expected) {
        throw damaged(
            file, "it has %d bytes where %d were written".formatted(channel.size(), expected));
      }
      CRC32C crc = new CRC32C();
      crc.update(start.headerBytes());
      ImageSet train = readPart(channel, header, header.trainCount(), crc);
      ImageSet test = readPart(channel, header, header.testCount(), crc);
      if ((int) crc.getValue() != start.crc()) {
        throw damaged(file, "its checksum does not fit its contents");
      }
      return new Dataset(header.name(), train, test, header.classNames());
    } catch (IOException e) {
      throw new DataException("%s cannot be read: %s".formatted(file, e), e);
    }
  }

  /** Reads the header alone; the rest may be damaged. */
  static Header header(Path file) {
    try (FileChannel channel = FileChannel.open(file)) {
      return start(file, channel).header();
    } catch (IOException e) {
      throw new DataException("%s cannot be read: %s".formatted(file, e), e);
    }
  }

  private static Start start(Path file, FileChannel channel) throws IOException {
    ByteBuffer preamble = ByteBuffer.allocate(PREAMBLE_BYTES);
    fill(channel, preamble);
    byte[] magic = new byte[MAGIC.length];
    preamble.flip();
    if (preamble.remaining() == PREAMBLE_BYTES) {
      preamble.get(magic);
    }
    if (!java.util.Arrays.equals(magic, MAGIC)) {
      throw damaged(file, "it does not begin as a data set of RAIS does");
    }
    int version = preamble.getInt();
    if (version != VERSION) {
      throw new DataException(
          "%s is in format %d, this RAIS reads format %d; import the data set again"
              .formatted(file, version, VERSION));
    }
    int headerBytes = preamble.getInt();
    int crc = preamble.getInt();
    long left = channel.size() - PREAMBLE_BYTES;
    if (headerBytes < 0 || headerBytes > Math.min(MAX_HEADER_BYTES, left)) {
      throw damaged(file, "its header cannot have %d bytes".formatted(headerBytes));
    }
    ByteBuffer header = ByteBuffer.allocate(headerBytes);
    fill(channel, header);
    try {
      Header read = Header.of(header.array());
      read.contentBytes();
      return new Start(read, crc, header.array());
    } catch (IOException | DataException e) {
      throw damaged(file, "its header makes no sense (%s)".formatted(e.getMessage()));
    }
  }

  private static ImageSet readPart(FileChannel channel, Header header, int count, CRC32C crc)
      throws IOException {
    ByteBuffer labels = ByteBuffer.allocate(Integer.BYTES * count);
    fill(channel, labels);
    crc.update(labels.flip());
    int[] values = new int[count];
    labels.rewind().asIntBuffer().get(values);
    byte[] pixels =
        new byte[ImageSet.requiredBytes(count, header.height(), header.width(), header.channels())];
    ByteBuffer target = ByteBuffer.wrap(pixels);
    fill(channel, target);
    crc.update(pixels);
    try {
      return new ImageSet(header.height(), header.width(), header.channels(), pixels, values);
    } catch (DataException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  private static void fill(FileChannel channel, ByteBuffer target) throws IOException {
    while (target.hasRemaining()) {
      ByteBuffer piece = target.slice(target.position(), Math.min(CHUNK_BYTES, target.remaining()));
      int read = channel.read(piece);
      if (read < 0) {
        return;
      }
      target.position(target.position() + read);
    }
  }

  private static DataException damaged(Path file, String why) {
    return new DataException(
        "%s is damaged: %s; import the data set again, or delete the file".formatted(file, why));
  }
}
