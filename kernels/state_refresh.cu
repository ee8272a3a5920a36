// The sampler's state as a whole: how it begins, what is counted anew when examples come or go, and
// the refresh that follows a trained uncertainty set. Java's ClassMeans.freeze,
// ExampleHistory.meanFeatures, Refresh and RobustValues, bit for bit.
#include "state.cuh"

namespace rais {
namespace {

constexpr int kThreads = 256;
constexpr int kRecountBlocks = 1024;  // at most: 2^21 examples each do not overflow a limb
constexpr int kPrepareThreads = 1024;
constexpr double kFloor = 0.001;  // no weight exceeds 1,000 times the mean

__global__ void __launch_bounds__(kThreads) init(State state, int64_t words) {
  int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  int64_t firstMean = state.means - reinterpret_cast<double*>(state.totals);
  for (; i < words; i += stride) {
    int64_t value = i == RAIS_TOTAL_DEFERRED ? -1 : 0;
    if (i >= firstMean && i <= firstMean + state.classes) {
      value = __double_as_longlong(nan(""));
    }
    state.totals[i] = value;  // the block's first part, so this is all of it
  }
}

// What recount adds to.
__global__ void __launch_bounds__(kThreads) clearCounts(State state) {
  int i = blockIdx.x * kThreads + threadIdx.x;
  if (i < 2 * state.classes) {
    state.counts[i] = 0;
  }
  if (i < kSums * kLimbs) {
    state.totals[RAIS_TOTAL_SUMS + i] = 0;
  }
  if (i == 0) {
    state.totals[RAIS_TOTAL_SEEN] = 0;
    state.totals[RAIS_TOTAL_ACTIVE] = 0;
  }
}

__global__ void __launch_bounds__(kThreads) recount(Examples examples, State state) {
  RAIS_SHARED(unsigned long long[kSums][kLimbs], limbs);
  if (threadIdx.x < kSums * kLimbs) {
    limbs[threadIdx.x / kLimbs][threadIdx.x % kLimbs] = 0;
  }
  __syncthreads();  // the limbs are 0
  int64_t active = 0;
  int64_t seen = 0;
  int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  // Whole blocks go round: warps add to the sums together.
  for (int64_t base = static_cast<int64_t>(blockIdx.x) * kThreads; base < examples.size;
       base += stride) {
    int64_t i = base + threadIdx.x;
    float values[kSums] = {};
    if (i < examples.size && examples.isActive(i)) {
      active++;
      int32_t label = examples.classOf(i);
      atomicAdd(&state.counts[label], 1);
      if (examples.visits(i) == 0) {
        atomicAdd(&state.counts[state.classes + label], 1);
      } else {
        seen++;
      }
      values[0] = examples.last(i);
      values[1] = examples.previous(i);
      values[2] = examples.average(i);
    }
    for (int s = 0; s < kSums; s++) {
      addToLimbs(limbs[s], values[s], 1);
    }
  }
  active = blockSum<kThreads>(active);
  seen = blockSum<kThreads>(seen);
  auto* totals = reinterpret_cast<unsigned long long*>(state.totals);
  if (threadIdx.x == 0) {
    atomicAdd(&totals[RAIS_TOTAL_ACTIVE], static_cast<unsigned long long>(active));
    atomicAdd(&totals[RAIS_TOTAL_SEEN], static_cast<unsigned long long>(seen));
  }
  __syncthreads();  // the block's limbs are complete
  if (threadIdx.x < kSums) {
    auto* sum = reinterpret_cast<int64_t*>(limbs[threadIdx.x]);
    carryLimbs(sum);  // so that the grid's sum does not overflow
    for (int i = 0; i < kLimbs; i++) {
      atomicAdd(&totals[RAIS_TOTAL_SUMS + kLimbs * threadIdx.x + i], limbs[threadIdx.x][i]);
    }
  }
}

__global__ void carrySums(State state) {
  if (threadIdx.x < kSums) {
    carryLimbs(state.totals + RAIS_TOTAL_SUMS + kLimbs * threadIdx.x);
  }
}

// The sum over classes of count * mean, in the order of the classes: the terms are made by all
// threads of the block, added up by one.
__device__ double sumOverClasses(const State& state, const int32_t* counts, const float* frozen,
                                 double* terms) {
  double sum = 0;
  for (int32_t begin = 0; begin < state.classes; begin += kPrepareThreads) {
    int32_t k = begin + static_cast<int32_t>(threadIdx.x);
    if (k < state.classes) {
      terms[threadIdx.x] = counts[k] * static_cast<double>(frozen[1 + k]);
    }
    __syncthreads();  // the terms are there
    if (threadIdx.x == 0) {
      int32_t end = min(kPrepareThreads, state.classes - begin);
      for (int32_t i = 0; i < end; i++) {
        sum += terms[i];
      }
    }
    __syncthreads();  // the next terms may replace these
  }
  return sum;
}

__global__ void __launch_bounds__(kPrepareThreads) prepare(State state, int32_t defer) {
  RAIS_SHARED(double[kPrepareThreads], terms);
  freezeMeans(state, state.nextFrozen, threadIdx.x, kPrepareThreads);
  __syncthreads();  // the sums below read them
  double classMeans = sumOverClasses(state, state.counts, state.nextFrozen, terms);
  double neverSeen = sumOverClasses(state, state.counts + state.classes, state.nextFrozen, terms);
  if (threadIdx.x == 0) {
    auto active = static_cast<double>(state.totals[RAIS_TOTAL_ACTIVE]);
    neverSeen /= active;
    double* mean = state.nextFeatures;
    mean[kMean] = state.nextFrozen[0];
    mean[kClassMean] = classMeans / active;
    for (int s = 0; s < kSums; s++) {
      mean[kLast + s] =
          limbsValue(state.totals + RAIS_TOTAL_SUMS + kLimbs * s) / active + neverSeen;
    }
    mean[kNeverSeen] = neverSeen;
    if (defer != 0 && state.totals[RAIS_TOTAL_DEFERRED] < 0) {
      state.totals[RAIS_TOTAL_DEFERRED] = 0;
    }
  }
}

__device__ __forceinline__ double dot(const double* coefficients, const double* features) {
  double sum = 0;
  for (int k = 0; k < RAIS_FEATURES; k++) {
    sum += coefficients[k] * features[k];
  }
  return sum;
}

// One thread per class; each works out for itself what all share.
__global__ void __launch_bounds__(kThreads) refresh(State state) {
  const double* c = state.set;
  const double* dHat = state.set + RAIS_FEATURES;
  double hStar = state.set[2 * RAIS_FEATURES];
  const double* mean = state.nextFeatures;
  double errorScale = hStar == 0 ? 0 : sqrt(hStar / dot(dHat, mean));
  double a[RAIS_FEATURES];
  for (int k = 0; k < RAIS_FEATURES; k++) {
    a[k] = c[k] + errorScale * dHat[k];
  }
  int i = blockIdx.x * kThreads + threadIdx.x;
  if (i < state.classes) {
    double filledIn = a[kLast] + a[kPrevious] + a[kAverage] + a[kNeverSeen];
    double classMean = state.nextFrozen[1 + i];
    double visited = a[kMean] * state.nextFrozen[0] + a[kClassMean] * classMean;
    state.nextTerms[kTermBases + 2 * i] = static_cast<float>(visited);
    state.nextTerms[kTermBases + 2 * i + 1] = static_cast<float>(visited + filledIn * classMean);
  }
  if (i == 0) {
    double meanValue = dot(c, mean) + errorScale * dot(dHat, mean);
    bool allZero = !(meanValue > 0);
    state.nextTerms[kTermLast] = static_cast<float>(a[kLast]);
    state.nextTerms[kTermPrevious] = static_cast<float>(a[kPrevious]);
    state.nextTerms[kTermAverage] = static_cast<float>(a[kAverage]);
    state.nextTerms[kTermFloor] = allZero ? 1 : static_cast<float>(kFloor * meanValue);
    state.nextTerms[kTermAllZero] = allZero ? 1 : 0;
  }
}

// Bound by memory: up to 24 bytes per example.
__global__ void __launch_bounds__(kThreads)
    leaves(Examples examples, State state, const float* objective, float* out) {
  int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  int raised = 0;
  if (i < examples.size) {
    float leaf = 0;
    if (examples.isActive(i)) {
      float v = 1;
      if (state.nextTerms[kTermAllZero] == 0) {
        v = robustValue(examples, state.nextTerms, i);
        float floor = state.nextTerms[kTermFloor];
        if (v < floor) {
          v = floor;
          raised = 1;
        }
      }
      leaf = objective == nullptr ? v : objective[i] * v;
    }
    out[i] = leaf;
  }
  raised = __syncthreads_count(raised);
  if (threadIdx.x == 0 && raised != 0) {
    atomicAdd(reinterpret_cast<unsigned long long*>(&state.totals[RAIS_TOTAL_FLOORED]),
              static_cast<unsigned long long>(raised));
  }
}

__global__ void __launch_bounds__(kThreads) apply(State state) {
  int i = blockIdx.x * kThreads + threadIdx.x;
  if (i <= state.classes) {
    state.frozen[i] = state.nextFrozen[i];
  }
  if (i < kTermBases + 2 * state.classes) {
    state.terms[i] = state.nextTerms[i];
  }
}

bool isSize(int32_t classes, int32_t records, int32_t deferrable) {
  return classes >= 1 && classes <= RAIS_MAX_CLASSES && records >= 1 && records <= RAIS_MAX_DRAWS &&
         deferrable >= 0 && deferrable <= RAIS_MAX_DRAWS;
}

}  // namespace
}  // namespace rais

