package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where data sets are found, what is said when they are not, and what the known ones hold. */
class DatasetsTest {
  @TempDir Path folder;

  private final Map<String, String> environment = new HashMap<>();

  private Locations locations() {
    return new Locations(environment, folder.resolve("home"), folder.resolve("system"));
  }

  @Test
  void theSampleIsBuiltInAndSplitInFileOrder() {
    Dataset sample = Datasets.load("fashion-mnist-sample", null, locations());
    assertEquals("8000 images of 28x28x1", sample.train().toString());
    assertEquals("2000 images of 28x28x1", sample.test().toString());
    assertEquals("Ankle boot", sample.classNames().get(9));
    // The first labels of the published file.
    assertArrayEquals(
        new int[] {9, 2, 1, 1, 6, 1, 4, 6, 5, 7}, sample.train().slice(0, 10).labels());
    int[] train = sample.train().classCounts(10);
    int[] test = sample.test().classCounts(10);
    for (int k = 0; k < 10; k++) {
      assertEquals(1000, train[k] + test[k], "the whole has 1,000 of each class");
    }
    assertArrayEquals(new int[] {214, 224, 175, 173, 190, 193, 210, 208, 210, 203}, test);
  }

  @Test
  void theSampleCarriesItsLicence() throws IOException {
    for (String name : List.of("LICENSE", "NOTICE")) {
      try (var in = Datasets.class.getResourceAsStream("fashion-mnist-sample/" + name)) {
        assertNotNull(in, name);
        assertTrue(new String(in.readAllBytes(), StandardCharsets.UTF_8).contains("Zalando"));
      }
    }
  }

  /** Java's word for it would be a folder of that name in the present one. */
  @Test
  void aUserWithoutAHomeHasTheRoot() {
    String home = System.setProperty("user.home", "?");
    try {
      assertEquals(Path.of("/"), Locations.ofSystem().home());
    } finally {
      System.setProperty("user.home", home);
    }
  }

  @Test
  void aFolderWithANameThatNoDataSetHasIsNotListed() throws IOException {
    Path odd = Files.createDirectories(folder.resolve("odd\\name"));
    Files.write(odd.resolve(DatasetFile.IMPORTED), new byte[0]);
    assertEquals(
        Datasets.list(null, locations()).size(), Datasets.list(folder, locations()).size());
  }

  @Test
  void looksInOrder() throws IOException {
    environment.put("RAIS_DATA", folder.resolve("env").toString());
    environment.put("XDG_CACHE_HOME", folder.resolve("xdg").toString());
    Path given = folder.resolve("given");
    List<Path> expected =
        List.of(
            given.resolve("fashion-mnist"),
            given,
            folder.resolve("env/fashion-mnist"),
            folder.resolve("env"),
            folder.resolve("system/fashion-mnist"),
            folder.resolve("xdg/rais/datasets/fashion-mnist"));
    KnownDataset dataset = Datasets.require("fashion-mnist");
    assertEquals(expected, locations().candidates(dataset, given));
    for (int i = expected.size() - 1; i >= 0; i--) {
      IdxBytes.tinyDataset(expected.get(i));
      assertEquals(Optional.of(expected.get(i)), info("fashion-mnist", given).directory());
    }
    Dataset found = Datasets.load("fashion-mnist", given, locations());
    assertEquals(3, found.train().count());
    assertEquals(10, found.numClasses());
  }

  @Test
  void theCacheIsInTheHomeDirectoryByDefault() {
    Path cache = folder.resolve("home/.cache/rais/datasets/mnist");
    assertEquals(cache, locations().cache("mnist"));
    environment.put("XDG_CACHE_HOME", "relative/is/ignored");
    assertEquals(cache, locations().cache("mnist"));
  }

  @Test
  void aFolderCalledLikeAnotherDataSetIsNotTakenForThisOne() throws IOException {
    Path mnist = IdxBytes.tinyDataset(folder.resolve("mnist"));
    assertEquals(3, Datasets.load("mnist", mnist, locations()).train().count());
    assertThrows(DataException.class, () -> Datasets.load("fashion-mnist", mnist, locations()));
  }

