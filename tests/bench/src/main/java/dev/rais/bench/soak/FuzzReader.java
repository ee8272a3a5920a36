package dev.rais.bench.soak;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.DataException;
import dev.rais.data.Dataset;
import dev.rais.data.DatasetImporter;
import dev.rais.data.Datasets;
import dev.rais.data.ImageSet;
import dev.rais.data.ImportOptions;
import dev.rais.nn.Dense;
import dev.rais.nn.Model;
import dev.rais.nn.Network;
import dev.rais.nn.Relu;
import dev.rais.nn.Shape;
import dev.rais.sampling.RaisOptions;
import dev.rais.sampling.RaisSampler;
import dev.rais.sampling.SamplerState;
import dev.rais.train.Checkpoint;
import dev.rais.train.Metrics;
import dev.rais.train.ModelFile;
import dev.rais.train.RunDirectory;
import dev.rais.train.RunFileException;
import dev.rais.train.RunJson;
import dev.rais.train.Summary;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import javax.imageio.ImageIO;
import us.hebi.matlab.mat.format.Mat5;
import us.hebi.matlab.mat.types.MatlabType;
import us.hebi.matlab.mat.types.Matrix;
import us.hebi.matlab.mat.types.Sink;
import us.hebi.matlab.mat.types.Sinks;

/**
 * What reads files that users get from elsewhere, each with good files to begin the mutations with.
 * A file is either read or refused with the reader's own exception; whatever else happens is a
 * finding.
 */
enum FuzzReader {
  /** One of the four IDX files of a data set, which the first byte chooses; the others are good. */
  IDX {
    @Override
    Map<String, byte[]> seeds() {
      Map<String, byte[]> seeds = new TreeMap<>();
      for (int k = 0; k < IDX_FILES.size(); k++) {
        byte[] good = idx(k);
        byte[] seed = new byte[1 + good.length];
        seed[0] = (byte) k;
        System.arraycopy(good, 0, seed, 1, good.length);
        seeds.put(IDX_FILES.get(k), seed);
      }
      return seeds;
    }

    @Override
    Target open(Path folder) throws IOException {
      for (int k = 0; k < IDX_FILES.size(); k++) {
        Files.write(folder.resolve(IDX_FILES.get(k)), idx(k));
      }
      return input -> {
        int which = input.length == 0 ? 0 : Math.floorMod(input[0], IDX_FILES.size());
        Path file = folder.resolve(IDX_FILES.get(which));
        Files.write(file, Arrays.copyOfRange(input, Math.min(1, input.length), input.length));
        try {
          Datasets.load(folder.toString(), null);
        } catch (DataException e) {
          requireText(e);
        } finally {
          Files.write(file, idx(which));
        }
      };
    }
  },

  /** One of the files of CIFAR-100, of two images; the first byte chooses, the other is good. */
  CIFAR {
    @Override
    Map<String, byte[]> seeds() {
      return Map.of("train", cifar(0), "test", cifar(1));
    }

    @Override
    Target open(Path folder) throws IOException {
      for (String file : CIFAR_FILES) {
        Files.write(folder.resolve(file), cifarFile());
      }
      return input -> {
        int which = input.length == 0 ? 0 : Math.floorMod(input[0], CIFAR_FILES.size());
        Path file = folder.resolve(CIFAR_FILES.get(which));
        Files.write(file, Arrays.copyOfRange(input, Math.min(1, input.length), input.length));
        load(folder);
        Files.write(file, cifarFile());
      };
    }
  },

  /** The archive in which CIFAR-100 is published, packed after its mutation. */
  CIFAR_ARCHIVE {
    @Override
    Map<String, byte[]> seeds() throws IOException {
      ByteArrayOutputStream tar = new ByteArrayOutputStream();
      for (String file : CIFAR_FILES) {
        byte[] contents = cifarFile();
        tar.write(tarHeader("cifar-100-binary/" + file, contents.length));
        tar.write(contents);
        tar.write(new byte[Math.floorMod(-contents.length, TAR_BLOCK)]);
      }
      return Map.of("tar", tar.toByteArray());
    }

    @Override
    Target open(Path folder) {
      return input -> {
        Path file = folder.resolve("cifar-100-binary.tar.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
          out.write(input);
        }
        load(folder);
      };
    }
  },

