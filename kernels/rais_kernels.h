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
#define RAIS_ABI_VERSION 1

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

/* Bytes of workspace that rais_sgd needs for count parameters; 0 if count is not positive. */
RAIS_API int64_t rais_sgd_workspace_bytes(int64_t count);

/*
 * One step of momentum SGD with weight decay for all parameters, in place (docs/algorithm.md
 * section 5): u <- momentum * u - learning_rate * (g + weight_decay * w), w <- w + u.
 *
 * count                   number of parameters, at least 1
 * w, u                    [count] parameters and velocities
 * g                       [count] gradients, without the weight decay
 * learning_rate           [1] in device memory
 * momentum                in [0, 1)
 * weight_decay            at least 0
 * w_bfloat16              [count] the new parameters, rounded to nearest even; nullable
 * gradient_squared_norm   [1] sum of g^2, in an order that depends on count alone; nullable
 * workspace               rais_sgd_workspace_bytes(count) bytes, aligned to 16, zero before the
 *                         first use and not shared between streams; may be null if
 *                         gradient_squared_norm is
 */
RAIS_API int32_t rais_sgd(rais_stream stream, int64_t count, float* w, float* u, const float* g,
                          const float* learning_rate, float momentum, float weight_decay,
                          uint16_t* w_bfloat16, double* gradient_squared_norm, void* workspace);

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

#ifdef __cplusplus
}
#endif

#endif
