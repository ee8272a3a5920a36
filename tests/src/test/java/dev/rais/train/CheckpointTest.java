package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.BatchNormWeights;
import dev.rais.nn.Model;
import dev.rais.nn.Models;
import dev.rais.nn.Shape;
import dev.rais.sampling.DrawMode;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.lucene.tests.mockfile.FilterFileChannel;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A run that was interrupted goes on as if it had not been. */
class CheckpointTest {
  private static final int M = 32;

  @TempDir Path folder;

  private final Dataset sample = Datasets.load("fashion-mnist-sample", null);
  private final Dataset data =
      new Dataset(
          "small", sample.train().slice(0, 800), sample.test().slice(0, 200), sample.classNames());
  private Backend backend;
  private InterruptedRun runs;

  @BeforeEach
  void open() {
    backend = Backends.open("cpu", 1, warning -> {});
    runs = new InterruptedRun(backend, data, folder.resolve("checkpoint"));
  }

  @AfterEach
  void close() {
    backend.close();
  }

  private TrainingConfig.Builder config(String sampler) {
    return TrainingConfig.builder("small", "mlp", sampler)
        .batchSize(M)
        .epochs(8)
        .oracleEvery(7)
        .evalEvery(0.4)
        .seed(5);
  }

  private InterruptedRun.Outcome whole(TrainingConfig config) {
    return whole(mlp(), config);
  }

  private static Model mlp() {
    return Models.mlp(new Shape(28, 28, 1), 10);
  }

  private InterruptedRun.Outcome whole(Model model, TrainingConfig config) {
    return runs.whole(model, config);
  }

  /** Trains with an interruption, by way of a file, after each of these iterations. */
  private InterruptedRun.Outcome interrupted(TrainingConfig config, long... after) {
    return interrupted(mlp(), config, after);
  }

  private InterruptedRun.Outcome interrupted(Model model, TrainingConfig config, long... after) {
    return runs.interrupted(model, config, after);
  }

  static Stream<String> samplers() {
    return Samplers.names().stream();
  }

  /** Arabic has digits of its own, which neither names of files nor what is compared may have. */
  @Test
  void noLocaleHidesACheckpoint() {
    Locale before = Locale.getDefault();
    try (Trainer trainer = new Trainer(backend, data, config("uniform").build());
        Checkpoints checkpoints =
            new Checkpoints(folder, CheckpointInterval.DEFAULT, 1, warning -> {})) {
      Locale.setDefault(Locale.ROOT);
      String fingerprint = DrawCounts.fingerprint(data);
      List<String> names =
          Models.create("resnet8", new Shape(28, 28, 1), 10).layers().stream()
              .map(Model.NamedLayer::name)
              .toList();
      Locale.setDefault(Locale.forLanguageTag("ar-EG-u-nu-arab"));
      assertEquals("\u0661", "%d".formatted(1), "this Java knows these digits");
      trainer.advance(new TrainingListener() {});
      Path written = checkpoints.writeNow(trainer);
      assertEquals("0000000001.safetensors", written.getFileName().toString());
      assertEquals(List.of(written), Checkpoints.list(folder));
      assertEquals(fingerprint, DrawCounts.fingerprint(data));
      assertEquals(
          names,
          Models.create("resnet8", new Shape(28, 28, 1), 10).layers().stream()
              .map(Model.NamedLayer::name)
              .toList());
    } finally {
      Locale.setDefault(before);
    }
  }

  @ParameterizedTest
  @MethodSource("samplers")
  void aResumedRunIsTheUninterruptedOne(String sampler) {
    TrainingConfig config = config(sampler).build();
    InterruptedRun.Outcome expected = whole(config);
    Random random = new Random(sampler.hashCode());
    for (int k = 0; k < 3; k++) {
      long first = 1 + random.nextInt(60);
      long second = first + 1 + random.nextInt(60);
      String message = sampler + " interrupted after " + first + " and " + second;
      interrupted(config, first, second).assertSame(expected, message);
    }
  }

