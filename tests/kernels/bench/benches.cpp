// The list of benches. A new one is a file NAME_bench.cpp and an entry here.
#include "bench.h"

namespace bench {

void gatherAugment(Bench& bench);
void sgd(Bench& bench);
void softmaxXent(Bench& bench);
void sumTree(Bench& bench);

// In formulas: e is the size of an element (4, or 2 for bfloat16), other letters are the shape's.
const std::vector<Registration> registrations = {
    {"gather_augment", gatherAugment,
     "m (hwc (1 + e) + 12): pixels read and written; an index, two labels", "rais_gather_augment"},
    {"sgd", sgd, "20 n: w and u read and written, g read; with a bfloat16 copy 22 n", "rais_sgd"},
    {"softmax_xent", softmaxXent,
     "2 e m K + 17 m: logits read once, gradients written; label, weight, loss, norm, flags",
     "rais_softmax_xent"},
    {"sum_tree", sumTree,
     "n (4 + 8/15): leaves read, sums written, for a build; draws and updates are not counted in "
     "bytes",
     "rais_sum_tree_build rais_sum_tree_update rais_sum_tree_draw rais_round_generate"},
};

}  // namespace bench
