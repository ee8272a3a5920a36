package dev.rais.faults;

import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * A program of its own for {@link FaultsTest}: trains again and again, each time with another
 * failure, and prints what should not have been, then how many failures there were.
 */
final class FaultProbe {
  private static final int MOST_PROBLEMS = 20;

  /** Every minibatch comes by here. */
  private static final String STEP = "dev/rais/train/HostSteps.step";

  private final TrainingUnderFaults training;
  private final Pattern places;
  private final int part;
  private final int parts;
  private int failures;
  private int problems;

  private FaultProbe(TrainingUnderFaults training, Pattern places, int part, int parts) {
    this.training = training;
    this.places = places;
    this.part = part;
    this.parts = parts;
  }

  /**
   * Arguments: a folder to work in; a pattern of places; which part of them, from 0, of how many;
   * the options of {@code rais train}.
   */
  public static void main(String[] args) throws Exception {
    FaultProbe probe =
        new FaultProbe(
            new TrainingUnderFaults(Path.of(args[0]), List.of(args).subList(4, args.length)),
            Pattern.compile(args[1]),
            Integer.parseInt(args[2]),
            Integer.parseInt(args[3]));
    probe.all();
    System.out.println("failures: " + probe.failures);
  }

  private void all() throws Exception {
    training.trainWithoutFaults();
    Map<String, Integer> begun = Faults.visits();
    for (Faults.Target target : targets(begun)) {
      attempt(target, () -> training.train(target));
    }
    training.interrupt(lastStep(begun));
    training.resumeWithoutFaults();
    Map<String, Integer> resumed = Faults.visits();
    resumed.keySet().removeIf(place -> begun.containsKey(place) && !isRequest(place));
    for (Faults.Target target : targets(resumed)) {
      attempt(target, () -> training.resume(target));
    }
  }

  private static Faults.Target lastStep(Map<String, Integer> visits) {
    return visits.entrySet().stream()
        .filter(e -> e.getKey().startsWith(STEP))
        .map(e -> new Faults.Target(e.getKey(), e.getValue() - 1))
        .findFirst()
        .orElseThrow();
  }

  private static boolean isRequest(String place) {
    return place.equals(Faults.NATIVE_MEMORY) || place.startsWith(Faults.ONEDNN);
  }

  /**
   * A part of the requests for native memory, of oneDNN's objects and of the runs of its
   * primitives, and of the other places, these the first and the last time.
   */
  private Set<Faults.Target> targets(Map<String, Integer> visits) {
    Set<Faults.Target> targets = new LinkedHashSet<>();
    visits.forEach(
        (place, count) -> {
          for (int visit = 0; visit < count; visit++) {
            if (places.matcher(place).lookingAt() && isTried(place, visit, count)) {
              targets.add(new Faults.Target(place, visit));
            }
          }
        });
    return targets;
  }

  private boolean isTried(String place, int visit, int count) {
    if (isRequest(place) || place.equals(Faults.ONEDNN_RUNS)) {
      return visit % parts == part;
    }
    boolean ofPart = Math.floorMod(place.hashCode(), parts) == part;
    return ofPart && (visit == 0 || visit == count - 1);
  }

  private interface Attempt {
    void run() throws Exception;
  }

  private void attempt(Faults.Target target, Attempt attempt) throws Exception {
    try {
      attempt.run();
      failures++;
    } catch (AssertionError e) {
      System.out.println("problem: %s: %s".formatted(target, e.getMessage()));
      if (++problems == MOST_PROBLEMS) {
        throw e;
      }
    }
  }
}