  @Test
  void raisResumesAtEveryStageOfItsRounds() {
    for (DrawMode draw : DrawMode.values()) {
      TrainingConfig config = config("rais").draw(draw).epochs(4).build();
      InterruptedRun.Outcome expected = whole(config);
      for (long t = 1; t < 60; t += 3) {
        interrupted(config, t).assertSame(expected, draw + " interrupted after " + t);
      }
    }
  }

  @Test
  void balancedClassesResumeToo() {
    TrainingConfig config = config("rais").classBalance(true).build();
    interrupted(config, 31, 66).assertSame(whole(config), "class balance");
  }

  @Test
  void ablationsResumeToo() {
    for (String ablation : List.of("no-last", "k-half", "fixed-rate", "logit-gain", "exact-gain")) {
      TrainingConfig config = config("rais").ablation(ablation).epochs(5).build();
      interrupted(config, 31, 66).assertSame(whole(config), ablation);
    }
  }

  @Test
  void augmentedImagesResumeToo() {
    for (String sampler : List.of("rais", "uniform", "uniform-iid")) {
      TrainingConfig config = config(sampler).padding(2).flip(true).cutout(5).epochs(5).build();
      interrupted(config, 17, 64).assertSame(whole(config), "augmented " + sampler);
    }
  }

  @Test
  void residualNetworksResumeToo() {
    for (String sampler : List.of("rais", "uniform", "oracle", "presample")) {
      TrainingConfig config = config(sampler).epochs(5).flip(true).build();
      Model model = ResidualModels.small(new Shape(28, 28, 1), 10);
      interrupted(model, config, 17, 64).assertSame(whole(model, config), "residual " + sampler);
    }
  }

  private Path checkpoint(TrainingConfig config, int steps) {
    Path file = folder.resolve("some.safetensors");
    try (Trainer trainer = new Trainer(backend, data, config)) {
      for (int t = 0; t < steps; t++) {
        trainer.advance(new TrainingListener() {});
      }
      trainer.checkpoint().write(file);
    }
    return file;
  }

  @Test
  void anotherConfigurationIsRefusedByName() {
    Checkpoint checkpoint = Checkpoint.read(checkpoint(config("uniform").build(), 3));
    assertRefused(
        "momentum is 0.5, but the run was begun with 0.9",
        data,
        config("uniform").momentum(0.5).build(),
        checkpoint);
    assertRefused(
        "cutout is 4, but the run was begun with 0",
        data,
        config("uniform").cutout(4).build(),
        checkpoint);
    assertRefused(
        "sampler is rais, but the run was begun with uniform",
        data,
        config("rais").draw(DrawMode.IID).build(),
        checkpoint);
  }

  @Test
  void otherDataIsRefused() {
    Checkpoint checkpoint = Checkpoint.read(checkpoint(config("uniform").build(), 3));
    byte[] pixels = data.train().pixels().clone();
    pixels[12345] ^= 1;
    Dataset other =
        new Dataset(
            "small",
            new dev.rais.data.ImageSet(28, 28, 1, pixels, data.train().labels()),
            data.test(),
            data.classNames());
    RunFileException e =
        assertThrows(
            RunFileException.class,
            () -> {
              try (Trainer trainer = new Trainer(backend, other, config("uniform").build())) {
                trainer.restore(checkpoint);
              }
            });
    assertTrue(
        e.getMessage().startsWith("the data set small has 800 training and 200 test images of"),
        e.getMessage());
  }

  private void assertRefused(
      String message, Dataset data, TrainingConfig config, Checkpoint checkpoint) {
    try (Trainer trainer = new Trainer(backend, data, config)) {
      RunFileException e = assertThrows(RunFileException.class, () -> trainer.restore(checkpoint));
      assertEquals(message, e.getMessage());
    }
  }

