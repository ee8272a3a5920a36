/*
 * The C interface of RAIS's CUDA kernels, the only one: what Java binds, and what
 * kernels/symbols.txt lists. librais_kernels.so has it for CUDA devices; librais_kernels_host.so,
 * built from the same sources, runs it on the CPU for tests (docs/cuda-on-host.md).
 *
 * Conventions, for every function that takes a stream:
 * - It checks its arguments, puts its kernels on the stream and returns without waiting. It
 *   allocates nothing and can be captured into a CUDA graph. What changes from step to step is
 *   read from device memory, so that a captured graph can be replayed. Call it once before
 *   capturing: a kernel's first launch may load its code, which a capture does not allow.
 * - Pointers are device pointers (on the host: any memory), dense, row-major, aligned to the size
 *   of their elements; "aligned to 16" is said where it is needed. A pointer that is "nullable"
 *   may be null; another one that is null is an error. Outputs may not overlap anything else
 *   unless it is said.
 * - It returns a status. After any but RAIS_OK, rais_last_error() says in words what is wrong, and
 *   nothing has been put on the stream if the status is RAIS_INVALID_ARGUMENT or RAIS_UNSUPPORTED.
 * - Values in device memory cannot be checked before the kernel runs: what a bad one does is said.
 * - Results are the same bits in every run; where it is said, the same bits as the Java class's.
 */
#ifndef RAIS_KERNELS_H
#define RAIS_KERNELS_H

#include <stdint.h>

#if defined(__GNUC__)
#define RAIS_API __attribute__((visibility("default")))
#else
#define RAIS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Grows whenever a function or constant below changes its meaning. */
#define RAIS_ABI_VERSION 2

/* Statuses. */
#define RAIS_OK 0
#define RAIS_INVALID_ARGUMENT 1
#define RAIS_CUDA_ERROR 2
#define RAIS_UNSUPPORTED 3

/* Types of elements, where a function takes several. */
#define RAIS_FLOAT32 0
#define RAIS_BFLOAT16 1

/* Bits of correctness flags: the label's logit is the largest; is among the five largest. */
#define RAIS_TOP_1 1
#define RAIS_TOP_5 2

/* What follows a batch normalisation in the same operation (Java: BatchNormShape.Fusion). */
#define RAIS_FUSION_NONE 0
#define RAIS_FUSION_RELU 1
#define RAIS_FUSION_ADD_RELU 2

/* Places of the counts of rais_evaluation_counts, and how many there are. */
#define RAIS_COUNT_EXAMPLES 0
#define RAIS_COUNT_TOP_1_ERRORS 1
#define RAIS_COUNT_TOP_5_ERRORS 2
#define RAIS_COUNT_NOT_FINITE 3
#define RAIS_COUNTS 4

/* Limits. */
#define RAIS_MAX_CLASSES 200000
#define RAIS_MAX_TREE_SIZE 2147483639
#define RAIS_MAX_DRAWS 16777216

/* A CUstream or cudaStream_t; null is the default stream. Ignored on the host. */
typedef void* rais_stream;

/* RAIS_ABI_VERSION of the library, to be compared with that of the header that was bound. */
RAIS_API int32_t rais_abi_version(void);

/* What the library was built with, one line for people. Never null; static. */
RAIS_API const char* rais_build_info(void);

/*
 * What was wrong with the last call of this thread that failed: names the function, the argument,
 * its value and the shape, or gives CUDA's error text. Never null; valid until the thread's next
 * call that fails.
 */
RAIS_API const char* rais_last_error(void);

/*
 * The fused loss layer: softmax cross-entropy, the norm of its gradient, the weighted gradient and
 * correctness, in one pass over the logits (docs/algorithm.md section 4).
 *
 * With s_j = softmax(z_j), K classes, y_j = (1 - e) onehot(label_j) + e/K, e = label_smoothing:
 *   losses[j]      = -sum_k y_jk log s_jk
 *   norms[j]       = |s_j - y_j|, times sqrt(hidden_squared_norms[j] + 1) unless that is null
 *   gradients[j]   = scale * weights[j] * (s_j - y_j)
 *   correctness[j] = RAIS_TOP_1 | RAIS_TOP_5; among equal logits the lower class ranks first
 * Losses and norms are not weighted. Without label smoothing, norms are exact to about 1e-5 of
 * themselves, down to 1e-38; with it, to about 2e-6 e besides.
 *
 * A row with label ignored_label has loss, norm, gradient and flags of 0. A row with a logit that
 * is not finite, or with a label that is neither a class nor ignored_label, has a NaN loss, norm
 * and gradient and no flag.
 *
 * rows                   examples m, at least 1
 * classes                K, from 2 to RAIS_MAX_CLASSES
 * dtype                  RAIS_FLOAT32 or RAIS_BFLOAT16: type of logits and gradients
 * logits                 dtype [m, K]
 * labels                 [m] from 0 to K - 1, or ignored_label
 * ignored_label          a negative number
 * weights                [m] importance weights; nullable: all 1
 * hidden_squared_norms   [m] squared norms |h_j|^2 of the last layer's input; nullable
 * scale                  factor of every gradient, 1/m for the mean loss
 * label_smoothing        e, in [0, 1)
 * losses, norms          [m]
 * gradients              dtype [m, K]; nullable; may be the same memory as logits
 * correctness            [m]
 */
RAIS_API int32_t rais_softmax_xent(rais_stream stream, int32_t rows, int32_t classes, int32_t dtype,
                                   const void* logits, const int32_t* labels, int32_t ignored_label,
                                   const float* weights, const float* hidden_squared_norms,
                                   float scale, float label_smoothing, float* losses, float* norms,
                                   void* gradients, uint8_t* correctness);

/*
 * The sum tree (docs/algorithm.md section 7; Java: SumTree): leaves are floats, each inner node is
 * the sum of its 16 children, in double: ((g0 + g1) + g2) + g3 with g = (a + b) + (c + d) over four
 * neighbours. Its memory, both aligned to 16:
 *   leaves  float [rais_sum_tree_leaves(size)], those from size on are 0
 *   sums    double [rais_sum_tree_sums(size)], level above level, the lowest first, each padded
 *           with zeros to a multiple of 16 nodes; the root is rais_sum_tree_root(size)
 * All bits, and all draws, are those of the Java class. size is from 1 to RAIS_MAX_TREE_SIZE; for
 * others these three functions return 0.
 */
