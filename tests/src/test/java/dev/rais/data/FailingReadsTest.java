package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.FailingReads;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.lucene.tests.mockfile.FilterFileSystemProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Data sets read from a disk that gives few bytes at a time, or stops giving any half-way. */
class FailingReadsTest {
  @TempDir Path folder;

  /** How a data set lies on the disk. */
  enum Source {
    IDX {
      @Override
      Path make(Path folder) throws IOException {
        return IdxBytes.tinyDataset(folder.resolve("data"));
      }

      @Override
      Dataset read(Path path) {
        return new IdxLayout().read("x", path, List.of());
      }
    },
    CIFAR {
      @Override
      Path make(Path folder) throws IOException {
        return LayoutsTest.cifar10(folder.resolve("data"));
      }

      @Override
      Dataset read(Path path) {
        return CifarLayout.CIFAR_10.read("x", path, List.of());
      }
    },
    CIFAR_ARCHIVE {
      @Override
      Path make(Path folder) throws IOException {
        Path packed = Files.createDirectories(folder.resolve("data"));
        LayoutsTest.archive(
            LayoutsTest.cifar10(folder.resolve("files")), packed.resolve("cifar-10-binary.tar.gz"));
        return packed;
      }

      @Override
      Dataset read(Path path) {
        return CifarLayout.CIFAR_10.read("x", path, List.of());
      }
    },
    IMPORTED {
      @Override
      Path make(Path folder) throws IOException {
        Path file = folder.resolve("data").resolve(DatasetFile.IMPORTED);
        DatasetFile.write(file, IDX.read(IDX.make(folder.resolve("source"))), "source", "");
        return file;
      }

      @Override
      Dataset read(Path path) {
        return DatasetFile.read(path);
      }
    };

    /** Writes the data set below a folder; returns where. */
    abstract Path make(Path folder) throws IOException;

    abstract Dataset read(Path path);
  }

  /** Bytes of all files of a data set. */
  private static long size(Path data) throws IOException {
    try (Stream<Path> all = Files.walk(data)) {
      return all.filter(Files::isRegularFile).mapToLong(file -> file.toFile().length()).sum();
    }
  }

  @ParameterizedTest
  @EnumSource
  void fewBytesAtATimeAreTheSameData(Source source) throws IOException {
    Path data = source.make(folder);
    Dataset expected = source.read(data);
    for (int most : new int[] {1, 2, 7, 1000}) {
      FailingReads slow = new FailingReads(most, Long.MAX_VALUE);
      LayoutsTest.assertSame(expected, source.read(slow.of(data)));
    }
  }

  /** Wherever reading breaks off, the file that could not be read is named, and why. */
  @ParameterizedTest
  @EnumSource
  void whatCannotBeReadToItsEndIsRefused(Source source) throws IOException {
    Path data = source.make(folder);
    List<String> names;
    try (Stream<Path> all = Files.walk(data)) {
      names = all.filter(Files::isRegularFile).map(Path::toString).toList();
    }
    long size = size(data);
    long step = Math.max(1, size / 500);
    for (long bytes = 0; bytes < size; bytes += step) {
      Path failing = new FailingReads(64, bytes).of(data);
      String message = assertThrows(DataException.class, () -> source.read(failing)).getMessage();
      assertTrue(message.contains(FailingReads.REASON), message);
      assertTrue(names.stream().anyMatch(message::contains), message);
    }
    // One more, as a read that finds the end asks for one at least.
    Path whole = new FailingReads(64, size + 1).of(data);
    LayoutsTest.assertSame(source.read(data), source.read(whole));
  }

  /** The default file system with folders whose names cannot be read to their end. */
  private static final class FailingFolders extends FilterFileSystemProvider {
    FailingFolders() {
      super("folders", Path.of("").getFileSystem());
    }

    Path of(Path path) {
      return wrapPath(path);
    }

    @Override
    public DirectoryStream<Path> newDirectoryStream(
        Path directory, DirectoryStream.Filter<? super Path> filter) {
      return new DirectoryStream<>() {
        @Override
        public Iterator<Path> iterator() {
          return Stream.<Path>generate(
                  () -> {
                    throw new DirectoryIteratorException(new IOException(FailingReads.REASON));
                  })
              .iterator();
        }

        @Override
        public void close() {}
      };
    }
  }

  @Test
  void aFolderOfImagesThatCannotBeListedIsRefused() throws IOException {
    Files.createDirectories(folder.resolve("images/a"));
    Path images = new FailingFolders().of(folder.resolve("images"));
    String message =
        assertThrows(
                DataException.class,
                () ->
                    new ImageFolder(images, ImportOptions.defaults(), (done, total) -> {})
                        .read("x"))
            .getMessage();
    assertEquals(images + " cannot be read: " + FailingReads.REASON, message);
  }

  /** No cache is made of what was not read. */
  @Test
  void aReadThatFailsLeavesNoCache() throws IOException {
    Path data = Source.CIFAR.make(folder);
    Path cache = folder.resolve("cache").resolve("x.rais");
    Path failing = new FailingReads(64, size(data) - 1).of(data);
    assertThrows(DataException.class, () -> cached(failing, cache));
    assertFalse(Files.exists(cache.getParent()));
    assertEquals(10, cached(data, cache).train().count());
    assertTrue(Files.exists(cache));
  }

  /** A cache that cannot be read is no reason not to read the data set itself. */
  @Test
  void aCacheThatCannotBeReadIsMadeAnew() throws IOException {
    Path data = Source.CIFAR.make(folder);
    Path cache = folder.resolve("cache").resolve("x.rais");
    Dataset expected = cached(data, cache);
    byte[] written = Files.readAllBytes(cache);
    for (long bytes : new long[] {0, 10, 1000, written.length - 1}) {
      Path failing = new FailingReads(64, bytes).of(cache);
      LayoutsTest.assertSame(expected, cached(data, failing));
      assertEquals(-1, Files.mismatch(cache, Files.write(folder.resolve("again"), written)));
    }
  }

  private static Dataset cached(Path data, Path cache) {
    return Datasets.cached(CifarLayout.CIFAR_10, "cifar10", data, List.of(), cache);
  }
}
