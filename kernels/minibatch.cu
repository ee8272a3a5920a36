// Which examples a minibatch has, other than by the sum tree's own draws, and what they weigh.
// Java's Round.take, UniformDraws and Minibatch.set, bit for bit.
#include "call.h"
#include "feistel.cuh"
#include "sum_tree.cuh"

namespace rais {
namespace {

constexpr int kThreads = 128;
constexpr int kTakeThreads = 1024;
constexpr int kTakeWarps = kTakeThreads / kWarpSize;
constexpr size_t kVector = 16;     // bytes of a vector load
constexpr int kAttemptShift = 48;  // of the number of an attempt, in a Philox iteration
constexpr int kMaxAttempts = 1 << 16;

__device__ __forceinline__ bool isRetired(const uint32_t* retired, int64_t i) {
  return retired != nullptr && (retired[i >> 5] >> (i & 31) & 1u) != 0;
}

// Fills indices[from, count) with the candidates at places position, position + 1, ... that are
// not negative, in this order, as far as end; returns the place behind the last one that was used.
// By all threads of a block of kTakeThreads, which wait for one another once and more if there is a
// candidate.
template <class Candidate>
__device__ int64_t takeInOrder(int64_t position, int64_t end, int32_t from, int32_t count,
                               int32_t* indices, int32_t* filled, Candidate candidate) {
  RAIS_SHARED(int[kTakeWarps], found);
  RAIS_SHARED(int64_t, next);
  int lane = threadIdx.x % kWarpSize;
  int warp = threadIdx.x / kWarpSize;
  while (from < count && position < end) {
    int64_t place = position + threadIdx.x;
    int32_t index = place < end ? candidate(place) : -1;
    unsigned votes = __ballot_sync(kAllLanes, index >= 0);
    if (lane == 0) {
      found[warp] = __popc(votes);
    }
    if (threadIdx.x == 0) {
      next = position + kTakeThreads < end ? position + kTakeThreads : end;
    }
    __syncthreads();  // every warp's number is there
    int before = 0;
    int all = 0;
    for (int w = 0; w < kTakeWarps; w++) {
      before += w < warp ? found[w] : 0;
      all += found[w];
    }
    int slot = from + before + __popc(votes & ((1u << lane) - 1));
    if (index >= 0 && slot < count) {
      indices[slot] = index;
      if (slot == count - 1) {
        next = place + 1;
      }
    }
    __syncthreads();  // the next place is known, and the numbers may be replaced
    from = min(count, from + all);
    position = next;
    __syncthreads();  // all threads have read it
  }
  *filled = from;
  return position;
}

__global__ void __launch_bounds__(kTakeThreads)
    takeRound(int32_t roundSize, const int32_t* slots, int64_t size, const float* leaves,
              int64_t* position, int32_t count, int32_t* filled, int32_t* indices) {
  int64_t place = *position;
  int32_t from = *filled;
  int64_t begin = place < 0 ? 0 : place;
  from = max(from, 0);
  int64_t end = takeInOrder(begin, roundSize, from, count, indices, &from, [=](int64_t k) {
    int32_t index = slots[k];
    return index >= 0 && index < size && leaves[index] > 0 ? index : -1;
  });
  if (threadIdx.x == 0) {
    *position = end;
    *filled = from;
  }
}

__global__ void __launch_bounds__(kTakeThreads)
    takeEpoch(int64_t size, const uint32_t* retired, int64_t seed, int32_t stream,
              int64_t* position, int32_t count, int32_t* indices) {
  RAIS_SHARED(Feistel, order);
  int64_t place = *position;
  int32_t from = 0;
  // Epoch by epoch, as each has an order of its own. Two without an example: all are retired.
  int empty = 0;
  while (from < count && empty < 2) {
    int64_t epoch = place / size;
    if (threadIdx.x == 0) {
      order = feistel(size, seed, epoch, stream);
    }
    __syncthreads();  // the order is there
    int32_t before = from;
    int64_t first = epoch * size;
    place = takeInOrder(place, first + size, from, count, indices, &from, [&](int64_t p) {
      int64_t index = feistelAt(order, p - first);
      return isRetired(retired, index) ? -1 : static_cast<int32_t>(index);
    });
    empty = from == before ? empty + 1 : 0;
  }
  if (threadIdx.x == 0) {
    *position = place;
  }
}

__global__ void __launch_bounds__(kThreads)
    drawUniform(int64_t size, const uint32_t* retired, int64_t seed, int32_t stream,
                const int64_t* iteration, int32_t count, int32_t* indices) {
  int j = blockIdx.x * kThreads + threadIdx.x;
  if (j >= count) {
    return;
  }
  int64_t index = 0;
  for (int64_t attempt = 0; attempt < kMaxAttempts; attempt++) {
    uint64_t bits = philoxBits(seed, stream, *iteration + (attempt << kAttemptShift), j);
    index = static_cast<int64_t>(__umul64hi(bits, static_cast<uint64_t>(size)));
    if (!isRetired(retired, index)) {
      break;
    }
    index = 0;
  }
  indices[j] = static_cast<int32_t>(index);
}

__global__ void __launch_bounds__(kThreads)
    weigh(TreeShape shape, const float* leaves, const double* sums, int64_t active,
          const float* objective, double weightSum, int32_t count, const int32_t* indices,
          float* importance, float* weights, float* shadow) {
  int j = blockIdx.x * kThreads + threadIdx.x;
  if (j >= count) {
    return;
  }
  int32_t i = indices[j];
  double np = nan("");
  double relative = 1;
  if (i >= 0 && i < shape.size) {
    np = leaves == nullptr ? 1
                           : static_cast<double>(active) *
                                 (static_cast<double>(leaves[i]) / treeTotal(shape, sums));
    if (objective != nullptr) {
      relative = objective[i] * (static_cast<double>(active) / weightSum);
    }
  }
  if (importance != nullptr) {
    importance[j] = static_cast<float>(1 / np);
  }
  if (weights != nullptr) {
    weights[j] = static_cast<float>(relative / np);
  }
  if (shadow != nullptr) {
    auto rounded = static_cast<float>(np);
    shadow[j] = rounded > 0 || np != np ? rounded : 1;
  }
}

unsigned blocks(int32_t count) {
  return static_cast<unsigned>((int64_t{count} + kThreads - 1) / kThreads);
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_round_take(rais_stream stream, int32_t round_size, const int32_t* slots, int64_t size,
                        const float* leaves, int64_t* position, int32_t count, int32_t* filled,
                        int32_t* indices) {
  Call call("rais_round_take", {{"round_size", round_size}, {"size", size}, {"count", count}});
  call.inRange("round_size", int64_t{round_size}, 1, int64_t{RAIS_MAX_DRAWS})
      .pointer("slots", slots, alignof(int32_t))
      .inRange("size", size, 1, int64_t{RAIS_MAX_TREE_SIZE})
      .pointer("leaves", leaves, alignof(float))
      .pointer("position", position, alignof(int64_t))
      .inRange("count", int64_t{count}, 1, int64_t{RAIS_MAX_DRAWS})
      .pointer("filled", filled, alignof(int32_t))
      .pointer("indices", indices, alignof(int32_t));
  if (!call.ok()) {
    return call.status();
  }
  RAIS_LAUNCH(takeRound, 1, kTakeThreads, 0, stream, round_size, slots, size, leaves, position,
              count, filled, indices);
  return call.launched();
}

int32_t rais_epoch_take(rais_stream stream, int64_t size, const uint32_t* retired, int64_t seed,
                        int32_t shuffle_stream, int64_t* position, int32_t count,
                        int32_t* indices) {
  Call call("rais_epoch_take", {{"size", size}, {"count", count}});
  call.inRange("size", size, 1, int64_t{RAIS_MAX_TREE_SIZE})
      .nullable("retired", retired, alignof(uint32_t))
      .pointer("position", position, alignof(int64_t))
      .inRange("count", int64_t{count}, 1, int64_t{RAIS_MAX_DRAWS})
      .pointer("indices", indices, alignof(int32_t));
  if (!call.ok()) {
    return call.status();
  }
  RAIS_LAUNCH(takeEpoch, 1, kTakeThreads, 0, stream, size, retired, seed, shuffle_stream, position,
              count, indices);
  return call.launched();
}

int32_t rais_uniform_draw(rais_stream stream, int64_t size, const uint32_t* retired, int64_t seed,
                          int32_t random_stream, const int64_t* iteration, int32_t count,
                          int32_t* indices) {
  Call call("rais_uniform_draw", {{"size", size}, {"count", count}});
  call.inRange("size", size, 1, int64_t{RAIS_MAX_TREE_SIZE})
      .nullable("retired", retired, alignof(uint32_t))
      .pointer("iteration", iteration, alignof(int64_t))
      .inRange("count", int64_t{count}, 1, int64_t{RAIS_MAX_DRAWS})
      .pointer("indices", indices, alignof(int32_t));
  if (!call.ok()) {
    return call.status();
  }
  RAIS_LAUNCH(drawUniform, blocks(count), kThreads, 0, stream, size, retired, seed, random_stream,
              iteration, count, indices);
  return call.launched();
}

int32_t rais_draw_weights(rais_stream stream, int64_t size, const float* leaves, const double* sums,
                          int64_t active, const float* objective, double weight_sum, int32_t count,
                          const int32_t* indices, float* importance, float* weights,
                          float* shadow) {
  Call call("rais_draw_weights", {{"size", size}, {"active", active}, {"count", count}});
  call.inRange("size", size, 1, int64_t{RAIS_MAX_TREE_SIZE})
      .inRange("active", active, 1, size)
      .nullable("leaves", leaves, kVector)
      .nullable("sums", sums, kVector)
      .nullable("objective", objective, alignof(float))
      .inRange("count", int64_t{count}, 1, int64_t{RAIS_MAX_DRAWS})
      .pointer("indices", indices, alignof(int32_t))
      .nullable("importance", importance, alignof(float))
      .nullable("weights", weights, alignof(float))
      .nullable("shadow", shadow, alignof(float));
  if (leaves != nullptr || shadow != nullptr) {
    call.pointer("sums", sums, kVector);
  }
  if (sums != nullptr) {
    call.pointer("leaves", leaves, kVector);
  }
  if (objective != nullptr) {
    // The least positive double: a sum of 0 has no mean weight.
    call.inRange("weight_sum", weight_sum, 5e-324, static_cast<double>(INFINITY));
  }
  if (!call.ok()) {
    return call.status();
  }
  RAIS_LAUNCH(weigh, blocks(count), kThreads, 0, stream, treeShape(size), leaves, sums, active,
              objective, weight_sum, count, indices, importance, weights, shadow);
  return call.launched();
}
