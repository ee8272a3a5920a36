package dev.rais;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What people are told of the libraries that RAIS runs with is what the build lists and what is on
 * the class path: every one, its version, its licence and its checksum.
 */
class SupplyChainTest {
  private static final Pattern ROW =
      Pattern.compile("\\|.*?((?:`[^`|]+`(?:, )?)+)\\).*?\\| ([^|]+) \\| ([^|]+) \\|.*\\|");

  private static final Path ROOT = root();

  /** A library as it is listed. */
  private record Library(String version, List<String> licences, String sha256) {}

  private static Path root() {
    Path at = Path.of("").toAbsolutePath();
    while (!Files.exists(at.resolve("THIRD-PARTY.md"))) {
      at = at.getParent();
    }
    return at;
  }

  /** The CycloneDX list, by group:name. */
  private static Map<String, Library> listed() throws IOException {
    Path list = ROOT.resolve("java/target/rais-sbom.json");
    Requirements.need("sbom", Files.exists(list), "Maven makes no CycloneDX list offline");
    JsonNode components = new ObjectMapper().readTree(list.toFile()).get("components");
    Map<String, Library> libraries = new TreeMap<>();
    for (JsonNode component : components) {
      List<String> licences = new ArrayList<>();
      for (JsonNode licence : component.get("licenses")) {
        JsonNode one = licence.get("license");
        licences.add(one.path("id").asText(one.path("name").asText()));
      }
      String sha256 = "";
      for (JsonNode hash : component.get("hashes")) {
        sha256 = hash.get("alg").asText().equals("SHA-256") ? hash.get("content").asText() : sha256;
      }
      libraries.put(
          component.get("group").asText() + ":" + component.get("name").asText(),
          new Library(component.get("version").asText(), licences, sha256));
    }
    return libraries;
  }

  /** The first table of THIRD-PARTY.md, by group:name: version and licence. */
  private static Map<String, List<String>> told() throws IOException {
    Map<String, List<String>> rows = new TreeMap<>();
    for (String line : Files.readAllLines(ROOT.resolve("THIRD-PARTY.md"))) {
      if (line.startsWith("## ")) {
        break;
      }
      Matcher row = ROW.matcher(line);
      if (row.matches()) {
        rows.put(
            row.group(1).replace("`", ""), List.of(row.group(2).strip(), row.group(3).strip()));
      }
    }
    return rows;
  }

  @Test
  void theTableIsTheBuildsList() throws IOException {
    Map<String, String> versions = new TreeMap<>();
    listed().forEach((name, library) -> versions.put(name, library.version()));
    Map<String, String> told = new TreeMap<>();
    told().forEach((name, row) -> told.put(name, row.getFirst()));
    assertEquals(versions, told);
  }

  /** Abbreviated for people: the words of the table's licence begin those of the list's. */
  @Test
  void theLicencesAgree() throws IOException {
    Map<String, Library> listed = listed();
    told()
        .forEach(
            (name, row) -> {
              List<String> licences = listed.get(name).licences();
              assertFalse(licences.isEmpty(), name);
              for (String licence : row.get(1).split(" or ")) {
                String word = licence.split(" ")[0];
                assertTrue(
                    licences.stream().anyMatch(l -> l.contains(word)),
                    name + ": " + licence + " is none of " + licences);
              }
            });
  }

  /** The jar of a library on the class path. */
  private static Path jar(String name, String version) {
    String start = name.replaceFirst(".*:", "") + "-" + version;
    List<Path> found =
        Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
            .map(Path::of)
            .filter(jar -> jar.getFileName().toString().startsWith(start))
            .toList();
    assertEquals(1, found.size(), name + " " + version);
    return found.getFirst();
  }

  @Test
  void theTableHasWhatIsOnTheClassPath() throws IOException {
    assertFalse(told().isEmpty());
    told().forEach((name, row) -> jar(name, row.getFirst()));
  }

  @Test
  void theListsChecksumsAreThoseOfTheClassPath() throws Exception {
    for (var entry : listed().entrySet()) {
      Path jar = jar(entry.getKey(), entry.getValue().version());
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(jar));
      assertEquals(entry.getValue().sha256(), HexFormat.of().formatHex(digest), entry.getKey());
    }
  }

  @Test
  void theNoticeNamesTheTableAndWhatIsInTheJar() throws IOException {
    String notice = Files.readString(ROOT.resolve("NOTICE"));
    assertTrue(notice.contains("THIRD-PARTY.md"), notice);
    Matcher inside = Pattern.compile("dev/rais/\\S+/NOTICE").matcher(notice);
    assertTrue(inside.find(), notice);
    assertTrue(getClass().getResource("/" + inside.group()) != null, inside.group());
    assertTrue(Files.readString(ROOT.resolve("LICENSE")).contains("Apache License"));
  }

  @Test
  void everyRuntimeLibraryHasItsReason() throws IOException {
    String reasons = Files.readString(ROOT.resolve("docs/dependencies.md"));
    for (String name : told().keySet()) {
      String artifact = name.replaceFirst(".*:", "");
      // Parts of one library share a line: "jackson-databind (with core and annotations)".
      String word = artifact.replaceFirst("^jackson-", "").replaceFirst("^jc", "JC");
      assertTrue(reasons.toLowerCase(Locale.ROOT).contains(word.toLowerCase(Locale.ROOT)), name);
    }
  }
}
