// What every kernel includes first: CUDA under nvcc, and on the CPU what stands in for it. The
// three macros are the only places where a kernel's source differs from plain CUDA C++.
#pragma once

namespace rais {

// float[32] as a type, for the macros: Same<float[32]> x declares float x[32].
template <class T>
using Same = T;

constexpr int kWarpSize = 32;
constexpr unsigned kAllLanes = 0xFFFFFFFFu;

}  // namespace rais

#if defined(__CUDACC__)

#include <cuda_bf16.h>
#include <cuda_runtime.h>

// Launches a kernel. Give a template instance a name first, as its commas would split the macro's
// arguments.
#define RAIS_LAUNCH(kernel, grid, block, sharedBytes, stream, ...) \
  kernel<<<(grid), (block), (sharedBytes), static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)

// A static shared variable: RAIS_SHARED(float[32], sums);
#define RAIS_SHARED(type, name) __shared__ rais::Same<type> name

// The dynamic shared memory as an array: RAIS_DYNAMIC_SHARED(float, row);
#define RAIS_DYNAMIC_SHARED(type, name)                                   \
  extern __shared__ __align__(16) unsigned char raisDynamicSharedBytes[]; \
  type* name = reinterpret_cast<type*>(raisDynamicSharedBytes)

#else

#include "host/cuda_on_host.h"

#define RAIS_LAUNCH(kernel, grid, block, sharedBytes, stream, ...)                         \
  cuda_on_host::prepare(#kernel, reinterpret_cast<const void*>(+kernel), __func__, (grid), \
                        (block), (sharedBytes), (stream),                                  \
                        [=](auto... arguments) { kernel(arguments...); })(__VA_ARGS__)

#define RAIS_SHARED(type, name)                                                          \
  static const char name##Site = 0;                                                      \
  rais::Same<type>& name = *static_cast<rais::Same<type>*>(cuda_on_host::sharedVariable( \
      &name##Site, #name, sizeof(rais::Same<type>), alignof(rais::Same<type>)))

#define RAIS_DYNAMIC_SHARED(type, name) \
  type* name = static_cast<type*>(cuda_on_host::dynamicShared())

#endif
