package dev.rais.cli;

import dev.rais.data.NearestName;
import java.util.Collection;

/** Checks of options whose value is one of a few names. */
final class Names {
  private Names() {}

  /**
   * Returns {@code given} if it is known; otherwise says which name was probably meant and which
   * there are.
   *
   * @param what what is named, for the sentence: "sampler"
   */
  static String require(String what, String given, Collection<String> known) {
    if (known.contains(given)) {
      return given;
    }
    throw CommandException.usage(
        "there is no %s \"%s\"; %sknown are %s"
            .formatted(what, given, suggestion(given, known), String.join(", ", known)));
  }

  /** "did you mean X? " or nothing. */
  static String suggestion(String given, Collection<String> known) {
    return NearestName.of(given, known).map(name -> "did you mean \"" + name + "\"? ").orElse("");
  }
}
