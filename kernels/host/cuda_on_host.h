// CUDA on host: what CUDA C++ kernels need, in plain C++, so that a kernel's very source runs on a
// CPU under test (docs/cuda-on-host.md). Blocks run in parallel on a few threads; the threads of a
// block are fibres that take turns at barriers and warp operations. Not every use of CUDA is here:
// add what a kernel needs.
#pragma once

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)

// ---- Vector types ----

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(4) uchar4 {
  unsigned char x, y, z, w;
};

inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// ---- The machine ----

namespace cuda_on_host {

// A place in a kernel's source.
struct Site {
  const char* file;
  int line;
};

// What a thread of a block knows about itself.
struct Self {
  uint3 threadIndex;
  uint3 blockIndex;
  dim3 blockSize;
  dim3 gridSize;
};

// The fibre that runs on this CPU thread; null outside kernels. Fibres never change CPU threads.
extern __thread Self* self;

enum class WarpOperation {
  sync,
  shuffle,
  ballot,
  any,
  all,
  add,
  smallest,
  largest,
  smallestSigned,
  largestSigned,
  bitAnd,
  bitOr,
  bitXor
};

// Waits until every lane of the mask is here, then returns what the operation gives this lane.
uint64_t warp(WarpOperation operation, unsigned mask, uint64_t value, int sourceLane, Site site);

// Waits until every thread of the block is here; returns how many came with predicate true.
int barrier(bool predicate, Site site);

void* sharedVariable(const void* site, const char* name, size_t bytes, size_t alignment);
void* dynamicShared();

// Ends the running launch with an error that names the kernel, the block and the thread.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Runs a kernel for every thread of every block and waits for it. Errors are for cudaGetLastError.
// The entry is the kernel's function, whose attributes hold.
void launch(const char* kernel, const void* entry, const char* launcher, dim3 grid, dim3 block,
            size_t sharedBytes, const std::function<void()>& thread);

// prepare(...)(arguments) is kernel<<<...>>>(arguments): these are evaluated once, here. The stream
// means nothing.
template <class Kernel>
auto prepare(const char* name, const void* entry, const char* launcher, dim3 grid, dim3 block,
             size_t sharedBytes, void* /*stream*/, Kernel kernel) {
  return [=](auto... arguments) {
    launch(name, entry, launcher, grid, block, sharedBytes, [=] { kernel(arguments...); });
  };
}

// cudaFuncSetAttribute's of the dynamic shared memory that a kernel may be launched with.
bool allowDynamicShared(const void* entry, int bytes);

// The order in which blocks and threads run: 0 for by number, anything else for one of many orders
// as if by chance. A kernel whose result changes with it has a race. The environment variable
// RAIS_HOST_SCHEDULE sets the first one.
void setSchedule(uint64_t seed);

// How many CPU threads run blocks: RAIS_HOST_THREADS, or as many as there are cores.
void setThreads(int threads);

inline int laneIndex() {
  const uint3& t = self->threadIndex;
  return static_cast<int>((t.x + self->blockSize.x * (t.y + self->blockSize.y * t.z)) % 32);
}

template <class T>
uint64_t toBits(T value) {
  static_assert(sizeof(T) <= 8, "a lane's value has at most 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <class T>
T fromBits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <class T>
T shuffle(unsigned mask, T value, int sourceLane, Site site) {
  return fromBits<T>(warp(WarpOperation::shuffle, mask, toBits(value), sourceLane, site));
}

}  // namespace cuda_on_host

// cuda_on_host::setSchedule for tests that have only the library: the one function that it exports
// besides those of rais_kernels.h (kernels/host/symbols.txt).
extern "C" __attribute__((visibility("default"))) void rais_host_set_schedule(uint64_t seed);

#define threadIdx (cuda_on_host::self->threadIndex)
#define blockIdx (cuda_on_host::self->blockIndex)
#define blockDim (cuda_on_host::self->blockSize)
#define gridDim (cuda_on_host::self->gridSize)
constexpr int warpSize = 32;

// Adds the caller's place to a function's arguments.
#define CUDA_ON_HOST_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

// ---- Barriers ----

inline void __syncthreads(CUDA_ON_HOST_SITE) { cuda_on_host::barrier(false, {file, line}); }
inline int __syncthreads_count(int predicate, CUDA_ON_HOST_SITE) {
  return cuda_on_host::barrier(predicate != 0, {file, line});
}
inline int __syncthreads_or(int predicate, CUDA_ON_HOST_SITE) {
  return cuda_on_host::barrier(predicate != 0, {file, line}) != 0;
}
inline int __syncthreads_and(int predicate, CUDA_ON_HOST_SITE) {
  return cuda_on_host::barrier(predicate == 0, {file, line}) == 0;
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu, CUDA_ON_HOST_SITE) {
  cuda_on_host::warp(cuda_on_host::WarpOperation::sync, mask, 0, 0, {file, line});
}
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline void __threadfence_block() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline void __threadfence_system() { std::atomic_thread_fence(std::memory_order_seq_cst); }

// ---- Warp shuffles, votes and reductions ----

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, CUDA_ON_HOST_SITE) {
  int lane = cuda_on_host::laneIndex();
  return cuda_on_host::shuffle(mask, value, (lane & ~(width - 1)) | (source & (width - 1)),
                               {file, line});
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, CUDA_ON_HOST_SITE) {
  int lane = cuda_on_host::laneIndex();
  int source = lane - static_cast<int>(delta);
  return cuda_on_host::shuffle(mask, value, source < (lane & ~(width - 1)) ? lane : source,
                               {file, line});
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, CUDA_ON_HOST_SITE) {
  int lane = cuda_on_host::laneIndex();
  int source = lane + static_cast<int>(delta);
  return cuda_on_host::shuffle(mask, value, source > (lane | (width - 1)) ? lane : source,
                               {file, line});
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int laneMask, int width = 32, CUDA_ON_HOST_SITE) {
  int lane = cuda_on_host::laneIndex();
  int source = lane ^ laneMask;
  return cuda_on_host::shuffle(mask, value, source > (lane | (width - 1)) ? lane : source,
                               {file, line});
}

#define CUDA_ON_HOST_VOTE(function, result, operation)                                          \
  inline result function(unsigned mask, int predicate, CUDA_ON_HOST_SITE) {                     \
    return static_cast<result>(cuda_on_host::warp(cuda_on_host::WarpOperation::operation, mask, \
                                                  predicate != 0, 0, {file, line}));            \
  }
CUDA_ON_HOST_VOTE(__ballot_sync, unsigned, ballot)
CUDA_ON_HOST_VOTE(__any_sync, int, any)
CUDA_ON_HOST_VOTE(__all_sync, int, all)
#undef CUDA_ON_HOST_VOTE

#define CUDA_ON_HOST_REDUCE(function, type, operation)                                          \
  inline type function(unsigned mask, type value, CUDA_ON_HOST_SITE) {                          \
    return static_cast<type>(cuda_on_host::warp(cuda_on_host::WarpOperation::operation, mask,   \
                                                cuda_on_host::toBits(value), 0, {file, line})); \
  }
CUDA_ON_HOST_REDUCE(__reduce_add_sync, unsigned, add)
CUDA_ON_HOST_REDUCE(__reduce_add_sync, int, add)
CUDA_ON_HOST_REDUCE(__reduce_min_sync, unsigned, smallest)
CUDA_ON_HOST_REDUCE(__reduce_min_sync, int, smallestSigned)
CUDA_ON_HOST_REDUCE(__reduce_max_sync, unsigned, largest)
CUDA_ON_HOST_REDUCE(__reduce_max_sync, int, largestSigned)
CUDA_ON_HOST_REDUCE(__reduce_and_sync, unsigned, bitAnd)
CUDA_ON_HOST_REDUCE(__reduce_or_sync, unsigned, bitOr)
CUDA_ON_HOST_REDUCE(__reduce_xor_sync, unsigned, bitXor)
#undef CUDA_ON_HOST_REDUCE

// Any set of lanes with the caller in it may happen to run together; here it is always the caller
// alone, the answer that code which expects more is least prepared for.
inline unsigned __activemask() { return 1u << cuda_on_host::laneIndex(); }

// ---- Atomics ----

namespace cuda_on_host {

template <class T, class F>
T replace(T* address, F next) {
  T seen = __atomic_load_n(address, __ATOMIC_SEQ_CST);
  while (true) {
    T wanted = next(seen);
    if (__atomic_compare_exchange(address, &seen, &wanted, false, __ATOMIC_SEQ_CST,
                                  __ATOMIC_SEQ_CST)) {
      return seen;
    }
  }
}

// The same for types that the compiler has no atomics for.
template <class Bits, class T, class F>
T replaceAs(T* address, F next) {
  static_assert(sizeof(Bits) == sizeof(T));
  auto* bits = reinterpret_cast<Bits*>(address);
  return fromBits<T>(
      replace(bits, [&](Bits seen) { return static_cast<Bits>(toBits(next(fromBits<T>(seen)))); }));
}

}  // namespace cuda_on_host

inline float atomicAdd(float* address, float value) {
  return cuda_on_host::replaceAs<uint32_t>(address, [=](float seen) { return seen + value; });
}
inline double atomicAdd(double* address, double value) {
  return cuda_on_host::replaceAs<uint64_t>(address, [=](double seen) { return seen + value; });
}
#define CUDA_ON_HOST_ATOMICS(type)                                                                 \
  inline type atomicAdd(type* address, type value) {                                               \
    return __atomic_fetch_add(address, value, __ATOMIC_SEQ_CST);                                   \
  }                                                                                                \
  inline type atomicExch(type* address, type value) {                                              \
    return __atomic_exchange_n(address, value, __ATOMIC_SEQ_CST);                                  \
  }                                                                                                \
  inline type atomicCAS(type* address, type expected, type value) {                                \
    __atomic_compare_exchange_n(address, &expected, value, false, __ATOMIC_SEQ_CST,                \
                                __ATOMIC_SEQ_CST);                                                 \
    return expected;                                                                               \
  }                                                                                                \
  inline type atomicMax(type* address, type value) {                                               \
    return cuda_on_host::replace(address, [=](type seen) { return seen > value ? seen : value; }); \
  }                                                                                                \
  inline type atomicMin(type* address, type value) {                                               \
    return cuda_on_host::replace(address, [=](type seen) { return seen < value ? seen : value; }); \
  }
CUDA_ON_HOST_ATOMICS(int)
CUDA_ON_HOST_ATOMICS(unsigned)
CUDA_ON_HOST_ATOMICS(long long)
CUDA_ON_HOST_ATOMICS(unsigned long long)
#undef CUDA_ON_HOST_ATOMICS
inline unsigned atomicOr(unsigned* address, unsigned value) {
  return __atomic_fetch_or(address, value, __ATOMIC_SEQ_CST);
}
inline unsigned atomicAnd(unsigned* address, unsigned value) {
  return __atomic_fetch_and(address, value, __ATOMIC_SEQ_CST);
}
// CUDA's: counts 0, 1, ..., limit, 0, ...
inline unsigned atomicInc(unsigned* address, unsigned limit) {
  return cuda_on_host::replace(address,
                               [=](unsigned seen) { return seen >= limit ? 0u : seen + 1; });
}

// ---- Loads with cache hints ----

template <class T>
T __ldg(const T* address) {
  return *address;
}
template <class T>
T __ldcs(const T* address) {
  return *address;
}
template <class T>
T __ldcg(const T* address) {
  return *address;
}
template <class T>
void __stcs(T* address, T value) {
  *address = value;
}

// ---- Mathematics and bits ----

inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }
inline int min(int x, int y) { return x < y ? x : y; }
inline int max(int x, int y) { return x > y ? x : y; }
inline unsigned min(unsigned x, unsigned y) { return x < y ? x : y; }
inline unsigned max(unsigned x, unsigned y) { return x > y ? x : y; }
inline long long min(long long x, long long y) { return x < y ? x : y; }
inline long long max(long long x, long long y) { return x > y ? x : y; }
inline long min(long x, long y) { return x < y ? x : y; }
inline long max(long x, long y) { return x > y ? x : y; }
inline unsigned __umulhi(unsigned x, unsigned y) {
  return static_cast<unsigned>(static_cast<uint64_t>(x) * y >> 32);
}
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(x) * y >> 64);
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __clzll(long long x) {
  return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x));
}
inline unsigned __brev(unsigned x) {
  unsigned reversed = 0;
  for (int bit = 0; bit < 32; bit++) {
    reversed |= (x >> bit & 1u) << (31 - bit);
  }
  return reversed;
}
inline int __float_as_int(float x) { return cuda_on_host::fromBits<int>(cuda_on_host::toBits(x)); }
inline unsigned __float_as_uint(float x) { return static_cast<unsigned>(cuda_on_host::toBits(x)); }
inline float __int_as_float(int x) {
  return cuda_on_host::fromBits<float>(cuda_on_host::toBits(x));
}
inline float __uint_as_float(unsigned x) { return cuda_on_host::fromBits<float>(x); }
inline long long __double_as_longlong(double x) {
  return static_cast<long long>(cuda_on_host::toBits(x));
}
inline double __longlong_as_double(long long x) {
  return cuda_on_host::fromBits<double>(static_cast<uint64_t>(x));
}

