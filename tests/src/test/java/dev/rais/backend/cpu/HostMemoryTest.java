package dev.rais.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is left is the least of what the machine and the control groups leave. */
class HostMemoryTest {
  @TempDir Path folder;
  private Path proc;
  private Path groups;

  @BeforeEach
  void machine() throws IOException {
    proc = folder.resolve("proc");
    groups = folder.resolve("cgroup");
    write("proc/meminfo", "MemTotal:  2000 kB\nMemFree: 10 kB\nMemAvailable:    1000 kB\n");
  }

  private void write(String file, String text) throws IOException {
    Path path = folder.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
  }

  private long available() {
    return HostMemory.available(proc, groups);
  }

  @Test
  void withoutGroupsItIsWhatTheMachineHas() {
    assertEquals(1_024_000, available());
  }

  @Test
  void aGroupsLimitCountsLessWhatItUsesButForItsCache() throws IOException {
    write("proc/self/cgroup", "0::/outer/inner\n");
    write("cgroup/outer/inner/memory.max", "500000\n");
    write("cgroup/outer/inner/memory.current", "300000\n");
    assertEquals(200_000, available());
    write("cgroup/outer/inner/memory.stat", "anon 5\ninactive_file 100000\n");
    assertEquals(300_000, available());
    write("cgroup/outer/inner/memory.max", "max\n");
    assertEquals(1_024_000, available(), "no limit");
    write("cgroup/outer/memory.max", "400000\n");
    write("cgroup/outer/memory.current", "399000\n");
    assertEquals(1_000, available(), "the group around it has one");
    write("cgroup/outer/memory.current", "401000\n");
    assertEquals(0, available());
  }

  @Test
  void versionOneIsReadToo() throws IOException {
    write("proc/self/cgroup", "9:cpu,cpuacct:/x\n4:memory:/job\n0::/\n");
    write("cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
    write("cgroup/memory/job/memory.usage_in_bytes", "1000\n");
    assertEquals(1_024_000, available());
    write("cgroup/memory/job/memory.limit_in_bytes", "50000\n");
    write("cgroup/memory/job/memory.stat", "inactive_file 3\ntotal_inactive_file 500\n");
    assertEquals(49_500, available());
  }

  @Test
  void insideAContainerTheGroupAtTheRootCounts() throws IOException {
    write("proc/self/cgroup", "0::/names/of/the/host\n");
    write("cgroup/memory.max", "70000\n");
    write("cgroup/memory.current", "20000\n");
    assertEquals(50_000, available());
  }

  @Test
  void thisMachineHasSome() {
    long total =
        ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getTotalMemorySize();
    assertTrue(HostMemory.available() > 0);
    assertTrue(HostMemory.available() <= total);
    assertEquals(
        total, HostMemory.available(folder.resolve("none"), groups), "all that is known elsewhere");
  }
}
