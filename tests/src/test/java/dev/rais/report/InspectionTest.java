package dev.rais.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.data.ImageSet;
import dev.rais.nn.Shape;
import dev.rais.train.ModelFile;
import dev.rais.train.RunDirectory;
import dev.rais.train.RunFileException;
import dev.rais.train.RunRecord;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a run drew most is what it has trouble with, wrong labels first. */
class InspectionTest {
  @TempDir Path folder;

  /** The data set that labels are planted in; another one takes longer. */
  private static final String PLANTED_IN =
      System.getProperty("rais.test.planted", "fashion-mnist-sample");

  private final Dataset sample = Datasets.load("fashion-mnist-sample", null);

  private RunRecord train(Backend backend, Dataset data, String model, String sampler, int epochs) {
    TrainingConfig config =
        TrainingConfig.builder(data.name(), model, sampler).epochs(epochs).batchSize(32).build();
    ImageSet images = data.train();
    try (Trainer trainer = new Trainer(backend, data, config);
        RunDirectory run = RunDirectory.create(folder.resolve("run"), config)) {
      trainer.run(
          new TrainingListener() {
            @Override
            public void evaluated(dev.rais.train.Metrics metrics) {
              run.add(metrics);
            }
          });
      run.finish(
          trainer,
          new ModelFile.Description(
              model,
              new Shape(images.height(), images.width(), images.channels()),
              data.classNames(),
              data.normalization(),
              data.name(),
              sampler));
    }
    return RunRecord.read(folder.resolve("run"));
  }

  /** One label in a hundred becomes that of another class; the rest of the set is as it was. */
  private static Dataset plant(Dataset data, Set<Integer> planted, long seed) {
    Random random = new Random(seed);
    int n = data.train().count();
    int[] labels = data.train().labels().clone();
    while (planted.size() < n / 100) {
      int i = random.nextInt(n);
      if (planted.add(i)) {
        labels[i] = (labels[i] + 1 + random.nextInt(data.numClasses() - 1)) % data.numClasses();
      }
    }
    ImageSet train = data.train();
    return new Dataset(
        "planted",
        new ImageSet(train.height(), train.width(), train.channels(), train.pixels(), labels),
        data.test(),
        data.classNames());
  }

  @Test
  void plantedLabelErrorsAreAmongTheImagesDrawnMost() {
    Set<Integer> planted = new HashSet<>();
    Path folderOfData =
        PLANTED_IN.endsWith("-sample") ? null : dev.rais.TestData.folderWith(PLANTED_IN);
    Dataset data = plant(Datasets.load(PLANTED_IN, folderOfData), planted, 7);
    try (Backend backend = Backends.open("cpu", 1, warning -> {})) {
      RunRecord run = train(backend, data, "lenet5", "rais", 8);
      Inspection inspection = Inspection.of(backend, run, data);
      List<Inspection.Example> most = inspection.mostShare();
      assertEquals(Math.ceil(0.02 * data.train().count()), most.size());
      long found = most.stream().filter(e -> planted.contains(e.index())).count();
      assertTrue(2 * found >= planted.size(), found + " of " + planted.size() + " in the top 2 %");
      Set<Integer> doubted =
          inspection.labelErrors().stream()
              .map(Inspection.Example::index)
              .collect(Collectors.toSet());
      long named = planted.stream().filter(doubted::contains).count();
      assertTrue(2 * named >= planted.size(), named + " of " + planted.size() + " named");
    }
  }

