package dev.rais.gpucheck;

import dev.rais.backend.Backends;
import dev.rais.backend.cuda.CudaBackends;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/**
 * What steps run on.
 *
 * @param noGpu why there is no GPU to use; null if there is one
 * @param device the GPU; empty if there is none
 * @param path folders with programs, as PATH has them
 */
record Machine(String noGpu, String device, String path) {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  /** This machine. */
  static Machine here() {
    return asked(CudaBackends::driverPart, PATIENCE, System.getenv().getOrDefault("PATH", ""));
  }

  /** A machine whose driver says what it is; one that hangs must not let the whole check hang. */
  static Machine asked(Supplier<Backends.Part> driver, Duration patience, String path) {
    CompletableFuture<Backends.Part> answer = new CompletableFuture<>();
    Thread.ofPlatform()
        .daemon()
        .start(
            () -> {
              try {
                answer.complete(driver.get());
              } catch (Throwable e) {
                answer.completeExceptionally(e);
              }
            });
    try {
      Backends.Part part = answer.get(patience.toMillis(), TimeUnit.MILLISECONDS);
      return part.available()
          ? new Machine(null, part.details(), path)
          : new Machine(part.details(), "", path);
    } catch (TimeoutException e) {
      String reason = "the CUDA driver has not answered for %d s".formatted(patience.toSeconds());
      return new Machine(reason, "", path);
    } catch (ExecutionException e) {
      return new Machine("the CUDA driver: " + e.getCause(), "", path);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Machine("interrupted", "", path);
    }
  }
}
