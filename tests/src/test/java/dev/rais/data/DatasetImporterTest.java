package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.rais.TestData;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Folders of images become data sets, all of them or nothing. */
class DatasetImporterTest {
  @TempDir Path folder;

  @Test
  void classesAreFoldersAndPartsAreTrainAndTest() throws IOException {
    Path images = twoParts(folder.resolve("images"));
    List<Integer> done = new ArrayList<>();
    ImportReport report =
        DatasetImporter.run(
            images,
            "pets",
            folder.resolve("data/pets"),
            ImportOptions.defaults(),
            (now, total) -> {
              assertEquals(8, total);
              synchronized (done) {
                done.add(now);
              }
            });
    assertEquals(List.of(), report.skipped());
    assertEquals(0, report.resized());
    assertEquals(8, done.size());
    Dataset data = Datasets.load("pets", folder.resolve("data"));
    assertEquals("pets", data.name());
    assertEquals(List.of("cat", "dog"), data.classNames());
    assertArrayEquals(new int[] {0, 0, 0, 1, 1, 1}, data.train().labels());
    assertArrayEquals(new int[] {0, 1}, data.test().labels());
    assertEquals("6 images of 4x5x3", data.train().toString());
    // Files by name, pixels as they were: file k of class c is all of one colour.
    for (int i = 0; i < 6; i++) {
      byte[] image = data.train().image(i);
      assertArrayEquals(
          new byte[] {(byte) (10 + i % 3), (byte) (100 * (i / 3)), 7}, Arrays.copyOf(image, 3));
    }
    DatasetInfo info =
        Datasets.list(folder.resolve("data")).stream()
            .filter(one -> one.name().equals("pets"))
            .findFirst()
            .orElseThrow();
    assertTrue(
        info.description().startsWith("6 training and 2 test images, 4x5 colour, 2 classes;"),
        info.description());
  }

  @Test
  void withoutPartsAFifthOfEachClassIsHeldBack() throws IOException {
    Path images = folder.resolve("images");
    for (String name : List.of("a", "b", "c")) {
      for (int k = 0; k < 11; k++) {
        save(images.resolve(name), k + ".png", 4, 4, k);
      }
    }
    Dataset data = run(images).data();
    assertArrayEquals(new int[] {8, 8, 8}, data.train().classCounts(3));
    assertArrayEquals(new int[] {3, 3, 3}, data.test().classCounts(3));
    assertArrayEquals(data.train().pixels(), run(images).data().train().pixels(), "repeats");
  }

  @Test
  void otherSizesAreMadeToFit() throws IOException {
    Path images = twoParts(folder.resolve("images"));
    save(images.resolve("train/cat"), "9.png", 40, 50, 3);
    ImportReport report = run(images);
    assertEquals(1, report.resized());
    assertEquals("7 images of 4x5x3", report.data().train().toString());
    ImportOptions wanted =
        new ImportOptions(
            Optional.of(ImportOptions.Size.parse("8x6")), Optional.of(1), false, true);
    ImportReport grey = run(images, wanted);
    assertEquals("7 images of 8x6x1", grey.data().train().toString());
    assertEquals(9, grey.resized());
  }

  @Test
  void badImagesAreNamedAndCountedOrLeftOut() throws IOException {
    Path images = twoParts(folder.resolve("images"));
    Path text = Files.writeString(images.resolve("train/cat/5.png"), "no image");
    Path good = images.resolve("train/dog/0.png");
    Path cut =
        Files.write(images.resolve("test/dog/8.png"), Arrays.copyOf(Files.readAllBytes(good), 40));
    String message = refused(images, "2 of 10 images in");
    assertTrue(message.contains(text + " is neither PNG nor JPEG"), message);
    assertTrue(message.contains(cut.toString()), message);
    assertTrue(message.contains("--skip-bad"), message);
    ImportReport report = run(images, skipBad());
    assertEquals(2, report.skipped().size());
    assertEquals(6, report.data().train().count());
    assertArrayEquals(new int[] {0, 0, 0, 1, 1, 1}, report.data().train().labels());
    assertEquals(100, report.data().train().image(3)[1], "the images behind it moved up");
  }

