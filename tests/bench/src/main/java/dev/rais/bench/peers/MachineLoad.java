package dev.rais.bench.peers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Processor time that the whole machine has spent, as Linux tells it. */
public final class MachineLoad {
  private static final Path STAT = Path.of("/proc/stat");

  /** Linux counts in hundredths of a second, whatever its timer does. */
  private static final double TICKS_PER_SECOND = 100;

  private static final int IDLE = 3;
  private static final int WAITING = 4;

  /** user, nice, system, idle, iowait, irq, softirq, steal; the rest is counted in these. */
  private static final int COLUMNS = 8;

  private MachineLoad() {}

  /** Seconds of all cores since the start, without idling; NaN where the system does not tell. */
  public static double busySeconds() {
    try {
      String[] columns = Files.readAllLines(STAT).getFirst().split(" +");
      long ticks = 0;
      for (int i = 0; i < COLUMNS; i++) {
        if (i != IDLE && i != WAITING) {
          ticks += Long.parseLong(columns[i + 1]);
        }
      }
      return ticks / TICKS_PER_SECOND;
    } catch (IOException e) {
      return Double.NaN;
    }
  }
}
