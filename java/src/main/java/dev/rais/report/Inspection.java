package dev.rais.report;

import dev.rais.backend.Backend;
import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.nn.Network;
import dev.rais.train.DrawCounts;
import dev.rais.train.ModelFile;
import dev.rais.train.Predictions;
import dev.rais.train.RunDirectory;
import dev.rais.train.RunFileException;
import dev.rais.train.RunRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What a run drew: how often each training image and each class, what the trained network takes
 * them for, and which labels are probably wrong.
 *
 * <p>An image whose label is wrong keeps a large gradient after the network has learned better, so
 * samplers that follow gradients draw it again and again.
 */
public final class Inspection {
  /** Least probability of another class at which a label is taken to be wrong. */
  public static final double CONFIDENT = 0.5;

  /** Labels are doubted among this share of the images, those drawn most. */
  public static final double DOUBTED_SHARE = 0.02;

  private static final String LEAST = "least.png";
  private static final String MOST = "most.png";
  private static final String CLASSES = "classes.csv";
  private static final String EXAMPLES = "examples.csv";
  private static final String LABELS = "label-errors.csv";

  private final Dataset data;
  private final int[] draws;
  private final Predictions predictions;

  /** Image indices, the most often drawn first. */
  private final int[] order;

  /**
   * A training image.
   *
   * @param index in the training set
   * @param label its class
   * @param draws how often it was trained on
   * @param predicted class that the trained network takes it for
   * @param confidence probability of that class
   * @param labelProbability probability of its label
   */
  public record Example(
      int index, int label, int draws, int predicted, double confidence, double labelProbability) {}

  /**
   * A class of the training set.
   *
   * @param label its number
   * @param name its name
   * @param images how many it has
   * @param draws how often they were trained on
   * @param drawsPerImage mean of that
   * @param drawShare share of all draws
   * @param trainError share of its images that the trained network takes for others
   */
  public record ClassDraws(
      int label,
      String name,
      int images,
      long draws,
      double drawsPerImage,
      double drawShare,
      double trainError) {}

  private Inspection(Dataset data, int[] draws, Predictions predictions) {
    this.data = data;
    this.draws = draws;
    this.predictions = predictions;
    // Among images drawn equally often, the less likely its label the further to the front.
    order =
        IntStream.range(0, draws.length)
            .boxed()
            .sorted(
                Comparator.<Integer>comparingInt(i -> -draws[i])
                    .thenComparingDouble(i -> predictions.labelProbability()[i]))
            .mapToInt(i -> i)
            .toArray();
  }

  /**
   * Looks at a run.
   *
   * @param backend where to compute; stays the caller's
   * @param data what the run was trained on
   * @throws RunFileException if the run is not whole, or was trained on other data
   */
  public static Inspection of(Backend backend, RunRecord run, Dataset data) {
    Path file = run.directory().resolve(RunDirectory.DRAWS);
    if (!Files.exists(file)) {
      throw new RunFileException(
          "the run in %s has no %s, from before runs kept it; train it again"
              .formatted(run.directory(), RunDirectory.DRAWS));
    }
    DrawCounts counts = DrawCounts.read(file);
    String found = DrawCounts.fingerprint(data);
    if (!found.equals(counts.data()) || counts.counts().length != data.train().count()) {
      throw new RunFileException(
          "the run in %s was trained on %s, but %s has %s; name its data with --data"
              .formatted(run.directory(), counts.data(), data.name(), found));
    }
    ModelFile model = ModelFile.read(run.directory().resolve(RunDirectory.MODEL));
    try (Network network = model.open(backend)) {
      Predictions predictions =
          Predictions.of(network, data.train(), model.description().normalization());
      return new Inspection(data, counts.counts(), predictions);
    }
  }

  private Example example(int i) {
    return new Example(
        i,
        data.train().label(i),
        draws[i],
        predictions.predicted()[i],
        predictions.confidence()[i],
        predictions.labelProbability()[i]);
  }

