// The machine that runs kernels on the CPU, tested itself: what it computes, and what it catches.
#include "platform.h"
#include "testing.h"

using namespace testing;

namespace {

std::string errorText() { return cudaGetErrorString(cudaGetLastError()); }

// ---- What it computes ----

__global__ void numberThreads(unsigned* out) {
  unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] = block * 10000 + thread;
}

void everyThreadOfEveryBlockRunsOnce() {
  where = "numberThreads";
  dim3 grid(3, 2, 2);
  dim3 block(5, 3, 2);
  Buffer<unsigned> out(12 * 30, "out");
  RAIS_LAUNCH(numberThreads, grid, block, 0, nullptr, out.data());
  CHECK(cudaGetLastError() == cudaSuccess);
  for (unsigned i = 0; i < out.count(); i++) {
    CHECK_EQUAL(out[i], i / 30 * 10000 + i % 30);
  }
}

__global__ void reverseBlock(int* values) {
  RAIS_SHARED(int[1024], staged);
  staged[threadIdx.x] = values[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  values[blockIdx.x * blockDim.x + threadIdx.x] = staged[blockDim.x - 1 - threadIdx.x];
}

__global__ void reverseDynamic(int* values) {
  RAIS_DYNAMIC_SHARED(int, staged);
  staged[threadIdx.x] = values[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  values[blockIdx.x * blockDim.x + threadIdx.x] = staged[blockDim.x - 1 - threadIdx.x];
}

void barriersOrderSharedMemory() {
  for (int size : {1, 31, 32, 33, 100, 1024}) {
    for (bool dynamic : {false, true}) {
      where = "reverse " + std::to_string(size);
      Buffer<int> values(3 * size, "values");
      for (int i = 0; i < 3 * size; i++) {
        values[i] = i;
      }
      if (dynamic) {
        RAIS_LAUNCH(reverseDynamic, 3, size, size * sizeof(int), nullptr, values.data());
      } else {
        RAIS_LAUNCH(reverseBlock, 3, size, 0, nullptr, values.data());
      }
      CHECK(cudaGetLastError() == cudaSuccess);
      for (int i = 0; i < 3 * size; i++) {
        CHECK_EQUAL(values[i], i / size * size + size - 1 - i % size);
      }
    }
  }
}

__global__ void countPredicates(int* out) {
  int t = threadIdx.x;
  int odd = __syncthreads_count(t % 2);
  int none = __syncthreads_or(0);
  int some = __syncthreads_or(t == 17);
  int every = __syncthreads_and(1);
  int most = __syncthreads_and(t != 17);
  out[t] = odd * 10000 + none * 1000 + some * 100 + every * 10 + most;
}

void barriersCount() {
  where = "countPredicates";
  Buffer<int> out(70, "out");
  RAIS_LAUNCH(countPredicates, 1, 70, 0, nullptr, out.data());
  for (int i = 0; i < 70; i++) {
    CHECK_EQUAL(out[i], 35 * 10000 + 0 + 100 + 10 + 0);
  }
}

constexpr int kShuffles = 8;

__global__ void shuffles(int* out) {
  int lane = threadIdx.x % 32;
  int value = 100 + threadIdx.x;
  int* row = out + threadIdx.x * kShuffles;
  row[0] = __shfl_sync(rais::kAllLanes, value, 5);
  row[1] = __shfl_up_sync(rais::kAllLanes, value, 3);
  row[2] = __shfl_down_sync(rais::kAllLanes, value, 3);
  row[3] = __shfl_xor_sync(rais::kAllLanes, value, 9);
  row[4] = __shfl_sync(rais::kAllLanes, value, 2, 8);
  row[5] = __shfl_up_sync(rais::kAllLanes, value, 1, 4);
  row[6] = __shfl_down_sync(rais::kAllLanes, value, 1, 4);
  double wide = __shfl_xor_sync(rais::kAllLanes, value + 0.25, 1);
  row[7] = static_cast<int>(4 * wide);
  if (lane < 8) {  // part of a warp by itself
    row[0] += 1000 * __shfl_sync(0xFFu, lane, 7 - lane);
  }
}

void shufflesMoveValuesBetweenLanes() {
  where = "shuffles";
  Buffer<int> out(64 * kShuffles, "out");
  RAIS_LAUNCH(shuffles, 1, 64, 0, nullptr, out.data());
  CHECK(cudaGetLastError() == cudaSuccess);
  for (int t = 0; t < 64; t++) {
    int lane = t % 32;
    int base = 100 + t - lane;
    int* row = &out[t * kShuffles];
    CHECK_EQUAL(row[0], base + 5 + (lane < 8 ? 1000 * (7 - lane) : 0));
    CHECK_EQUAL(row[1], base + (lane < 3 ? lane : lane - 3));
    CHECK_EQUAL(row[2], base + (lane > 28 ? lane : lane + 3));
    CHECK_EQUAL(row[3], base + (lane ^ 9));
    CHECK_EQUAL(row[4], base + lane / 8 * 8 + 2);
    CHECK_EQUAL(row[5], base + (lane % 4 < 1 ? lane : lane - 1));
    CHECK_EQUAL(row[6], base + (lane % 4 > 2 ? lane : lane + 1));
    CHECK_EQUAL(row[7], 4 * (base + (lane ^ 1)) + 1);
  }
}

__global__ void votes(unsigned* out) {
  int lane = threadIdx.x % 32;
  unsigned* row = out + threadIdx.x * 10;
  row[0] = __ballot_sync(rais::kAllLanes, lane % 3 == 0);
  row[1] = __any_sync(rais::kAllLanes, lane == 40);
  row[2] = __all_sync(rais::kAllLanes, lane < 32);
  row[3] = __reduce_add_sync(rais::kAllLanes, static_cast<unsigned>(lane));
  row[4] = static_cast<unsigned>(__reduce_min_sync(rais::kAllLanes, lane - 7));
  row[5] = __reduce_max_sync(rais::kAllLanes, static_cast<unsigned>(lane * lane));
  row[6] = __reduce_or_sync(rais::kAllLanes, 1u << lane);
  row[7] = __reduce_xor_sync(rais::kAllLanes, static_cast<unsigned>(lane));
  row[8] = static_cast<unsigned>(__reduce_max_sync(rais::kAllLanes, lane - 100));
  row[9] = __activemask() >> lane & 1;
}

void votesAndReductionsSeeAllLanes() {
  where = "votes";
  Buffer<unsigned> out(40 * 10, "out");
  RAIS_LAUNCH(votes, 1, 40, 0, nullptr, out.data());
  CHECK(cudaGetLastError() == cudaSuccess);
  for (int t = 0; t < 40; t++) {
    unsigned lanes = t < 32 ? 32 : 8;  // the second warp is not full
    unsigned ballot = 0, sum = 0, bits = 0, mixed = 0;
    for (unsigned lane = 0; lane < lanes; lane++) {
      ballot |= (lane % 3 == 0 ? 1u : 0u) << lane;
      sum += lane;
      bits |= 1u << lane;
      mixed ^= lane;
    }
    unsigned* row = &out[t * 10];
    CHECK_EQUAL(row[0], ballot);
    CHECK_EQUAL(row[1], 0);
    CHECK_EQUAL(row[2], 1);
    CHECK_EQUAL(row[3], sum);
    CHECK_EQUAL(row[4], static_cast<unsigned>(-7));
    CHECK_EQUAL(row[5], (lanes - 1) * (lanes - 1));
    CHECK_EQUAL(row[6], bits);
    CHECK_EQUAL(row[7], mixed);
    CHECK_EQUAL(row[8], static_cast<unsigned>(static_cast<int>(lanes) - 1 - 100));
    CHECK_EQUAL(row[9], 1);
  }
}

struct Totals {
  float floats;
  double doubles;
  int ints;
  unsigned long long longs;
  int most, least;
  unsigned turns;
  unsigned lock, guarded;
};

__global__ void addUp(Totals* totals) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(&totals->floats, 1.0f);
  atomicAdd(&totals->doubles, 0.5);
  atomicAdd(&totals->ints, -1);
  atomicAdd(&totals->longs, 1ull << 33);
  atomicMax(&totals->most, i);
  atomicMin(&totals->least, -i);
  atomicInc(&totals->turns, 6);
  unsigned seen = totals->guarded;
  while (true) {
    unsigned before = atomicCAS(&totals->guarded, seen, seen + 2);
    if (before == seen) {
      break;
    }
    seen = before;
  }
}

void atomicsHoldAcrossBlocks() {
  where = "addUp";
  Buffer<Totals> totals(1, "totals");
  std::memset(totals.data(), 0, sizeof(Totals));
  constexpr int n = 400 * 64;
  cuda_on_host::setThreads(4);
  RAIS_LAUNCH(addUp, 400, 64, 0, nullptr, totals.data());
  CHECK_EQUAL(totals[0].floats, n);
  CHECK_EQUAL(2 * totals[0].doubles, n);
  CHECK_EQUAL(-totals[0].ints, n);
  CHECK_EQUAL(totals[0].longs, n * (1ull << 33));
  CHECK_EQUAL(totals[0].most, n - 1);
  CHECK_EQUAL(-totals[0].least, n - 1);
  CHECK_EQUAL(totals[0].turns, n % 7);
  CHECK_EQUAL(totals[0].guarded, 2 * n);
}

void bfloat16RoundsToNearestEven() {
  where = "bfloat16";
  struct {
    uint32_t from;
    uint16_t to;
  } cases[] = {{0x3F800000, 0x3F80}, {0x3F808000, 0x3F80}, {0x3F808001, 0x3F81},
               {0x3F818000, 0x3F82}, {0x3F817FFF, 0x3F81}, {0xBF818000, 0xBF82},
               {0x7F7FFFFF, 0x7F80}, {0x7F800000, 0x7F80}, {0x00008000, 0x0000},
               {0x00018000, 0x0002}, {0x7F800001, 0x7FFF}, {0xFFC00000, 0x7FFF}};
  for (auto [from, to] : cases) {
    CHECK_EQUAL(__float2bfloat16_rn(__uint_as_float(from)).bits, to);
  }
  CHECK_EQUAL(__float_as_uint(__bfloat162float({0xC0A1})), 0xC0A10000);
}

// ---- What it catches ----

__global__ void barrierWithout(int missing) {
  if (static_cast<int>(threadIdx.x) != missing) {
    __syncthreads();
  }
}

__global__ void twoBarriers() {
  if (threadIdx.x < 20) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void shuffleWithout(int* out, int missing) {
  if (static_cast<int>(threadIdx.x) != missing) {
    out[threadIdx.x] = __shfl_xor_sync(rais::kAllLanes, 1, 1);
  }
}

__global__ void shuffleAgainstBarrier(int* out) {
  if (threadIdx.x < 3) {
    __syncthreads();
  }
  out[threadIdx.x] = __shfl_xor_sync(rais::kAllLanes, 1, 1);
}

__global__ void differentMasks() { __syncwarp(threadIdx.x == 4 ? 0x1Fu : 0xFFFFFFFFu); }

__global__ void maskWithoutCaller() { __syncwarp(1u); }

void divergenceIsAnError() {
  where = "divergence";
  Buffer<int> out(64, "out");
  RAIS_LAUNCH(barrierWithout, 2, 48, 0, nullptr, 40);
  std::string text = errorText();
  CHECK_CONTAINS(text, "kernel barrierWithout of divergenceIsAnError, block (");
  CHECK_CONTAINS(text, "waits at the barrier at cuda_on_host_test.cpp:");
  CHECK_CONTAINS(text, "for thread 40, which has ended");
  RAIS_LAUNCH(twoBarriers, 1, 48, 0, nullptr);
  CHECK_CONTAINS(errorText(), "thread 0 waits at the barrier at");
  RAIS_LAUNCH(shuffleWithout, 1, 64, 0, nullptr, out.data(), 33);
  text = errorText();
  CHECK_CONTAINS(text, "waits in a shuffle at cuda_on_host_test.cpp:");
  CHECK_CONTAINS(text, "for lane 1, which has ended");
  RAIS_LAUNCH(shuffleAgainstBarrier, 1, 32, 0, nullptr, out.data());
  CHECK_CONTAINS(errorText(), "which waits at the barrier");
  RAIS_LAUNCH(differentMasks, 1, 32, 0, nullptr);
  CHECK_CONTAINS(errorText(), "with mask 0x0000001f");
  RAIS_LAUNCH(maskWithoutCaller, 1, 32, 0, nullptr);
  CHECK_CONTAINS(errorText(), "leaves out the calling lane");
  RAIS_LAUNCH(barrierWithout, 2, 48, 0, nullptr, -1);
  CHECK(cudaGetLastError() == cudaSuccess);  // an error leaves nothing behind
}

__global__ void readUnwritten(unsigned* out) {
  RAIS_SHARED(float[8], unwritten);
  RAIS_DYNAMIC_SHARED(float, alsoUnwritten);
  out[blockIdx.x] = (unwritten[3] != unwritten[3]) + 2 * (alsoUnwritten[1] != alsoUnwritten[1]);
  unwritten[3] = alsoUnwritten[1] = 1;  // the next block must not find it
}

void sharedMemoryStartsPoisoned() {
  where = "readUnwritten";
  Buffer<unsigned> out(50, "out");
  RAIS_LAUNCH(readUnwritten, 50, 1, 64, nullptr, out.data());
  for (int i = 0; i < 50; i++) {
    CHECK_EQUAL(out[i], 3);
  }
}

__global__ void writePast(int past) {
  RAIS_SHARED(int[8], first);
  RAIS_SHARED(int[8], second);
  second[0] = 0;
  volatile int* p = first;
  p[past] = 1;
}

__global__ void writePastDynamic() {
  RAIS_DYNAMIC_SHARED(char, bytes);
  bytes[100] = 1;
}

__global__ void tooMuchShared() {
  RAIS_SHARED(char[49 * 1024], large);
  large[0] = 1;
}

__global__ void useDynamic(int* out) {
  RAIS_DYNAMIC_SHARED(int, values);
  values[0] = 7;
  *out = values[0];
}

__global__ void useBoth(int* out) {
  RAIS_DYNAMIC_SHARED(int, values);
  RAIS_SHARED(int[1024], others);
  values[0] = others[0] = 7;
  *out = values[0];
}

void moreSharedMemoryMustBeAskedFor() {
  where = "shared memory";
  Buffer<int> out(1, "out");
  auto launch = [&](auto kernel, size_t bytes) {
    RAIS_LAUNCH(kernel, 1, 1, bytes, nullptr, out.data());
    return errorText();
  };
  CHECK_CONTAINS(launch(useDynamic, 48 * 1024), "no error");
  CHECK_CONTAINS(launch(useDynamic, 48 * 1024 + 1), "of which it may have 49152");
  CHECK_CONTAINS(launch(useBoth, 48 * 1024), "4096 bytes of static shared memory, with others");
  auto attribute = cudaFuncAttributeMaxDynamicSharedMemorySize;
  CHECK(cudaFuncSetAttribute(useDynamic, attribute, 227 * 1024 + 1) != cudaSuccess);
  CHECK_CONTAINS(errorText(), "so much dynamic shared memory");
  for (auto kernel : {useDynamic, useBoth}) {
    CHECK(cudaFuncSetAttribute(kernel, attribute, 227 * 1024) == cudaSuccess);
  }
  CHECK_CONTAINS(launch(useDynamic, 227 * 1024), "no error");
  CHECK_CONTAINS(launch(useBoth, 223 * 1024), "no error");
  CHECK_CONTAINS(launch(useBoth, 224 * 1024), "more than the 232448 that there are");
  for (auto kernel : {useDynamic, useBoth}) {
    CHECK(cudaFuncSetAttribute(kernel, attribute, 48 * 1024) == cudaSuccess);
  }
}

void leavingSharedMemoryIsAnError() {
  where = "shared bounds";
  RAIS_LAUNCH(writePast, 1, 1, 0, nullptr, 7);
  CHECK(cudaGetLastError() == cudaSuccess);
  RAIS_LAUNCH(writePast, 1, 1, 0, nullptr, 8);
  CHECK_CONTAINS(errorText(), "wrote past the 32 bytes of first");
  RAIS_LAUNCH(writePast, 1, 1, 0, nullptr, -1);
  CHECK_CONTAINS(errorText(), "wrote before the first byte of first");
  RAIS_LAUNCH(writePastDynamic, 1, 1, 100, nullptr);
  CHECK_CONTAINS(errorText(), "wrote past the 100 bytes of dynamic shared memory");
  RAIS_LAUNCH(tooMuchShared, 1, 1, 0, nullptr);
  CHECK_CONTAINS(errorText(), "static shared memory of more than 49152 bytes");
}

__global__ void copyTo(float* to, const float* from, int count) {
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    to[i] = from[i];
  }
}

// Frames are handed down, so that no compiler makes a loop of it.
__global__ void overflowStack(int depth, volatile char* callers) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(depth + (callers == nullptr ? 0 : callers[0]));
  if (depth > 0) {
    overflowStack(depth - 1, frame);
  }
}

