// Groups the slots of a minibatch by a key, each group in the order of its slots: what must happen
// slot by slot for one class or example, and at once for different ones.
#pragma once

#include <cstdint>

#include "platform.h"

namespace rais {

// Sorted so that equal groups lie together, in the order of their slots.
__device__ __forceinline__ uint64_t slotKey(uint32_t group, int slot) {
  return static_cast<uint64_t>(group) << 32 | static_cast<uint32_t>(slot);
}
constexpr uint64_t kNoSlot = ~uint64_t{0};  // behind all others

__device__ __forceinline__ int32_t groupOf(uint64_t key) { return static_cast<int32_t>(key >> 32); }
__device__ __forceinline__ int slotOf(uint64_t key) { return static_cast<int>(key & 0xFFFFFFFF); }

// Whether a group begins at this place of the sorted keys.
__device__ __forceinline__ bool beginsGroup(const uint64_t* keys, int i) {
  return keys[i] != kNoSlot && (i == 0 || groupOf(keys[i - 1]) != groupOf(keys[i]));
}

// A power of two, at least count.
__device__ __forceinline__ int sortedLength(int count) {
  return count <= 1 ? 1 : 1 << (32 - __clz(count - 1));
}

// A bitonic sort in shared memory by all threads of a block of one dimension; length is a power of
// two. The keys are there when it is called; at its end all threads see them sorted.
__device__ __forceinline__ void sortSlots(uint64_t* keys, int length) {
  __syncthreads();  // all keys are there
  for (int run = 2; run <= length; run *= 2) {
    for (int distance = run / 2; distance > 0; distance /= 2) {
      for (int i = threadIdx.x; i < length / 2; i += blockDim.x) {
        int a = 2 * i - (i & (distance - 1));
        int b = a + distance;
        bool ascending = (a & run) == 0;
        if ((keys[a] > keys[b]) == ascending) {
          uint64_t key = keys[a];
          keys[a] = keys[b];
          keys[b] = key;
        }
      }
      __syncthreads();  // the next step compares across threads
    }
  }
}

}  // namespace rais
