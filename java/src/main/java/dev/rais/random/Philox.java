package dev.rais.random;

/**
 * The counter-based random generator Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011).
 *
 * <p>A draw is a pure function of where it is used, so the same draw comes out at any thread count,
 * in any order, and on CPU and GPU alike (docs/algorithm.md section 7). This is the contract that
 * other implementations reproduce bit for bit:
 *
 * <pre>
 *   key     k0 = low 32 bits of seed        k1 = high 32 bits of seed
 *   counter c0 = low 32 bits of iteration   c1 = high 32 bits of iteration
 *           c2 = slot                       c3 = stream
 *   ten rounds of
 *     (hi0, lo0) = 0xD2511F53 * c0          (hi1, lo1) = 0xCD9E8D57 * c2     (32 x 32 to 64 bits)
 *     c = (hi1 ^ c1 ^ k0, lo1, hi0 ^ c3 ^ k1, lo0)
 *     k0 += 0x9E3779B9                      k1 += 0xBB67AE85                 (after each round)
 *   words   x0, x1, x2, x3 = c
 *   bits    = x0 | x1 &lt;&lt; 32             highBits = x2 | x3 &lt;&lt; 32
 *   uniform = (bits &gt;&gt;&gt; 11) * 2^-53
 * </pre>
 *
 * <p>{@code iteration} is whatever counts upwards for the caller: an iteration, a round, an epoch.
 * Two uses that may meet at the same {@code (iteration, slot)} must take different streams.
 *
 * <p>Instances are immutable and hold two words; no method allocates.
 */
public final class Philox {
  private static final long MULTIPLIER_0 = 0xD2511F53L;
  private static final long MULTIPLIER_1 = 0xCD9E8D57L;
  private static final int WEYL_0 = 0x9E3779B9;
  private static final int WEYL_1 = 0xBB67AE85;
  private static final int ROUNDS = 10;
  private static final long LOW_WORD = 0xFFFFFFFFL;

  private final long seed;
  private final int stream;

  /**
   * A generator for one use of randomness.
   *
   * @param seed the run's seed: the key
   * @param stream which use of the seed this is: the counter's last word
   */
  public Philox(long seed, int stream) {
    this.seed = seed;
    this.stream = stream;
  }

  /** The run's seed. */
  public long seed() {
    return seed;
  }

  /** The counter's last word. */
  public int stream() {
    return stream;
  }

  /**
   * The raw generator: encrypts one counter under one key.
   *
   * @param c0 counter word 0
   * @param c1 counter word 1
   * @param c2 counter word 2
   * @param c3 counter word 3
   * @param k0 key word 0
   * @param k1 key word 1
   * @param out receives words 0 to 3; at least four long
   */
  public static void block(int c0, int c1, int c2, int c3, int k0, int k1, int[] out) {
    long low = half(c0, c1, c2, c3, k0, k1, false);
    long high = half(c0, c1, c2, c3, k0, k1, true);
    out[0] = (int) low;
    out[1] = (int) (low >>> 32);
    out[2] = (int) high;
    out[3] = (int) (high >>> 32);
  }

  /** Words 0 and 1 of the block at this place: {@code x0 | x1 << 32}. */
  public long bits(long iteration, int slot) {
    return half(
        (int) iteration,
        (int) (iteration >>> 32),
        slot,
        stream,
        (int) seed,
        (int) (seed >>> 32),
        false);
  }

  /** Words 2 and 3 of the block at this place: {@code x2 | x3 << 32}. */
  public long highBits(long iteration, int slot) {
    return half(
        (int) iteration,
        (int) (iteration >>> 32),
        slot,
        stream,
        (int) seed,
        (int) (seed >>> 32),
        true);
  }

  /** A uniform deviate in [0, 1): the upper 53 bits of {@link #bits} times 2^-53. */
  public double uniform(long iteration, int slot) {
    return (bits(iteration, slot) >>> 11) * 0x1p-53;
  }

  /** A uniform deviate in [0, 1): the upper 24 bits of {@link #bits} times 2^-24. */
  public float uniformFloat(long iteration, int slot) {
    return (bits(iteration, slot) >>> 40) * 0x1p-24f;
  }

  /**
   * A uniform integer in [0, bound): the upper 64 bits of {@code bits * bound}. The bias is below
   * bound / 2^64.
   *
   * @throws IllegalArgumentException if {@code bound} is not positive
   */
  public int below(int bound, long iteration, int slot) {
    if (bound <= 0) {
      throw new IllegalArgumentException("bound must be positive, but is " + bound);
    }
    return (int) Math.unsignedMultiplyHigh(bits(iteration, slot), bound);
  }

  /**
   * A standard normal deviate, by Box and Muller: {@code sqrt(-2 ln u1) * cos(2 pi u2)} with u1 in
   * (0, 1] from {@link #bits} and u2 in [0, 1) from {@link #highBits}. It uses {@code StrictMath},
   * so that initial weights are the same on every machine; GPU code takes them from the host.
   */
  public double normal(long iteration, int slot) {
    // The + 1 keeps u1 away from 0, whose logarithm is infinite.
    double u1 = ((bits(iteration, slot) >>> 11) + 1) * 0x1p-53;
    double u2 = (highBits(iteration, slot) >>> 11) * 0x1p-53;
    return StrictMath.sqrt(-2 * StrictMath.log(u1)) * StrictMath.cos(2 * Math.PI * u2);
  }

  /** Two of the four words, packed into a long because Java has no way to return four. */
  private static long half(int c0, int c1, int c2, int c3, int k0, int k1, boolean high) {
    for (int round = 0; round < ROUNDS; round++) {
      long product0 = MULTIPLIER_0 * (c0 & LOW_WORD);
      long product1 = MULTIPLIER_1 * (c2 & LOW_WORD);
      c0 = (int) (product1 >>> 32) ^ c1 ^ k0;
      c1 = (int) product1;
      c2 = (int) (product0 >>> 32) ^ c3 ^ k1;
      c3 = (int) product0;
      k0 += WEYL_0;
      k1 += WEYL_1;
    }
    return high ? (c2 & LOW_WORD) | (long) c3 << 32 : (c0 & LOW_WORD) | (long) c1 << 32;
  }
}
