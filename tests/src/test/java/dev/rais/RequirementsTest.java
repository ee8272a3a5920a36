package dev.rais;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.opentest4j.AssertionFailedError;
import org.opentest4j.TestAbortedException;

/** A skip stays a skip unless the missing thing was asked for by name. */
class RequirementsTest {
  @Test
  void whatIsThereIsUsed() {
    Requirements.need("cuda", true, "");
  }

  @Test
  void whatIsMissingSkips() {
    var skip =
        assertThrows(
            TestAbortedException.class, () -> Requirements.missing("cuda", "no driver", ""));
    assertTrue(skip.getMessage().contains("no driver"), skip.getMessage());
    assertThrows(
        TestAbortedException.class, () -> Requirements.missing("cuda", "no driver", "onednn"));
  }

  @Test
  void whatIsMissingAndRequiredFails() {
    assertThrows(
        AssertionFailedError.class,
        () -> Requirements.missing("cuda", "no driver", "onednn, cuda"));
  }
}
