// A round: systematic sampling of the sum tree's distribution in random order. Java's
// dev.rais.sampling.Round.generate, bit for bit.
#include "call.h"
#include "feistel.cuh"
#include "sum_tree.cuh"

namespace rais {
namespace {

constexpr int kThreads = 256;
constexpr size_t kVector = 16;  // bytes of a vector load

// One thread per slot. Neighbours look for leaves that lie far apart, so the lower levels' loads
// are scattered; of one line of 128 bytes, though, each is used whole.
__global__ void __launch_bounds__(kThreads)
    generateRound(TreeShape shape, const float* leaves, const double* sums, int64_t active,
                  int64_t seed, int32_t offsetStream, int32_t orderStream, const int64_t* round,
                  int32_t roundSize, int32_t* indices, float* weights) {
  RAIS_SHARED(Feistel, order);
  RAIS_SHARED(double, offset);
  if (threadIdx.x == 0) {
    order = feistel(roundSize, seed, *round, orderStream);
    offset = philoxUniform(seed, offsetStream, *round, 0);
  }
  __syncthreads();  // the round's keys and offset are there
  int k = blockIdx.x * kThreads + threadIdx.x;
  if (k < roundSize) {
    double stratum = static_cast<double>(feistelAt(order, k));
    treeDraw(shape, leaves, sums, active, (stratum + offset) / roundSize, &indices[k],
             weights == nullptr ? nullptr : &weights[k]);
  }
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_round_generate(rais_stream stream, int64_t size, const float* leaves,
                            const double* sums, int64_t active, int64_t seed, int32_t offset_stream,
                            int32_t order_stream, const int64_t* round, int32_t round_size,
                            int32_t* indices, float* weights) {
  Call call("rais_round_generate", {{"size", size}, {"round_size", round_size}});
  call.inRange("size", size, 1, int64_t{RAIS_MAX_TREE_SIZE})
      .inRange("active", active, 1, size)
      .inRange("round_size", int64_t{round_size}, 1, int64_t{RAIS_MAX_DRAWS})
      .pointer("leaves", leaves, kVector)
      .pointer("sums", sums, kVector)
      .pointer("round", round, alignof(int64_t))
      .pointer("indices", indices, alignof(int32_t))
      .nullable("weights", weights, alignof(float));
  if (!call.ok()) {
    return call.status();
  }
  RAIS_LAUNCH(generateRound, static_cast<unsigned>((round_size + kThreads - 1) / kThreads),
              kThreads, 0, stream, treeShape(size), leaves, sums, active, seed, offset_stream,
              order_stream, round, round_size, indices, weights);
  return call.launched();
}