void leavingABufferIsAnError() {
  where = "buffer bounds";
  Buffer<float> to(1000, "the output");
  Buffer<float> from(1000, "the input");
  RAIS_LAUNCH(copyTo, 1, 64, 0, nullptr, to.data(), from.data(), 1000);
  CHECK(cudaGetLastError() == cudaSuccess);
  RAIS_LAUNCH(copyTo, 1, 64, 0, nullptr, to.data(), from.data(), 1001);
  std::string text = errorText();
  CHECK_CONTAINS(text,
                 "thread (40, 0, 0): illegal access at byte 4000 of the input, which has 4000");
  RAIS_LAUNCH(copyTo, 1, 64, 0, nullptr, nullptr, from.data(), 10);
  CHECK_CONTAINS(errorText(), "illegal access at");
  cuda_on_host::GuardedMemory constant(400, "the constants");
  constant.makeReadOnly();
  RAIS_LAUNCH(copyTo, 1, 1, 0, nullptr, static_cast<float*>(constant.data()), from.data(), 10);
  CHECK_CONTAINS(errorText(), "illegal write at byte 0 of the constants, which is read-only");
  RAIS_LAUNCH(overflowStack, 1, 2, 0, nullptr, 100, nullptr);
  CHECK_CONTAINS(errorText(), "illegal access");
  {
    cuda_on_host::GuardedMemory odd(10, "odd");
    CHECK(odd.whole());
    static_cast<char*>(odd.data())[10] = 0;
    CHECK(!odd.whole());
  }
}