RAIS_API int64_t rais_sum_tree_leaves(int64_t size);
RAIS_API int64_t rais_sum_tree_sums(int64_t size);
RAIS_API int64_t rais_sum_tree_root(int64_t size);

/*
 * Computes every sum from leaves [0, size), and sets all padding to 0: the memory need not be
 * cleared before. A leaf that is negative, infinite or NaN is set to 0 and counted.
 *
 * invalid_count   [1] increased by the number of such leaves; nullable
 */
RAIS_API int32_t rais_sum_tree_build(rais_stream stream, int64_t size, float* leaves, double* sums,
                                     int32_t* invalid_count);

/*
 * Sets several leaves, then the sums above them. Where an index is repeated, its last value holds.
 * A value that is negative, infinite or NaN becomes 0, an index outside [0, size) is passed over,
 * and both are counted.
 *
 * count           how many, from 1 to RAIS_MAX_DRAWS; meant for a minibatch: one block does it all
 * indices         [count]
 * values          [count]
 * invalid_count   [1] as for rais_sum_tree_build; nullable
 */
RAIS_API int32_t rais_sum_tree_update(rais_stream stream, int64_t size, float* leaves, double* sums,
                                      int32_t count, const int32_t* indices, const float* values,
                                      int32_t* invalid_count);

/*
 * Draws count examples independently: slot j takes the leaf that holds u_j * total, with u_j the
 * Philox deviate of (seed, random_stream) at (*iteration, j). The weight of leaf i is
 * 1/(n p_i) = 1/(active * (leaves[i] / total)).
 *
 * If all leaves are 0, every index is 0 and every weight NaN.
 *
 * active          number n of examples that can be drawn, at least 1
 * random_stream   Java: Streams.WEIGHTED_DRAW
 * iteration       [1] in device memory
 * count           from 1 to RAIS_MAX_DRAWS
 * indices         [count]
 * weights         [count]; nullable
 */
RAIS_API int32_t rais_sum_tree_draw(rais_stream stream, int64_t size, const float* leaves,
                                    const double* sums, int64_t active, int64_t seed,
                                    int32_t random_stream, const int64_t* iteration, int32_t count,
                                    int32_t* indices, float* weights);

/*
 * A round (docs/algorithm.md section 7; Java: Round.generate): a systematic sample of the tree's
 * distribution in random order. Slot k takes the leaf that holds (pi(k) + u) / round_size * total,
 * with pi the Feistel permutation of [0, round_size) and u the Philox deviate at (*round, 0).
 * Weights, and a tree of zeros, are as for rais_sum_tree_draw.
 *
 * active          number n of examples that can be drawn, at least 1
 * offset_stream   Java: Streams.ROUND_OFFSET
 * order_stream    Java: Streams.ROUND_ORDER
 * round           [1] number of the round, in device memory
 * round_size      K, from 1 to RAIS_MAX_DRAWS
 * indices         [round_size]
 * weights         [round_size]; nullable
 */
RAIS_API int32_t rais_round_generate(rais_stream stream, int64_t size, const float* leaves,
                                     const double* sums, int64_t active, int64_t seed,
                                     int32_t offset_stream, int32_t order_stream,
                                     const int64_t* round, int32_t round_size, int32_t* indices,
                                     float* weights);

/*
 * ---- Minibatches: which examples, and what they weigh (docs/sampler-on-device.md) ----
 */

/*
 * Takes the next slots of a round (Java: Round.take), passing over examples whose leaf is 0, which
 * were retired since it was made. Fills indices[*filled ..] and moves *position and *filled on;
 * where the round ends first, *filled stays below count, and what is left of indices is not
 * written: with no example retired, and a round_size that is a multiple of count, that does not
 * happen. One block does it all.
 *
 * round_size      K
 * slots           [round_size] from rais_round_generate
 * size, leaves    the tree that the round was made from
 * position        [1] slots used so far, 0 to round_size
 * count           from 1 to RAIS_MAX_DRAWS
 * filled          [1] how many of indices are there already; one below 0 counts as 0
 * indices         [count]
 */
RAIS_API int32_t rais_round_take(rais_stream stream, int32_t round_size, const int32_t* slots,
                                 int64_t size, const float* leaves, int64_t* position,
                                 int32_t count, int32_t* filled, int32_t* indices);

/*
 * The next examples of shuffled epochs, which run into one another (Java: UniformDraws), passing
 * over retired ones. One block does it all.
 *
 * retired         see rais_state_features; nullable. All retired: no index is written
 * shuffle_stream  Java: Streams.SHUFFLE
 * position        [1] epoch * size + position in the epoch; moved on
 * count           from 1 to RAIS_MAX_DRAWS
 * indices         [count]
 */
RAIS_API int32_t rais_epoch_take(rais_stream stream, int64_t size, const uint32_t* retired,
                                 int64_t seed, int32_t shuffle_stream, int64_t* position,
                                 int32_t count, int32_t* indices);

/*
 * Independent uniform draws of examples that are not retired (Java: UniformDraws). After 65,536
 * retired ones in a row a slot takes 0.
 *
 * random_stream   Java: Streams.UNIFORM_DRAW
 * iteration       [1] in device memory, below 2^48
 * count           from 1 to RAIS_MAX_DRAWS
 * indices         [count]
 */
RAIS_API int32_t rais_uniform_draw(rais_stream stream, int64_t size, const uint32_t* retired,
                                   int64_t seed, int32_t random_stream, const int64_t* iteration,
                                   int32_t count, int32_t* indices);

