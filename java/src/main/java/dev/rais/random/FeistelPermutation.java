package dev.rais.random;

/**
 * A keyed pseudo-random permutation of [0, size) of which any entry can be computed alone: no array
 * of indices, no shuffle pass, the same on CPU and GPU (docs/algorithm.md section 7).
 *
 * <p>A Feistel network permutes a power-of-two range that holds {@code size}, the smallest but at
 * least 256; an image outside [0, size) is put in again until it falls inside (cycle walking),
 * which keeps the map a bijection. All entries together cost at most max(2 size, 256) passes, so
 * one costs fewer than two on average from size 128 up; a pass is eight rounds of a few integer
 * instructions.
 *
 * <p>This is the contract that other implementations reproduce bit for bit:
 *
 * <pre>
 *   bits   = max(8, ceil(log2(size)))     a = bits / 2 (rounded down)     b = bits - a
 *   key[0..3] = the four words of Philox(seed, stream) at (iteration = round, slot 0)
 *   key[4..7] = the four words of Philox(seed, stream) at (iteration = round, slot 1)
 *
 *   pass(x): L = x &gt;&gt;&gt; b (a bits), R = the low b bits of x
 *     for r = 0, 2, 4, 6:  L = L ^ (f(R ^ key[r])     &amp; (2^a - 1))
 *                          R = R ^ (f(L ^ key[r + 1]) &amp; (2^b - 1))
 *     result = L &lt;&lt; b | R
 *
 *   f(h), 32 bits, shifts logical:  h ^= h &gt;&gt;&gt; 16;  h *= 0x85EBCA6B;  h ^= h &gt;&gt;&gt; 13;
 *                                   h *= 0xC2B2AE35;  h ^= h &gt;&gt;&gt; 16        (MurmurHash3's finaliser)
 *
 *   at(i): x = i; do x = pass(x) while x &gt;= size; result x
 * </pre>
 *
 * <p>Instances are immutable; no method allocates.
 */
public final class FeistelPermutation {
  /** Largest size: both halves must fit the 32-bit round function. */
  public static final long MAX_SIZE = 1L << 62;

  private static final int ROUNDS = 8;

  /**
   * Halves of one or two bits mix badly: at 3 bits the orders of five indices are visibly unequal.
   */
  private static final int MIN_BITS = 8;

  private final long size;
  private final int lowBits;
  private final int leftMask;
  private final int rightMask;
  private final int[] keys = new int[ROUNDS];

  /**
   * The permutation for one round or epoch.
   *
   * @param size how many indices it permutes, 1 to {@link #MAX_SIZE}
   * @param seed the run's seed
   * @param round which round or epoch of the run it is for: each has its own order
   * @param stream the {@link Philox} stream of the round keys, used for nothing else
   * @throws IllegalArgumentException if {@code size} is out of range
   */
  public FeistelPermutation(long size, long seed, long round, int stream) {
    if (size < 1 || size > MAX_SIZE) {
      throw new IllegalArgumentException("size must be in 1.." + MAX_SIZE + ", but is " + size);
    }
    this.size = size;
    int bits = Math.max(MIN_BITS, Long.SIZE - Long.numberOfLeadingZeros(size - 1));
    int highBits = bits / 2;
    lowBits = bits - highBits;
    leftMask = (1 << highBits) - 1;
    rightMask = (1 << lowBits) - 1;
    Philox philox = new Philox(seed, stream);
    for (int block = 0; block < ROUNDS / 4; block++) {
      long low = philox.bits(round, block);
      long high = philox.highBits(round, block);
      keys[4 * block] = (int) low;
      keys[4 * block + 1] = (int) (low >>> 32);
      keys[4 * block + 2] = (int) high;
      keys[4 * block + 3] = (int) (high >>> 32);
    }
  }

  /** How many indices are permuted. */
  public long size() {
    return size;
  }

  /**
   * Where {@code index} goes.
   *
   * @throws IndexOutOfBoundsException if {@code index} is not in [0, size)
   */
  public long at(long index) {
    if (index < 0 || index >= size) {
      throw new IndexOutOfBoundsException("index " + index + " is not in [0, " + size + ")");
    }
    long x = index;
    do {
      x = pass(x);
    } while (x >= size);
    return x;
  }

  private long pass(long x) {
    int left = (int) (x >>> lowBits);
    int right = (int) x & rightMask;
    for (int r = 0; r < ROUNDS; r += 2) {
      left ^= mix(right ^ keys[r]) & leftMask;
      right ^= mix(left ^ keys[r + 1]) & rightMask;
    }
    return (long) left << lowBits | right;
  }

  private static int mix(int h) {
    h ^= h >>> 16;
    h *= 0x85EBCA6B;
    h ^= h >>> 13;
    h *= 0xC2B2AE35;
    return h ^ h >>> 16;
  }
}