using namespace rais;

int64_t rais_state_bytes(int32_t classes, int32_t records, int32_t deferrable) {
  return isSize(classes, records, deferrable)
             ? statePartOffset(kStateParts, classes, records, deferrable)
             : 0;
}

int64_t rais_state_offset(int32_t classes, int32_t records, int32_t deferrable, int32_t part) {
  return isSize(classes, records, deferrable) && part >= 0 && part < kStateParts
             ? statePartOffset(part, classes, records, deferrable)
             : -1;
}

int64_t rais_state_history_bytes(int64_t size) {
  if (size < 1 || size > RAIS_MAX_TREE_SIZE) {
    return 0;
  }
  return (size + kHistoryBlock - 1) / kHistoryBlock * kHistoryBlock * kHistoryColumns * 4;
}

int32_t rais_state_init(rais_stream stream, int32_t classes, int32_t records, int32_t deferrable,
                        void* state) {
  Call call("rais_state_init",
            {{"classes", classes}, {"records", records}, {"deferrable", deferrable}});
  if (!checkState(call, state, classes, records, deferrable).ok()) {
    return call.status();
  }
  int64_t words = statePartOffset(kStateParts, classes, records, deferrable) / 8;
  RAIS_LAUNCH(init, min(1024u, blocksOf(words, kThreads)), kThreads, 0, stream,
              stateAt(state, classes, records, deferrable), words);
  return call.launched();
}

