package dev.rais.bench.peers;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/**
 * A worker's end of the pipes to {@link WorkerProcess}: a line with a number of steps comes in, a
 * line of JSON goes out. While it waits it sleeps in a read.
 */
final class PipeConductor implements Conductor {
  private final BufferedReader in;
  private final PrintStream out;

  private PipeConductor(BufferedReader in, PrintStream out) {
    this.in = in;
    this.out = out;
  }

  /** Takes the standard streams; what anybody else prints goes to standard error from now on. */
  static PipeConductor ofStandardStreams() {
    PrintStream out = System.out;
    System.setOut(System.err);
    return new PipeConductor(
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)), out);
  }

  @Override
  public void ready(Ready ready) {
    send(ready);
  }

  @Override
  public int next() {
    try {
      String line = in.readLine();
      // The end of the stream means that the parent is gone.
      return line == null ? 0 : Integer.parseInt(line);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void ran(Ran ran) {
    send(ran);
  }

  private void send(Object value) {
    out.println(Json.write(value));
    out.flush();
  }
}
