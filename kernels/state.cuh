// What the sampler's state is made of on the device: where the parts of its block lie, the history
// of every example, exact sums. Bit for bit Java's ExampleHistory, ExactSum, ClassMeans and
// RobustValues. Sources that include this are compiled without contraction into fused
// multiply-adds, which round differently.
#pragma once

#include <cfloat>

#include "call.h"
#include "reduce.cuh"

namespace rais {

// Features of an example, in Java's order.
constexpr int kMean = 0;
constexpr int kClassMean = 1;
constexpr int kLast = 2;
constexpr int kPrevious = 3;
constexpr int kAverage = 4;
constexpr int kNeverSeen = 5;

// The history lies in blocks of so many examples, by columns.
constexpr int kHistoryBlock = 1024;
constexpr int kHistoryColumns = 4;

// Limbs of an exact sum: limb i counts units of 2^(32 i - 149).
constexpr int kLimbs = 9;
constexpr int kSums = 3;  // of the norms seen last, those before, and the averages

// Terms of the robust values: four numbers and a flag, then two bases for each class.
constexpr int kTermLast = 0;
constexpr int kTermPrevious = 1;
constexpr int kTermAverage = 2;
constexpr int kTermFloor = 3;
constexpr int kTermAllZero = 4;
constexpr int kTermBases = 8;

constexpr int kRingColumns = RAIS_FEATURES + 2;  // features, norm, importance weight

// The examples there are. Passed to kernels by value.
struct Examples {
  int64_t size;
  float* history;
  const int32_t* labels;
  const uint32_t* retired;  // null for none
  int32_t classes;

  __device__ __forceinline__ bool has(int64_t i) const { return i >= 0 && i < size; }

  // The class of an example; -1 if its label is none.
  __device__ __forceinline__ int32_t classOf(int64_t i) const {
    int32_t label = labels[i];
    return label >= 0 && label < classes ? label : -1;
  }

  __device__ __forceinline__ bool isActive(int64_t i) const {
    return (retired == nullptr || (retired[i >> 5] >> (i & 31) & 1u) == 0) && classOf(i) >= 0;
  }

  // Where an example's last norm lies; the norm before, the average and the number of visits
  // follow, kHistoryBlock further each.
  static __host__ __device__ __forceinline__ int64_t at(int64_t i) {
    return i / kHistoryBlock * (kHistoryBlock * kHistoryColumns) + i % kHistoryBlock;
  }