/*
 * The weights of a minibatch (Java: Minibatch.set), with n p_i = active * (leaves[i] / total), or 1
 * for uniform draws:
 *   importance[j] = 1/(n p_i)
 *   weights[j]    = u_i (active / weight_sum) / (n p_i), the loss weights a_j
 *   shadow[j]     = n p_i, or 1 where that is 0: what a cautious sampler asks of uniform draws
 * An index outside [0, size) has NaNs.
 *
 * leaves, sums    the tree drawn from; both null for uniform draws, where shadow must be null
 * active          number n of examples that can be drawn, at least 1
 * objective       [size] weights u_i of the objective; nullable: all 1
 * weight_sum      sum of u_i over the examples that can be drawn; positive where objective is given
 * importance, weights, shadow   [count]; nullable each
 */
RAIS_API int32_t rais_draw_weights(rais_stream stream, int64_t size, const float* leaves,
                                   const double* sums, int64_t active, const float* objective,
                                   double weight_sum, int32_t count, const int32_t* indices,
                                   float* importance, float* weights, float* shadow);

/*
 * ---- The sampler's state (docs/algorithm.md section 3; Java: RaisSampler between draws) ----
 *
 * Three things make it up:
 *
 * The history, 16 bytes per example: blocks of 1024 examples, in each four columns of 1024: norms
 * seen last, norms before, averages (floats), visits (int32). Zeros for examples never visited and
 * behind the last one. rais_state_history_bytes(size) bytes, aligned to 16. The very bytes of
 * Java's ExampleHistory, so that a checkpoint is a copy.
 *
 * The examples: labels [size], classes from 0 to classes - 1; retired, nullable, a bit for each
 * example, bit i % 32 of word i / 32, [(size + 31) / 32] words, as Java's BitSet has them;
 * objective, nullable, [size] weights u_i. An example whose label is no class counts as retired.
 *
 * The state's block: rais_state_bytes(classes, records, deferrable) bytes, aligned to 16, of the
 * parts below. Its length does not depend on the number of examples, so they may grow.
 *   classes      from 1 to RAIS_MAX_CLASSES
 *   records      |D|, observations that the uncertainty set is trained on, 1 to RAIS_MAX_DRAWS
 *   deferrable   most visits that can wait while a set is trained (rais_state_prepare): with rounds
 *                those of all minibatches between its start and the round's border; 0 to
 *                RAIS_MAX_DRAWS
 *
 * A step between refreshes is, on one stream:
 *   draw (rais_sum_tree_draw, rais_round_take or rais_uniform_draw, rais_epoch_take),
 *   rais_draw_weights, rais_state_features; the network; rais_gain; rais_state_observe; with
 *   independent draws rais_state_values and rais_sum_tree_update.
 * Which calls make up a refresh, and when, says docs/sampler-on-device.md.
 */
#define RAIS_FEATURES 6

/* Parts of the block; each begins at a multiple of 16, the first at 0. */
#define RAIS_STATE_TOTALS 0        /* int64 [RAIS_TOTALS], see below */
#define RAIS_STATE_SET 1           /* double [13] c, d^, h*: what the host has trained */
#define RAIS_STATE_MEANS 2         /* double [1 + K] mean norm, then of each class; NaN: unseen */
#define RAIS_STATE_BATCH 3         /* double [2 K] scratch, 0 between calls */
#define RAIS_STATE_NEXT_FEATURES 4 /* double [6] mean features at rais_state_prepare */
#define RAIS_STATE_COUNTS 5        /* int32 [2 K] active examples by class, those never visited */
#define RAIS_STATE_FROZEN 6        /* float [1 + K] means that features are made from */
#define RAIS_STATE_TERMS 7         /* float [8 + 2 K] terms of the robust values in force */
#define RAIS_STATE_NEXT_FROZEN 8   /* float [1 + K] those of rais_state_prepare */
#define RAIS_STATE_NEXT_TERMS 9    /* float [8 + 2 K] those of rais_state_refresh */
#define RAIS_STATE_RING 10         /* float [8][records]: six features, norm, weight */
#define RAIS_STATE_DEFERRED_INDICES 11 /* int32 [deferrable] visits that wait */
#define RAIS_STATE_DEFERRED_NORMS 12   /* float [deferrable] */

/* Entries of RAIS_STATE_TOTALS. */
#define RAIS_TOTAL_WRITTEN 0  /* records ever written; record t is in column t % records */
#define RAIS_TOTAL_REVISITS 1 /* records in the ring that were no first visits */
#define RAIS_TOTAL_SEEN 2     /* active examples that were visited */
#define RAIS_TOTAL_ACTIVE 3   /* active examples, as of rais_state_recount */
#define RAIS_TOTAL_FLOORED 4  /* values that were raised to the floor */
#define RAIS_TOTAL_REFUSED 5  /* minibatches with a bad value, which taught nothing */
#define RAIS_TOTAL_DEFERRED 6 /* visits that wait; -1 where visits are made at once */
#define RAIS_TOTAL_LOST 7     /* visits for which there was no room to wait */
#define RAIS_TOTAL_SUMS 8     /* [3][9] limbs of the exact sums of the history's norms */
#define RAIS_TOTALS 36

/* Bytes of a block, of which part each begins, and of a history. 0, -1 and 0 for bad arguments. */
RAIS_API int64_t rais_state_bytes(int32_t classes, int32_t records, int32_t deferrable);
RAIS_API int64_t rais_state_offset(int32_t classes, int32_t records, int32_t deferrable,
                                   int32_t part);
RAIS_API int64_t rais_state_history_bytes(int64_t size);

/*
 * Makes a block that of a new sampler; the memory need not be cleared before. rais_state_recount
 * belongs after it.
 */
RAIS_API int32_t rais_state_init(rais_stream stream, int32_t classes, int32_t records,
                                 int32_t deferrable, void* state);

/*
 * Counts what follows from the examples and their history: active and seen ones, by class too, and
 * the exact sums. At the start, after a restore, and whenever examples were added or retired.
 */
RAIS_API int32_t rais_state_recount(rais_stream stream, int64_t size, const float* history,
                                    const int32_t* labels, const uint32_t* retired, int32_t classes,
                                    int32_t records, int32_t deferrable, void* state);

/*
 * Freezes the means that features are made from as they now stand (Java: ClassMeans.freeze). Before
 * every rais_state_features as long as no set was trained; from then on rais_state_apply does it.
 * Before the first norm they are 0.
 */