  @Test
  void notFoundNamesEveryPlaceAndBothWaysOut() throws IOException {
    Path given = Files.createDirectories(folder.resolve("given"));
    Files.write(given.resolve("train-images-idx3-ubyte.gz"), new byte[1]);
    String message =
        assertThrows(DataException.class, () -> Datasets.load("mnist", given, locations()))
            .getMessage();
    for (Path place : locations().candidates(Datasets.require("mnist"), given)) {
      assertTrue(message.contains(place + " ("), message);
    }
    assertTrue(message.contains(given + " (lacks train-labels-idx1-ubyte[.gz], t10k"), message);
    assertTrue(message.contains("./rais data fetch mnist"), message);
    assertTrue(message.contains("--data-dir"), message);
    assertFalse(message.contains(folder.resolve("system").toString()), message);
  }

  @Test
  void loadsADirectoryUnderItsOwnName() throws IOException {
    Path own = IdxBytes.tinyDataset(folder.resolve("my-shapes"));
    Dataset dataset = Datasets.load(own.toString(), null, locations());
    assertEquals("my-shapes", dataset.name());
    assertEquals(List.of("0", "1", "2"), dataset.classNames());
    Path copy = IdxBytes.tinyDataset(folder.resolve("fashion-mnist"));
    assertEquals(
        "T-shirt/top", Datasets.load(copy.toString(), null, locations()).classNames().get(0));
  }

  @Test
  void namesWhatADirectoryLacks() throws IOException {
    Path own = IdxBytes.tinyDataset(folder.resolve("own"));
    Files.delete(own.resolve("t10k-labels-idx1-ubyte.gz"));
    DataException e =
        assertThrows(DataException.class, () -> Datasets.load(own.toString(), null, locations()));
    assertTrue(e.getMessage().contains("it lacks t10k-labels-idx1-ubyte[.gz];"), e.getMessage());
  }

  @Test
  void suggestsTheNearestNameForAnUnknownOne() {
    String message =
        assertThrows(DataException.class, () -> Datasets.load("fashon-mnist", null, locations()))
            .getMessage();
    assertTrue(message.contains("did you mean \"fashion-mnist\"?"), message);
    String strange =
        assertThrows(DataException.class, () -> Datasets.load("a\0b", null, locations()))
            .getMessage();
    assertFalse(strange.contains("did you mean"), strange);
    assertTrue(strange.contains("known are fashion-mnist-sample, fashion-mnist, mnist"), strange);
  }

  @Test
  void listsWhatThereIsAndHowToGetTheRest() throws IOException {
    List<DatasetInfo> list = Datasets.list(null, locations());
    assertEquals(
        List.of("fashion-mnist-sample", "fashion-mnist", "mnist", "cifar10", "cifar100", "svhn"),
        list.stream().map(DatasetInfo::name).toList());
    assertEquals("built in", list.get(0).where());
    assertTrue(list.get(0).available());
    assertFalse(list.get(2).available());
    assertEquals("not found: ./rais data fetch mnist", list.get(2).where());
    assertEquals(11_594_722, list.get(2).downloadBytes());
    Path cache = IdxBytes.tinyDataset(locations().cache("mnist"));
    assertEquals(cache.toString(), info("mnist", null).where());
  }

  @Test
  void realMnistIsWhatItShouldBe() {
    Dataset mnist = Datasets.load("mnist", TestData.folderWith("mnist"), locations());
    assertEquals("60000 images of 28x28x1", mnist.train().toString());
    assertEquals("10000 images of 28x28x1", mnist.test().toString());
    assertEquals(6_742, mnist.train().classCounts(10)[1]);
    // The figures everyone uses for MNIST.
    assertEquals(0.1307f, mnist.normalization().mean()[0], 5e-5f);
    assertEquals(0.3081f, mnist.normalization().standardDeviation()[0], 5e-5f);
  }

  @Test
  void realFashionMnistIsWhatItShouldBe() {
    Dataset fashion =
        Datasets.load("fashion-mnist", TestData.folderWith("fashion-mnist"), locations());
    assertEquals("60000 images of 28x28x1", fashion.train().toString());
    assertEquals(0.2860f, fashion.normalization().mean()[0], 5e-5f);
    assertEquals(0.3530f, fashion.normalization().standardDeviation()[0], 5e-5f);
    Dataset sample = Datasets.load("fashion-mnist-sample", null, locations());
    assertArrayEquals(fashion.test().slice(0, 8_000).pixels(), sample.train().pixels());
    assertArrayEquals(fashion.test().slice(8_000, 10_000).labels(), sample.test().labels());
  }

  private DatasetInfo info(String name, Path dataDir) {
    return Datasets.list(dataDir, locations()).stream()
        .filter(info -> info.name().equals(name))
        .findFirst()
        .orElseThrow();
  }
}
