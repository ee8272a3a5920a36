package dev.rais.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What every backend must do, whatever computes: the right numbers ({@link ConformanceCases}), the
 * right refusals ({@link MisuseCases}), and memory that behaves.
 *
 * <p>To put a backend under the suite, extend this class in one line and say how to make the
 * backend:
 *
 * <pre>{@code
 * class MyBackendConformanceTest extends BackendConformance {
 *   protected Backend create() {
 *     return new MyBackend();
 *   }
 * }
 * }</pre>
 *
 * <p>Where it may be missing, {@code create} first calls {@link dev.rais.Requirements#need}.
 *
 * <p>Numbers are random and new in every run; a failure prints the seed, and {@code
 * -Drais.test.seed=SEED} repeats it.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class BackendConformance {
  private static final String SEED = "rais.test.seed";

  private final long seed = Long.getLong(SEED, System.nanoTime() % 1_000_000_007);
  private final Map<Op, Integer> executed = new EnumMap<>(Op.class);
  private Backend backend;

  /** Makes the backend under test. */
  protected abstract Backend create();

  /**
   * Whether batch norm's statistics are sums of floats around a value of the channel's own: then
   * their errors are relative to the range of its values instead of to their deviation, which is
   * less where something light lies far off.
   */
  protected boolean sumsMomentsInFloat() {
    return false;
  }

  /**
   * Of how many of an operation's cases one is tried, other ones in every run: more than 1 for a
   * backend that differs from another one under test by how it gets its memory.
   */
  protected int oneIn() {
    return 1;
  }

  @BeforeAll
  final void open() {
    backend = create();
  }

  @AfterAll
  final void close() {
    if (backend != null) {
      backend.close();
    }
  }

  /** The table, one container per operation, then the check that no operation went untried. */
  @TestFactory
  final List<DynamicNode> computesWhatTheReferenceComputes() {
    List<DynamicNode> nodes = new ArrayList<>();
    List<Case> table = ConformanceCases.all(backend.activations());
    for (Op op : Op.values()) {
      List<Case> cases = table.stream().filter(c -> c.op() == op).toList();
      nodes.add(dynamicContainer(op.toString(), chosen(cases).map(this::numeric).toList()));
    }
    nodes.add(dynamicTest("every supported operation was tried", this::checkCoverage));
    return nodes;
  }

  private Stream<Case> chosen(List<Case> cases) {
    int step = oneIn();
    int first = Math.toIntExact(Math.floorMod(seed, (long) Math.clamp(cases.size(), 1, step)));
    return IntStream.range(0, cases.size()).filter(i -> i % step == first).mapToObj(cases::get);
  }

  private DynamicTest numeric(Case testCase) {
    return dynamicTest(
        testCase.name(),
        () -> {
          requireSupport(testCase.op());
          executed.merge(testCase.op(), 1, Integer::sum);
          execute(testCase);
        });
  }

  private void execute(Case testCase) {
    try (Trial trial = new Trial(testCase.name(), seed, backend, sumsMomentsInFloat())) {
      testCase.body().accept(backend, trial);
    }
  }

  private void requireSupport(Op op) {
    Assumptions.assumeTrue(
        backend.supports(op), () -> backend.description() + " does not have " + op);
  }

  private void checkCoverage() {
    System.out.println(backend.description() + ", seed " + seed + ": cases run " + executed);
    assertFalse(executed.isEmpty(), "no conformance case was run");
    for (Op op : Op.values()) {
      if (backend.supports(op)) {
        assertTrue(executed.getOrDefault(op, 0) > 0, "no case of " + op + " was run");
      }
    }
  }

  @TestFactory
  final List<DynamicTest> refusesMisuse() {
    return chosen(MisuseCases.all(backend.activations()))
        .map(
            c ->
                dynamicTest(
                    c.name(),
                    () -> {
                      requireSupport(c.op());
                      execute(c);
                    }))
        .toList();
  }

  @Test
  final void hasANameAndADescription() {
    assertFalse(backend.name().isBlank());
    assertFalse(backend.description().isBlank());
  }

  @Test
  final void newMemoryIsZero() {
    try (Buffer used = backend.allocate(DType.FLOAT32, 4099)) {
      float[] ones = new float[4099];
      Arrays.fill(ones, 1f);
      used.upload(ones);
    }
    try (Buffer fresh = backend.allocate(DType.FLOAT32, 4099)) {
      assertArrayEquals(new float[4099], fresh.toFloats());
    }
  }

  @Test
  final void memoryReturnsWhatItWasGiven() {
    try (Buffer floats = backend.allocate(DType.FLOAT32, 3);
        Buffer bytes = backend.allocate(DType.UINT8, 3);
        Buffer copy = backend.allocate(DType.FLOAT32, 3)) {
      floats.upload(new float[] {9, 1, -0f, Float.MIN_VALUE, 9}, 1);
      float[] target = {7, 7, 7, 7, 7};
      floats.download(target, 2);
      assertArrayEquals(new float[] {7, 7, 1, -0f, Float.MIN_VALUE}, target);
      bytes.upload(new byte[] {0, 1, -1, 5}, 1);
      byte[] found = new byte[3];
      bytes.download(found);
      assertArrayEquals(new byte[] {1, -1, 5}, found);
      copy.copyFrom(floats);
      assertArrayEquals(new float[] {1, -0f, Float.MIN_VALUE}, copy.toFloats());
      copy.fillZero();
      assertArrayEquals(new float[3], copy.toFloats());
      assertArrayEquals(new float[] {1, -0f, Float.MIN_VALUE}, floats.toFloats());
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"DEVICE", "HOST"})
  final void wrappedBytesAreABuffer(Placement place) {
    Buffer bytes = backend.wrap(new byte[] {1, -1, 5}, place);
    assertEquals(DType.UINT8, bytes.type());
    assertEquals(3, bytes.count());
    byte[] found = new byte[2];
    Buffer part = bytes.slice(1, 2);
    part.download(found);
    assertArrayEquals(new byte[] {-1, 5}, found);
    try (Buffer copy = backend.allocate(DType.UINT8, 2)) {
      copy.copyFrom(part);
      copy.download(found);
      assertArrayEquals(new byte[] {-1, 5}, found);
    }
    bytes.close();
    bytes.close();
    assertThrows(IllegalStateException.class, () -> bytes.download(new byte[3]));
    assertThrows(IllegalStateException.class, () -> part.download(new byte[2]));
  }

  private List<DType> types() {
    return Arrays.stream(DType.values())
        .filter(type -> type != DType.BFLOAT16 || backend.supports(Op.ROUND))
        .toList();
  }

  /** Floats go there and back, to the nearest that the type has. */
  @Test
  final void activationsAreFloatsToTheHost() {
    float[] values = {9, 1 + 0x1p-7f, -1 - 0x1p-8f, -0f, Float.POSITIVE_INFINITY, Float.NaN, 3};
    try (Buffer whole = backend.allocate(backend.activations(), 7)) {
      whole.upload(new float[] {7, 7, 7, 7, 7, 7, 7});
      Buffer part = whole.slice(1, 5);
      part.upload(values, 1);
      float[] found = new float[7];
      part.download(found, 2);
      boolean half = backend.activations() == DType.BFLOAT16;
      float[] expected = {
        0, 0, 1 + 0x1p-7f, half ? -1 : -1 - 0x1p-8f, -0f, Float.POSITIVE_INFINITY, Float.NaN
      };
      assertArrayEquals(expected, found);
      assertEquals(7, whole.toFloats()[0]);
      assertEquals(7, whole.toFloats()[6]);
    }
  }

  @Test
  final void memoryKnowsItsSize() {
    for (DType type : types()) {
      try (Buffer buffer = backend.allocate(type, 5)) {
        assertEquals(type, buffer.type());
        assertEquals(5, buffer.count());
        assertEquals(5L * type.numBytes(), buffer.numBytes());
      }
    }
  }

  @Test
  final void slicesShareMemoryAndDoNotOwnIt() {
    try (Buffer whole = backend.allocate(DType.FLOAT32, 5)) {
      whole.upload(new float[] {0, 1, 2, 3, 4});
      Buffer part = whole.slice(1, 3);
      Buffer inner = part.slice(1, 1);
      assertArrayEquals(new float[] {2}, inner.toFloats());
      inner.upload(new float[] {8});
      part.close();
      assertArrayEquals(new float[] {0, 1, 8, 3, 4}, whole.toFloats());
      part.fillZero();
      assertArrayEquals(new float[] {0, 0, 0, 0, 4}, whole.toFloats());
      assertThrows(IndexOutOfBoundsException.class, () -> whole.slice(3, 3));
      assertThrows(IndexOutOfBoundsException.class, () -> whole.slice(-1, 2));
      assertThrows(IndexOutOfBoundsException.class, () -> part.slice(0, 4));
    }
  }

  @Test
  final void slicesDieWithTheirParent() {
    Buffer whole = backend.allocate(DType.FLOAT32, 5);
    Buffer part = whole.slice(1, 3);
    whole.close();
    whole.close();
    assertThrows(IllegalStateException.class, part::toFloats);
    assertThrows(IllegalStateException.class, part::fillZero);
    assertThrows(IllegalStateException.class, whole::toFloats);
    assertThrows(IllegalStateException.class, whole::fillZero);
    assertThrows(IllegalStateException.class, () -> whole.slice(0, 1));
    assertThrows(IllegalStateException.class, () -> whole.upload(new float[5]));
    try (Buffer open = backend.allocate(DType.FLOAT32, 5)) {
      assertThrows(IllegalStateException.class, () -> open.copyFrom(whole));
      assertThrows(IllegalStateException.class, () -> whole.copyFrom(open));
    }
  }

  @Test
  final void memoryRefusesWhatDoesNotFit() {
    assertThrows(IllegalArgumentException.class, () -> backend.allocate(DType.FLOAT32, 0));
    assertThrows(IllegalArgumentException.class, () -> backend.allocate(DType.FLOAT32, -1));
    try (Buffer floats = backend.allocate(DType.FLOAT32, 3);
        Buffer integers = backend.allocate(DType.INT32, 3);
        Buffer longer = backend.allocate(DType.FLOAT32, 4)) {
      assertThrows(IllegalArgumentException.class, () -> floats.upload(new float[4]));
      assertThrows(IllegalArgumentException.class, () -> floats.upload(new int[3]));
      assertThrows(IllegalArgumentException.class, () -> integers.upload(new float[3]));
      assertThrows(IndexOutOfBoundsException.class, () -> floats.upload(new float[4], 2));
      assertThrows(IndexOutOfBoundsException.class, () -> floats.download(new float[4], 2));
      assertThrows(IllegalArgumentException.class, () -> floats.download(new byte[3]));
      assertThrows(IllegalArgumentException.class, () -> floats.copyFrom(longer));
      assertThrows(IllegalArgumentException.class, () -> floats.copyFrom(integers));
    }
  }

  /** On a backend of its own: the shared one is still needed. */
  @Test
  final void closingTheBackendFreesItsMemory() {
    Backend own = create();
    Buffer buffer = own.allocate(DType.FLOAT32, 5);
    Buffer wrapped = own.wrap(new byte[] {1});
    Buffer onHost = own.wrap(new byte[] {1}, Placement.HOST);
    own.close();
    own.close();
    buffer.close();
    assertThrows(IllegalStateException.class, buffer::toFloats);
    assertThrows(IllegalStateException.class, () -> wrapped.download(new byte[1]));
    assertThrows(IllegalStateException.class, () -> onHost.download(new byte[1]));
    assertThrows(IllegalStateException.class, () -> own.wrap(new byte[1]));
    assertThrows(IllegalStateException.class, () -> own.allocate(DType.FLOAT32, 5));
  }
}
