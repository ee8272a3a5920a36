package dev.rais.train;

/** The version of this build of RAIS. */
public final class Version {
  private Version() {}

  /** As in the jar's manifest; "development" where the classes lie in no jar. */
  public static String current() {
    String version = Version.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }
}