  /** A MATLAB file with SVHN's variables. */
  SVHN {
    @Override
    Map<String, byte[]> seeds() throws IOException {
      Path file = Files.createTempFile("rais-fuzz", ".mat");
      try {
        Matrix x = Mat5.newMatrix(new int[] {3, 2, 3, 2}, MatlabType.UInt8);
        Matrix y = Mat5.newMatrix(2, 1);
        y.setDouble(0, 10);
        y.setDouble(1, 3);
        Map<String, byte[]> seeds = new TreeMap<>();
        for (int level : new int[] {Deflater.NO_COMPRESSION, Deflater.BEST_COMPRESSION}) {
          try (Sink sink = Sinks.newStreamingFile(file.toFile())) {
            Mat5.newWriter(sink)
                .setDeflateLevel(level)
                .writeMat(Mat5.newMatFile().addArray("X", x).addArray("y", y));
          }
          seeds.put("level-" + level, Files.readAllBytes(file));
        }
        return seeds;
      } finally {
        Files.delete(file);
      }
    }

    @Override
    Target open(Path folder) throws IOException {
      Files.write(folder.resolve("train_32x32.mat"), seeds().get("level-0"));
      return input -> {
        Files.write(folder.resolve("test_32x32.mat"), input);
        load(folder);
      };
    }
  },

  /** A PNG or JPEG image among good ones in a folder that is imported. */
  IMAGE {
    @Override
    Map<String, byte[]> seeds() throws IOException {
      return Map.of("png", image("png"), "jpeg", image("jpeg"));
    }

    @Override
    Target open(Path folder) throws IOException {
      Path images = folder.resolve("images");
      for (String name : List.of("a", "b")) {
        Path directory = Files.createDirectories(images.resolve(name));
        for (int k = 0; k < 3; k++) {
          Files.write(directory.resolve(k + ".png"), image("png"));
        }
      }
      ImportOptions options =
          new ImportOptions(Optional.of(new ImportOptions.Size(4, 4)), Optional.of(3), false, true);
      return input -> {
        Files.write(images.resolve("b/2.png"), input);
        try {
          DatasetImporter.run(images, "x", folder.resolve("x"), options, (done, total) -> {});
        } catch (DataException e) {
          requireText(e);
        }
      };
    }
  },

  /** A data set that was imported, whose checksum is put right. */
  IMPORTED {
    @Override
    Map<String, byte[]> seeds() throws IOException {
      Path folder = Files.createTempDirectory("rais-fuzz-import");
      try {
        for (int i = 0; i < 6; i++) {
          Path images = Files.createDirectories(folder.resolve("class" + i % 2));
          BufferedImage image = new BufferedImage(4, 4, BufferedImage.TYPE_INT_RGB);
          image.setRGB(i % 4, i / 2, 0x80ff00 + i);
          ImageIO.write(image, "png", images.resolve(i + ".png").toFile());
        }
        DatasetImporter.run(
            folder, "x", folder.resolve("x"), ImportOptions.defaults(), (done, total) -> {});
        return Map.of("imported", Files.readAllBytes(folder.resolve("x/imported.rais")));
      } finally {
        SoakBench.delete(folder);
      }
    }

    @Override
    Target open(Path folder) throws IOException {
      Path file = Files.createDirectories(folder.resolve("x")).resolve("imported.rais");
      return input -> {
        byte[] right = input.clone();
        if (right.length >= 20) {
          CRC32C crc = new CRC32C();
          crc.update(right, 20, right.length - 20);
          ByteBuffer.wrap(right).putInt(16, (int) crc.getValue());
        }
        Files.write(file, right);
        try {
          Datasets.load("x", folder);
        } catch (DataException e) {
          requireText(e);
        }
      };
    }
  },

  /** A trained model, down to its parameters. */
  MODEL {
    @Override
    Map<String, byte[]> seeds() throws IOException {
      return Map.of("model", run().get(RunDirectory.MODEL));
    }

    @Override
    Target open(Path folder) {
      Path file = folder.resolve(RunDirectory.MODEL);
      Backend backend = Backends.open("cpu", 1, warning -> {});
      return input -> {
        Files.write(file, input);
        try (Network network = ModelFile.read(file).open(backend, model())) {
          if (network.parameters().isEmpty()) {
            throw new AssertionError("a model without parameters");
          }
        } catch (RunFileException e) {
          requireText(e);
        }
      };
    }
  },