RAIS_API int32_t rais_state_freeze(rais_stream stream, int32_t classes, int32_t records,
                                   int32_t deferrable, void* state);

/*
 * The features s_i of a minibatch at its draw (Java: ExampleHistory.features). An index outside
 * [0, size) has zeros.
 *
 * count       from 1 to RAIS_MAX_DRAWS
 * indices     [count]
 * features    [count, RAIS_FEATURES]
 */
RAIS_API int32_t rais_state_features(rais_stream stream, int64_t size, const float* history,
                                     const int32_t* labels, int32_t classes, int32_t records,
                                     int32_t deferrable, const void* state, int32_t count,
                                     const int32_t* indices, float* features);

/*
 * Learns from a minibatch's norms (Java: RaisSampler.learn): class means, records, and the history,
 * where visits are not deferred. Norms of one class are added up, and visits to one example made,
 * in the order of the slots. One block does it all.
 *
 * A minibatch teaches nothing, and is counted as refused, if it has a norm that is negative or not
 * finite, an importance weight that is not positive and finite, an index outside [0, size), an
 * example whose label is no class, or if *accepted is 0: no part of the state changes else.
 *
 * count       from 1 to RAIS_MAX_DRAWS; meant for a minibatch
 * indices     [count]
 * importance  [count] 1/(n p_i)
 * norms       [count]
 * features    [count, RAIS_FEATURES] from its draw. Where the first of them is 0, as before any
 *             norm was seen, all are made anew first
 * accepted    [1] from rais_gain; nullable
 */
RAIS_API int32_t rais_state_observe(rais_stream stream, int64_t size, float* history,
                                    const int32_t* labels, const uint32_t* retired, int32_t classes,
                                    int32_t records, int32_t deferrable, void* state, int32_t count,
                                    const int32_t* indices, const float* importance,
                                    const float* norms, float* features, const int32_t* accepted);

/*
 * Makes the visits that wait, in the order in which they were observed, and ends deferring. Does
 * nothing where none waits.
 */
RAIS_API int32_t rais_state_visit(rais_stream stream, int64_t size, float* history,
                                  const int32_t* labels, const uint32_t* retired, int32_t classes,
                                  int32_t records, int32_t deferrable, void* state);

/*
 * The leaves u_i v_i of a few examples by the terms in force (Java: RobustValues.at), for
 * rais_sum_tree_update; 0 for retired ones, NaN for an index outside [0, size). Counts those that
 * were raised to the floor.
 *
 * objective   [size]; nullable: all 1
 * count       from 1 to RAIS_MAX_DRAWS
 * indices     [count]
 * values      [count]
 */
RAIS_API int32_t rais_state_values(rais_stream stream, int64_t size, const float* history,
                                   const int32_t* labels, const uint32_t* retired,
                                   const float* objective, int32_t classes, int32_t records,
                                   int32_t deferrable, void* state, int32_t count,
                                   const int32_t* indices, float* values);

/*
 * What a refresh starts from: freezes the means into RAIS_STATE_NEXT_FROZEN, and computes the mean
 * features of all active examples under them (Java: ExampleHistory.meanFeatures).
 *
 * defer   1: visits wait from now on until rais_state_visit. 0: leaves that as it is
 */
RAIS_API int32_t rais_state_prepare(rais_stream stream, int32_t classes, int32_t records,
                                    int32_t deferrable, void* state, int32_t defer);

/*
 * The terms of the robust values that follow from RAIS_STATE_SET, which the host has written, and
 * from what rais_state_prepare left (Java: Refresh.of and RobustValues), into
 * RAIS_STATE_NEXT_TERMS. Entries of a set that are negative or not finite make bad leaves, which
 * rais_sum_tree_build counts.
 */
RAIS_API int32_t rais_state_refresh(rais_stream stream, int32_t classes, int32_t records,
                                    int32_t deferrable, void* state);

/*
 * The leaves of all examples by RAIS_STATE_NEXT_TERMS (Java: RobustValues.build), for
 * rais_sum_tree_build; 0 for retired ones. Counts those that were raised to the floor.
 *
 * objective   [size]; nullable: all 1
 * leaves      [size]
 */
RAIS_API int32_t rais_state_leaves(rais_stream stream, int64_t size, const float* history,
                                   const int32_t* labels, const uint32_t* retired,
                                   const float* objective, int32_t classes, int32_t records,
                                   int32_t deferrable, void* state, float* leaves);

/* Puts the next frozen means and terms in force. */
RAIS_API int32_t rais_state_apply(rais_stream stream, int32_t classes, int32_t records,
                                  int32_t deferrable, void* state);

/*
 * ---- The gain ratio (docs/algorithm.md section 5; Java: GainEstimator, Schedule) ----
 *
 * Its memory is double [RAIS_GAIN_LENGTH], from rais_gain_init.
 */
#define RAIS_GAIN_UNIFORM 0 /* averages of the three moments */
#define RAIS_GAIN_WEIGHTED 1
#define RAIS_GAIN_BATCH 2
#define RAIS_GAIN_ESTIMATE 3 /* of r, without bounds */
#define RAIS_GAIN_EARNED 4   /* sum of all r; of those at the bound */
#define RAIS_GAIN_EARNED_AT_BOUND 5
#define RAIS_GAIN_BOUND_HITS 6
#define RAIS_GAIN_RATIO 7      /* r of the last minibatch that was accepted */
#define RAIS_GAIN_ITERATIONS 8 /* effective iterations t^ */
#define RAIS_GAIN_REFUSED 9    /* minibatches that were not */
#define RAIS_GAIN_LENGTH 16

/* Bits of rais_step_metrics.flags: what is negative or not finite, or for weights not positive. */
#define RAIS_STEP_BAD_LOSS 1
#define RAIS_STEP_BAD_NORM 2
#define RAIS_STEP_BAD_WEIGHT 4
#define RAIS_STEP_BAD_GRADIENT 8

#define RAIS_MAX_SCHEDULE_PIECES 65536