  @Test
  void tablesAndSheetsAgreeWithTheRun() throws IOException {
    Dataset data =
        new Dataset(
            "small", sample.train().slice(0, 800), sample.test().slice(0, 100), classNames());
    try (Backend backend = Backends.open("cpu", 1, warning -> {})) {
      RunRecord run = train(backend, data, "mlp", "rais", 4);
      Inspection inspection = Inspection.of(backend, run, data);
      long drawn = run.summary().orElseThrow().iterations() * 32;
      assertEquals(
          drawn, inspection.classes().stream().mapToLong(Inspection.ClassDraws::draws).sum());
      assertEquals(
          1,
          inspection.classes().stream().mapToDouble(Inspection.ClassDraws::drawShare).sum(),
          1e-12);
      List<Inspection.Example> all = inspection.most(800);
      assertEquals(
          800, all.stream().map(Inspection.Example::index).collect(Collectors.toSet()).size());
      for (int k = 1; k < all.size(); k++) {
        assertTrue(all.get(k).draws() <= all.get(k - 1).draws(), "by falling number of draws");
      }
      assertEquals(all.getLast(), inspection.least(1).getFirst());
      double wrong = all.stream().filter(e -> e.predicted() != e.label()).count() / 800.0;
      // The last evaluation went over the same images with the same network.
      double loss = all.stream().mapToDouble(e -> -Math.log(e.labelProbability())).sum() / 800;
      assertEquals(run.summary().orElseThrow().finalTrainLoss(), loss, 1e-4);
      double byClass =
          inspection.classes().stream().mapToDouble(c -> c.trainError() * c.images()).sum() / 800;
      assertEquals(wrong, byClass, 1e-12);

      Path out = folder.resolve("out");
      inspection.write(out, 25);
      List<String> examples = Files.readAllLines(out.resolve("examples.csv"));
      assertEquals(801, examples.size());
      Inspection.Example first = all.getFirst();
      assertTrue(
          examples.get(1 + first.index()).startsWith(first.index() + "," + first.label() + ","),
          "in the order of the training set");
      List<String> classes = Files.readAllLines(out.resolve("classes.csv"));
      assertEquals(11, classes.size());
      assertTrue(
          classes.get(1).startsWith("0,\"with, comma \"\"and quotes\"\"\","), classes.get(1));
      assertEquals(
          1 + inspection.labelErrors().size(),
          Files.readAllLines(out.resolve("label-errors.csv")).size());
      for (String name : List.of("most.png", "least.png")) {
        BufferedImage sheet = ImageIO.read(out.resolve(name).toFile());
        assertEquals(10 * (108 + 6) + 6, sheet.getWidth());
        assertEquals(3 * (84 + 45 + 6) + 6, sheet.getHeight(), "three rows of ten");
        assertTrue(showsImage(sheet, data.train(), name, inspection), name);
      }
    }
  }

  /** The first image of a sheet, three times as large, is in its corner. */
  private static boolean showsImage(
      BufferedImage sheet, ImageSet train, String name, Inspection inspection) {
    int index =
        (name.startsWith("most") ? inspection.most(1) : inspection.least(1)).getFirst().index();
    byte[] pixels = train.image(index);
    for (int y = 0; y < 84; y++) {
      for (int x = 0; x < 84; x++) {
        int grey = pixels[y / 3 * 28 + x / 3] & 0xff;
        if ((sheet.getRGB(6 + x, 6 + y) & 0xffffff) != (grey << 16 | grey << 8 | grey)) {
          return false;
        }
      }
    }
    return true;
  }

  private List<String> classNames() {
    List<String> names = new java.util.ArrayList<>(sample.classNames());
    names.set(0, "with, comma \"and quotes\"");
    return names;
  }

  @Test
  void otherDataAreRefused() {
    Dataset data =
        new Dataset(
            "small", sample.train().slice(0, 400), sample.test().slice(0, 100), classNames());
    Dataset other =
        new Dataset(
            "small", sample.train().slice(1, 401), sample.test().slice(0, 100), classNames());
    try (Backend backend = Backends.open("cpu", 1, warning -> {})) {
      RunRecord run = train(backend, data, "mlp", "uniform", 1);
      assertTrue(Inspection.of(backend, run, data).isUniform());
      RunFileException e =
          assertThrows(RunFileException.class, () -> Inspection.of(backend, run, other));
      assertTrue(e.getMessage().contains("was trained on 400 training"), e.getMessage());
    }
  }
}
