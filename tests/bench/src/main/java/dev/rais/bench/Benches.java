package dev.rais.bench;

import dev.rais.bench.checkpoint.CheckpointBench;
import dev.rais.bench.draws.DrawsBench;
import dev.rais.bench.kernels.KernelsBench;
import dev.rais.bench.ops.OpsBench;
import dev.rais.bench.overhead.OverheadBench;
import dev.rais.bench.peers.PeersBench;
import dev.rais.bench.peers.SelfBench;
import dev.rais.bench.sampler.SamplerBench;
import dev.rais.bench.soak.SoakBench;
import java.util.List;

/** All benchmarks. */
final class Benches {
  private Benches() {}

  /** New commands, in the order they are listed. */
  static List<Bench> all() {
    return List.of(
        new PeersBench(), //
        new SelfBench(),
        new OverheadBench(),
        new OpsBench(),
        new KernelsBench(),
        new DrawsBench(),
        new SamplerBench(),
        new CheckpointBench(),
        new SoakBench());
  }
}
