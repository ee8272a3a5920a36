package dev.rais.data;

import static dev.rais.data.IdxBytes.IMAGES;
import static dev.rais.data.IdxBytes.LABELS;
import static dev.rais.data.IdxBytes.counting;
import static dev.rais.data.IdxBytes.gzip;
import static dev.rais.data.IdxBytes.idx;
import static dev.rais.data.IdxBytes.images;
import static dev.rais.data.IdxBytes.labels;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the IDX reader takes, and how it refuses everything else: with a sentence, and cheaply. */
class IdxReaderTest {
  @TempDir Path folder;

  @Test
  void readsPlainFiles() throws IOException {
    ImageSet set = IdxReader.read(write("i", images(50)), write("l", labels(new int[50])));
    assertEquals("50 images of 2x3x1", set.toString());
    assertArrayEquals(counting(300), set.pixels());
  }

  @Test
  void recognisesGzipByContentWhateverTheName() throws IOException {
    Path packedWithoutSuffix = write("images", gzip(images(2)));
    Path plainWithSuffix = write("labels.gz", labels(3, 255));
    ImageSet set = IdxReader.read(packedWithoutSuffix, plainWithSuffix);
    assertArrayEquals(counting(12), set.pixels());
    assertArrayEquals(new int[] {3, 255}, set.labels(), "labels are unsigned");
  }

  @Test
  void readsMoreThanOneBuffer() throws IOException {
    byte[] values = counting(1_000_003);
    Path file = write("big.gz", gzip(idx(LABELS, new int[] {values.length}, values)));
    int[] labels = IdxReader.readLabels(file);
    assertEquals(values.length, labels.length);
    assertEquals(values[values.length - 1] & 0xff, labels[values.length - 1]);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 4, 15, 16, 27})
  void refusesAPlainFileCutAnywhere(int length) throws IOException {
    refused(Arrays.copyOf(images(2), length), "is cut off");
  }

  @Test
  void refusesAGzipFileCutAnywhere() throws IOException {
    byte[] packed = gzip(images(2));
    for (int length = 2; length < packed.length; length++) {
      refused(Arrays.copyOf(packed, length), "is cut off");
    }
  }

  @Test
  void refusesAnEmptyFile() throws IOException {
    refused(new byte[0], "is empty");
    refused(gzip(new byte[0]), "ends after 0 bytes");
  }

  @Test
  void refusesTrailingBytes() throws IOException {
    byte[] longer = Arrays.copyOf(images(2), images(2).length + 1);
    refused(longer, "is longer than the 12 values its header claims");
    refused(gzip(longer), "is longer than the 12 values its header claims");
  }

  @Test
  void refusesTheWrongMagicNumber() throws IOException {
    refused(labels(1, 2, 3), "starts with the bytes 00000801, but IDX images start with 00000803");
    Path images = write("images", images(1));
    DataException e = assertThrows(DataException.class, () -> IdxReader.readLabels(images));
    assertTrue(e.getMessage().contains("IDX labels start with 00000801"), e.getMessage());
  }

  @Test
  void refusesWhatIsNoGzipUnderAGzipName() throws IOException {
    Path page = write("page.gz", "<!DOCTYPE html>".getBytes(StandardCharsets.UTF_8));
    DataException e = assertThrows(DataException.class, () -> IdxReader.readImages(page));
    assertTrue(e.getMessage().contains("3c21444f"), e.getMessage());
    assertTrue(e.getMessage().contains("page.gz"), e.getMessage());
  }

  @Test
  void refusesDamagedGzip() throws IOException {
    byte[] packed = gzip(images(40));
    byte[] wrongChecksum = packed.clone();
    wrongChecksum[packed.length - 8] ^= 1;
    refused(wrongChecksum, "is damaged");
    byte[] wrongMethod = packed.clone();
    wrongMethod[2] = 7;
    refused(wrongMethod, "is damaged");
    byte[] wrongBody = packed.clone();
    Arrays.fill(wrongBody, 10, 20, (byte) 0xff);
    refused(wrongBody, "is damaged");
  }

  @ParameterizedTest
  @CsvSource({
    "-1, 28, 28",
    "10, -28, 28",
    "10, 0, 28",
    "0, 28, 28",
    "2147483647, 2147483647, 2147483647",
    "65536, 65536, 1",
    "-2147483648, -2147483648, 1"
  })
  void refusesImpossibleSizes(int count, int height, int width) throws IOException {
    refused(idx(IMAGES, new int[] {count, height, width}, new byte[8]), "which cannot be");
  }

  @Test
  void aHeaderThatClaimsGigabytesCostsAlmostNothing() throws IOException {
    byte[] lie = idx(IMAGES, new int[] {2_000_000, 32, 32}, new byte[100]);
    assertTrue(allocatedBytes(write("lie", lie)) < 1 << 20, "plain");
    assertTrue(allocatedBytes(write("lie.gz", gzip(lie))) < 1 << 20, "gzip");
  }

  @Test
  void gzipIsUnpackedNoFurtherThanTheHeaderClaims() throws IOException {
    // 64 MB of zeros behind a header that claims 12 bytes: about 64 KB on the disk.
    byte[] bomb = Arrays.copyOf(images(2), 64_000_000);
    assertTrue(allocatedBytes(write("bomb.gz", gzip(bomb))) < 1 << 20);
  }

  @Test
  void memoryIsASmallMultipleOfWhatArrives() throws IOException {
    byte[] half = idx(IMAGES, new int[] {1_000_000, 28, 28}, new byte[4_000_000]);
    assertTrue(allocatedBytes(write("half", half)) < 5L * half.length);
  }

  @Test
  void refusesLabelsOfAnotherLength() throws IOException {
    Path images = write("i", images(2));
    Path labels = write("l", labels(1, 2, 3));
    DataException e = assertThrows(DataException.class, () -> IdxReader.read(images, labels));
    assertTrue(e.getMessage().contains("holds 2 images but"), e.getMessage());
    assertTrue(e.getMessage().contains("holds 3 labels"), e.getMessage());
  }

  @Test
  void namesAMissingFile() {
    Path missing = folder.resolve("nowhere");
    DataException e = assertThrows(DataException.class, () -> IdxReader.readImages(missing));
    assertTrue(e.getMessage().startsWith(missing + " does not exist"), e.getMessage());
  }

  private void refused(byte[] content, String because) throws IOException {
    Path file = write("refused", content);
    DataException e = assertThrows(DataException.class, () -> IdxReader.readImages(file));
    assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
    assertTrue(e.getMessage().contains(because), e.getMessage());
  }

  /** Bytes this thread allocates until the file is refused. */
  private static long allocatedBytes(Path file) {
    // The first refusal also loads classes, which would count.
    assertThrows(DataException.class, () -> IdxReader.readImages(file));
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    assertThrows(DataException.class, () -> IdxReader.readImages(file));
    return threads.getCurrentThreadAllocatedBytes() - before;
  }

  private Path write(String name, byte[] content) throws IOException {
    return Files.write(folder.resolve(name), content);
  }
}
