package dev.rais.bench.soak;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.Schedule;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** What {@link LongSoak} runs in a JVM of its own; prints a JSON object as its last line. */
final class LongRun {
  /** Share of the steps after which memory must have come to rest. */
  private static final double WARM_UP = 0.2;

  record Result(
      String bench,
      long steps,
      int trainers,
      double rssGrowthPercent,
      long handlesLeaked,
      long warmRssKiB,
      long endRssKiB) {}

  private LongRun() {}

  /** Arguments: steps, trainers. */
  public static void main(String[] args) throws IOException {
    long steps = Long.parseLong(args[0]);
    int trainers = Integer.parseInt(args[1]);
    Dataset sample = Datasets.load("fashion-mnist-sample", null);
    Dataset data =
        new Dataset(
            "small",
            sample.train().slice(0, 1000),
            sample.test().slice(0, 100),
            sample.classNames());
    long warm = 0;
    openAndClose(data, 3);
    long handles = handles();
    // Rounds of a thousand steps or so: a schedule of its own length never ends too soon.
    TrainingConfig config =
        TrainingConfig.builder("small", "mlp", "rais")
            .batchSize(16)
            .schedule(Schedule.CONSTANT)
            .learningRate(1e-4)
            .epochs(1e6)
            .evalEvery(500)
            .caution(false)
            .build();
    long end;
    try (Backend backend = Backends.open("cpu", 2, warning -> {});
        Trainer trainer = new Trainer(backend, data, config)) {
      for (long t = 0; t < steps; t++) {
        trainer.advance(new TrainingListener() {});
        if (t % 100 == 0) {
          trainer.checkpoint();
        }
        if (t == (long) (WARM_UP * steps)) {
          warm = rss();
          System.out.println("after warm-up: " + warm + " KiB resident");
        }
      }
      end = rss();
      System.out.println("after " + steps + " steps: " + end + " KiB resident");
    }
    openAndClose(data, trainers);
    long after = rss();
    System.out.println("after " + trainers + " trainers: " + after + " KiB resident");
    long most = Math.max(end, after);
    Result result =
        new Result(
            "soak-long",
            steps,
            trainers,
            100.0 * (most - warm) / warm,
            handles() - handles,
            warm,
            most);
    System.out.println(new ObjectMapper().writeValueAsString(result));
  }

  private static void openAndClose(Dataset data, int times) {
    try (Backend backend = Backends.open("cpu", 2, warning -> {})) {
      for (int k = 0; k < times; k++) {
        TrainingConfig config =
            TrainingConfig.builder("small", "mlp", "rais").batchSize(16).epochs(1).build();
        try (Trainer trainer = new Trainer(backend, data, config)) {
          trainer.advance(new TrainingListener() {});
        }
      }
    }
  }

  /** Threads and open files, once finished ones have had time to go. */
  private static long handles() throws IOException {
    try {
      System.gc();
      Thread.sleep(500);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return count(Path.of("/proc/self/fd")) + count(Path.of("/proc/self/task"));
  }

  private static long count(Path folder) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.count();
    }
  }

  private static long rss() throws IOException {
    System.gc();
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
      return lines
          .filter(line -> line.startsWith("VmRSS:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
          .findFirst()
          .orElseThrow();
    }
  }
}