  /** The images drawn most often, the most often drawn first. */
  public List<Example> most(int count) {
    return IntStream.range(0, Math.min(count, order.length))
        .mapToObj(k -> example(order[k]))
        .toList();
  }

  /** The images drawn least often, the least often drawn first. */
  public List<Example> least(int count) {
    return IntStream.range(0, Math.min(count, order.length))
        .mapToObj(k -> example(order[order.length - 1 - k]))
        .toList();
  }

  /** The images that {@link #DOUBTED_SHARE} is of. */
  public List<Example> mostShare() {
    return most((int) Math.ceil(DOUBTED_SHARE * order.length));
  }

  /** Of the images drawn most, those confidently taken for another class: probably mislabelled. */
  public List<Example> labelErrors() {
    return mostShare().stream()
        .filter(e -> e.predicted() != e.label() && e.confidence() >= CONFIDENT)
        .sorted(Comparator.comparingDouble(Example::labelProbability))
        .toList();
  }

  /** The classes, in order. */
  public List<ClassDraws> classes() {
    ImageSet train = data.train();
    int classes = data.numClasses();
    int[] images = train.classCounts(classes);
    long[] drawn = new long[classes];
    int[] errors = new int[classes];
    long all = 0;
    for (int i = 0; i < draws.length; i++) {
      int label = train.label(i);
      drawn[label] += draws[i];
      all += draws[i];
      errors[label] += predictions.predicted()[i] == label ? 0 : 1;
    }
    List<ClassDraws> rows = new ArrayList<>();
    for (int k = 0; k < classes; k++) {
      rows.add(
          new ClassDraws(
              k,
              data.classNames().get(k),
              images[k],
              drawn[k],
              (double) drawn[k] / images[k],
              (double) drawn[k] / all,
              (double) errors[k] / images[k]));
    }
    return rows;
  }

  /** Whether all images were drawn about equally often, so that their order says little. */
  public boolean isUniform() {
    int least = draws[order[order.length - 1]];
    return draws[order[0]] <= least + 1;
  }

  /**
   * Writes the contact sheets and tables.
   *
   * @param images how many to show on a sheet
   * @throws RunFileException if that fails
   */
  public void write(Path folder, int images) {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new RunFileException("cannot make the folder %s: %s".formatted(folder, e), e);
    }
    CaptionedSheet sheet = new CaptionedSheet(data);
    sheet.write(folder.resolve(MOST), most(images));
    sheet.write(folder.resolve(LEAST), least(images));
    StringBuilder classes =
        new StringBuilder("class,name,images,draws,draws_per_image,draw_share,train_error\n");
    for (ClassDraws row : classes()) {
      classes.append(
          String.format(
              Locale.ROOT,
              "%d,%s,%d,%d,%.4f,%.6f,%.6f\n",
              row.label(),
              quoted(row.name()),
              row.images(),
              row.draws(),
              row.drawsPerImage(),
              row.drawShare(),
              row.trainError()));
    }
    RunDirectory.writeText(folder.resolve(CLASSES), classes.toString());
    examples(folder.resolve(EXAMPLES), IntStream.range(0, draws.length).mapToObj(this::example));
    examples(folder.resolve(LABELS), labelErrors().stream());
  }

  /** Line by line: of ten million images the text would not fit into an array. */
  private void examples(Path file, Stream<Example> examples) {
    String head = "index,class,name,draws,predicted,predicted_name,confidence,label_probability";
    RunDirectory.writeLines(
        file, Stream.concat(Stream.of(head), examples.map(this::line)).iterator());
  }

  private String line(Example e) {
    return String.format(
        Locale.ROOT,
        "%d,%d,%s,%d,%d,%s,%.6f,%.6g",
        e.index(),
        e.label(),
        quoted(data.classNames().get(e.label())),
        e.draws(),
        e.predicted(),
        quoted(data.classNames().get(e.predicted())),
        e.confidence(),
        e.labelProbability());
  }

  /** A field of a CSV file (RFC 4180). */
  private static String quoted(String text) {
    return text.matches("[^\",\r\n]*") ? text : '"' + text.replace("\"", "\"\"") + '"';
  }
}