  @Test
  void everyChangedByteIsNoticed() throws IOException {
    Path file = checkpoint(config("rais").build(), 40);
    long size = Files.size(file);
    Random random = new Random(1);
    for (int k = 0; k < 200; k++) {
      long at = k < 40 ? k : random.nextLong(size);
      try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
        bytes.seek(at);
        int was = bytes.read();
        int flipped = was ^ 1 << random.nextInt(8);
        bytes.seek(at);
        bytes.write(flipped);
        assertThrows(RunFileException.class, () -> Checkpoint.read(file), "byte " + at);
        bytes.seek(at);
        bytes.write(was);
      }
    }
    Checkpoint.read(file);
    byte[] all = Files.readAllBytes(file);
    for (int k = 0; k < 50; k++) {
      Files.write(file, java.util.Arrays.copyOf(all, random.nextInt(all.length)));
      assertThrows(RunFileException.class, () -> Checkpoint.read(file));
    }
  }

  @Test
  void aDamagedCheckpointIsSkippedForTheOneBefore() throws IOException {
    Path run = folder.resolve("run");
    TrainingConfig config = config("uniform").build();
    List<String> warnings = new ArrayList<>();
    try (Trainer trainer = new Trainer(backend, data, config);
        Checkpoints checkpoints =
            new Checkpoints(run, CheckpointInterval.parse("1h"), 2, warnings::add)) {
      for (int t = 1; t <= 3; t++) {
        trainer.advance(new TrainingListener() {});
        checkpoints.writeNow(trainer);
      }
    }
    List<Path> files = Checkpoints.list(run);
    assertEquals(
        List.of("0000000002.safetensors", "0000000003.safetensors"),
        files.stream().map(f -> f.getFileName().toString()).toList());
    assertEquals(3, Checkpoints.newest(run, warnings::add).orElseThrow().iteration());
    assertEquals(List.of(), warnings);
    byte[] bytes = Files.readAllBytes(files.get(1));
    bytes[bytes.length / 2] ^= 4;
    Files.write(files.get(1), bytes);
    assertEquals(2, Checkpoints.newest(run, warnings::add).orElseThrow().iteration());
    assertEquals(1, warnings.size());
    assertTrue(warnings.getFirst().startsWith(files.get(1) + " is damaged"), warnings.toString());
  }

  @Test
  void checkpointsComeAsOftenAsAsked() throws IOException {
    Path run = folder.resolve("run");
    TrainingConfig config = config("uniform").epochs(2).build();
    try (Trainer trainer = new Trainer(backend, data, config);
        Checkpoints checkpoints =
            new Checkpoints(
                run,
                CheckpointInterval.parse("0.5"),
                100,
                warning -> {
                  throw new AssertionError(warning);
                })) {
      while (!trainer.finished()) {
        trainer.advance(new TrainingListener() {});
        checkpoints.stepped(trainer);
        // Else a checkpoint could be due while the one before is still being written.
        try {
          Thread.sleep(20);
        } catch (InterruptedException e) {
          throw new AssertionError(e);
        }
      }
    }
    assertEquals(
        List.of(13L, 26L, 39L),
        Checkpoints.list(run).stream().map(f -> Checkpoint.read(f).iteration()).limit(3).toList());
  }

  @Test
  void theFormatIsSafetensors() throws IOException {
    Path file = folder.resolve("golden.safetensors");
    var values = java.lang.foreign.MemorySegment.ofArray(new float[] {1, -2});
    var longs = java.lang.foreign.MemorySegment.ofArray(new long[] {7});
    new TensorFile(
            Map.of("format", "test"),
            new java.util.TreeMap<>(
                Map.of(
                    "a",
                    new TensorFile.Tensor(dev.rais.sampling.ElementType.F32, List.of(2L), values),
                    "b",
                    new TensorFile.Tensor(dev.rais.sampling.ElementType.I64, List.of(1L), longs))))
        .write(file);
    byte[] bytes = Files.readAllBytes(file);
    String header =
        "{\"__metadata__\":{\"crc32c\":\"%s\",\"format\":\"test\"},"
                .formatted(TensorFile.read(file).metadata().get("crc32c"))
            + "\"b\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
            + "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}";
    int padded = (header.length() + 7) / 8 * 8;
    assertEquals(8 + padded + 16, bytes.length);
    assertEquals(padded, bytes[0] & 0xFF);
    assertEquals(header, new String(bytes, 8, padded, StandardCharsets.UTF_8).stripTrailing());
    assertArrayEquals(
        new byte[] {7, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte) 0x80, 0x3F, 0, 0, 0, (byte) 0xC0},
        java.util.Arrays.copyOfRange(bytes, 8 + padded, bytes.length));
  }

  @Test
  void onlyOneProcessWritesToAFolder() {
    Path run = folder.resolve("run");
    TrainingConfig config = config("uniform").build();
    try (RunDirectory first = RunDirectory.create(run, config)) {
      RunFileException e =
          assertThrows(RunFileException.class, () -> RunDirectory.create(run, config));
      assertTrue(
          e.getMessage().startsWith(run + " is in use by process " + ProcessHandle.current().pid()),
          e.getMessage());
      first.keep();
    }
    assertFalse(Files.exists(run.resolve(RunLock.FILE)));
    try (RunDirectory second = RunDirectory.create(run, config)) {
      assertTrue(Files.exists(run.resolve(RunLock.FILE)));
      assertEquals(run, second.path());
    }
  }

  @Test
  void aConfigurationSurvivesItsWayThroughJsonAndItsBuilder() {
    TrainingConfig config =
        config("rais")
            .draw(DrawMode.IID)
            .schedule(dev.rais.nn.Schedule.COSINE)
            .learningRate(0.1 + 0.2)
            .gainMax(3)
            .async(true)
            .caution(false)
            .smoothing(0.3)
            .roundFraction(0.25)
            .classBalance(true)
            .batchNorm(BatchNormWeights.PLAIN)
            .build();
    RunJson json = new RunJson();
    assertEquals(config, json.read(json.line(config), TrainingConfig.class));
    assertEquals(config, config.toBuilder().build());
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> json.read("{\"data\":1}", TrainingConfig.class));
    assertTrue(e.getMessage().startsWith("no TrainingConfig: "), e.getMessage());
  }

  @Test
  void aDamagedCheckpointDoesNotTakeThePlaceOfLaterGoodOnes() throws IOException {
    Path run = folder.resolve("run");
    TrainingConfig config = config("uniform").build();
    TrainingListener none = new TrainingListener() {};
    try (Trainer trainer = new Trainer(backend, data, config);
        Checkpoints checkpoints =
            new Checkpoints(run, CheckpointInterval.parse("1h"), 2, warning -> {})) {
      for (int t = 1; t <= 5; t++) {
        trainer.advance(none);
        if (t == 2 || t == 5) {
          checkpoints.writeNow(trainer);
        }
      }
    }
    Path damaged = Checkpoints.list(run).getLast();
    Files.write(damaged, new byte[100]);
    try (Trainer trainer = new Trainer(backend, data, config);
        Checkpoints checkpoints =
            new Checkpoints(run, CheckpointInterval.parse("1h"), 1, warning -> {})) {
      trainer.restore(Checkpoints.newest(run, warning -> {}).orElseThrow());
      trainer.advance(none);
      Path written = checkpoints.writeNow(trainer);
      assertEquals(List.of(written), Checkpoints.list(run));
      assertEquals(3, Checkpoints.newest(run, warning -> {}).orElseThrow().iteration());
    }
  }

  @Test
  void aFailedEarlySyncIsReportedAsWhatItIs() throws IOException {
    byte[] piece = new byte[9 << 20];
    Path file = folder.resolve("large");
    try (FileChannel good =
            FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileChannel failing =
            new FilterFileChannel(good) {
              @Override
              public void force(boolean metadata) throws IOException {
                throw new IOException("Input/output error");
              }
            }) {
      IOException e =
          assertThrows(
              IOException.class,
              () -> {
                try (EarlySync sync = new EarlySync(failing)) {
                  for (int k = 0; k < 100; k++) {
                    failing.write(ByteBuffer.wrap(piece), 0);
                    failing.position((k + 1L) * piece.length);
                    sync.written();
                    Thread.sleep(20);
                  }
                }
              });
      assertEquals("Input/output error", e.getMessage());
    }
  }
}
