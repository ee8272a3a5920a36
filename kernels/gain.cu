// The gain ratio, effective iterations and the learning rate of a step, and its metrics. Java's
// GainEstimator.observe, AbstractSampler.learningRate and Schedule, bit for bit.
#include <cfloat>

#include "call.h"
#include "platform.h"

namespace rais {
namespace {

constexpr int kThreads = 256;
constexpr int kChunk = 1024;  // slots whose products are made at a time
constexpr double kAlpha = 0.01;

// A table of the schedule: base and total, then pieces.
constexpr int kScheduleHead = 2;
constexpr int kPieceEnd = 0;
constexpr int kPieceConstant = 1;
constexpr int kPieceSlope = 2;
constexpr int kPieceAmplitude = 3;
constexpr int kPieceLength = 4;

constexpr int kSeries = 8;

// As in dev.rais.nn.Schedule: (-1)^k pi^2k / (2k)! from k = 1, and (-1)^k pi^(2k+1) / (2k+1)!.
__device__ __forceinline__ double cosineSeries(double x) {
  const double c[kSeries] = {-4.934802200544679,     4.0587121264167685,   -1.3352627688545895,
                             0.2353306303588932,     -0.02580689139001406, 0.0019295743094039231,
                             -0.0001046381049248457, 4.303069587032947e-06};
  double sum = 0;
#pragma unroll
  for (int k = kSeries - 1; k >= 0; k--) {
    sum = sum * x + c[k];
  }
  return sum;
}

__device__ __forceinline__ double sineSeries(double x) {
  const double s[kSeries] = {3.141592653589793,      -5.16771278004997,      2.5501640398773455,
                             -0.5992645293207921,    0.08214588661112823,    -0.0073704309457143504,
                             0.00046630280576761255, -2.1915353447830217e-05};
  double sum = 0;
#pragma unroll
  for (int k = kSeries - 1; k >= 0; k--) {
    sum = sum * x + s[k];
  }
  return sum;
}

// cos(pi x) for x in [0, 1].
__device__ double cosineOfPi(double x) {
  bool upper = x > 0.5;
  if (upper) {
    x = 1 - x;
  }
  double rest = 0.5 - x;
  double cosine = x <= 0.25 ? 1 + x * x * cosineSeries(x * x) : rest * sineSeries(rest * rest);
  return upper ? -cosine : cosine;
}

// The rate at t effective iterations, before the gain ratio is applied.
__device__ double scheduledRate(const double* schedule, int32_t pieces, double t) {
  double progress = t / schedule[1];
  const double* piece = schedule + kScheduleHead;
  double begin = 0;
  for (int32_t i = 0; i < pieces - 1 && progress >= piece[kPieceEnd]; i++) {
    begin = piece[kPieceEnd];
    piece += kPieceLength;
  }
  double x = (progress - begin) / (piece[kPieceEnd] - begin);
  x = x < 0 ? 0 : x > 1 ? 1 : x;
  double factor =
      (piece[kPieceConstant] + piece[kPieceSlope] * x) + piece[kPieceAmplitude] * cosineOfPi(x);
  return schedule[0] * factor;
}

struct Step {
  int32_t count;
  const float* weights;
  const float* importance;
  const float* shadow;
  const float* norms;
  const float* hiddenSquaredNorms;
  const float* losses;
  const double* gradientSquaredNorm;
  double gainMax;
  const double* schedule;
  int32_t pieces;
  const int64_t* floored;
};

// What is summed over a chunk of slots.
struct Products {
  double uniform[kChunk];
  double weighted[kChunk];
  double loss[kChunk];
};

__device__ __forceinline__ bool isFinite(double x) { return fabs(x) <= DBL_MAX; }
__device__ __forceinline__ bool isNorm(float x) { return x >= 0 && x <= FLT_MAX; }

// Makes the products of slots [begin, begin + slots); returns what is wrong with them.
__device__ int makeProducts(const Step& step, int32_t begin, int32_t slots, Products& products) {
  int flags = 0;
  for (int32_t i = threadIdx.x; i < slots; i += kThreads) {
    int32_t j = begin + i;
    double a = step.weights[j];
    double w = step.importance == nullptr ? a : step.importance[j];
    float norm = step.norms[j];
    float square = norm * norm;
    if (step.hiddenSquaredNorms != nullptr) {
      square = square * (step.hiddenSquaredNorms[j] + 1);
    }
    if (!isNorm(norm) || !isNorm(square)) {
      flags |= RAIS_STEP_BAD_NORM;
    }
    if (!(a >= 0 && a <= FLT_MAX && w > 0 && w <= FLT_MAX) ||
        (step.shadow != nullptr && !(step.shadow[j] > 0 && step.shadow[j] <= FLT_MAX))) {
      flags |= RAIS_STEP_BAD_WEIGHT;
    }
    // a / w is exactly 1 without weights of the objective, so r is exactly u where a = 1.
    double product = a * (a / w) * square;
    products.uniform[i] = product;
    products.weighted[i] = step.shadow == nullptr ? product * w : product / step.shadow[j];
    if (step.losses != nullptr) {
      products.loss[i] = step.weights[j] * step.losses[j];  // a product of floats, as in Java
    }
  }
  return flags;
}

// Takes one accepted minibatch into the averages; returns the gain ratio to apply.
__device__ double updateGain(const Step& step, double u, double r, double* gain) {
  double m = step.count;
  u /= m;
  r /= m;
  double g = *step.gradientSquaredNorm;
  if (step.shadow != nullptr) {
    g -= (u - r) / m;
  }
  gain[RAIS_GAIN_UNIFORM] += kAlpha * (u - gain[RAIS_GAIN_UNIFORM]);
  gain[RAIS_GAIN_WEIGHTED] += kAlpha * (r - gain[RAIS_GAIN_WEIGHTED]);
  gain[RAIS_GAIN_BATCH] += kAlpha * (g - gain[RAIS_GAIN_BATCH]);
  // The corrections 1/(1 - (1 - alpha)^t) of the three averages cancel in the quotient.
  double batch = gain[RAIS_GAIN_BATCH];
  double estimate =
      batch > 0 ? 1 + (gain[RAIS_GAIN_UNIFORM] - gain[RAIS_GAIN_WEIGHTED]) / (m * batch) : 1;
  double applied = 1;
  if (step.shadow == nullptr) {
    applied = estimate < 1 ? 1 : estimate > step.gainMax ? step.gainMax : estimate;
  }
  gain[RAIS_GAIN_ESTIMATE] = estimate;
  gain[RAIS_GAIN_EARNED] += applied;
  if (step.shadow == nullptr && estimate > step.gainMax) {
    gain[RAIS_GAIN_BOUND_HITS] += 1;
    gain[RAIS_GAIN_EARNED_AT_BOUND] += applied;
  }
  gain[RAIS_GAIN_RATIO] = applied;
  gain[RAIS_GAIN_ITERATIONS] += applied;
  return applied;
}

// One block; one thread adds up each sum, in the order of the slots.
__global__ void __launch_bounds__(kThreads)
    gainStep(Step step, int64_t* iteration, double* gain, float* learningRate, int32_t* accepted,
             rais_step_metrics* metrics, int32_t slotsOfMetrics) {
  RAIS_SHARED(Products, products);
  RAIS_SHARED(double[3], sums);
  RAIS_SHARED(int, flags);
  if (threadIdx.x == 0) {
    sums[0] = sums[1] = sums[2] = 0;
    flags = 0;
  }
  __syncthreads();  // the flags are 0
  for (int32_t begin = 0; begin < step.count; begin += kChunk) {
    int32_t slots = min(kChunk, step.count - begin);
    int bad = makeProducts(step, begin, slots, products);
    if (bad != 0) {
      atomicOr(reinterpret_cast<unsigned*>(&flags), static_cast<unsigned>(bad));
    }
    __syncthreads();  // the products are there
    // Threads of different warps, so that they do not wait for one another.
    int which = threadIdx.x / kWarpSize;
    if (threadIdx.x % kWarpSize == 0 && which < (step.losses == nullptr ? 2 : 3)) {
      const double* terms = which == 0   ? products.uniform
                            : which == 1 ? products.weighted
                                         : products.loss;
      double sum = sums[which];
      for (int32_t i = 0; i < slots; i++) {
        sum += terms[i];
      }
      sums[which] = sum;
    }
    __syncthreads();  // the sums are there, and the next products may replace these
  }
  if (threadIdx.x != 0) {
    return;
  }
  double loss = step.losses == nullptr ? nan("") : sums[2] / step.count;
  if (step.losses != nullptr && !isFinite(loss)) {
    flags |= RAIS_STEP_BAD_LOSS;
  }
  double g = *step.gradientSquaredNorm;
  if (!(g >= 0 && isFinite(g))) {
    flags |= RAIS_STEP_BAD_GRADIENT;
  }
  float rate = 0;
  if (flags == 0) {
    double ratio = updateGain(step, sums[0], sums[1], gain);
    // As Java has it: what is gone back by may differ from what was gained in the last bits.
    double t = gain[RAIS_GAIN_ITERATIONS] - ratio;
    rate = static_cast<float>(ratio * scheduledRate(step.schedule, step.pieces, t));
  } else {
    gain[RAIS_GAIN_REFUSED] += 1;
  }
  *learningRate = rate;
  if (accepted != nullptr) {
    *accepted = flags == 0 ? 1 : 0;
  }
  int64_t number = *iteration;
  *iteration = number + 1;
  if (metrics != nullptr) {
    rais_step_metrics* slot = &metrics[number % slotsOfMetrics];
    slot->loss = loss;
    slot->gain_ratio = gain[RAIS_GAIN_RATIO];
    slot->gain_estimate = gain[RAIS_GAIN_ESTIMATE];
    slot->effective_iterations = gain[RAIS_GAIN_ITERATIONS];
    slot->gradient_squared_norm = g;
    slot->bound_hits = static_cast<int64_t>(gain[RAIS_GAIN_BOUND_HITS]);
    slot->refused = static_cast<int64_t>(gain[RAIS_GAIN_REFUSED]);
    slot->floored = step.floored == nullptr ? 0 : *step.floored;
    slot->learning_rate = rate;
    slot->flags = flags;
    __threadfence_system();  // a host that polls the step's number finds the rest written
    slot->step = number + 1;
  }
}

__global__ void startGain(double* gain) {
  int i = threadIdx.x;
  if (i < RAIS_GAIN_LENGTH) {
    gain[i] = i == RAIS_GAIN_ESTIMATE || i == RAIS_GAIN_RATIO ? 1 : 0;
  }
}

}  // namespace
}  // namespace rais

