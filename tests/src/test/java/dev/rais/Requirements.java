package dev.rais;

import java.util.Arrays;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;

/**
 * Tests that need something a machine may lack skip themselves here, and only here, so that {@code
 * -Drais.test.require=NAME,NAME…} can turn such a skip into a failure where the thing must be
 * there.
 */
public final class Requirements {
  private static final String PROPERTY = "rais.test.require";

  private Requirements() {}

  /**
   * Goes on if the thing is available; else skips the test, or fails it if the thing is required.
   *
   * @param name what is needed, as given to the property: {@code onednn}, {@code cuda}
   * @param available whether it is there
   * @param reason why not, for the report
   */
  public static void need(String name, boolean available, String reason) {
    if (!available) {
      missing(name, reason, System.getProperty(PROPERTY, ""));
    }
  }

  static void missing(String name, String reason, String required) {
    boolean must = Arrays.stream(required.split(",")).map(String::strip).anyMatch(name::equals);
    if (must) {
      Assertions.fail("-D" + PROPERTY + " asks for " + name + ", which is missing: " + reason);
    }
    Assumptions.abort("no " + name + ": " + reason);
  }
}
