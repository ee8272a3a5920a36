package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Archives that want to do harm: nothing is written, followed, or unpacked without end. */
class ArchiveTest {
  private static final String ARCHIVE = "cifar-10-binary.tar.gz";
  private static final String FOLDER = "cifar-10-batches-bin/";
  private static final String FIRST = "data_batch_1.bin";
  private static final String SECOND = "data_batch_2.bin";

  /** What the readers may keep beside the contents: buffers, messages. */
  private static final long LITTLE = 4 << 20;

  @TempDir Path temporary;

  private Path files;
  private Path folder;
  private Path archive;

  @BeforeEach
  void makeFiles() throws IOException {
    files = LayoutsTest.cifar10(temporary.resolve("files"));
    folder = Files.createDirectories(temporary.resolve("a/b/c"));
    archive = folder.resolve(ARCHIVE);
  }

  private TarBytes all() throws IOException {
    return allBut("");
  }

  /** The files of an honest archive but for one. */
  private TarBytes allBut(String left) throws IOException {
    TarBytes tar = new TarBytes();
    try (Stream<Path> all = Files.list(files)) {
      for (Path file : all.sorted().toList()) {
        if (!file.getFileName().toString().equals(left)) {
          tar.add(FOLDER + file.getFileName(), '0', Files.readAllBytes(file));
        }
      }
    }
    return tar;
  }

  private byte[] first() throws IOException {
    return Files.readAllBytes(files.resolve(FIRST));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../" + FIRST,
        FOLDER + "../../" + FIRST,
        "/" + FIRST,
        "/etc/cron.d/x",
        "..",
        "..\\" + FIRST,
        "a\\..\\..\\x",
        "C:/" + FIRST,
        "..//x"
      })
  void aNameThatLeadsOutIsRefused(String name) throws IOException {
    allBut(FIRST).add(name, '0', first()).writeTo(archive);
    refused("a name that leads out of it");
    all().add(name, '0', new byte[9]).writeTo(archive);
    refused("a name that leads out of it");
  }

  @ParameterizedTest
  @ValueSource(chars = {'1', '2'})
  void linksAreNotFollowed(char type) throws IOException {
    Path secret = Files.write(temporary.resolve(FIRST), first());
    for (String to : List.of(secret.toString(), FOLDER + SECOND, SECOND, "../../../" + FIRST)) {
      allBut(FIRST).addLink(FOLDER + FIRST, type, to).writeTo(archive);
      refused("lacks " + FIRST);
    }
    // A folder that is a link, and a file below it.
    allBut(FIRST)
        .addLink("link", '2', temporary.toString())
        .addLink("link/" + FIRST, '1', FIRST)
        .writeTo(archive);
    refused("lacks " + FIRST);
  }

  @Test
  void devicesAndOtherKindsOfEntriesAreNoFiles() throws IOException {
    for (char type : new char[] {'3', '4', '5', '6', '7', 'x', 'g', 'L', 'K', 'Z'}) {
      allBut(FIRST).add(FOLDER + FIRST, type, first()).writeTo(archive);
      refused("lacks " + FIRST);
    }
  }

  @Test
  void aFileThatIsThereTwiceIsRefused() throws IOException {
    all().add(FOLDER + FIRST, '0', first()).writeTo(archive);
    refused("it holds " + FIRST + " twice");
    all().add("elsewhere/" + FIRST, '0', first()).writeTo(archive);
    refused("it holds " + FIRST + " twice");
  }

  @Test
  void namesOfAnyLengthAreReadAsFarAsTheyGo() throws IOException {
    Dataset expected = Datasets.load(files.toString(), null);
    TarBytes tar =
        all()
            .add("x".repeat(100), '0', new byte[3])
            .add("é".repeat(50), '0', new byte[3])
            .add("", '0', new byte[3])
            .add(FOLDER + "other\0../../" + FIRST, '0', new byte[3]);
    tar.writeTo(archive);
    Dataset data = Datasets.load(folder.toString(), null);
    assertArrayEquals(expected.train().pixels(), data.train().pixels());
  }

  @Test
  void aBombIsNotUnpackedToItsEnd() throws IOException {
    long bomb = 600L << 20;
    // Behind the files' end.
    all().writeTo(archive, bomb);
    bounded("it unpacks to more than");
    // In a file that nobody wants, and in one that is wanted.
    for (String name : List.of("bomb", FOLDER + FIRST)) {
      new TarBytes().addClaiming(name, bomb, new byte[0]).writeTo(archive, bomb + 1024);
      refused(name.equals("bomb") ? "it unpacks to more than" : "too long");
    }
  }

  @Test
  void anEmptyFileIsSaidToEndTooEarly() throws IOException {
    Files.write(archive, new byte[0]);
    refused("cannot be read (it ends too early)");
  }

  @Test
  void aClaimedSizeCostsNothing() throws IOException {
    for (long size : new long[] {1L << 20, 1L << 28, 1L << 31, (1L << 33) - 1}) {
      new TarBytes().addClaiming(FOLDER + FIRST, size, first()).writeTo(archive);
      bounded("cannot be read");
    }
  }

  /** Refused, and with memory for a few times the files at most. */
  private void bounded(String because) throws IOException {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    refused(because);
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    long most = LITTLE + 8 * Files.size(archive);
    assertTrue(allocated < most, allocated + " bytes for " + Files.size(archive));
  }

  private void refused(String because) throws IOException {
    List<String> before = everything();
    DataException e =
        assertThrows(DataException.class, () -> Datasets.load(folder.toString(), null));
    assertTrue(e.getMessage().contains(because), e.getMessage());
    assertTrue(e.getMessage().contains(ARCHIVE), e.getMessage());
    assertFalse(e.getMessage().contains("Exception"), e.getMessage());
    assertEquals(before, everything());
  }

  private List<String> everything() throws IOException {
    try (Stream<Path> all = Files.walk(temporary)) {
      return all.map(Path::toString).sorted().toList();
    }
  }
}