  @Test
  void aBadFirstImageDoesNotHideTheOthers() throws IOException {
    Path images = twoParts(folder.resolve("images"));
    Files.writeString(images.resolve("train/cat/!.png"), "no image");
    refused(images, "1 of 9 images in");
    assertEquals("6 images of 4x5x3", run(images, skipBad()).data().train().toString());
  }

  @Test
  void anImageBombIsRefusedUnopened() throws IOException {
    Path images = twoParts(folder.resolve("images"));
    // A valid PNG of 16,384 x 16,384 in one colour is a few kilobytes; its header is enough here.
    byte[] png = Files.readAllBytes(images.resolve("train/cat/0.png"));
    java.nio.ByteBuffer.wrap(png).putInt(16, 60_000).putInt(20, 60_000);
    java.util.zip.CRC32 crc = new java.util.zip.CRC32();
    crc.update(png, 12, 17);
    java.nio.ByteBuffer.wrap(png).putInt(29, (int) crc.getValue());
    Files.write(images.resolve("train/cat/bomb.png"), png);
    refused(images, "is 60000 pixels wide and 60000 high");
  }

  @Test
  void mixedChannelsAreRefusedUnlessToldOtherwise() throws IOException {
    Path images = twoParts(folder.resolve("images"));
    BufferedImage grey = new BufferedImage(5, 4, BufferedImage.TYPE_BYTE_GRAY);
    ImageIO.write(grey, "png", images.resolve("train/dog/grey.png").toFile());
    String message = refused(images, "1 of 9 images in");
    assertTrue(message.contains("grey.png is grey (1 channel), but"), message);
    assertTrue(message.contains("--channels"), message);
    ImportOptions three = new ImportOptions(Optional.empty(), Optional.of(3), false, false);
    assertEquals(7, run(images, three).data().train().count());
  }

  /** As tools that make PNG files smaller leave them. */
  @Test
  void greyOfFewBitsIsGreyToo() throws IOException {
    Path images = folder.resolve("images");
    for (String name : List.of("a", "b")) {
      Path directory = Files.createDirectories(images.resolve(name));
      for (int k = 0; k < 2; k++) {
        int type = k == 0 ? BufferedImage.TYPE_BYTE_BINARY : BufferedImage.TYPE_BYTE_GRAY;
        BufferedImage image = new BufferedImage(5, 4, type);
        image.setRGB(1, 0, 0xffffff);
        ImageIO.write(image, "png", directory.resolve(k + ".png").toFile());
      }
    }
    Dataset data = run(images).data();
    assertEquals("2 images of 4x5x1", data.train().toString());
    for (int i = 0; i < 2; i++) {
      assertArrayEquals(new byte[] {0, -1, 0}, Arrays.copyOf(data.train().image(i), 3));
    }
  }

  @Test
  void aFirstImageThatIsTooLargeAsksForASize() throws IOException {
    Path images = twoParts(folder.resolve("images"));
    save(images.resolve("train/cat"), "!.png", 2, 5000, 3);
    String message = refused(images, "the first image is too large");
    assertTrue(message.contains("--size HxW"), message);
    ImportOptions small =
        new ImportOptions(
            Optional.of(new ImportOptions.Size(4, 5)), Optional.empty(), false, false);
    assertEquals("7 images of 4x5x3", run(images, small).data().train().toString());
  }

  @Test
  void aClassWithoutImagesIsRefused() throws IOException {
    Path images = twoParts(folder.resolve("images"));
    Files.createDirectories(images.resolve("train/emu"));
    refused(images, "must have the same classes, but only one of them has emu");
    Files.createDirectories(images.resolve("test/emu"));
    refused(images, "class emu has no training images");
    Files.writeString(images.resolve("train/emu/1.png"), "bad");
    save(images.resolve("test/emu"), "1.png", 4, 5, 1);
    assertTrue(
        assertThrows(DataException.class, () -> run(images, skipBad()))
            .getMessage()
            .contains("class emu has no training images"));
    assertNothingLeft();
  }

