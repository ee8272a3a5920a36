package dev.rais.faults;

import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A program of its own for {@link OutOfMemoryTest}: trains again and again, each time with another
 * failure, and prints what should not have been, then how many failures there were.
 */
final class FaultProbe {
  private static final int MOST_PROBLEMS = 20;

  private final TrainingUnderFaults training;
  private int failures;
  private int problems;

  private FaultProbe(TrainingUnderFaults training) {
    this.training = training;
  }

  /** Arguments: a folder to work in, and the options of {@code rais train}. */
  public static void main(String[] args) throws Exception {
    List<String> options = List.of(args).subList(1, args.length);
    FaultProbe probe = new FaultProbe(new TrainingUnderFaults(Path.of(args[0]), options));
    probe.all();
    System.out.println("failures: " + probe.failures);
  }

  private void all() throws Exception {
    training.trainWithoutFaults();
    Map<String, Integer> visits = Faults.visits();
    long begin = System.nanoTime();
    for (Faults.Target target : targets(visits)) {
      attempt(target);
    }
    System.out.println("seconds: " + (System.nanoTime() - begin) / 1e9);
  }

  /** Each request for native memory and of oneDNN; elsewhere the first and the last time. */
  private static Set<Faults.Target> targets(Map<String, Integer> visits) {
    Set<Faults.Target> targets = new LinkedHashSet<>();
    visits.forEach(
        (place, count) -> {
          boolean each = place.equals("native memory") || place.equals("oneDNN");
          for (int visit = 0; visit < count; visit++) {
            if (each || visit == 0 || visit == count - 1) {
              targets.add(new Faults.Target(place, visit));
            }
          }
        });
    System.out.println("targets: " + targets.size());
    System.out.println(
        "native: " + visits.get("native memory") + " onednn " + visits.get("oneDNN"));
    return targets;
  }

  private void attempt(Faults.Target target) throws Exception {
    try {
      training.train(target, target.place().equals("oneDNN") ? "oneDNN" : "memory");
      failures++;
    } catch (AssertionError e) {
      System.out.println("problem: %s: %s".formatted(target, e.getMessage()));
      if (Boolean.getBoolean("trace")) {
        e.printStackTrace(System.out);
      }
      if (++problems == MOST_PROBLEMS) {
        throw e;
      }
    }
  }
}
