// The sum tree's layout and how to find a leaf in it, bit for bit Java's
// dev.rais.sampling.SumTree. Sources that include this are compiled without contraction into fused
// multiply-adds, which round differently.
#pragma once

#include <cmath>

#include "platform.h"

namespace rais {

constexpr int kFanOut = 16;
constexpr int kLogFanOut = 4;
constexpr int kGroup = 4;
constexpr int kGroups = kFanOut / kGroup;
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

// Sums of four neighbours each, of which a node's sum and every search are made.
__device__ __forceinline__ void sumGroups(const double (&children)[kFanOut],
                                          double (&groups)[kGroups]) {
#pragma unroll
  for (int g = 0; g < kGroups; g++) {
    const double* four = children + kGroup * g;
    groups[g] = (four[0] + four[1]) + (four[2] + four[3]);
  }
}

// How many of the three first cumulated values of four are passed by x, which becomes the position
// behind them.
__device__ __forceinline__ int passFour(double v0, double v1, double v2, double& x) {
  double c0 = v0;
  double c1 = c0 + v1;
  double c2 = c1 + v2;
  int passed = (x >= c0) + (x >= c1) + (x >= c2);
  x -= passed == 0 ? 0 : passed == 1 ? c0 : passed == 2 ? c1 : c2;
  return passed;
}

// The child that holds x, which becomes the position within it. Where rounding has carried x past
// the end of its group, the last child up to there that is not 0, and x becomes infinite. Arrays
// are indexed by constants only, so that they stay in registers.
__device__ __forceinline__ int findChild(const double (&children)[kFanOut], double& x) {
  double groups[kGroups];
  sumGroups(children, groups);
  int group = passFour(groups[0], groups[1], groups[2], x);
  double four[kGroup] = {};
  double sum = 0;
#pragma unroll
  for (int g = 0; g < kGroups; g++) {
    if (g == group) {
      sum = groups[g];
#pragma unroll
      for (int i = 0; i < kGroup; i++) {
        four[i] = children[kGroup * g + i];
      }
    }
  }
  if (x < sum) {
    return kGroup * group + passFour(four[0], four[1], four[2], x);
  }
  int lastPositive = 0;
#pragma unroll
  for (int child = 0; child < kFanOut; child++) {
    if (child < kGroup * (group + 1) && children[child] > 0) {
      lastPositive = child;
    }
  }
  x = HUGE_VAL;
  return lastPositive;
}

// A node's sum.
__device__ __forceinline__ double sumChildren(const double (&children)[kFanOut]) {
  double groups[kGroups];
  sumGroups(children, groups);
  return ((groups[0] + groups[1]) + groups[2]) + groups[3];
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
