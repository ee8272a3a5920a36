package dev.rais.data;

import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;

/** Finds the name a user probably meant: for "unknown X, did you mean Y?". */
public final class NearestName {
  private NearestName() {}

  /**
   * The known name nearest to {@code given}, if it is near enough to be meant: at most a third of
   * the letters (or two, if not all of them) inserted, removed, replaced or swapped with a
   * neighbour, or {@code given} is its beginning. Case does not count; of equals the first in
   * iteration order wins.
   */
  public static Optional<String> of(String given, Collection<String> known) {
    String wanted = given.toLowerCase(Locale.ROOT);
    // A two-letter word is two edits from every other: what replaces all of it is no likeness.
    int limit = Math.min(Math.max(2, wanted.length() / 3), wanted.length() - 1);
    Optional<String> nearest =
        known.stream()
            // The lengths alone cost more edits than allowed: no need to compare.
            .filter(name -> Math.abs(name.length() - wanted.length()) <= limit)
            .filter(name -> distance(wanted, lower(name)) <= limit)
            .min(Comparator.comparingInt(name -> distance(wanted, lower(name))));
    return nearest.or(
        () ->
            known.stream()
                .filter(name -> wanted.length() >= 2 && lower(name).startsWith(wanted))
                .min(Comparator.comparingInt(String::length)));
  }

  private static String lower(String name) {
    return name.toLowerCase(Locale.ROOT);
  }

  /** Edit distance with swaps of neighbours (optimal string alignment). */
  static int distance(String a, String b) {
    int[][] d = new int[a.length() + 1][b.length() + 1];
    for (int i = 0; i <= a.length(); i++) {
      d[i][0] = i;
    }
    for (int j = 0; j <= b.length(); j++) {
      d[0][j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      for (int j = 1; j <= b.length(); j++) {
        int replace = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
        d[i][j] = Math.min(Math.min(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + replace);
        if (i > 1
            && j > 1
            && a.charAt(i - 1) == b.charAt(j - 2)
            && a.charAt(i - 2) == b.charAt(j - 1)) {
          d[i][j] = Math.min(d[i][j], d[i - 2][j - 2] + 1);
        }
      }
    }
    return d[a.length()][b.length()];
  }
}