int32_t rais_state_recount(rais_stream stream, int64_t size, const float* history,
                           const int32_t* labels, const uint32_t* retired, int32_t classes,
                           int32_t records, int32_t deferrable, void* state) {
  Call call("rais_state_recount", {{"size", size}, {"classes", classes}});
  Examples examples = {size, const_cast<float*>(history), labels, retired, classes};
  checkState(checkExamples(call, examples), state, classes, records, deferrable);
  if (!call.ok()) {
    return call.status();
  }
  State view = stateAt(state, classes, records, deferrable);
  RAIS_LAUNCH(clearCounts, blocksOf(max(2 * classes, kSums * kLimbs), kThreads), kThreads, 0,
              stream, view);
  RAIS_LAUNCH(recount, min(static_cast<unsigned>(kRecountBlocks), blocksOf(size, kThreads)),
              kThreads, 0, stream, examples, view);
  RAIS_LAUNCH(carrySums, 1, kWarpSize, 0, stream, view);
  return call.launched();
}

int32_t rais_state_prepare(rais_stream stream, int32_t classes, int32_t records, int32_t deferrable,
                           void* state, int32_t defer) {
  Call call("rais_state_prepare", {{"classes", classes}, {"defer", defer}});
  if (!checkState(call, state, classes, records, deferrable)
           .inRange("defer", int64_t{defer}, 0, 1)
           .ok()) {
    return call.status();
  }
  RAIS_LAUNCH(prepare, 1, kPrepareThreads, 0, stream, stateAt(state, classes, records, deferrable),
              defer);
  return call.launched();
}

int32_t rais_state_refresh(rais_stream stream, int32_t classes, int32_t records, int32_t deferrable,
                           void* state) {
  Call call("rais_state_refresh", {{"classes", classes}});
  if (!checkState(call, state, classes, records, deferrable).ok()) {
    return call.status();
  }
  RAIS_LAUNCH(refresh, blocksOf(classes, kThreads), kThreads, 0, stream,
              stateAt(state, classes, records, deferrable));
  return call.launched();
}

int32_t rais_state_leaves(rais_stream stream, int64_t size, const float* history,
                          const int32_t* labels, const uint32_t* retired, const float* objective,
                          int32_t classes, int32_t records, int32_t deferrable, void* state,
                          float* out) {
  Call call("rais_state_leaves", {{"size", size}, {"classes", classes}});
  Examples examples = {size, const_cast<float*>(history), labels, retired, classes};
  checkState(checkExamples(call, examples), state, classes, records, deferrable)
      .nullable("objective", objective, alignof(float))
      .pointer("leaves", out, alignof(float));
  if (!call.ok()) {
    return call.status();
  }
  RAIS_LAUNCH(leaves, blocksOf(size, kThreads), kThreads, 0, stream, examples,
              stateAt(state, classes, records, deferrable), objective, out);
  return call.launched();
}

int32_t rais_state_apply(rais_stream stream, int32_t classes, int32_t records, int32_t deferrable,
                         void* state) {
  Call call("rais_state_apply", {{"classes", classes}});
  if (!checkState(call, state, classes, records, deferrable).ok()) {
    return call.status();
  }
  RAIS_LAUNCH(apply, blocksOf(int64_t{kTermBases} + 2 * classes, kThreads), kThreads, 0, stream,
              stateAt(state, classes, records, deferrable));
  return call.launched();
}