// ---- bfloat16 ----

struct __nv_bfloat16 {
  uint16_t bits;
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

// Rounds to nearest, ties to even; any NaN becomes 0x7FFF, as on the device.
inline __nv_bfloat16 __float2bfloat16_rn(float x) {
  if (x != x) {
    return {0x7FFF};
  }
  uint32_t bits = __float_as_uint(x);
  return {static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}
inline __nv_bfloat16 __float2bfloat16(float x) { return __float2bfloat16_rn(x); }
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
  return {__float2bfloat16_rn(x), __float2bfloat16_rn(y)};
}
inline float __bfloat162float(__nv_bfloat16 x) {
  return __uint_as_float(static_cast<unsigned>(x.bits) << 16);
}

// ---- The runtime functions that launchers call ----

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorIllegalAddress = 700,
  cudaErrorMisalignedAddress = 716,
  cudaErrorLaunchFailure = 719,
};

// The error of this CPU thread's launches since it was last asked for; then there is none.
cudaError_t cudaGetLastError();

enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerBlockOptin = 97 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}

// Hopper's.
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = 227 * 1024;
  return cudaSuccess;
}

template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel* kernel, cudaFuncAttribute, int bytes) {
  return cuda_on_host::allowDynamicShared(reinterpret_cast<const void*>(kernel), bytes)
             ? cudaSuccess
             : cudaErrorInvalidValue;
}

// The text of the error that cudaGetLastError returned last on this CPU thread.
const char* cudaGetErrorString(cudaError_t error);