  @Test
  void foldersWithoutClassesAreRefused() throws IOException {
    Path images = Files.createDirectory(folder.resolve("images"));
    refused(images, "holds no class folders");
    save(images.resolve("one"), "1.png", 4, 4, 1);
    refused(images, "the one class folder");
    refused(folder.resolve("none"), "is no folder");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ".", "..", "a/b", "../x", "-x", "a b", "fashion-mnist-sample"})
  void namesThatCannotBe(String name) throws IOException {
    Path images = twoParts(folder.resolve("images"));
    DataException e =
        assertThrows(
            DataException.class,
            () ->
                DatasetImporter.run(
                    images,
                    name,
                    folder.resolve("data/x"),
                    ImportOptions.defaults(),
                    (now, total) -> {}));
    assertTrue(e.getMessage().contains("name"), e.getMessage());
    assertNothingLeft();
  }

  @Test
  void anImportedDataSetIsNotReplacedByAccident() throws IOException {
    Path images = twoParts(folder.resolve("images"));
    run(images, ImportOptions.defaults());
    byte[] before = Files.readAllBytes(imported());
    DataException e =
        assertThrows(DataException.class, () -> run(images, ImportOptions.defaults()));
    assertTrue(e.getMessage().contains("there is a data set x already"), e.getMessage());
    Files.writeString(images.resolve("train/dog/bad.png"), "bad");
    assertThrows(DataException.class, () -> run(images));
    assertArrayEquals(before, Files.readAllBytes(imported()), "a failed one leaves the old");
  }

  @Test
  void otherLayoutsAreImportedToo() throws IOException {
    Path images = LayoutsTest.cifar10WithAllClasses(folder.resolve("images"));
    assertEquals(10, run(images, ImportOptions.defaults()).data().train().count());
    ImportOptions sized =
        new ImportOptions(Optional.of(new ImportOptions.Size(8, 8)), Optional.empty(), false, true);
    assertTrue(
        assertThrows(DataException.class, () -> run(images, sized))
            .getMessage()
            .contains("leave --size"));
  }

  @Test
  void aClassWithoutImagesIsRefusedInEveryLayout() throws IOException {
    Path images = LayoutsTest.cifar10WithAllClasses(folder.resolve("images"));
    Path part = images.resolve("data_batch_3.bin"); // classes 4 and 5
    Files.copy(images.resolve("data_batch_1.bin"), part, StandardCopyOption.REPLACE_EXISTING);
    refused(images, "class 4 has no training images");
    LayoutsTest.cifar10(images); // one image to test with, of class 7
    refused(images, "class 0 has no test images");
  }

  @Test
  void aDamagedFileIsRefused() throws IOException {
    run(twoParts(folder.resolve("images")), ImportOptions.defaults());
    byte[] whole = Files.readAllBytes(imported());
    for (int at = 0; at < whole.length; at += at < 200 ? 1 : 13) {
      byte[] damaged = whole.clone();
      damaged[at] ^= 0x10;
      Files.write(imported(), damaged);
      assertTrue(
          refusedToLoad().contains(at >= 8 && at < 12 ? "in format" : "is damaged"), "" + at);
      Files.write(imported(), Arrays.copyOf(whole, at));
      refusedToLoad();
    }
    Files.write(imported(), Arrays.copyOf(whole, whole.length + 1));
    refusedToLoad();
  }

  /** The second start: a data set of CIFAR's size is there in well under a second. */
  @Test
  void aLargeDataSetIsReadInNoTime() throws IOException {
    byte[] pixels = new byte[50_000 * 3072];
    new java.util.Random(1).nextBytes(pixels);
    ImageSet train = new ImageSet(32, 32, 3, pixels, new int[50_000]);
    Dataset data = new Dataset("large", train, train.slice(0, 1), List.of("a"));
    Path file = folder.resolve("large.rais");
    DatasetFile.write(file, data, "", "");
    long best = Long.MAX_VALUE;
    for (int attempt = 0; attempt < 3; attempt++) {
      long begin = System.nanoTime();
      assertEquals(50_000, DatasetFile.read(file).train().count());
      best = Math.min(best, System.nanoTime() - begin);
    }
    assertTrue(best < TimeUnit.SECONDS.toNanos(1), best / 1e9 + " s");
  }

  /** CIFAR-10 as JPEG files in folders: the folder cifar10-jpeg, unpacked. */
  @Test
  void realPhotographs() {
    Path images = TestData.folderWith("cifar10-jpeg").resolve("cifar10-jpeg");
    assumeTrue(Files.isDirectory(images.resolve("train")), images + " has no folder train");
    Dataset data = run(images).data();
    assertEquals("50000 images of 32x32x3", data.train().toString());
    assertEquals("10000 images of 32x32x3", data.test().toString());
    assertEquals(
        List.of(
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck"),
        data.classNames());
    for (int count : data.train().classCounts(10)) {
      assertEquals(5_000, count);
    }
    // CIFAR-10's own figures; JPEG changes them little.
    float[] mean = data.normalization().mean();
    assertArrayEquals(new float[] {0.4914f, 0.4822f, 0.4465f}, mean, 5e-4f);
    float[] deviation = data.normalization().standardDeviation();
    assertArrayEquals(new float[] {0.2470f, 0.2435f, 0.2616f}, deviation, 3e-3f);
  }

  private String refusedToLoad() {
    return assertThrows(DataException.class, () -> DatasetFile.read(imported())).getMessage();
  }

  private String refused(Path images, String because) throws IOException {
    String message = assertThrows(DataException.class, () -> run(images)).getMessage();
    assertTrue(message.contains(because), message);
    assertNothingLeft();
    return message;
  }

  private void assertNothingLeft() throws IOException {
    if (Files.exists(folder.resolve("data"))) {
      try (Stream<Path> files = Files.walk(folder.resolve("data"))) {
        assertFalse(files.anyMatch(Files::isRegularFile), "something was imported");
      }
    }
  }

  private Path imported() {
    return folder.resolve("data/x/imported.rais");
  }

  private static ImportOptions skipBad() {
    return new ImportOptions(Optional.empty(), Optional.empty(), true, true);
  }

  private ImportReport run(Path images) {
    return run(images, new ImportOptions(Optional.empty(), Optional.empty(), false, true));
  }

  private ImportReport run(Path images, ImportOptions options) {
    return DatasetImporter.run(images, "x", folder.resolve("data/x"), options, (done, total) -> {});
  }

  /** Three training and one test image of 4x5 pixels for each of two classes. */
  static Path twoParts(Path images) throws IOException {
    for (int c = 0; c < 2; c++) {
      String name = c == 0 ? "cat" : "dog";
      for (int k = 0; k < 3; k++) {
        save(
            images.resolve("train").resolve(name),
            k + ".png",
            4,
            5,
            (10 + k) << 16 | c * 100 << 8 | 7);
      }
      save(images.resolve("test").resolve(name), "0.png", 4, 5, c);
    }
    Files.writeString(images.resolve("train/cat/notes.txt"), "other files do no harm");
    Files.writeString(images.resolve("train/.hidden"), "nor do hidden ones");
    return images;
  }

  private static void save(Path directory, String name, int height, int width, int rgb)
      throws IOException {
    Files.createDirectories(directory);
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < height * width; i++) {
      image.setRGB(i % width, i / width, rgb);
    }
    assertTrue(ImageIO.write(image, "png", directory.resolve(name).toFile()));
  }
}