__global__ void copyFour(float* to, const float* from) {
  *reinterpret_cast<float4*>(to) = *reinterpret_cast<const float4*>(from);
}

__global__ void copyEightBytes(float* to, const float* from) {
  *reinterpret_cast<uint64_t*>(to) = *reinterpret_cast<const uint64_t*>(from);
}

struct alignas(16) FourFloats {
  float x[4];
};

__global__ void copyThroughShared(float* to, const float* from, bool aligned) {
  RAIS_SHARED(float[4], plain);
  RAIS_SHARED(FourFloats, fours);
  copyFour(aligned ? fours.x : plain, from);
  copyFour(to, aligned ? fours.x : plain);
}

__global__ void addressOfShared(uintptr_t* out) {
  RAIS_SHARED(char, one);
  RAIS_SHARED(float, four);
  RAIS_SHARED(double, eight);
  RAIS_SHARED(FourFloats, sixteen);
  out[0] = reinterpret_cast<uintptr_t>(&one);
  out[1] = reinterpret_cast<uintptr_t>(&four);
  out[2] = reinterpret_cast<uintptr_t>(&eight);
  out[3] = reinterpret_cast<uintptr_t>(&sixteen);
}

// On a device it depends on the other variables whether there is more.
void sharedVariablesHaveTheirAlignmentAndNoMore() {
  where = "alignment of shared memory";
  Buffer<uintptr_t> out(4, "out");
  RAIS_LAUNCH(addressOfShared, 1, 1, 0, nullptr, out.data());
  CHECK(cudaGetLastError() == cudaSuccess);
  for (size_t i = 0; i < 4; i++) {
    size_t alignment = i == 0 ? 1 : size_t{2} << i;
    CHECK_EQUAL(out[i] % (2 * alignment), alignment);
  }
}