  /** A checkpoint whose checksum is put right, so that mutations come behind it. */
  CHECKPOINT {
    @Override
    Map<String, byte[]> seeds() throws IOException {
      return Map.of("checkpoint", run().get(CHECKPOINT_FILE));
    }

    @Override
    Target open(Path folder) {
      Path file = folder.resolve(CHECKPOINT_FILE);
      Dataset data = small();
      Backend backend = Backends.open("cpu", 1, warning -> {});
      return input -> {
        Files.write(file, withChecksum(input));
        try (Trainer trainer = new Trainer(backend, data, config(), model())) {
          trainer.restore(Checkpoint.read(file));
        } catch (RunFileException e) {
          requireText(e);
        }
      };
    }
  },

  /** The state of a sampler, taken up by one that draws from it. */
  SAMPLER_STATE {
    @Override
    Map<String, byte[]> seeds() throws IOException {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (RaisSampler sampler = sampler()) {
        sampler.state().write(bytes);
      }
      return Map.of("state", bytes.toByteArray());
    }

    @Override
    Target open(Path folder) {
      return input -> {
        byte[] right = withTrailingChecksum(input);
        try (RaisSampler sampler = sampler()) {
          sampler.restore(SamplerState.read(new ByteArrayInputStream(right)));
          sampler.draw(4);
        } catch (IOException | IllegalArgumentException e) {
          requireText(e);
        }
      };
    }
  },

  /** A run's configuration. */
  CONFIG {
    @Override
    Map<String, byte[]> seeds() throws IOException {
      return Map.of("config", run().get(RunDirectory.CONFIG));
    }

    @Override
    Target open(Path folder) {
      return json(TrainingConfig.class);
    }
  },

  /** A line of a run's metrics. */
  METRICS {
    @Override
    Map<String, byte[]> seeds() throws IOException {
      return Map.of("metrics", run().get(RunDirectory.METRICS));
    }

    @Override
    Target open(Path folder) {
      return json(Metrics.class);
    }
  },

  /** The summary of a finished run. */
  SUMMARY {
    @Override
    Map<String, byte[]> seeds() throws IOException {
      return Map.of("summary", run().get(RunDirectory.SUMMARY));
    }

    @Override
    Target open(Path folder) {
      return input -> {
        Files.write(folder.resolve(RunDirectory.SUMMARY), input);
        try {
          RunDirectory.summary(folder);
        } catch (RunFileException e) {
          requireText(e);
        }
      };
    }
  };

  /** Reads one input. */
  interface Target {
    void read(byte[] input) throws IOException;
  }

  private static final List<String> IDX_FILES =
      List.of(
          "train-images-idx3-ubyte",
          "train-labels-idx1-ubyte",
          "t10k-images-idx3-ubyte",
          "t10k-labels-idx1-ubyte");

  private static final String CHECKPOINT_FILE = "checkpoint.safetensors";

  /** Good inputs by name. */
  abstract Map<String, byte[]> seeds() throws IOException;

  /** Prepares to read many inputs, with a folder of its own. */
  abstract Target open(Path folder) throws IOException;

  /** As users type it. */
  String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static byte[] image(String format) throws IOException {
    BufferedImage image = new BufferedImage(3, 5, BufferedImage.TYPE_INT_RGB);
    image.setRGB(1, 2, 0x8040c0);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    if (!ImageIO.write(image, format, bytes)) {
      throw new IOException("this Java cannot write " + format);
    }
    return bytes.toByteArray();
  }

  private static void load(Path folder) {
    try {
      Datasets.load(folder.toString(), null);
    } catch (DataException e) {
      requireText(e);
    }
  }

  private static final List<String> CIFAR_FILES = List.of("train.bin", "test.bin");

  private static final int TAR_BLOCK = 512;

