package dev.rais.data;

import java.net.URI;
import java.util.List;
import java.util.Optional;

/**
 * A data set that users ask for by name. To add one, add a method below and its line in {@link
 * #all()}.
 *
 * @param layout how its files lie in a directory
 * @param download where its files are published; empty if it is built in
 * @param classNames name of class k at position k
 * @param systemPackage whether a Debian package installs it
 */
record KnownDataset(
    String name,
    String description,
    String licence,
    DatasetLayout layout,
    Optional<Download> download,
    List<String> classNames,
    boolean systemPackage) {

  /** A published file and what it must be: its length and SHA-256 as lower-case hexadecimal. */
  record RemoteFile(String name, long numBytes, String sha256) {}

  /** Files below one address, which ends with a slash. */
  record Download(URI base, List<RemoteFile> files) {
    long numBytes() {
      return files.stream().mapToLong(RemoteFile::numBytes).sum();
    }
  }

  /** Every data set RAIS knows, in the order they are listed. */
  static List<KnownDataset> all() {
    return List.of(fashionMnistSample(), fashionMnist(), mnist());
  }

  /** Whether it lies in the jar, so that it is never looked for or downloaded. */
  boolean builtIn() {
    return download.isEmpty();
  }

  static KnownDataset fashionMnistSample() {
    return new KnownDataset(
        FashionMnistSample.NAME,
        "8,000 training and 2,000 test images out of Fashion-MNIST's test part, 28x28 grey,"
            + " 10 classes",
        "MIT",
        new IdxLayout(),
        Optional.empty(),
        fashionClasses(),
        false);
  }

  static KnownDataset fashionMnist() {
    // The README of Fashion-MNIST links to plain http, and that host speaks nothing else. The
    // pinned checksums make up for it: nobody on the way can change what is accepted.
    Download download =
        new Download(
            URI.create("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
            List.of(
                new RemoteFile(
                    "train-images-idx3-ubyte.gz",
                    26_421_880,
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
                new RemoteFile(
                    "train-labels-idx1-ubyte.gz",
                    29_515,
                    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
                new RemoteFile(
                    "t10k-images-idx3-ubyte.gz",
                    4_422_102,
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
                new RemoteFile(
                    "t10k-labels-idx1-ubyte.gz",
                    5_148,
                    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5")));
    return new KnownDataset(
        "fashion-mnist",
        "60,000 training and 10,000 test images of clothing, 28x28 grey, 10 classes",
        "MIT",
        new IdxLayout(),
        Optional.of(download),
        fashionClasses(),
        true);
  }

  static KnownDataset mnist() {
    // The mirror that PyTorch uses: the authors' own page no longer serves the files.
    Download download =
        new Download(
            URI.create("https://ossci-datasets.s3.amazonaws.com/mnist/"),
            List.of(
                new RemoteFile(
                    "train-images-idx3-ubyte.gz",
                    9_912_422,
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
                new RemoteFile(
                    "train-labels-idx1-ubyte.gz",
                    28_881,
                    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
                new RemoteFile(
                    "t10k-images-idx3-ubyte.gz",
                    1_648_877,
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
                new RemoteFile(
                    "t10k-labels-idx1-ubyte.gz",
                    4_542,
                    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6")));
    return new KnownDataset(
        "mnist",
        "60,000 training and 10,000 test images of handwritten digits, 28x28 grey, 10 classes",
        "CC BY-SA 3.0",
        new IdxLayout(),
        Optional.of(download),
        List.of("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
        false);
  }

  private static List<String> fashionClasses() {
    return List.of(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot");
  }
}
