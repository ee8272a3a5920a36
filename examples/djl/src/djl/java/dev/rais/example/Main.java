package dev.rais.example;

import java.io.PrintWriter;

/** Starts the example with DJL. */
public final class Main {
  private Main() {}

  /** Runs the command line. */
  public static void main(String[] args) {
    PrintWriter out = new PrintWriter(System.out, true);
    PrintWriter err = new PrintWriter(System.err, true);
    System.exit(RunCommand.run(new Djl(), args, out, err));
  }
}