/* What the host may want to know of a step. */
typedef struct rais_step_metrics {
  int64_t step;                 /* number of the step, from 1; written last; 0: not written yet */
  double loss;                  /* mean of weights[j] * losses[j]; NaN without losses */
  double gain_ratio;            /* r */
  double gain_estimate;         /* r without bounds */
  double effective_iterations;  /* t^ after this step */
  double gradient_squared_norm; /* |g|^2 */
  int64_t bound_hits;           /* of all steps so far */
  int64_t refused;              /* minibatches refused so far */
  int64_t floored;              /* *floored */
  float learning_rate;          /* eta */
  int32_t flags;                /* RAIS_STEP_...; 0: accepted */
} rais_step_metrics;

/* No minibatch seen: r = 1, t^ = 0. gain: double [RAIS_GAIN_LENGTH] */
RAIS_API int32_t rais_gain_init(rais_stream stream, double* gain);

/*
 * Takes in the moments of a minibatch and gives the learning rate of its update. With N_j^2 =
 * norms[j]^2 (hidden_squared_norms[j] + 1), the exact squared gradient norms of the final layer:
 *   averages of mean(w_j N_j^2 (a_j/w_j)^2), mean(a_j^2 N_j^2) and |g|^2 (alpha = 0.01)
 *   r = 1 + (first - second) / (count * third), held in [1, gain_max]
 *   *learning_rate = r * schedule(t^),   t^ <- t^ + r,   *iteration <- *iteration + 1
 * With a shadow, see rais_draw_weights, the estimate is of what those draws would gain, and r is 1.
 * The bits are Java's where N_j^2 and |g|^2 are.
 *
 * A minibatch with a loss that is not finite, a norm, N_j^2 or |g|^2 that is negative or not
 * finite, or a bad weight is refused: the gain stays as it is but for the count, *learning_rate and
 * *accepted are 0, and the metrics say why. *iteration goes on.
 *
 * count                  m, from 1 to RAIS_MAX_DRAWS
 * weights                [m] loss weights a_j
 * importance             [m] w_j = 1/(n p_j); nullable: the weights are these
 * shadow                 [m] from rais_draw_weights; nullable
 * norms                  [m] |softmax - y|
 * hidden_squared_norms   [m] |h_j|^2; nullable: N_j = norms[j]
 * losses                 [m] for the metrics; nullable
 * gradient_squared_norm  [1] |g|^2 of the final layer's minibatch gradient
 * gain_max               r_max, at least 1
 * schedule               [2 + 4 pieces] base rate and length T > 0, then of every piece the end,
 *                        ascending, constant a, slope b and amplitude c (Java: Schedule.table). At
 *                        progress p = t^/T the first piece with p < end holds, or else the last;
 *                        with x = (p - begin)/(end - begin), held in [0, 1], the rate is
 *                        base * (a + b x + c cos(pi x))
 * pieces                 from 1 to RAIS_MAX_SCHEDULE_PIECES
 * floored                [1] for the metrics: RAIS_TOTAL_FLOORED of the state; nullable
 * iteration              [1] number of this step, from 0
 * gain                   [RAIS_GAIN_LENGTH]
 * learning_rate          [1] for rais_sgd
 * accepted               [1] for rais_state_observe: 1, or 0 if the minibatch is refused; nullable
 * metrics                [metrics_slots] a ring: this step's are in slot *iteration %
 *                        metrics_slots. May lie in memory that the host maps, and polls; nullable
 */
RAIS_API int32_t rais_gain(rais_stream stream, int32_t count, const float* weights,
                           const float* importance, const float* shadow, const float* norms,
                           const float* hidden_squared_norms, const float* losses,
                           const double* gradient_squared_norm, double gain_max,
                           const double* schedule, int32_t pieces, const int64_t* floored,
                           int64_t* iteration, double* gain, float* learning_rate,
                           int32_t* accepted, rais_step_metrics* metrics, int32_t metrics_slots);

/* Bytes of workspace that rais_sgd needs for count parameters; 0 if count is not positive. */
RAIS_API int64_t rais_sgd_workspace_bytes(int64_t count);

/*
 * One step of momentum SGD with weight decay for all parameters, in place (docs/algorithm.md
 * section 5): u <- momentum * u - learning_rate * (g + weight_decay * w), w <- w + u.
 *
 * count                   number of parameters, at least 1
 * w, u                    [count] parameters and velocities
 * gradient_dtype          RAIS_FLOAT32 or RAIS_BFLOAT16: type of g
 * g                       [count] gradients, without the weight decay
 * learning_rate           [1] in device memory
 * momentum                in [0, 1)
 * weight_decay            at least 0
 * w_bfloat16              [count] the new parameters, rounded to nearest even; nullable
 * gradient_squared_norm   [1] sum of g^2, in an order that depends on count alone; nullable
 * not_finite              [1] set to 1 if a new parameter is infinite or NaN, else left as it is:
 *                         the host looks at it when it reads metrics, and sets it to 0; nullable
 * workspace               rais_sgd_workspace_bytes(count) bytes, aligned to 16, zero before the
 *                         first use and not shared between streams; may be null if
 *                         gradient_squared_norm is
 */
RAIS_API int32_t rais_sgd(rais_stream stream, int64_t count, float* w, float* u,
                          int32_t gradient_dtype, const void* g, const float* learning_rate,
                          float momentum, float weight_decay, uint16_t* w_bfloat16,
                          double* gradient_squared_norm, int32_t* not_finite, void* workspace);

/*
 * A normalised batch of chosen images of a byte data set, varied at random (Java: Augmentation has
 * the formulas; Backend.gather). Slot j gets image indices[j], shifted, mirrored and with a square
 * cut out as the Philox block of (seed, random_stream) at (*iteration, j) says; value k of channel
 * c = k mod channels is byte * scale[c] + shift[c], rounded after the product and after the sum,
 * and 0 where the square is. All bits are those of the Java class; bfloat16 is that float rounded
 * to nearest even.
 *
 * An index outside [0, count) gives an image of NaNs and the label INT32_MIN.
 *
 * count           images n of the data set, at least 1
 * height, width   of an image, from 1 to 65535
 * channels        values of a pixel; an image has 2^30 values at most
 * images          [n, height, width, channels]
 * labels          [n]; nullable if batch_labels is
 * rows            images m of the batch, from 1 to RAIS_MAX_DRAWS
 * indices         [m]
 * scale, shift    [channels]
 * padding         largest shift, in pixels, from 0 to 65535
 * flip            1 to mirror half of the images, 0 for none
 * cutout          side of the square, from 0 (none) to 65535
 * random_stream   Java: Streams.AUGMENTATION
 * iteration       [1] in device memory; nullable if padding, flip and cutout are 0
 * dtype           RAIS_FLOAT32 or RAIS_BFLOAT16: type of batch
 * batch           dtype [m, height, width, channels]; fast if aligned to 16
 * batch_labels    [m] the images' labels; nullable
 */
