package dev.rais.gpucheck;

import java.time.Duration;

/**
 * A step of the check.
 *
 * @param name as {@code --steps} and the results name it
 * @param needsGpu whether it is left out without a device
 * @param limit how long it may take
 * @param body does it
 */
record Step(String name, boolean needsGpu, Duration limit, Body body) {
  /** Name of a value: when the step was ended before all was measured, in words. */
  static final String ENDED = "ended";

  /** Less time than that is not worth beginning with. */
  static final Duration LEAST = Duration.ofSeconds(5);

  /** What a step does, within a time. */
  interface Body {
    Result run(Duration limit) throws Exception;
  }

  /**
   * Runs it, unless it lacks a device or time; whatever goes wrong is its result.
   *
   * @param noGpu why there is no device; null if there is one
   * @param left time that all steps still have
   */
  Result run(String noGpu, Duration left) {
    if (needsGpu && noGpu != null) {
      return Result.notRun(noGpu).of(name, 0);
    }
    boolean cut = left.compareTo(limit) < 0;
    if (cut && left.compareTo(LEAST) < 0) {
      return Result.notRun("no time was left; --resume goes on").of(name, 0);
    }
    long begun = System.nanoTime();
    Result result;
    try {
      result = body.run(cut ? left : limit);
      if (cut && result.values().containsKey(ENDED)) {
        result = result.unfinished();
      }
    } catch (Programs.Late e) {
      // Its own limit is its fault, that of the whole check is not.
      result =
          cut
              ? Result.notRun(
                  "it was ended after the %d s that were left".formatted(left.toSeconds()))
              : Result.failed(e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      result = Result.notRun("interrupted");
    } catch (Exception e) {
      result = Result.failed(e.getMessage() == null ? e.toString() : words(e));
    }
    return result.of(name, (System.nanoTime() - begun) / 1e9);
  }

  private static String words(Exception e) {
    return e instanceof Programs.Bad ? e.getMessage() : e.toString();
  }
}
