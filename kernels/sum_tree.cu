// The sum tree on the device: build, update of a minibatch's leaves, independent draws. Java's
// dev.rais.sampling.SumTree and IndependentDraws, bit for bit.
#include "call.h"
#include "philox.cuh"
#include "sum_tree.cuh"

namespace rais {
namespace {

constexpr int kBuildThreads = 256;
constexpr int kDrawThreads = 128;  // a minibatch then spreads over several multiprocessors
constexpr int kTopThreads = 1024;
constexpr size_t kVector = 16;  // bytes of a vector load

// Levels of at most this many nodes are summed by one block, to spare launches.
constexpr int64_t kTopNodes = 4096;

// Marks the leaves that are being updated. Set bits above it hold a slot; as a float it is below
// -2, which no leaf is.
constexpr unsigned kSlotTag = 0xC0000000u;

__device__ __forceinline__ double sumOfChildren(const TreeShape& shape, const float* leaves,
                                                const double* sums, int level, int64_t node) {
  double children[kFanOut];
  if (level == 0) {
    loadChildren(leaves, node * kFanOut, children);
  } else {
    loadChildren(sums, shape.offset[level - 1] + node * kFanOut, children);
  }
  return sumChildren(children);
}

__device__ __forceinline__ void writeSum(const TreeShape& shape, const float* leaves, double* sums,
                                         int level, int64_t node) {
  sums[shape.offset[level] + node] =
      node < shape.nodes[level] ? sumOfChildren(shape, leaves, sums, level, node) : 0;
}

// One thread per leaf, padding included.
__global__ void __launch_bounds__(kBuildThreads)
    cleanLeaves(int64_t size, int64_t padded, float* leaves, int32_t* invalidCount) {
  int64_t i = static_cast<int64_t>(blockIdx.x) * kBuildThreads + threadIdx.x;
  if (i >= padded) {
    return;
  }
  if (i >= size) {
    leaves[i] = 0;
  } else if (!isLeafValue(leaves[i])) {
    leaves[i] = 0;
    if (invalidCount != nullptr) {
      atomicAdd(invalidCount, 1);
    }
  }
}

// One thread per node of a level, padding included. A warp reads 2 or 4 KiB in a row: every sector
// that is fetched is used, over several loads.
__global__ void __launch_bounds__(kBuildThreads)
    sumLevel(TreeShape shape, const float* leaves, double* sums, int level) {
  int64_t node = static_cast<int64_t>(blockIdx.x) * kBuildThreads + threadIdx.x;
  if (node < treeParents(shape.nodes[level]) * kFanOut) {
    writeSum(shape, leaves, sums, level, node);
  }
}

// All levels from one up, by one block.
__global__ void __launch_bounds__(kTopThreads)
    sumTop(TreeShape shape, const float* leaves, double* sums, int firstLevel) {
  for (int level = firstLevel; level < shape.levels; level++) {
    int64_t padded = treeParents(shape.nodes[level]) * kFanOut;
    for (int64_t node = threadIdx.x; node < padded; node += kTopThreads) {
      writeSum(shape, leaves, sums, level, node);
    }
    __syncthreads();  // the next level reads what other threads have written
  }
}

// One block. Threads whose leaves share an ancestor write the same bits to it, which saves sorting
// and costs nothing that a minibatch would notice: the time is that of one memory access per level.
__global__ void __launch_bounds__(kTopThreads)
    updateLeaves(TreeShape shape, float* leaves, double* sums, int32_t count,
                 const int32_t* indices, const float* values, int32_t* invalidCount) {
  auto* tags = reinterpret_cast<unsigned*>(leaves);
  // The last of several values for a leaf wins: each slot enters its number, the highest one stays.
  for (int j = threadIdx.x; j < count; j += kTopThreads) {
    bool inside = indices[j] >= 0 && indices[j] < shape.size;
    if (inside) {
      tags[indices[j]] = 0;
    }
    if (invalidCount != nullptr && !(inside && isLeafValue(values[j]))) {
      atomicAdd(invalidCount, 1);
    }
  }
  __syncthreads();  // no tag may be cleared after another slot has entered its own
  for (int j = threadIdx.x; j < count; j += kTopThreads) {
    if (indices[j] >= 0 && indices[j] < shape.size) {
      atomicMax(&tags[indices[j]], kSlotTag | static_cast<unsigned>(j));
    }
  }
  __syncthreads();  // all slots have entered
  for (int j = threadIdx.x; j < count; j += kTopThreads) {
    if (indices[j] >= 0 && indices[j] < shape.size) {
      // Another slot's thread may be replacing the tag by its value right now; a value is no tag,
      // so this slot sees that it has not won either way. Atomic, too: to a plain store another
      // thread's operation is a read and a write, between which it could be lost.
      if (atomicMax(&tags[indices[j]], 0u) == (kSlotTag | static_cast<unsigned>(j))) {
        atomicExch(&tags[indices[j]], __float_as_uint(isLeafValue(values[j]) ? values[j] : 0));
      }
    }
  }
  for (int level = 0; level < shape.levels; level++) {
    __syncthreads();  // the level below, or the leaves, are complete
    for (int j = threadIdx.x; j < count; j += kTopThreads) {
      if (indices[j] >= 0 && indices[j] < shape.size) {
        // 64 bits: the eighth level's shift is by 32.
        writeSum(shape, leaves, sums, level, int64_t{indices[j]} >> (kLogFanOut * (level + 1)));
      }
    }
  }
}

__global__ void __launch_bounds__(kDrawThreads)
    draw(TreeShape shape, const float* leaves, const double* sums, int64_t active, int64_t seed,
         int32_t stream, const int64_t* iteration, int32_t count, int32_t* indices,
         float* weights) {
  int j = blockIdx.x * kDrawThreads + threadIdx.x;
  if (j < count) {
    treeDraw(shape, leaves, sums, active, philoxUniform(seed, stream, *iteration, j), &indices[j],
             weights == nullptr ? nullptr : &weights[j]);
  }
}

bool isTreeSize(int64_t size) { return size >= 1 && size <= RAIS_MAX_TREE_SIZE; }

unsigned blocks(int64_t count, int threads) {
  return static_cast<unsigned>((count + threads - 1) / threads);
}

}  // namespace
}  // namespace rais