using namespace rais;

int32_t rais_gain_init(rais_stream stream, double* gain) {
  Call call("rais_gain_init", {});
  if (!call.pointer("gain", gain, alignof(double)).ok()) {
    return call.status();
  }
  RAIS_LAUNCH(startGain, 1, kWarpSize, 0, stream, gain);
  return call.launched();
}

int32_t rais_gain(rais_stream stream, int32_t count, const float* weights, const float* importance,
                  const float* shadow, const float* norms, const float* hidden_squared_norms,
                  const float* losses, const double* gradient_squared_norm, double gain_max,
                  const double* schedule, int32_t pieces, const int64_t* floored,
                  int64_t* iteration, double* gain, float* learning_rate, int32_t* accepted,
                  rais_step_metrics* metrics, int32_t metrics_slots) {
  Call call("rais_gain", {{"count", count}, {"pieces", pieces}, {"metrics_slots", metrics_slots}});
  call.inRange("count", int64_t{count}, 1, int64_t{RAIS_MAX_DRAWS})
      .pointer("weights", weights, alignof(float))
      .nullable("importance", importance, alignof(float))
      .nullable("shadow", shadow, alignof(float))
      .pointer("norms", norms, alignof(float))
      .nullable("hidden_squared_norms", hidden_squared_norms, alignof(float))
      .nullable("losses", losses, alignof(float))
      .pointer("gradient_squared_norm", gradient_squared_norm, alignof(double))
      .inRange("gain_max", gain_max, 1.0, static_cast<double>(INFINITY))
      .pointer("schedule", schedule, alignof(double))
      .inRange("pieces", int64_t{pieces}, 1, int64_t{RAIS_MAX_SCHEDULE_PIECES})
      .nullable("floored", floored, alignof(int64_t))
      .pointer("iteration", iteration, alignof(int64_t))
      .pointer("gain", gain, alignof(double))
      .pointer("learning_rate", learning_rate, alignof(float))
      .nullable("accepted", accepted, alignof(int32_t))
      .nullable("metrics", metrics, alignof(int64_t));
  if (metrics != nullptr) {
    call.inRange("metrics_slots", int64_t{metrics_slots}, 1, int64_t{RAIS_MAX_DRAWS});
  }
  if (!call.ok()) {
    return call.status();
  }
  Step step = {count,      weights,
               importance, shadow,
               norms,      hidden_squared_norms,
               losses,     gradient_squared_norm,
               gain_max,   schedule,
               pieces,     floored};
  RAIS_LAUNCH(gainStep, 1, kThreads, 0, stream, step, iteration, gain, learning_rate, accepted,
              metrics, metrics_slots);
  return call.launched();
}
