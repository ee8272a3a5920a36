package dev.rais.kernels;

import java.util.List;

/**
 * What the suite knows of the functions of one kernel file.
 *
 * <p>To put a kernel under the suite, write such a class and add it to {@link #ALL}.
 */
interface KernelCases {
  /** Every kernel's. */
  List<KernelCases> ALL =
      List.of(
          new SoftmaxXentCases(),
          new SumTreeCases(),
          new RoundCases(),
          new SgdCases(),
          new GatherAugmentCases(),
          new FetchImagesCases(),
          new EvaluationCases(),
          new NormCases(),
          new BiasReluCases(),
          new ElementwiseCases(),
          new DropoutCases(),
          new PoolingCases(),
          new BatchNormCases(),
          new BatchNormGradientCases(),
          new MinibatchCases(),
          new StateCases(),
          new GainCases());

  /** What it computes: comparisons with a reference, at least one for each function. */
  List<Case> cases();

  /** A good call of each launcher, from which the suite makes bad ones. */
  List<GoodCall> goodCalls();
}
