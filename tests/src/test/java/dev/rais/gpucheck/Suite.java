package dev.rais.gpucheck;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.PrintWriter;
import java.util.Arrays;
import org.junit.platform.engine.discovery.ClassNameFilter;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/**
 * Runs test classes by name. Ends with 0 if all that was found passed, 1 if something failed, 3 if
 * nothing was executed: a suite that skips itself has not passed.
 */
final class Suite {
  private Suite() {}

  public static void main(String[] classes) {
    LauncherDiscoveryRequest request =
        LauncherDiscoveryRequestBuilder.request()
            .selectors(
                Arrays.stream(classes)
                    .map(name -> selectClass(name))
                    .toArray(org.junit.platform.engine.DiscoverySelector[]::new))
            .filters(ClassNameFilter.includeClassNamePatterns(".*"))
            .build();
    var listener = new SummaryGeneratingListener();
    LauncherFactory.create().execute(request, listener);
    TestExecutionSummary summary = listener.getSummary();
    summary.printFailuresTo(new PrintWriter(System.out, true), 20);
    System.out.printf(
        "{\"executed\": %d, \"passed\": %d, \"failed\": %d, \"skipped\": %d}%n",
        summary.getTestsStartedCount(),
        summary.getTestsSucceededCount(),
        summary.getTotalFailureCount(),
        summary.getTestsSkippedCount() + summary.getTestsAbortedCount());
    System.out.flush();
    System.exit(exitCode(summary));
  }

  private static int exitCode(TestExecutionSummary summary) {
    if (summary.getTotalFailureCount() > 0) {
      return 1;
    }
    return summary.getTestsSucceededCount() == 0 ? 3 : 0;
  }
}