using namespace rais;

int64_t rais_sum_tree_leaves(int64_t size) {
  return isTreeSize(size) ? treeParents(size) * kFanOut : 0;
}

int64_t rais_sum_tree_sums(int64_t size) { return isTreeSize(size) ? treeShape(size).sums : 0; }

int64_t rais_sum_tree_root(int64_t size) {
  if (!isTreeSize(size)) {
    return 0;
  }
  TreeShape shape = treeShape(size);
  return shape.offset[shape.levels - 1];
}

int32_t rais_sum_tree_build(rais_stream stream, int64_t size, float* leaves, double* sums,
                            int32_t* invalid_count) {
  Call call("rais_sum_tree_build", {{"size", size}});
  call.inRange("size", size, 1, int64_t{RAIS_MAX_TREE_SIZE})
      .pointer("leaves", leaves, kVector)
      .pointer("sums", sums, kVector)
      .nullable("invalid_count", invalid_count, alignof(int32_t));
  if (!call.ok()) {
    return call.status();
  }
  TreeShape shape = treeShape(size);
  int64_t padded = treeParents(size) * kFanOut;
  RAIS_LAUNCH(cleanLeaves, blocks(padded, kBuildThreads), kBuildThreads, 0, stream, size, padded,
              leaves, invalid_count);
  int level = 0;
  for (; level < shape.levels && shape.nodes[level] > kTopNodes; level++) {
    RAIS_LAUNCH(sumLevel, blocks(treeParents(shape.nodes[level]) * kFanOut, kBuildThreads),
                kBuildThreads, 0, stream, shape, leaves, sums, level);
  }
  RAIS_LAUNCH(sumTop, 1, kTopThreads, 0, stream, shape, leaves, sums, level);
  return call.launched();
}

int32_t rais_sum_tree_update(rais_stream stream, int64_t size, float* leaves, double* sums,
                             int32_t count, const int32_t* indices, const float* values,
                             int32_t* invalid_count) {
  Call call("rais_sum_tree_update", {{"size", size}, {"count", count}});
  call.inRange("size", size, 1, int64_t{RAIS_MAX_TREE_SIZE})
      .inRange("count", int64_t{count}, 1, int64_t{RAIS_MAX_DRAWS})
      .pointer("leaves", leaves, kVector)
      .pointer("sums", sums, kVector)
      .pointer("indices", indices, alignof(int32_t))
      .pointer("values", values, alignof(float))
      .nullable("invalid_count", invalid_count, alignof(int32_t));
  if (!call.ok()) {
    return call.status();
  }
  RAIS_LAUNCH(updateLeaves, 1, kTopThreads, 0, stream, treeShape(size), leaves, sums, count,
              indices, values, invalid_count);
  return call.launched();
}

int32_t rais_sum_tree_draw(rais_stream stream, int64_t size, const float* leaves,
                           const double* sums, int64_t active, int64_t seed, int32_t random_stream,
                           const int64_t* iteration, int32_t count, int32_t* indices,
                           float* weights) {
  Call call("rais_sum_tree_draw", {{"size", size}, {"count", count}});
  call.inRange("size", size, 1, int64_t{RAIS_MAX_TREE_SIZE})
      .inRange("active", active, 1, size)
      .inRange("count", int64_t{count}, 1, int64_t{RAIS_MAX_DRAWS})
      .pointer("leaves", leaves, kVector)
      .pointer("sums", sums, kVector)
      .pointer("iteration", iteration, alignof(int64_t))
      .pointer("indices", indices, alignof(int32_t))
      .nullable("weights", weights, alignof(float));
  if (!call.ok()) {
    return call.status();
  }
  RAIS_LAUNCH(draw, blocks(count, kDrawThreads), kDrawThreads, 0, stream, treeShape(size), leaves,
              sums, active, seed, random_stream, iteration, count, indices, weights);
  return call.launched();
}
