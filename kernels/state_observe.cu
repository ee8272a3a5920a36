// The sampler's step between refreshes: features of a minibatch when it is drawn, and what its
// norms teach when it has been computed: class means, records, history, new values of the examples
// touched. Java's ClassMeans.observe, RecordRing.add, ExampleHistory.visit and RobustValues.at, bit
// for bit.
#include "slot_sort.cuh"
#include "state.cuh"

namespace rais {
namespace {

constexpr int kSlotThreads = 128;      // one per slot: a minibatch spreads over multiprocessors
constexpr int kObserveThreads = 1024;  // at most; one block does what must keep the slots' order
constexpr int kChunk = 2048;           // slots that are sorted at a time
constexpr double kAlpha = 0.01;
constexpr double kClassAlphaMax = 0.5;

__global__ void __launch_bounds__(kSlotThreads) freeze(State state) {
  freezeMeans(state, state.frozen, blockIdx.x * kSlotThreads + threadIdx.x,
              gridDim.x * kSlotThreads);
}

__global__ void __launch_bounds__(kSlotThreads)
    features(Examples examples, State state, int32_t count, const int32_t* indices, float* out) {
  int j = blockIdx.x * kSlotThreads + threadIdx.x;
  if (j < count) {
    writeFeatures(examples, state.frozen, indices[j], out + int64_t{RAIS_FEATURES} * j);
  }
}

// What the sums over a chunk of slots are made of.
struct Chunk {
  uint64_t keys[kChunk];
  double products[kChunk];  // w_j * norm_j, exact
  float weights[kChunk];
};

// The sums of weighted norms and weights, over each class into state.batch, and over all slots,
// into sums. One thread adds up a class, another one all slots: the order of additions is Java's.
__device__ void sumByClass(const Examples& examples, const State& state, int32_t count,
                           const int32_t* indices, const float* weights, const float* norms,
                           Chunk& chunk, double* sums) {
  if (threadIdx.x == 0) {
    sums[0] = sums[1] = 0;
  }
  for (int32_t begin = 0; begin < count; begin += kChunk) {
    int slots = min(kChunk, count - begin);
    int length = sortedLength(slots);
    for (int i = threadIdx.x; i < length; i += blockDim.x) {
      chunk.keys[i] = kNoSlot;
      if (i < slots) {
        auto label = static_cast<uint32_t>(examples.classOf(indices[begin + i]));
        chunk.keys[i] = slotKey(label, i);
        chunk.weights[i] = weights[begin + i];
        chunk.products[i] = static_cast<double>(weights[begin + i]) * norms[begin + i];
      }
    }
    sortSlots(chunk.keys, length);
    for (int i = threadIdx.x; i < slots; i += blockDim.x) {
      if (beginsGroup(chunk.keys, i)) {
        int32_t k = groupOf(chunk.keys[i]);
        double norm = state.batch[k];
        double weight = state.batch[state.classes + k];
        for (int at = i; at < slots && groupOf(chunk.keys[at]) == k; at++) {
          int j = slotOf(chunk.keys[at]);
          norm += chunk.products[j];
          weight += static_cast<double>(chunk.weights[j]);
        }
        state.batch[k] = norm;
        state.batch[state.classes + k] = weight;
      }
    }
    if (threadIdx.x == blockDim.x - 1) {
      double norm = sums[0];
      double weight = sums[1];
      for (int j = 0; j < slots; j++) {
        norm += chunk.products[j];
        weight += static_cast<double>(chunk.weights[j]);
      }
      sums[0] = norm;
      sums[1] = weight;
    }
    __syncthreads();  // the sums are there, and the next chunk may replace this one
  }
}

// The running means of the norm, over all examples and of each class in the minibatch; leaves
// state.batch at 0. It takes as long as the minibatch has slots, whatever the number of classes is.
__device__ void updateMeans(const Examples& examples, const State& state, int32_t count,
                            const int32_t* indices, const double* sums) {
  double batchMean = sums[0] / sums[1];
  double before = state.means[0];
  double mean = isNan(before) ? batchMean : before + kAlpha * (batchMean - before);
  __syncthreads();  // all threads have read the mean
  if (threadIdx.x == 0) {
    state.means[0] = mean;
  }
  auto* batchWeights = reinterpret_cast<unsigned long long*>(state.batch + state.classes);
  for (int32_t j = threadIdx.x; j < count; j += blockDim.x) {
    int32_t k = examples.classOf(indices[j]);
    // Of the slots of a class, the first thread here finds its weight; the others find 0.
    double weight =
        __longlong_as_double(static_cast<long long>(atomicExch(&batchWeights[k], 0ull)));
    if (weight > 0) {
      double batchNorm = state.batch[k];
      state.batch[k] = 0;
      double old = state.means[1 + k];
      if (isNan(old)) {
        old = mean;
      }
      double a = kAlpha * weight;
      a = a < kClassAlphaMax ? a : kClassAlphaMax;
      state.means[1 + k] = old + a * (batchNorm / weight - old);
    }
  }
  __syncthreads();  // the means are there for all threads
}

// Records a minibatch in the ring of the last state.records observations.
__device__ void addRecords(const State& state, int32_t count, const float* features,
                           const float* norms, const float* weights) {
  RAIS_SHARED(int, revisits);
  if (threadIdx.x == 0) {
    revisits = 0;
  }
  __syncthreads();  // the count starts at 0, and features that were just made are there
  int64_t written = state.totals[RAIS_TOTAL_WRITTEN];
  int64_t filled = written < state.records ? written : state.records;
  auto column = [&](int k) { return state.ring + int64_t{k} * state.records; };
  // Of a minibatch that is larger than the ring, the last ones stay.
  int32_t first = max(0, count - state.records);
  for (int32_t j = first + static_cast<int32_t>(threadIdx.x); j < count;
       j += static_cast<int32_t>(blockDim.x)) {
    int64_t at = (written + j) % state.records;
    const float* row = features + int64_t{RAIS_FEATURES} * j;
    int gone = at < filled && column(kNeverSeen)[at] == 0 ? 1 : 0;
    int come = row[kNeverSeen] == 0 ? 1 : 0;
    if (come != gone) {
      atomicAdd(&revisits, come - gone);
    }
    for (int k = 0; k < RAIS_FEATURES; k++) {
      column(k)[at] = row[k];
    }
    column(RAIS_FEATURES)[at] = norms[j];
    column(RAIS_FEATURES + 1)[at] = weights[j];
  }
  __syncthreads();  // all revisits are counted, and all threads have read what was written
  if (threadIdx.x == 0) {
    state.totals[RAIS_TOTAL_WRITTEN] = written + count;
    state.totals[RAIS_TOTAL_REVISITS] += revisits;
  }
}

// Takes norms into the history: those of one example in the order of their slots.
__device__ void visit(const Examples& examples, const State& state, int32_t count,
                      const int32_t* indices, const float* norms, uint64_t* keys) {
  RAIS_SHARED(unsigned long long[kSums][kLimbs], limbs);
  RAIS_SHARED(int, firstVisits);
  for (int i = threadIdx.x; i < kSums * kLimbs; i += blockDim.x) {
    limbs[i / kLimbs][i % kLimbs] = 0;
  }
  if (threadIdx.x == 0) {
    firstVisits = 0;
  }
  for (int32_t begin = 0; begin < count; begin += kChunk) {
    int slots = min(kChunk, count - begin);
    int length = sortedLength(slots);
    for (int i = threadIdx.x; i < length; i += blockDim.x) {
      keys[i] = kNoSlot;
      if (i < slots) {
        int32_t index = indices[begin + i];
        if (examples.has(index) && examples.isActive(index)) {
          keys[i] = slotKey(static_cast<uint32_t>(index), i);
        }
      }
    }
    sortSlots(keys, length);
    // Whole warps go round: they add to the sums together.
    for (int base = 0; base < slots; base += blockDim.x) {
      int i = base + static_cast<int>(threadIdx.x);
      float oldValues[kSums] = {};
      float newValues[kSums] = {};
      if (i < slots && beginsGroup(keys, i)) {
        int32_t index = groupOf(keys[i]);
        int32_t visits = examples.visits(index);
        float last = examples.last(index);
        float previous = examples.previous(index);
        float average = examples.average(index);
        oldValues[0] = last;
        oldValues[1] = previous;
        oldValues[2] = average;
        if (visits == 0) {
          atomicAdd(&firstVisits, 1);
          atomicAdd(&state.counts[state.classes + examples.classOf(index)], -1);
        }
        for (int at = i; at < slots && groupOf(keys[at]) == index; at++) {
          float norm = norms[begin + slotOf(keys[at])];
          previous = visits == 0 ? norm : last;
          average = visits == 0 ? norm : 0.5f * (average + norm);
          last = norm;
          visits++;
        }
        examples.last(index) = last;
        examples.previous(index) = previous;
        examples.average(index) = average;
        examples.visits(index) = visits;
        newValues[0] = last;
        newValues[1] = previous;
        newValues[2] = average;
      }
      for (int s = 0; s < kSums; s++) {
        addToLimbs(limbs[s], newValues[s], 1);
        addToLimbs(limbs[s], oldValues[s], -1);
      }
    }
    __syncthreads();  // the chunk is done: the next one may replace its keys
  }
  if (threadIdx.x < kSums) {
    int64_t* sum = state.totals + RAIS_TOTAL_SUMS + kLimbs * threadIdx.x;
    for (int i = 0; i < kLimbs; i++) {
      sum[i] += static_cast<int64_t>(limbs[threadIdx.x][i]);
    }
    carryLimbs(sum);
  }
  if (threadIdx.x == 0) {
    state.totals[RAIS_TOTAL_SEEN] += firstVisits;
  }
}

// Keeps visits for later.
__device__ void defer(const State& state, int32_t count, const int32_t* indices,
                      const float* norms) {
  int64_t waiting = state.totals[RAIS_TOTAL_DEFERRED];
  for (int32_t j = threadIdx.x; j < count && waiting + j < state.deferrable; j += blockDim.x) {
    state.deferredIndices[waiting + j] = indices[j];
    state.deferredNorms[waiting + j] = norms[j];
  }
  __syncthreads();  // all threads have read how many wait
  if (threadIdx.x == 0) {
    int64_t room = state.deferrable - waiting;
    int64_t kept = room < count ? room : count;
    state.totals[RAIS_TOTAL_DEFERRED] = waiting + kept;
    state.totals[RAIS_TOTAL_LOST] += count - kept;
  }
}

__global__ void __launch_bounds__(kObserveThreads)
    observe(Examples examples, State state, int32_t count, const int32_t* indices,
            const float* weights, const float* norms, float* features, const int32_t* accepted) {
  RAIS_SHARED(Chunk, chunk);
  RAIS_SHARED(double[2], sums);
  bool bad = accepted != nullptr && *accepted == 0;
  for (int32_t j = threadIdx.x; j < count; j += blockDim.x) {
    bad |= !(examples.has(indices[j]) && examples.classOf(indices[j]) >= 0 && isNorm(norms[j]) &&
             isNorm(weights[j]) && weights[j] > 0);
  }
  // As in Java, one bad norm makes the whole minibatch teach nothing.
  if (__syncthreads_or(bad)) {
    if (threadIdx.x == 0) {
      state.totals[RAIS_TOTAL_REFUSED]++;
    }
    return;
  }
  // Features made while all norms were 0 are all 0 too: no set could predict a norm from them.
  bool first = isNan(state.means[0]) || state.frozen[0] == 0;
  bool drawnBefore = features[kMean] == 0;  // before any norm above 0 was seen
  bool deferring = state.totals[RAIS_TOTAL_DEFERRED] >= 0;
  sumByClass(examples, state, count, indices, weights, norms, chunk, sums);
  updateMeans(examples, state, count, indices, sums);
  if (first) {
    freezeMeans(state, state.frozen, threadIdx.x, blockDim.x);
    __syncthreads();  // the features below are made from these
  }
  if (drawnBefore) {
    for (int32_t j = threadIdx.x; j < count; j += blockDim.x) {
      writeFeatures(examples, state.frozen, indices[j], features + int64_t{RAIS_FEATURES} * j);
    }
  }
  addRecords(state, count, features, norms, weights);
  if (deferring) {
    defer(state, count, indices, norms);
  } else {
    visit(examples, state, count, indices, norms, chunk.keys);
  }
}

__global__ void __launch_bounds__(kObserveThreads) visitDeferred(Examples examples, State state) {
  RAIS_SHARED(uint64_t[kChunk], keys);
  int64_t waiting = state.totals[RAIS_TOTAL_DEFERRED];
  if (waiting > 0) {
    visit(examples, state, static_cast<int32_t>(waiting), state.deferredIndices,
          state.deferredNorms, keys);
  }
  if (threadIdx.x == 0) {
    state.totals[RAIS_TOTAL_DEFERRED] = -1;
  }
}

__global__ void __launch_bounds__(kSlotThreads)
    leafValues(Examples examples, State state, const float* objective, int32_t count,
               const int32_t* indices, float* values) {
  RAIS_SHARED(int, raised);
  if (threadIdx.x == 0) {
    raised = 0;
  }
  __syncthreads();  // the count starts at 0
  int j = blockIdx.x * kSlotThreads + threadIdx.x;
  if (j < count) {
    int32_t i = indices[j];
    if (!examples.has(i)) {
      values[j] = nanf("");
    } else if (!examples.isActive(i)) {
      values[j] = 0;
    } else {
      float v = robustValue(examples, state.terms, i);
      if (v < state.terms[kTermFloor]) {
        v = state.terms[kTermFloor];
        atomicAdd(&raised, 1);
      }
      values[j] = objective == nullptr ? v : objective[i] * v;
    }
  }
  __syncthreads();  // all are counted
  if (threadIdx.x == 0 && raised != 0) {
    atomicAdd(reinterpret_cast<unsigned long long*>(&state.totals[RAIS_TOTAL_FLOORED]),
              static_cast<unsigned long long>(raised));
  }
}

unsigned observeThreads(int32_t count) {
  return static_cast<unsigned>(
      min(kObserveThreads, (count + kWarpSize - 1) / kWarpSize * kWarpSize));
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_state_freeze(rais_stream stream, int32_t classes, int32_t records, int32_t deferrable,
                          void* state) {
  Call call("rais_state_freeze", {{"classes", classes}});
  if (!checkState(call, state, classes, records, deferrable).ok()) {
    return call.status();
  }
  RAIS_LAUNCH(freeze, blocksOf(int64_t{classes} + 1, kSlotThreads), kSlotThreads, 0, stream,
              stateAt(state, classes, records, deferrable));
  return call.launched();
}

int32_t rais_state_features(rais_stream stream, int64_t size, const float* history,
                            const int32_t* labels, int32_t classes, int32_t records,
                            int32_t deferrable, const void* state, int32_t count,
                            const int32_t* indices, float* out) {
  Call call("rais_state_features", {{"size", size}, {"classes", classes}, {"count", count}});
  // Nothing of it is written.
  Examples examples = {size, const_cast<float*>(history), labels, nullptr, classes};
  checkState(checkExamples(call, examples), state, classes, records, deferrable)
      .inRange("count", int64_t{count}, 1, int64_t{RAIS_MAX_DRAWS})
      .pointer("indices", indices, alignof(int32_t))
      .pointer("features", out, alignof(float));
  if (!call.ok()) {
    return call.status();
  }
  RAIS_LAUNCH(features, blocksOf(count, kSlotThreads), kSlotThreads, 0, stream, examples,
              stateAt(const_cast<void*>(state), classes, records, deferrable), count, indices, out);
  return call.launched();
}

int32_t rais_state_observe(rais_stream stream, int64_t size, float* history, const int32_t* labels,
                           const uint32_t* retired, int32_t classes, int32_t records,
                           int32_t deferrable, void* state, int32_t count, const int32_t* indices,
                           const float* importance, const float* norms, float* features,
                           const int32_t* accepted) {
  Call call("rais_state_observe", {{"size", size}, {"classes", classes}, {"count", count}});
  Examples examples = {size, history, labels, retired, classes};
  checkState(checkExamples(call, examples), state, classes, records, deferrable)
      .inRange("count", int64_t{count}, 1, int64_t{RAIS_MAX_DRAWS})
      .pointer("indices", indices, alignof(int32_t))
      .pointer("importance", importance, alignof(float))
      .pointer("norms", norms, alignof(float))
      .pointer("features", features, alignof(float))
      .nullable("accepted", accepted, alignof(int32_t));
  if (!call.ok()) {
    return call.status();
  }
  RAIS_LAUNCH(observe, 1, observeThreads(count), 0, stream, examples,
              stateAt(state, classes, records, deferrable), count, indices, importance, norms,
              features, accepted);
  return call.launched();
}

int32_t rais_state_visit(rais_stream stream, int64_t size, float* history, const int32_t* labels,
                         const uint32_t* retired, int32_t classes, int32_t records,
                         int32_t deferrable, void* state) {
  Call call("rais_state_visit", {{"size", size}, {"classes", classes}, {"deferrable", deferrable}});
  Examples examples = {size, history, labels, retired, classes};
  checkState(checkExamples(call, examples), state, classes, records, deferrable);
  if (!call.ok()) {
    return call.status();
  }
  RAIS_LAUNCH(visitDeferred, 1, observeThreads(max(1, deferrable)), 0, stream, examples,
              stateAt(state, classes, records, deferrable));
  return call.launched();
}

int32_t rais_state_values(rais_stream stream, int64_t size, const float* history,
                          const int32_t* labels, const uint32_t* retired, const float* objective,
                          int32_t classes, int32_t records, int32_t deferrable, void* state,
                          int32_t count, const int32_t* indices, float* values) {
  Call call("rais_state_values", {{"size", size}, {"classes", classes}, {"count", count}});
  Examples examples = {size, const_cast<float*>(history), labels, retired, classes};
  checkState(checkExamples(call, examples), state, classes, records, deferrable)
      .nullable("objective", objective, alignof(float))
      .inRange("count", int64_t{count}, 1, int64_t{RAIS_MAX_DRAWS})
      .pointer("indices", indices, alignof(int32_t))
      .pointer("values", values, alignof(float));
  if (!call.ok()) {
    return call.status();
  }
  RAIS_LAUNCH(leafValues, blocksOf(count, kSlotThreads), kSlotThreads, 0, stream, examples,
              stateAt(state, classes, records, deferrable), objective, count, indices, values);
  return call.launched();
}
