package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which name is suggested for a mistyped one. */
class NearestNameTest {
  private static final List<String> NAMES =
      List.of("fashion-mnist-sample", "fashion-mnist", "mnist");

  @ParameterizedTest
  @CsvSource({
    "minst, mnist",
    "MNIST, mnist",
    "mnis, mnist",
    "fashon-mnist, fashion-mnist",
    "fashion_mnist, fashion-mnist",
    "fashionmnist-sampel, fashion-mnist-sample",
    "fashion, fashion-mnist"
  })
  void suggestsWhatWasMeant(String given, String meant) {
    assertEquals(Optional.of(meant), NearestName.of(given, NAMES));
  }

  @ParameterizedTest
  @CsvSource({"cifar10", "x", "''", "/home/me/pictures/of/everything/i/ever/saw"})
  void suggestsNothingForAStranger(String given) {
    assertEquals(Optional.empty(), NearestName.of(given, NAMES));
  }

  @ParameterizedTest
  @CsvSource({"'', '', 0", "abc, abc, 0", "abc, '', 3", "abc, acb, 1", "kitten, sitting, 3"})
  void countsEdits(String a, String b, int edits) {
    assertEquals(edits, NearestName.distance(a, b));
    assertEquals(edits, NearestName.distance(b, a));
  }

  @Test
  void knowsNothingAmongNoNames() {
    assertEquals(Optional.empty(), NearestName.of("mnist", List.of()));
  }
}