RAIS_API int32_t rais_gather_augment(rais_stream stream, int64_t count, int32_t height,
                                     int32_t width, int32_t channels, const uint8_t* images,
                                     const int32_t* labels, int32_t rows, const int32_t* indices,
                                     const float* scale, const float* shift, int32_t padding,
                                     int32_t flip, int32_t cutout, int64_t seed,
                                     int32_t random_stream, const int64_t* iteration, int32_t dtype,
                                     void* batch, int32_t* batch_labels);

/*
 * Chosen images of a byte data set side by side, unchanged: for data sets in pinned host memory,
 * which kernels read over the bus. Every byte is read once, by neighbouring threads. What then
 * reads fetched, with slots for indices, finds what it would have found in images.
 *
 * An index outside [0, count) gives an image of zeros, the slot -1 and the label INT32_MIN.
 *
 * count           images n of the data set, at least 1
 * image_bytes     bytes of an image, from 1 to 2^30
 * images          [n, image_bytes]; fast if it, fetched and image_bytes are aligned to 16
 * labels          [n]; nullable if batch_labels is
 * rows            images m that are fetched, from 1 to RAIS_MAX_DRAWS
 * indices         [m]
 * fetched         [m, image_bytes]
 * slots           [m] j for every slot j whose index is in [0, count)
 * batch_labels    [m] the images' labels; nullable
 */
RAIS_API int32_t rais_fetch_images(rais_stream stream, int64_t count, int32_t image_bytes,
                                   const uint8_t* images, const int32_t* labels, int32_t rows,
                                   const int32_t* indices, uint8_t* fetched, int32_t* slots,
                                   int32_t* batch_labels);

/*
 * y = x + bias for every row, then y = max(y, 0) if rectified; a NaN stays one.
 *
 * rows, channels   up to 2^30 and 2^24
 * dtype            RAIS_FLOAT32 or RAIS_BFLOAT16: type of x and y
 * x, y             dtype [rows, channels]; may be the same memory; fast if aligned to 16 and rows
 *                  are multiples of 16 bytes
 * bias             [channels]
 * rectified        1 or 0
 */
RAIS_API int32_t rais_bias_relu(rais_stream stream, int32_t rows, int32_t channels, int32_t dtype,
                                const void* x, const float* bias, int32_t rectified, void* y);

/* Bytes of workspace that rais_bias_relu_backward needs; 0 if an argument is out of range. */
RAIS_API int64_t rais_bias_relu_workspace_bytes(int32_t rows, int32_t channels, int32_t dtype);

/*
 * dx = dy where y > 0, else 0; dbias = the sums of dx over rows, in an order that depends on the
 * shape and dtype alone.
 *
 * y           dtype [rows, channels], what rais_bias_relu gave; null if it was not rectified: then
 *             dx = dy
 * dy, dx      dtype [rows, channels]; may be the same memory; dx is nullable
 * dbias       [channels]
 * workspace   rais_bias_relu_workspace_bytes(rows, channels, dtype) bytes, aligned to 16
 */
RAIS_API int32_t rais_bias_relu_backward(rais_stream stream, int32_t rows, int32_t channels,
                                         int32_t dtype, const void* y, const void* dy, void* dx,
                                         float* dbias, void* workspace);

/*
 * Operations on count single elements, up to 2^39, of dtype RAIS_FLOAT32 or RAIS_BFLOAT16. Outputs
 * may be the same memory as an input of the same type. Fast if all are aligned to 16.
 *   rais_relu            y = max(x, 0); a NaN stays one
 *   rais_relu_backward   dx = dy where y > 0, else 0
 *   rais_add             y = a + b
 *   rais_to_bfloat16     y = x rounded to nearest even; NaNs become 0x7FFF
 *   rais_to_float32      y = x
 */
RAIS_API int32_t rais_relu(rais_stream stream, int64_t count, int32_t dtype, const void* x,
                           void* y);
RAIS_API int32_t rais_relu_backward(rais_stream stream, int64_t count, int32_t dtype, const void* y,
                                    const void* dy, void* dx);
RAIS_API int32_t rais_add(rais_stream stream, int64_t count, int32_t dtype, const void* a,
                          const void* b, void* y);
RAIS_API int32_t rais_to_bfloat16(rais_stream stream, int64_t count, const float* x, uint16_t* y);
RAIS_API int32_t rais_to_float32(rais_stream stream, int64_t count, const uint16_t* x, float* y);

/*
 * Dropout (Java: Backend.dropout), the same bits: element i is kept, and multiplied by
 * 1/(1 - rate), if word i mod 4 of the Philox block of (seed, random_stream) at (*iteration, i / 4)
 * is at least rate * 2^32, rounded, at most 2^32 - 1; else it is 0. The same call with dy for x
 * gives dx.
 *
 * count           up to 2^33
 * dtype           RAIS_FLOAT32 or RAIS_BFLOAT16: type of x and y
 * rate            in [0, 1)
 * random_stream   Java: Streams.DROPOUT | layer << 8
 * iteration       [1] in device memory
 * x, y            dtype [count]; may be the same memory; fast if aligned to 16
 */
RAIS_API int32_t rais_dropout(rais_stream stream, int64_t count, int32_t dtype, const void* x,
                              float rate, int64_t seed, int32_t random_stream,
                              const int64_t* iteration, void* y);

