package dev.rais.backend.cuda;

/** Calls of kernels by name, for tests that go through all arguments of all functions. */
public final class KernelCalls {
  private KernelCalls() {}

  /**
   * Calls a launcher.
   *
   * @throws KernelException if it fails
   */
  public static void call(Kernels kernels, String name, Object... arguments) {
    int status;
    try {
      status = (int) kernels.handle(name).invokeWithArguments(arguments);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
    kernels.check(status);
  }
}