void misalignedAccessesAreErrors() {
  where = "alignment";
  Buffer<float> to(8, "to");
  Buffer<float> from(8, "from");
  from.fill(1);
  RAIS_LAUNCH(copyFour, 1, 1, 0, nullptr, to.data(), from.data() + 4);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(to[3] == 1);
  RAIS_LAUNCH(copyEightBytes, 1, 1, 0, nullptr, to.data(), from.data() + 1);
  CHECK(cudaGetLastError() == cudaErrorMisalignedAddress);
  RAIS_LAUNCH(copyEightBytes, 1, 1, 0, nullptr, to.data() + 1, from.data());
  std::string text = errorText();
  CHECK_CONTAINS(text, "kernel copyEightBytes of misalignedAccessesAreErrors, block (0, 0, 0)");
  CHECK_CONTAINS(text, "misaligned write at 0x");
  CHECK_CONTAINS(text, "which must be aligned to 8 bytes, at ");
#if !defined(__clang__)  // which does not look at structures
  RAIS_LAUNCH(copyFour, 1, 1, 0, nullptr, to.data(), from.data() + 2);
  CHECK_CONTAINS(errorText(), "which must be aligned to 16 bytes, at ");
  RAIS_LAUNCH(copyFour, 1, 1, 0, nullptr, to.data() + 1, from.data());
  CHECK_CONTAINS(errorText(), "which must be aligned to 16 bytes, at ");
  RAIS_LAUNCH(copyThroughShared, 1, 1, 0, nullptr, to.data(), from.data(), false);
  CHECK_CONTAINS(errorText(), "which must be aligned to 16 bytes, at ");
#endif
  RAIS_LAUNCH(copyThroughShared, 1, 1, 0, nullptr, to.data(), from.data(), true);
  CHECK(cudaGetLastError() == cudaSuccess);
}