  /** Two images of CIFAR-100. */
  private static byte[] cifarFile() {
    byte[] bytes = new byte[2 * 3074];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (i % 3074 < 2 ? i % 20 : i);
    }
    return bytes;
  }

  /** An input of the target: which file, then its contents. */
  private static byte[] cifar(int which) {
    return ByteBuffer.allocate(1 + 2 * 3074).put((byte) which).put(cifarFile()).array();
  }

  private static byte[] tarHeader(String name, int size) {
    ByteBuffer header = ByteBuffer.allocate(TAR_BLOCK).put(utf8(name));
    return header.position(124).put(utf8("%011o".formatted(size))).put(156, (byte) '0').array();
  }

  /** A refusal must say something. */
  private static void requireText(Exception refusal) {
    if (refusal.getMessage() == null || refusal.getMessage().isBlank()) {
      throw new AssertionError("refused without a word", refusal);
    }
  }

  private static Target json(Class<?> type) {
    RunJson json = new RunJson();
    return input -> {
      try {
        json.read(new String(input, StandardCharsets.UTF_8), type);
      } catch (IllegalArgumentException e) {
        requireText(e);
      }
    };
  }

  /** Two images of 2x3 and their labels. */
  private static byte[] idx(int file) {
    boolean images = file % 2 == 0;
    ByteBuffer bytes = ByteBuffer.allocate(images ? 16 + 12 : 8 + 2);
    bytes.putInt(images ? 0x803 : 0x801).putInt(2);
    if (images) {
      bytes.putInt(2).putInt(3);
    }
    while (bytes.hasRemaining()) {
      bytes.put((byte) (bytes.remaining() % 2));
    }
    return bytes.array();
  }

  private static RaisSampler sampler() {
    return new RaisSampler(new int[] {0, 1, 0, 1, 0, 1}, 2, 1, RaisOptions.defaults());
  }

  /** 32 images of 3x2, so that files stay small and mutations hit what counts. */
  private static Dataset small() {
    byte[] pixels = new byte[32 * 6];
    int[] labels = new int[32];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (37 * i);
      labels[i / 6] = i / 6 % 2;
    }
    ImageSet images = new ImageSet(3, 2, 1, pixels, labels);
    return new Dataset("small", images, images.slice(0, 8), List.of("even", "odd"));
  }

  private static Model model() {
    return Model.builder("tiny", new Shape(3, 2, 1))
        .add("fc1", new Dense(4))
        .add("relu1", new Relu())
        .add("fc2", new Dense(2))
        .build();
  }

  private static TrainingConfig config() {
    return TrainingConfig.builder("small", "tiny", "rais").batchSize(8).epochs(2).build();
  }

  /** The files of a very small run. */
  private static Map<String, byte[]> run() throws IOException {
    Path folder = Files.createTempDirectory("rais-fuzz-run");
    Dataset data = small();
    try (Backend backend = Backends.open("cpu", 1, warning -> {});
        Trainer trainer = new Trainer(backend, data, config(), model())) {
      trainer.advance(new TrainingListener() {});
      trainer.checkpoint().write(folder.resolve(CHECKPOINT_FILE));
      List<String> evaluations = new ArrayList<>();
      Summary summary =
          trainer.run(
              new TrainingListener() {
                @Override
                public void evaluated(Metrics metrics) {
                  evaluations.add(new RunJson().line(metrics));
                }
              });
      ModelFile.write(
          folder.resolve(RunDirectory.MODEL),
          trainer.network(),
          new ModelFile.Description(
              "tiny",
              model().input(),
              data.classNames(),
              data.normalization(),
              "small",
              summary.sampler()));
      Map<String, byte[]> files = new TreeMap<>();
      for (String name : List.of(CHECKPOINT_FILE, RunDirectory.MODEL)) {
        files.put(name, Files.readAllBytes(folder.resolve(name)));
      }
      files.put(RunDirectory.CONFIG, utf8(new RunJson().line(config())));
      files.put(RunDirectory.METRICS, utf8(evaluations.getLast()));
      files.put(RunDirectory.SUMMARY, utf8(new RunJson().line(summary)));
      return files;
    } finally {
      SoakBench.delete(folder);
    }
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] withChecksum(byte[] input) {
    byte[] start = "{\"__metadata__\":{\"crc32c\":\"".getBytes(StandardCharsets.US_ASCII);
    int at = 8 + start.length;
    byte[] right = input.clone();
    if (right.length >= at + 8 && Arrays.equals(right, 8, at, start, 0, start.length)) {
      Arrays.fill(right, at, at + 8, (byte) '0');
      System.arraycopy(hex(right, right.length), 0, right, at, 8);
    }
    return right;
  }

  private static byte[] hex(byte[] bytes, int length) {
    return "%08x".formatted(crc(bytes, length)).getBytes(StandardCharsets.US_ASCII);
  }

  private static byte[] withTrailingChecksum(byte[] input) {
    byte[] right = input.clone();
    if (right.length >= 4) {
      int end = right.length - 4;
      ByteBuffer.wrap(right).putInt(end, (int) crc(right, end));
    }
    return right;
  }

  private static long crc(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, length);
    return crc.getValue();
  }
}
