// The sum tree's layout and how to find a leaf in it, bit for bit Java's
// dev.rais.sampling.SumTree. Sources that include this are compiled without contraction into fused
// multiply-adds, which round differently.
#pragma once

#include <cmath>

#include "platform.h"

namespace rais {

constexpr int kFanOut = 16;
constexpr int kLogFanOut = 4;
constexpr int kMaxTreeLevels = 8;  // 16^8 exceeds RAIS_MAX_TREE_SIZE

__host__ __device__ __forceinline__ int64_t treeParents(int64_t nodes) {
  return (nodes + kFanOut - 1) >> kLogFanOut;
}

// Where the levels lie; passed to kernels by value.
struct TreeShape {
  int64_t size;
  int levels;
  int64_t offset[kMaxTreeLevels];  // where in the sums each level starts
  int64_t nodes[kMaxTreeLevels];   // nodes of each level, without padding; the last is the root
  int64_t sums;                    // length of the sums, with padding
};

// Whether a leaf may have this value; false for NaN.
__device__ __forceinline__ bool isLeafValue(float value) {
  return value >= 0 && value <= 3.402823466e+38f;
}

inline TreeShape treeShape(int64_t size) {
  TreeShape shape = {};
  shape.size = size;
  int64_t nodes = size;
  do {
    nodes = treeParents(nodes);
    shape.nodes[shape.levels] = nodes;
    shape.offset[shape.levels] = shape.sums;
    shape.sums += treeParents(nodes) * kFanOut;
    shape.levels++;
  } while (nodes > 1);
  return shape;
}

// A node's 16 children, loaded 16 bytes at a time: 64 bytes of leaves, one line of 128 of sums. The
// loads are independent, so that a thread waits for memory once per level.
__device__ __forceinline__ void loadChildren(const float* leaves, int64_t first,
                                             double (&children)[kFanOut]) {
  const auto* quads = reinterpret_cast<const float4*>(leaves + first);
#pragma unroll
  for (int i = 0; i < kFanOut / 4; i++) {
    float4 quad = quads[i];
    children[4 * i] = quad.x;
    children[4 * i + 1] = quad.y;
    children[4 * i + 2] = quad.z;
    children[4 * i + 3] = quad.w;
  }
}

__device__ __forceinline__ void loadChildren(const double* sums, int64_t first,
                                             double (&children)[kFanOut]) {
  const auto* pairs = reinterpret_cast<const double2*>(sums + first);
#pragma unroll
  for (int i = 0; i < kFanOut / 2; i++) {
    double2 pair = pairs[i];
    children[2 * i] = pair.x;
    children[2 * i + 1] = pair.y;
  }
}

// The child that holds x, which becomes the position within it. Where rounding has carried x past
// the end, the last child that is not 0, and x becomes infinite.
__device__ __forceinline__ int findChild(const double (&children)[kFanOut], double& x) {
  int found = -1;
  int lastPositive = 0;
#pragma unroll
  for (int child = 0; child < kFanOut; child++) {
    // A loop that goes on to the end keeps the children in registers.
    if (found < 0) {
      if (x < children[child]) {
        found = child;
      } else {
        x -= children[child];
        lastPositive = children[child] > 0 ? child : lastPositive;
      }
    }
  }
  if (found < 0) {
    found = lastPositive;
    x = HUGE_VAL;
  }
  return found;
}

__device__ __forceinline__ double treeTotal(const TreeShape& shape, const double* sums) {
  return sums[shape.offset[shape.levels - 1]];
}

// The leaf at position x of [0, total), total > 0.
__device__ __forceinline__ int64_t treeFind(const TreeShape& shape, const float* leaves,
                                            const double* sums, double total, double x) {
  if (x >= total) {
    x = HUGE_VAL;
  }
  double children[kFanOut];
  int64_t node = 0;
  for (int level = shape.levels - 2; level >= 0; level--) {
    int64_t first = node * kFanOut;
    loadChildren(sums, shape.offset[level] + first, children);
    node = first + findChild(children, x);
  }
  loadChildren(leaves, node * kFanOut, children);
  return node * kFanOut + findChild(children, x);
}

// The importance weight 1/(n p_i) of a leaf, Java's np() and Minibatch.set.
__device__ __forceinline__ float treeWeight(int64_t active, float leaf, double total) {
  double np = static_cast<double>(active) * (static_cast<double>(leaf) / total);
  return static_cast<float>(1.0 / np);
}

// Draws the leaf at position share * total for one slot; of a tree of zeros, see rais_kernels.h.
__device__ __forceinline__ void treeDraw(const TreeShape& shape, const float* leaves,
                                         const double* sums, int64_t active, double share,
                                         int32_t* index, float* weight) {
  double total = treeTotal(shape, sums);
  int64_t leaf = 0;
  if (total > 0) {
    leaf = treeFind(shape, leaves, sums, total, share * total);
  }
  *index = static_cast<int32_t>(leaf);
  if (weight != nullptr) {
    *weight = total > 0 ? treeWeight(active, leaves[leaf], total) : nanf("");
  }
}

}  // namespace rais
