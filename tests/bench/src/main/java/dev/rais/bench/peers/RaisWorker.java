package dev.rais.bench.peers;

/** Main class of this library's worker process. */
final class RaisWorker {
  private RaisWorker() {}

  public static void main(String[] args) {
    PipeConductor conductor = PipeConductor.ofStandardStreams();
    RaisSide.train(Json.read(args[0], Workload.class), conductor);
  }
}
