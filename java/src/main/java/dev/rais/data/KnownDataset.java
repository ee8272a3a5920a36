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
 * @param classNames name of class k at position k; empty where the files tell
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

  /**
   * What a file's contents must hash to, as lower-case hexadecimal.
   *
   * @param algorithm as {@link java.security.MessageDigest} calls it
   * @param source who published the value
   */
  record Checksum(String algorithm, String hex, String source) {
    /** A SHA-256 that this project computed. */
    static Checksum sha256(String hex) {
      return new Checksum("SHA-256", hex, "computed by the RAIS project");
    }

    static Checksum md5(String hex, String source) {
      return new Checksum("MD5", hex, source);
    }

    /**
     * Whether somebody with much effort could make two files with this checksum. A file that was
     * published before cannot be replaced that way, so what it guards against is still met.
     */
    boolean isWeak() {
      return algorithm.equals("MD5");
    }
  }

  /** A published file and what it must be. */
  record RemoteFile(String name, long numBytes, Checksum checksum) {
    RemoteFile(String name, long numBytes, String sha256) {
      this(name, numBytes, Checksum.sha256(sha256));
    }
  }

  /** Files below one https address, which ends with a slash. */
  record Download(URI base, List<RemoteFile> files) {
    Download {
      if (!FetchOptions.isSafe(base)) {
        throw new IllegalArgumentException(base + " is no https address");
      }
    }

    long numBytes() {
      return files.stream().mapToLong(RemoteFile::numBytes).sum();
    }

    /** Who published its weak checksums, if it has any. */
    Optional<String> weakSource() {
      return files.stream()
          .map(RemoteFile::checksum)
          .filter(Checksum::isWeak)
          .map(Checksum::source)
          .findFirst();
    }
  }

  /** Every data set RAIS knows, in the order they are listed. */
  static List<KnownDataset> all() {
    return List.of(fashionMnistSample(), fashionMnist(), mnist(), cifar10(), cifar100(), svhn());
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
    // The publisher's repository has the same files as the plain http address that its README
    // names.
    Download download =
        new Download(
            URI.create(
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
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

  static KnownDataset cifar10() {
    return cifar(
        "cifar10",
        "50,000 training and 10,000 test photographs, 32x32 colour, 10 classes",
        CifarLayout.CIFAR_10,
        170_052_171,
        "c32a1d4ab5d03f1284b67883e8d87530");
  }

  static KnownDataset cifar100() {
    return cifar(
        "cifar100",
        "50,000 training and 10,000 test photographs, 32x32 colour, 100 classes",
        CifarLayout.CIFAR_100,
        168_513_733,
        "03b5dce01913d631647c71ecec9e9cb8");
  }

  /** Lengths: TensorFlow Datasets' url_checksums. The publisher's page gives the MD5s. */
  private static KnownDataset cifar(
      String name, String description, CifarLayout layout, long numBytes, String md5) {
    Checksum checksum = Checksum.md5(md5, "www.cs.toronto.edu/~kriz/cifar.html");
    return new KnownDataset(
        name,
        description,
        "none stated",
        layout,
        Optional.of(
            new Download(
                URI.create("https://www.cs.toronto.edu/~kriz/"),
                List.of(new RemoteFile(layout.archive(), numBytes, checksum)))),
        List.of(),
        false);
  }

  static KnownDataset svhn() {
    // The publisher's page gives no checksums; these are those of torchvision, the lengths those of
    // TensorFlow Datasets' url_checksums.
    String source = "torchvision/datasets/svhn.py";
    return new KnownDataset(
        "svhn",
        "73,257 training and 26,032 test images of house numbers' digits, 32x32 colour,"
            + " 10 classes",
        "non-commercial use",
        new SvhnLayout(),
        Optional.of(
            new Download(
                URI.create("https://ufldl.stanford.edu/housenumbers/"),
                List.of(
                    new RemoteFile(
                        SvhnLayout.TRAIN,
                        182_040_794,
                        Checksum.md5("e26dedcc434d2e4c54c9b2d4a06d8373", source)),
                    new RemoteFile(
                        SvhnLayout.TEST,
                        64_275_384,
                        Checksum.md5("eb5a983be6a315427106f1b164d9cef3", source))))),
        List.of(),
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
