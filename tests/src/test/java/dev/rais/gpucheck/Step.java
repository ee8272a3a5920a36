package dev.rais.gpucheck;

import java.time.Duration;

/**
 * A step of the check.
 *
 * @param name as {@code --only} and the results name it
 * @param needsGpu whether it is left out without a device
 * @param limit how long it may take
 * @param body does it
 */
record Step(String name, boolean needsGpu, Duration limit, Body body) {
  /** What a step does, within a time. */
  interface Body {
    Result run(Duration limit) throws Exception;
  }

  /** Runs it, unless it lacks a device; whatever goes wrong is its result. */
  Result run(String noGpu) {
    if (needsGpu && noGpu != null) {
      return Result.notRun(noGpu).of(name, 0);
    }
    long begun = System.nanoTime();
    Result result;
    try {
      result = body.run(limit);
    } catch (Exception e) {
      result = Result.failed(e.toString());
    }
    return result.of(name, (System.nanoTime() - begun) / 1e9);
  }
}