  __device__ __forceinline__ float& last(int64_t i) const { return history[at(i)]; }
  __device__ __forceinline__ float& previous(int64_t i) const {
    return history[at(i) + kHistoryBlock];
  }
  __device__ __forceinline__ float& average(int64_t i) const {
    return history[at(i) + 2 * kHistoryBlock];
  }
  __device__ __forceinline__ int32_t& visits(int64_t i) const {
    return reinterpret_cast<int32_t*>(history)[at(i) + 3 * kHistoryBlock];
  }
};

// The sizes and parts of a state's block. Passed to kernels by value.
struct State {
  int32_t classes;
  int32_t records;
  int32_t deferrable;
  int64_t* totals;
  double* set;
  double* means;         // mean of all norms, then of each class
  double* batch;         // [2 classes] weighted norms and weights; 0 between launches
  double* nextFeatures;  // mean features
  int32_t* counts;       // active examples of each class, then those of them never visited
  float* frozen;
  float* terms;
  float* nextFrozen;
  float* nextTerms;
  float* ring;
  int32_t* deferredIndices;
  float* deferredNorms;
};

constexpr int kStateParts = 13;

// Bytes of a part of a state's block.
inline int64_t statePartBytes(int part, int64_t classes, int64_t records, int64_t deferrable) {
  switch (part) {
    case RAIS_STATE_TOTALS:
      return RAIS_TOTALS * 8;
    case RAIS_STATE_SET:
      return (2 * RAIS_FEATURES + 1) * 8;
    case RAIS_STATE_MEANS:
      return (1 + classes) * 8;
    case RAIS_STATE_BATCH:
      return 2 * classes * 8;
    case RAIS_STATE_NEXT_FEATURES:
      return RAIS_FEATURES * 8;
    case RAIS_STATE_COUNTS:
      return 2 * classes * 4;
    case RAIS_STATE_FROZEN:
    case RAIS_STATE_NEXT_FROZEN:
      return (1 + classes) * 4;
    case RAIS_STATE_TERMS:
    case RAIS_STATE_NEXT_TERMS:
      return (kTermBases + 2 * classes) * 4;
    case RAIS_STATE_RING:
      return kRingColumns * records * 4;
    default:  // RAIS_STATE_DEFERRED_INDICES, RAIS_STATE_DEFERRED_NORMS
      return deferrable * 4;
  }
}

// Where a part begins; each does at a multiple of 16. Behind the last one, the block's length.
inline int64_t statePartOffset(int part, int64_t classes, int64_t records, int64_t deferrable) {
  int64_t offset = 0;
  for (int before = 0; before < part; before++) {
    offset += (statePartBytes(before, classes, records, deferrable) + 15) / 16 * 16;
  }
  return offset;
}

inline State stateAt(void* block, int32_t classes, int32_t records, int32_t deferrable) {
  auto part = [=](int number) {
    return static_cast<void*>(static_cast<char*>(block) +
                              statePartOffset(number, classes, records, deferrable));
  };
  State state;
  state.classes = classes;
  state.records = records;
  state.deferrable = deferrable;
  state.totals = static_cast<int64_t*>(part(RAIS_STATE_TOTALS));
  state.set = static_cast<double*>(part(RAIS_STATE_SET));
  state.means = static_cast<double*>(part(RAIS_STATE_MEANS));
  state.batch = static_cast<double*>(part(RAIS_STATE_BATCH));
  state.nextFeatures = static_cast<double*>(part(RAIS_STATE_NEXT_FEATURES));
  state.counts = static_cast<int32_t*>(part(RAIS_STATE_COUNTS));
  state.frozen = static_cast<float*>(part(RAIS_STATE_FROZEN));
  state.terms = static_cast<float*>(part(RAIS_STATE_TERMS));
  state.nextFrozen = static_cast<float*>(part(RAIS_STATE_NEXT_FROZEN));
  state.nextTerms = static_cast<float*>(part(RAIS_STATE_NEXT_TERMS));
  state.ring = static_cast<float*>(part(RAIS_STATE_RING));
  state.deferredIndices = static_cast<int32_t*>(part(RAIS_STATE_DEFERRED_INDICES));
  state.deferredNorms = static_cast<float*>(part(RAIS_STATE_DEFERRED_NORMS));
  return state;
}

// A state's block as arguments of a call.
inline Call& checkState(Call& call, const void* state, int32_t classes, int32_t records,
                        int32_t deferrable) {
  return call.inRange("classes", int64_t{classes}, 1, int64_t{RAIS_MAX_CLASSES})
      .inRange("records", int64_t{records}, 1, int64_t{RAIS_MAX_DRAWS})
      .inRange("deferrable", int64_t{deferrable}, 0, int64_t{RAIS_MAX_DRAWS})
      .pointer("state", state, 16);
}

inline Call& checkExamples(Call& call, const Examples& examples) {
  return call.inRange("size", examples.size, 1, int64_t{RAIS_MAX_TREE_SIZE})
      .pointer("history", examples.history, 16)
      .pointer("labels", examples.labels, alignof(int32_t))
      .nullable("retired", examples.retired, alignof(uint32_t));
}

inline unsigned blocksOf(int64_t count, int threads) {
  return static_cast<unsigned>((count + threads - 1) / threads);
}

__device__ __forceinline__ bool isNan(double x) { return x != x; }
__device__ __forceinline__ bool isNorm(float x) { return x >= 0 && x <= FLT_MAX; }

// A float, finite and not negative, as units of an exact sum's limbs: low in limb, high in the
// next.
struct Units {
  int limb;
  int64_t low;
  int64_t high;
};

__device__ __forceinline__ Units unitsOf(float x) {
  unsigned bits = __float_as_uint(x);
  auto exponent = static_cast<int>(bits >> 23 & 0xFF);
  int shift = max(exponent, 1) - 1;
  uint64_t mantissa = (bits & 0x7FFFFF) | (exponent == 0 ? 0u : 0x800000u);
  uint64_t units = mantissa << (shift & 31);
  return {shift >> 5, static_cast<int64_t>(units & 0xFFFFFFFF), static_cast<int64_t>(units >> 32)};
}

// Adds sign * x of every lane to the limbs of one sum in shared memory. All lanes call it; x = 0
// adds nothing. Values of a warp mostly share their limbs: added up first, they need two atomic
// operations instead of 64 that wait for one another.
__device__ __forceinline__ void addToLimbs(unsigned long long* limbs, float x, int sign) {
  Units units = unitsOf(x);
  unsigned pending = __ballot_sync(kAllLanes, x != 0);
  while (pending != 0) {
    int limb = __shfl_sync(kAllLanes, units.limb, __ffs(static_cast<int>(pending)) - 1);
    bool taken = x != 0 && units.limb == limb;
    int64_t low = warpSum(taken ? units.low : int64_t{0});
    int64_t high = warpSum(taken ? units.high : int64_t{0});
    if (threadIdx.x % kWarpSize == 0) {
      atomicAdd(&limbs[limb], static_cast<unsigned long long>(sign * low));
      atomicAdd(&limbs[limb + 1], static_cast<unsigned long long>(sign * high));
    }
    pending &= ~__ballot_sync(kAllLanes, taken);
  }
}

// Brings all limbs but the last to [0, 2^32), the one way in which to write a number. By one
// thread. Limbs that are carried after every launch never overflow.
__device__ __forceinline__ void carryLimbs(int64_t* limbs) {
  for (int i = 0; i < kLimbs - 1; i++) {
    limbs[i + 1] += limbs[i] >> 32;
    limbs[i] &= 0xFFFFFFFF;
  }
}

// The value of a sum whose limbs are carried: Java's ExactSum.value().
__device__ __forceinline__ double limbsValue(const int64_t* limbs) {
  double sum = 0;
  double unit = 0x1p-149;
  for (int i = 0; i < kLimbs; i++) {
    sum += static_cast<double>(limbs[i]) * unit;  // a power of two: exact
    unit *= 0x1p32;
  }
  return sum;
}

// Means frozen into a part: the mean of all norms, then of each class, that of all where none was
// seen. By all threads of one block, or of a grid.
__device__ __forceinline__ void freezeMeans(const State& state, float* frozen, int thread,
                                            int threads) {
  double mean = state.means[0];
  if (isNan(mean)) {
    mean = 0;  // before the first norm
  }
  for (int k = thread; k <= state.classes; k += threads) {
    double value = k == 0 ? mean : state.means[k];
    frozen[k] = static_cast<float>(isNan(value) ? mean : value);
  }
}

// Writes the features of an example, zeros for an index or label that is none.
__device__ __forceinline__ void writeFeatures(const Examples& examples, const float* frozen,
                                              int64_t i, float* features) {
  int32_t label = examples.has(i) ? examples.classOf(i) : -1;
  if (label < 0) {
    for (int k = 0; k < RAIS_FEATURES; k++) {
      features[k] = 0;
    }
    return;
  }
  float classMean = frozen[1 + label];
  bool seen = examples.visits(i) != 0;
  features[kMean] = frozen[0];
  features[kClassMean] = classMean;
  features[kLast] = seen ? examples.last(i) : classMean;
  features[kPrevious] = seen ? examples.previous(i) : classMean;
  features[kAverage] = seen ? examples.average(i) : classMean;
  features[kNeverSeen] = seen ? 0 : classMean;
}

// The robust value of an active example before the floor: Java's RobustValues. A column whose
// factor is 0, as many are, is not even read.
__device__ __forceinline__ float robustValue(const Examples& examples, const float* terms,
                                             int64_t i) {
  int base = 2 * examples.classOf(i) + (examples.visits(i) == 0 ? 1 : 0);
  float v = terms[kTermBases + base];
  float last = terms[kTermLast];
  float previous = terms[kTermPrevious];
  float average = terms[kTermAverage];
  if (last != 0) {
    v += last * examples.last(i);
  }
  if (previous != 0) {
    v += previous * examples.previous(i);
  }
  if (average != 0) {
    v += average * examples.average(i);
  }
  return v;
}

}  // namespace rais
