// The list of benches. A new one is a file NAME_bench.cpp and an entry here.
#include "bench.h"

namespace bench {

void batchNorm(Bench& bench);
void biasRelu(Bench& bench);
void elementwise(Bench& bench);
void evaluation(Bench& bench);
void fetchImages(Bench& bench);
void gatherAugment(Bench& bench);
void norms(Bench& bench);
void pooling(Bench& bench);
void sampler(Bench& bench);
void sgd(Bench& bench);
void softmaxXent(Bench& bench);
void sumTree(Bench& bench);

// In formulas: e is the size of an element (4, or 2 for bfloat16), N the number of elements of an
// activation, other letters are the shape's. Operands that are small beside these are left out.
const std::vector<Registration> registrations = {
    {"batch_norm", batchNorm,
     "forward 3 e N: x read for the statistics and again for the output, which is written; "
     "backward 5 e N: x and dy read twice, dx written; with a residual e N and 2 e N more. Running "
     "statistics: 2 e N and 3 e N",
     "rais_batch_norm_forward rais_batch_norm_forward_running rais_batch_norm_backward "
     "rais_batch_norm_backward_running"},
    {"bias_relu", biasRelu, "forward 2 e N; backward 3 e N: y and dy read, dx written",
     "rais_bias_relu rais_bias_relu_backward"},
    {"elementwise", elementwise, "e n for every operand; conversions 6 n",
     "rais_relu rais_relu_backward rais_add rais_to_bfloat16 rais_to_float32 rais_dropout"},
    {"evaluation", evaluation, "not counted", "rais_evaluation_counts"},
    {"fetch_images", fetchImages,
     "2 m hwc on the device: pixels read and written; out of host memory not counted",
     "rais_fetch_images"},
    {"gather_augment", gatherAugment,
     "m (hwc (1 + e) + 12): pixels read and written; an index, two labels; out of host memory not "
     "counted",
     "rais_gather_augment"},
    {"norms", norms, "all inputs read once; norms, read and written where they are added to",
     "rais_row_squared_norms rais_squared_norm rais_linear_gradient_norms "
     "rais_convolution_gradient_norms"},
    {"pooling", pooling, "inputs and outputs once, e a value; a winner 1",
     "rais_max_pool rais_max_pool_backward rais_global_average_pool "
     "rais_global_average_pool_backward"},
    {"sampler", sampler,
     "leaves 24 n: history and labels read, leaves written; recount 20 n; refresh: leaves and the "
     "tree's build; steps are not counted in bytes",
     "rais_round_take rais_epoch_take rais_uniform_draw rais_draw_weights rais_state_init "
     "rais_state_recount rais_state_freeze rais_state_features rais_state_observe rais_state_visit "
     "rais_state_values rais_state_prepare rais_state_refresh rais_state_leaves rais_state_apply "
     "rais_gain_init rais_gain"},
    {"sgd", sgd,
     "20 n: w and u read and written, g read; in bfloat16, g takes 2 and a copy of w is written",
     "rais_sgd"},
    {"softmax_xent", softmaxXent,
     "2 e m K + 17 m: logits read once, gradients written; label, weight, loss, norm, flags",
     "rais_softmax_xent"},
    {"sum_tree", sumTree,
     "n (4 + 8/15): leaves read, sums written, for a build; draws and updates are not counted in "
     "bytes",
     "rais_sum_tree_build rais_sum_tree_update rais_sum_tree_draw rais_round_generate"},
};

}  // namespace bench