/*
 * Max pooling with square, unpadded windows (Java: MaxPool), the same bits: y is the maximum of
 * each window, winners where in it that is, row by row; among equals the first. A NaN wins if it is
 * the first of its window, else it is passed over. Output rows: (height - kernel) / stride + 1,
 * columns alike. The input has at most 2^31 - 1 elements.
 *
 * kernel    rows and columns of a window, from 1 to 16, not above height and width
 * stride    step in both directions, at least 1
 * dtype     RAIS_FLOAT32 or RAIS_BFLOAT16: type of x and y
 * x         dtype [batch, height, width, channels]
 * y         dtype [batch, output height, output width, channels]
 * winners   as y
 */
RAIS_API int32_t rais_max_pool(rais_stream stream, int32_t batch, int32_t height, int32_t width,
                               int32_t channels, int32_t kernel, int32_t stride, int32_t dtype,
                               const void* x, void* y, uint8_t* winners);

/* dx = the sum of dy over the windows that each input has won; shapes as for rais_max_pool. */
RAIS_API int32_t rais_max_pool_backward(rais_stream stream, int32_t batch, int32_t height,
                                        int32_t width, int32_t channels, int32_t kernel,
                                        int32_t stride, int32_t dtype, const void* dy,
                                        const uint8_t* winners, void* dx);

/*
 * Global average pooling: y[j, c] is the mean of x[j, s, c] over all positions s; backward,
 * dx[j, s, c] = dy[j, c] / positions. batch * positions is at most 2^30, batch * channels below
 * 2^31.
 *
 * dtype    RAIS_FLOAT32 or RAIS_BFLOAT16
 * x, dx    dtype [batch, positions, channels]
 * y, dy    dtype [batch, channels]
 */
RAIS_API int32_t rais_global_average_pool(rais_stream stream, int32_t batch, int32_t positions,
                                          int32_t channels, int32_t dtype, const void* x, void* y);
RAIS_API int32_t rais_global_average_pool_backward(rais_stream stream, int32_t batch,
                                                   int32_t positions, int32_t channels,
                                                   int32_t dtype, const void* dy, void* dx);

/*
 * Adds what an evaluation counts to sums in device memory. Examples with ignored_label are passed
 * over. Losses that are not finite are summed like others, so that the sum shows them, and counted.
 * Meant for a minibatch: one block does it all.
 *
 * rows            examples m, from 1 to RAIS_MAX_DRAWS
 * classes         from 2 to RAIS_MAX_CLASSES
 * losses          [m] and
 * correctness     [m] as rais_softmax_xent gives them
 * labels          [m]; one that is no class counts for no class
 * ignored_label   a negative number
 * loss_sum        [1] increased by the losses
 * counts          [RAIS_COUNTS] increased by the numbers of examples, of those whose label has not
 *                 the largest logit, of those whose label is not among the five largest, and of
 *                 losses that are not finite
 * class_counts    [classes, 2] increased by the numbers of examples of each class, and of those of
 *                 them whose label has not the largest logit; nullable
 */
RAIS_API int32_t rais_evaluation_counts(rais_stream stream, int32_t rows, int32_t classes,
                                        const float* losses, const uint8_t* correctness,
                                        const int32_t* labels, int32_t ignored_label,
                                        double* loss_sum, int64_t* counts, int64_t* class_counts);

/*
 * squared_norms[j] = sum over k of x[j, k]^2, summed in double.
 *
 * columns         up to 2^30
 * dtype           RAIS_FLOAT32 or RAIS_BFLOAT16: type of x
 * x               dtype [rows, columns]; fast if aligned to 16 and rows are multiples of 16 bytes
 * squared_norms   [rows]
 */
RAIS_API int32_t rais_row_squared_norms(rais_stream stream, int32_t rows, int32_t columns,
                                        int32_t dtype, const void* x, float* squared_norms);

/*
 * Bytes of workspace that rais_batch_norm_forward and rais_batch_norm_backward need; 0 if an
 * argument is out of range.
 */
RAIS_API int64_t rais_batch_norm_workspace_bytes(int32_t batch, int32_t positions, int32_t channels,
                                                 int32_t dtype);

/*
 * Batch normalisation with weighted statistics (docs/algorithm.md section 6; Java: BatchNorm). With
 * share w_js = weight_j / (positions * sum of weights) of example j at each of its positions s, for
 * every channel:
 *   mean      = sum of w_js x_js
 *   variance  = sum of w_js (x_js - mean)^2
 *   xhat      = (x - mean) / sqrt(variance + epsilon)
 *   y         = gamma * xhat + beta               RAIS_FUSION_NONE
 *               max(that, 0)                      RAIS_FUSION_RELU
 *               max(that + residual, 0)           RAIS_FUSION_ADD_RELU
 *   running_mean     += momentum * (mean - running_mean)
 *   running_variance += momentum * (variance / (1 - sum of w_js^2) - running_variance), where a
 *                       denominator that is not positive is taken as 1
 * Sums are made of sums of chunks of rows around a value of each chunk, in an order that depends on
 * the shape and dtype alone. A channel with a value that is not finite, or weights that sum to 0 or
 * are not finite, give NaN; it passes the rectifier.
 *
 * batch, positions    examples and positions of each; 2^30 rows at most
 * channels            up to 2^24
 * dtype               RAIS_FLOAT32 or RAIS_BFLOAT16: type of x, residual and y
 * fusion              RAIS_FUSION_...
 * epsilon             at least 0
 * x                   dtype [batch, positions, channels]; fast if it, residual and y are aligned to
 *                     16, and channels are multiples of 16 bytes
 * example_weights     [batch], at least 0; nullable: all 1
 * gamma, beta         [channels]
 * residual            as x; null unless RAIS_FUSION_ADD_RELU
 * y                   as x; may be the same memory as x or residual
 * mean                [channels], and
 * inverse_deviation   [channels] 1 / sqrt(variance + epsilon), for backward
 * running_mean        [channels] and
 * running_variance    [channels]; nullable, both
 * momentum            in [0, 1]
 * workspace           rais_batch_norm_workspace_bytes bytes, aligned to 16
 */
