// Squared norms of gradients against their definitions in double.
#include "testing.h"

using namespace testing;

namespace {

constexpr float kBefore = 0.75f;  // what is in the norms already

// Elements of either type.
struct Tensor {
  bool bfloat16;
  Buffer<char> memory;

  Tensor(size_t count, bool isBfloat16, const char* name, Random& random)
      : bfloat16(isBfloat16), memory(count * (isBfloat16 ? 2 : 4), name) {
    for (size_t i = 0; i < count; i++) {
      auto x = static_cast<float>(random.between(-1, 1.2));
      if (bfloat16) {
        static_cast<__nv_bfloat16*>(data())[i] = __float2bfloat16_rn(x);
      } else {
        static_cast<float*>(data())[i] = x;
      }
    }
  }

  void* data() const { return memory.data(); }
  double get(size_t i) const {
    return bfloat16 ? __bfloat162float(static_cast<__nv_bfloat16*>(data())[i])
                    : static_cast<float*>(data())[i];
  }
  int32_t dtype() const { return bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32; }
};

void linearIsTheDefinition(size_t rows, size_t inputs, size_t outputs, bool bfloat16, bool bias) {
  where = "linear " + std::to_string(rows) + "x" + std::to_string(inputs) + "x" +
          std::to_string(outputs) + (bfloat16 ? ", bf16" : "") + (bias ? ", bias" : "");
  Random random(rows * 31 + inputs * 7 + outputs);
  Tensor x(rows * inputs, bfloat16, "x", random);
  Tensor deltas(rows * outputs, bfloat16, "deltas", random);
  Buffer<float> norms(rows, "norms");
  norms.fill(kBefore);
  CHECK_OK(rais_linear_gradient_norms(nullptr, static_cast<int32_t>(rows),
                                      static_cast<int32_t>(inputs), static_cast<int32_t>(outputs),
                                      bias, x.dtype(), x.data(), deltas.data(), norms.data()));
  for (size_t j = 0; j < rows; j++) {
    double norm = 0;
    for (size_t o = 0; o < outputs; o++) {
      double delta = deltas.get(j * outputs + o);
      norm += bias ? delta * delta : 0;
      for (size_t i = 0; i < inputs; i++) {
        double g = delta * x.get(j * inputs + i);
        norm += g * g;
      }
    }
    CHECK_CLOSE(norms[j], norm + kBefore, 3e-7, 0);
  }
}

struct Shape {
  int batch, height, width, channels, outputs, kernel, stride, padding;
};

void convolutionIsTheDefinition(const Shape& s, bool bfloat16, bool bias) {
  where = "convolution " + std::to_string(s.batch) + "x" + std::to_string(s.height) + "x" +
          std::to_string(s.width) + "x" + std::to_string(s.channels) + " to " +
          std::to_string(s.outputs) + " by " + std::to_string(s.kernel) + "/" +
          std::to_string(s.stride) + "/" + std::to_string(s.padding) + (bfloat16 ? ", bf16" : "") +
          (bias ? ", bias" : "");
  int outHeight = (s.height + 2 * s.padding - s.kernel) / s.stride + 1;
  int outWidth = (s.width + 2 * s.padding - s.kernel) / s.stride + 1;
  int taps = s.kernel * s.kernel * s.channels;
  auto inputCount = static_cast<size_t>(s.height * s.width * s.channels);
  auto outputCount = static_cast<size_t>(outHeight * outWidth * s.outputs);
  auto batch = static_cast<size_t>(s.batch);
  Random random(inputCount + outputCount);
  Tensor x(batch * inputCount, bfloat16, "x", random);
  Tensor deltas(batch * outputCount, bfloat16, "deltas", random);
  Buffer<float> norms(batch, "norms");
  norms.fill(kBefore);
  CHECK_OK(rais_convolution_gradient_norms(nullptr, s.batch, s.height, s.width, s.channels,
                                           s.outputs, s.kernel, s.stride, s.padding, bias,
                                           x.dtype(), x.data(), deltas.data(), norms.data()));
  for (size_t j = 0; j < batch; j++) {
    std::vector<double> gradient(static_cast<size_t>(s.outputs * (taps + 1)));
    for (int oy = 0; oy < outHeight; oy++) {
      for (int ox = 0; ox < outWidth; ox++) {
        std::vector<double> patch(static_cast<size_t>(taps + 1));
        patch[static_cast<size_t>(taps)] = bias;
        for (int q = 0; q < taps; q++) {
          int channel = q % s.channels;
          int iy = oy * s.stride - s.padding + q / s.channels / s.kernel;
          int ix = ox * s.stride - s.padding + q / s.channels % s.kernel;
          if (iy >= 0 && iy < s.height && ix >= 0 && ix < s.width) {
            patch[static_cast<size_t>(q)] = x.get(
                j * inputCount + static_cast<size_t>((iy * s.width + ix) * s.channels + channel));
          }
        }
        for (int o = 0; o < s.outputs; o++) {
          double delta = deltas.get(j * outputCount +
                                    static_cast<size_t>((oy * outWidth + ox) * s.outputs + o));
          double* row = &gradient[static_cast<size_t>(o * (taps + 1))];
          for (size_t q = 0; q < patch.size(); q++) {
            row[q] += delta * patch[q];
          }
        }
      }
    }
    double norm = 0;
    for (double g : gradient) {
      norm += g * g;
    }
    CHECK_CLOSE(norms[j], norm + kBefore, 2e-6, 0);
  }
}

void vectorIsTheDefinition(size_t count) {
  where = "vector of " + std::to_string(count);
  Buffer<float> x(count, "x");
  Buffer<double> result(1, "result");
  Buffer<char> workspace(
      static_cast<size_t>(rais_squared_norm_workspace_bytes(static_cast<int64_t>(count))),
      "workspace");
  workspace.fill(0);
  Random random(count);
  double squares = 0;
  for (size_t i = 0; i < count; i++) {
    x[i] = static_cast<float>(random.between(-3, 3));
    squares += double{x[i]} * x[i];
  }
  uint64_t bits = 0;
  for (int repeat = 0; repeat < 2; repeat++) {  // the second finds the workspace as left
    result[0] = -1;
    CHECK_OK(rais_squared_norm(nullptr, static_cast<int64_t>(count), x.data(), result.data(),
                               workspace.data()));
    CHECK_CLOSE(result[0], squares, 1e-12, 0);
    CHECK(repeat == 0 || bits == bitsOf(result[0]));
    bits = bitsOf(result[0]);
  }
}

// Gradients that cancel over positions, so that only rounding is left of them.
void vanishingGradientsAreNotNegative() {
  where = "vanishing gradients";
  constexpr size_t kBatch = 16;
  constexpr size_t kPositions = 64;
  constexpr size_t kChannels = 80;
  constexpr size_t kOutputs = 70;
  Buffer<float> x(kBatch * kPositions * kChannels, "x");
  Buffer<float> deltas(kBatch * kPositions * kOutputs, "deltas");
  Buffer<float> norms(kBatch, "norms");
  Random random(3);
  for (size_t j = 0; j < kBatch; j++) {
    float* input = x.data() + j * kPositions * kChannels;
    float* delta = deltas.data() + j * kPositions * kOutputs;
    for (size_t s = 0; s < kPositions; s++) {
      for (size_t c = 0; c < kChannels; c++) {
        input[s * kChannels + c] = s == 0 ? static_cast<float>(random.between(-1, 1)) : input[c];
      }
      for (size_t o = 0; o < kOutputs; o++) {
        auto value = static_cast<float>(random.between(-1, 1));
        if (s == kPositions - 1) {  // what brings the sum back to 0, but for rounding
          value = 0;
          for (size_t before = 0; before < s; before++) {
            value -= delta[before * kOutputs + o];
          }
        }
        delta[s * kOutputs + o] = value;
      }
    }
  }
  norms.fill(0);
  CHECK_OK(rais_convolution_gradient_norms(nullptr, kBatch, 8, 8, kChannels, kOutputs, 1, 1, 0, 1,
                                           RAIS_FLOAT32, x.data(), deltas.data(), norms.data()));
  for (size_t j = 0; j < kBatch; j++) {
    CHECK(norms[j] >= 0 && norms[j] < 1e-2);
  }
}

void badArgumentsAreNamed() {
  where = "arguments";
  Buffer<float> x(64, "x");
  Buffer<double> result(1, "result");
  float* p = x.data();
  CHECK(rais_linear_gradient_norms(nullptr, 2, 0, 3, 1, RAIS_FLOAT32, p, p, p) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(),
                 "rais_linear_gradient_norms(rows=2, inputs=0, outputs=3, dtype=0): inputs must be "
                 "in 1..1073741824, but is 0");
  CHECK(rais_linear_gradient_norms(nullptr, 2, 2, 3, 1, 5, p, p, p) == RAIS_UNSUPPORTED);
  CHECK_CONTAINS(rais_last_error(), "dtype must be");
  CHECK(rais_convolution_gradient_norms(nullptr, 1, 4, 4, 1, 1, 5, 1, 0, 1, RAIS_FLOAT32, p, p,
                                        p) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "kernel must be in 1..4, but is 5");
  CHECK(rais_convolution_gradient_norms(nullptr, 1, 4, 4, 1, 1, 3, 0, 0, 1, RAIS_FLOAT32, p, p,
                                        p) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "stride must be in 1..65535, but is 0");
  CHECK(rais_convolution_gradient_norms(nullptr, 1, 60000, 60000, 1, 1, 3, 1, 0, 1, RAIS_FLOAT32, p,
                                        p, p) == RAIS_UNSUPPORTED);
  CHECK_CONTAINS(rais_last_error(), "2^30 elements");
  CHECK(rais_convolution_gradient_norms(nullptr, 1, 4, 4, 1, 1, 3, 1, 0, 1, RAIS_FLOAT32, p,
                                        nullptr, p) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "deltas must not be null");
  CHECK(rais_squared_norm(nullptr, 4, p, result.data(), nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "rais_squared_norm(count=4): workspace must not be null");
  CHECK_EQUAL(rais_squared_norm_workspace_bytes(0), 0);
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (bool bfloat16 : {false, true}) {
      linearIsTheDefinition(1, 1, 1, bfloat16, true);
      linearIsTheDefinition(3, 33, 10, bfloat16, true);
      linearIsTheDefinition(2, 129, 257, bfloat16, false);
    }
    for (const Shape& shape : {
             Shape{3, 5, 6, 3, 4, 3, 1, 1},      // less than a tile of everything
             Shape{2, 28, 28, 1, 20, 5, 1, 0},   // many positions
             Shape{1, 9, 7, 12, 66, 3, 2, 1},    // more than a tile of outputs and taps
             Shape{2, 4, 5, 3, 5, 1, 1, 0},      // a window of one input
             Shape{2, 3, 3, 2, 3, 3, 3, 2},      // windows with nothing but padding
             Shape{2, 6, 5, 4, 7, 2, 5, 0},      // inputs in no window
             Shape{2, 3, 4, 66, 70, 3, 1, 1},    // pairs of positions
             Shape{1, 9, 9, 130, 130, 3, 1, 1},  // pairs of positions, in several tiles
             Shape{2, 2, 2, 300, 65, 2, 1, 0},   // one position
         }) {
      convolutionIsTheDefinition(shape, false, true);
      convolutionIsTheDefinition(shape, true, false);
    }
    for (size_t count : {1, 31, 1025, 5000}) {
      vectorIsTheDefinition(count);
    }
    vanishingGradientsAreNotNegative();
  });
  vectorIsTheDefinition(1'300'001);  // more than the blocks take in one go
  badArgumentsAreNamed();
  return finish();
}
