package dev.rais;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Packages depend downwards only: cli → report, train → nn, data, sampling → backend. Each rule
 * says what a package may use of this project; what is not named is forbidden.
 */
class ArchitectureTest {
  private final JavaClasses project =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("dev.rais");

  @TestFactory
  Stream<DynamicTest> packagesDependDownwardsOnly() {
    return Stream.of(
            mayUse("random"),
            mayUse("natives"),
            // Backends, the chooser, must know what it chooses from.
            mayUse("backend", "backend.cpu", "backend.cuda"),
            mayUse("backend.cpu", "backend", "natives", "random"),
            mayUse("backend.cuda", "backend", "backend.cuda..", "natives", "random"),
            mayUse("backend.cuda.panama", "backend.cuda", "natives"),
            mayUse("backend.cuda.jcuda", "backend", "backend.cuda", "natives"),
            mayUse("sampling", "random"),
            mayUse("data"),
            mayUse("nn", "backend", "random"),
            mayUse("train", "nn", "data", "sampling", "backend", "random"),
            mayUse("report", "train", "nn", "data", "sampling", "backend"),
            noClasses()
                .that()
                .resideInAPackage("dev.rais.backend")
                .and()
                .doNotHaveSimpleName("Backends")
                .should()
                .dependOnClassesThat(resideInAPackage("dev.rais.backend.*.."))
                .as("only the chooser knows the backends"),
            noClasses()
                .that()
                .resideOutsideOfPackage("dev.rais.cli..")
                .should()
                .dependOnClassesThat(resideInAPackage("picocli.."))
                .as("only cli knows picocli"),
            noClasses()
                .that()
                .resideOutsideOfPackages(
                    "dev.rais.backend.cpu..", "dev.rais.backend.cuda..", "dev.rais.natives")
                .should()
                .dependOnClassesThat()
                .haveFullyQualifiedName("java.lang.foreign.Linker")
                .as("only backends call native code"))
        .map(rule -> rule.allowEmptyShould(true))
        .map(rule -> DynamicTest.dynamicTest(rule.getDescription(), () -> rule.check(project)));
  }

  /** An importer that cannot read the class files would leave every rule above empty. */
  @Test
  void theClassFilesCanBeRead() {
    assertTrue(project.contain("dev.rais.backend.Backend"));
    assertTrue(
        project.get("dev.rais.backend.Backend").getMethods().size() > 10,
        "the methods of Backend are visible");
    assertTrue(
        project.get("dev.rais.backend.cpu.JavaBackend").getDirectDependenciesFromSelf().stream()
            .anyMatch(d -> d.getTargetClass().getName().equals("dev.rais.backend.Buffer")),
        "dependencies are visible");
  }

  /** The wall clock jumps; what is decided by time goes by {@link System#nanoTime}. */
  @Test
  void theWallClockIsReadForDatesOnly() {
    Set<String> readers =
        project.stream()
            .filter(
                c ->
                    Stream.concat(
                            c.getCodeUnitCallsFromSelf().stream(),
                            c.getCodeUnitReferencesFromSelf().stream())
                        .anyMatch(ArchitectureTest::readsTheWallClock))
            .map(JavaClass::getName)
            .collect(Collectors.toSet());
    assertEquals(
        Set.of(
            "dev.rais.train.RunLock", // since when a run has its owner
            "dev.rais.report.TensorBoardLogs"), // when an evaluation was made
        readers);
  }

  private static boolean readsTheWallClock(JavaAccess<?> access) {
    String owner = access.getTargetOwner().getName();
    return switch (access.getName()) {
      case "currentTimeMillis" -> true;
      case "now" -> owner.startsWith("java.time.");
      case "getInstance" -> owner.equals("java.util.Calendar");
      case "<init>" ->
          owner.equals("java.util.Date") || owner.equals("java.util.GregorianCalendar");
      default -> owner.equals("java.time.Clock") || owner.equals("java.time.InstantSource");
    };
  }

  @Test
  void aForbiddenDependencyIsFound() {
    assertThrows(AssertionError.class, () -> mayUse("backend.cpu", "random").check(project));
  }

  /** The package (without its children) uses, of this project, only itself and what is named. */
  private static ArchRule mayUse(String name, String... lower) {
    String own = "dev.rais." + name;
    String[] allowed =
        Stream.concat(Stream.of(name), Stream.of(lower))
            .map(p -> "dev.rais." + p)
            .toArray(String[]::new);
    return classes()
        .that()
        .resideInAPackage(own)
        .and()
        .haveNameNotMatching("dev\\.rais\\.backend\\.Backends.*") // it chooses among them all
        .should()
        .onlyDependOnClassesThat(resideInAPackage("dev.rais..").negate().or(inAny(allowed)))
        .as(name + " uses nothing but " + String.join(", ", allowed));
  }

  private static DescribedPredicate<JavaClass> inAny(String[] packages) {
    return resideOutsideOfPackages(packages).negate();
  }
}
