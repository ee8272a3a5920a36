package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.lucene.tests.mockfile.FilterFileChannel;
import org.apache.lucene.tests.mockfile.FilterFileSystemProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two that write one data set's file at the same time: it is whole, and the last one's. */
class TwoWritersTest {
  /** Preamble, header, labels and pixels of two parts. */
  private static final int WRITES = 6;

  @TempDir Path folder;

  /** The default file system, on which something happens before a chosen write to a file. */
  private static final class Interrupted extends FilterFileSystemProvider {
    private final Runnable what;
    private int writesBefore;

    Interrupted(int writesBefore, Runnable what) {
      super("interrupted", Path.of("").getFileSystem());
      this.writesBefore = writesBefore;
      this.what = what;
    }

    Path of(Path path) {
      return wrapPath(path);
    }

    @Override
    public FileChannel newFileChannel(
        Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
        throws IOException {
      return new FilterFileChannel(super.newFileChannel(path, options, attributes)) {
        @Override
        public int write(ByteBuffer bytes) throws IOException {
          if (writesBefore-- == 0) {
            what.run();
          }
          return delegate.write(bytes);
        }
      };
    }
  }

  private static Dataset data(String name, int count) {
    ImageSet images = new ImageSet(2, 3, 1, new byte[count * 6], new int[count]);
    return new Dataset(name, images, images, List.of("only"));
  }

  @Test
  void theFileIsOneOfTheTwo() throws IOException {
    Path file = folder.resolve(DatasetFile.IMPORTED);
    for (int before = 0; before < WRITES; before++) {
      Interrupted files =
          new Interrupted(before, () -> DatasetFile.write(file, data("second", 3), "", ""));
      DatasetFile.write(files.of(file), data("first", 200), "", "");
      // The first one is done last.
      assertEquals("first", DatasetFile.read(file).name());
      assertEquals(List.of(DatasetFile.IMPORTED), names());
    }
  }

  @Test
  void whatAKilledProcessLeftIsRemoved() throws IOException {
    Path file = folder.resolve(DatasetFile.IMPORTED);
    Path left = Files.write(folder.resolve("." + DatasetFile.IMPORTED + ".part"), new byte[9]);
    Path locked = Files.write(folder.resolve("." + DatasetFile.IMPORTED + ".x.part"), new byte[9]);
    Path other = Files.write(folder.resolve(".other.rais.part"), new byte[9]);
    try (FileChannel writing = FileChannel.open(locked, java.nio.file.StandardOpenOption.WRITE)) {
      assertTrue(writing.tryLock() != null);
      DatasetFile.write(file, data("new", 2), "", "");
    }
    assertEquals("new", DatasetFile.read(file).name());
    assertTrue(Files.notExists(left), "nobody writes it any more");
    assertTrue(Files.exists(locked) && Files.exists(other), "these are others'");
  }

  private List<String> names() throws IOException {
    try (Stream<Path> all = Files.list(folder)) {
      return all.map(path -> path.getFileName().toString()).toList();
    }
  }
}