RAIS_API int32_t rais_batch_norm_forward(rais_stream stream, int32_t batch, int32_t positions,
                                         int32_t channels, int32_t dtype, int32_t fusion,
                                         float epsilon, const void* x, const float* example_weights,
                                         const float* gamma, const float* beta,
                                         const void* residual, void* y, float* mean,
                                         float* inverse_deviation, float* running_mean,
                                         float* running_variance, float momentum, void* workspace);

/* The same with running statistics in the place of the batch's, for evaluation. */
RAIS_API int32_t rais_batch_norm_forward_running(
    rais_stream stream, int32_t batch, int32_t positions, int32_t channels, int32_t dtype,
    int32_t fusion, float epsilon, const void* x, const float* gamma, const float* beta,
    const float* running_mean, const float* running_variance, const void* residual, void* y);

/*
 * Gradients of rais_batch_norm_forward. With dz = dy where y > 0, else 0 (RAIS_FUSION_NONE: dy),
 * and sums over all rows:
 *   dbeta     = sum of dz
 *   dgamma    = sum of dz xhat
 *   dx        = gamma / sqrt(variance + epsilon) * (dz - w_js dbeta - w_js xhat dgamma)
 *   dresidual = dz
 * dy already contains the examples' weights.
 *
 * x, example_weights, gamma   as for forward
 * beta                        as for forward, or null. With RAIS_FUSION_RELU: if it is given, y > 0
 *                             is found out from x, which takes less time than reading y
 * y                           what forward gave; nullable with RAIS_FUSION_NONE, or where beta
 *                             takes its place
 * dy                          as x
 * mean, inverse_deviation     what forward gave
 * dx                          as x; may be the same memory as dy; nullable
 * dgamma, dbeta               [channels]
 * dresidual                   as x; null unless RAIS_FUSION_ADD_RELU; may be the same memory as dy,
 *                             but not as dx
 * workspace                   as for forward, which may have the same one
 */
RAIS_API int32_t rais_batch_norm_backward(rais_stream stream, int32_t batch, int32_t positions,
                                          int32_t channels, int32_t dtype, int32_t fusion,
                                          const void* x, const void* y, const void* dy,
                                          const float* example_weights, const float* gamma,
                                          const float* beta, const float* mean,
                                          const float* inverse_deviation, void* dx, float* dgamma,
                                          float* dbeta, void* dresidual, void* workspace);

/*
 * Gradients of rais_batch_norm_forward_running, where the statistics are constants:
 * dx = gamma / sqrt(running_variance + epsilon) * dz, dresidual = dz, and of every example j the
 * squared norm of its own gradient of gamma and beta, for exact norms.
 *
 * squared_norms   [batch] increased by |dgamma_j|^2 + |dbeta_j|^2
 */
RAIS_API int32_t rais_batch_norm_backward_running(
    rais_stream stream, int32_t batch, int32_t positions, int32_t channels, int32_t dtype,
    int32_t fusion, float epsilon, const void* x, const void* y, const void* dy, const float* gamma,
    const float* beta, const float* running_mean, const float* running_variance, void* dx,
    void* dresidual, float* squared_norms);

/*
 * ---- Squared norms of gradients ----
 */

/*
 * *result = the sum of x[i]^2, in an order that depends on count alone. For rais_gain: the
 * gradients of the final layer's weights and bias lie one behind the other.
 *
 * count       at least 1
 * x           [count]
 * result      [1]
 * workspace   rais_squared_norm_workspace_bytes(count) bytes, aligned to 16, zero before the first
 *             use and not shared between streams
 */
RAIS_API int64_t rais_squared_norm_workspace_bytes(int64_t count);
RAIS_API int32_t rais_squared_norm(rais_stream stream, int64_t count, const float* x,
                                   double* result, void* workspace);

/*
 * Exact squared norms of each example's own gradient of a linear layer (Java:
 * Linear.addExampleSquaredNorms): adds |delta_j|^2 (|x_j|^2 + bias) to squared_norms[j].
 *
 * rows            examples, at least 1
 * inputs          up to 2^30
 * outputs         up to 2^30
 * bias            1, or 0 for a layer without
 * dtype           RAIS_FLOAT32 or RAIS_BFLOAT16: type of x and deltas
 * x               dtype [rows, inputs] the layer's input
 * deltas          dtype [rows, outputs] dL/dy of every example, without importance weights
 * squared_norms   [rows] added to
 */
RAIS_API int32_t rais_linear_gradient_norms(rais_stream stream, int32_t rows, int32_t inputs,
                                            int32_t outputs, int32_t bias, int32_t dtype,
                                            const void* x, const void* deltas,
                                            float* squared_norms);

/*
 * The same for a convolution with a square kernel (Java: Convolution.addExampleSquaredNorms):
 * |sum over s of delta_s (outer) patch_s|^2 + bias |sum over s of delta_s|^2 over output positions
 * s. Output rows: (height + 2 padding - kernel) / stride + 1, columns alike. Relative to the sum of
 * what is added up, errors are about 1e-6; where a gradient nearly vanishes, though its terms do
 * not, its norm is known less well.
 *
 * batch           examples, at least 1: a block each
 * height, width   of the input, up to 65535; height * width * channels up to 2^30, outputs alike
 * channels        of the input, up to 2^24
 * outputs         channels of the output, up to 2^24
 * kernel          rows and columns, from 1 to the input's with its padding
 * stride          from 1 to 65535
 * padding         zeros added on every side, from 0 to 65535
 * bias            1, or 0 for a layer without
 * dtype           RAIS_FLOAT32 or RAIS_BFLOAT16: type of x and deltas
 * x               dtype [batch, height, width, channels]
 * deltas          dtype [batch, output height, output width, outputs]
 * squared_norms   [batch] added to
 */
RAIS_API int32_t rais_convolution_gradient_norms(rais_stream stream, int32_t batch, int32_t height,
                                                 int32_t width, int32_t channels, int32_t outputs,
                                                 int32_t kernel, int32_t stride, int32_t padding,
                                                 int32_t bias, int32_t dtype, const void* x,
                                                 const void* deltas, float* squared_norms);

#ifdef __cplusplus
}
#endif

#endif