void badLaunchesAreErrors() {
  where = "launches";
  RAIS_LAUNCH(twoBarriers, 1, 1025, 0, nullptr);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
  RAIS_LAUNCH(twoBarriers, 0, 32, 0, nullptr);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
  RAIS_LAUNCH(twoBarriers, 1, 32, 300000, nullptr);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
  CHECK(cudaGetLastError() == cudaSuccess);
}

// Without its barrier, this is right only if each thread runs after the one whose value it reads.
__global__ void readNeighbour(int* out) {
  RAIS_SHARED(int[64], values);
  values[threadIdx.x] = threadIdx.x;
  out[threadIdx.x] = threadIdx.x == 0 ? 0 : values[threadIdx.x - 1] + 1;
}

void otherSchedulesShowRaces() {
  where = "races";
  Buffer<int> out(64, "out");
  for (uint64_t seed : {0, 77}) {
    cuda_on_host::setSchedule(seed);
    RAIS_LAUNCH(readNeighbour, 1, 64, 0, nullptr, out.data());
    int wrong = 0;
    for (int i = 0; i < 64; i++) {
      wrong += out[i] != i;
    }
    CHECK((wrong == 0) == (seed == 0));
  }
  cuda_on_host::setSchedule(0);
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    everyThreadOfEveryBlockRunsOnce();
    barriersOrderSharedMemory();
    barriersCount();
    shufflesMoveValuesBetweenLanes();
    votesAndReductionsSeeAllLanes();
    atomicsHoldAcrossBlocks();
    divergenceIsAnError();
    sharedMemoryStartsPoisoned();
    moreSharedMemoryMustBeAskedFor();
    leavingSharedMemoryIsAnError();
    leavingABufferIsAnError();
  });
  bfloat16RoundsToNearestEven();
  sharedVariablesHaveTheirAlignmentAndNoMore();
  misalignedAccessesAreErrors();
  badLaunchesAreErrors();
  otherSchedulesShowRaces();
  return finish();
}
