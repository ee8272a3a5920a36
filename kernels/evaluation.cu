// Counts and sums of an evaluation, gathered in device memory over its minibatches.
#include <cfloat>
#include <cmath>

#include "call.h"
#include "reduce.cuh"

namespace rais {
namespace {

constexpr int kThreads = 1024;

__device__ __forceinline__ void addTo(int64_t* counter, int64_t value) {
  atomicAdd(reinterpret_cast<unsigned long long*>(counter), static_cast<unsigned long long>(value));
}

// One block, so that losses are always summed in the same order.
__global__ void __launch_bounds__(kThreads)
    countExamples(int32_t rows, int32_t classes, const float* losses, const uint8_t* correctness,
                  const int32_t* labels, int32_t ignoredLabel, double* lossSum, int64_t* counts,
                  int64_t* classCounts) {
  double loss = 0;
  int examples = 0;
  int top1Errors = 0;
  int top5Errors = 0;
  int notFinite = 0;
  for (int j = threadIdx.x; j < rows; j += kThreads) {
    int label = labels[j];
    if (label == ignoredLabel) {
      continue;
    }
    bool top1Error = (correctness[j] & RAIS_TOP_1) == 0;
    examples++;
    top1Errors += top1Error;
    top5Errors += (correctness[j] & RAIS_TOP_5) == 0;
    notFinite += !(fabsf(losses[j]) <= FLT_MAX);
    loss += losses[j];
    if (classCounts != nullptr && label >= 0 && label < classes) {
      addTo(&classCounts[2 * static_cast<int64_t>(label)], 1);
      if (top1Error) {
        addTo(&classCounts[2 * static_cast<int64_t>(label) + 1], 1);
      }
    }
  }
  loss = blockSum<kThreads>(loss);
  examples = blockSum<kThreads>(examples);
  top1Errors = blockSum<kThreads>(top1Errors);
  top5Errors = blockSum<kThreads>(top5Errors);
  notFinite = blockSum<kThreads>(notFinite);
  if (threadIdx.x == 0) {
    *lossSum += loss;
    counts[RAIS_COUNT_EXAMPLES] += examples;
    counts[RAIS_COUNT_TOP_1_ERRORS] += top1Errors;
    counts[RAIS_COUNT_TOP_5_ERRORS] += top5Errors;
    counts[RAIS_COUNT_NOT_FINITE] += notFinite;
  }
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_evaluation_counts(rais_stream stream, int32_t rows, int32_t classes,
                               const float* losses, const uint8_t* correctness,
                               const int32_t* labels, int32_t ignored_label, double* loss_sum,
                               int64_t* counts, int64_t* class_counts) {
  Call call("rais_evaluation_counts", {{"rows", rows}, {"classes", classes}});
  call.inRange("rows", int64_t{rows}, 1, int64_t{RAIS_MAX_DRAWS})
      .inRange("classes", int64_t{classes}, 2, int64_t{RAIS_MAX_CLASSES})
      .pointer("losses", losses, alignof(float))
      .pointer("correctness", correctness, 1)
      .pointer("labels", labels, alignof(int32_t))
      .inRange("ignored_label", int64_t{ignored_label}, int64_t{INT32_MIN}, int64_t{-1})
      .pointer("loss_sum", loss_sum, alignof(double))
      .pointer("counts", counts, alignof(int64_t))
      .nullable("class_counts", class_counts, alignof(int64_t));
  if (!call.ok()) {
    return call.status();
  }
  RAIS_LAUNCH(countExamples, 1, kThreads, 0, stream, rows, classes, losses, correctness, labels,
              ignored_label, loss_sum, counts, class_counts);
  return call.launched();
}
