package dev.rais.kernels;

import java.util.List;
import java.util.Set;

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
          new EvaluationCases(),
          new NormCases(),
          new BiasReluCases(),
          new ElementwiseCases(),
          new DropoutCases(),
          new PoolingCases(),
          new BatchNormCases(),
          new BatchNormGradientCases());

  /** Functions whose cases are still to be written; C++ tests they have. */
  Set<String> TO_BE_WRITTEN =
      Set.of(
          "rais_round_take",
          "rais_epoch_take",
          "rais_uniform_draw",
          "rais_draw_weights",
          "rais_state_bytes",
          "rais_state_offset",
          "rais_state_history_bytes",
          "rais_state_init",
          "rais_state_recount",
          "rais_state_freeze",
          "rais_state_features",
          "rais_state_observe",
          "rais_state_visit",
          "rais_state_values",
          "rais_state_prepare",
          "rais_state_refresh",
          "rais_state_leaves",
          "rais_state_apply",
          "rais_gain_init",
          "rais_gain");

  /** What it computes: comparisons with a reference, at least one for each function. */
  List<Case> cases();

  /** A good call of each launcher, from which the suite makes bad ones. */
  List<GoodCall> goodCalls();
}
