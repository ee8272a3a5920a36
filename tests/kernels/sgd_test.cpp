// The momentum step against a plain loop in double.
#include "testing.h"

using namespace testing;

namespace {

// Where each operand starts in its buffer, in elements.
struct Starts {
  size_t w, u, g, rounded;
};

void isTheDefinition(size_t count, Starts starts, bool wantNorm, bool wantBfloat16) {
  where = "sgd of " + std::to_string(count) + " at " + std::to_string(starts.w) + ", " +
          std::to_string(starts.u) + ", " + std::to_string(starts.g) + ", " +
          std::to_string(starts.rounded);
  Buffer<float> ws(starts.w + count, "w"), us(starts.u + count, "u"), gs(starts.g + count, "g");
  Buffer<uint16_t> roundeds(starts.rounded + count, "bf16");
  Buffer<float> rate(1, "learning rate");
  Buffer<double> norm(1, "norm");
  Buffer<char> workspace(static_cast<size_t>(rais_sgd_workspace_bytes(static_cast<int64_t>(count))),
                         "workspace");
  float* w = ws.data() + starts.w;
  float* u = us.data() + starts.u;
  float* g = gs.data() + starts.g;
  uint16_t* rounded = roundeds.data() + starts.rounded;
  workspace.fill(0);
  ws.fill(7);
  us.fill(7);
  rate[0] = 0.05f;
  Random random(count);
  std::vector<double> newW, newU;
  double squares = 0;
  for (size_t i = 0; i < count; i++) {
    w[i] = static_cast<float>(random.between(-1, 1));
    u[i] = static_cast<float>(random.between(-1, 1));
    g[i] = static_cast<float>(random.between(-1, 1));
    double velocity = 0.9f * double{u[i]} - 0.05f * (g[i] + 0.01f * double{w[i]});
    newU.push_back(velocity);
    newW.push_back(w[i] + velocity);
    squares += double{g[i]} * g[i];
  }
  std::vector<float> w0(w, w + count), u0(u, u + count);
  // The second launch finds the workspace as the first left it.
  for (int repeat = 0; repeat < 2; repeat++) {
    norm[0] = -1;
    std::memcpy(w, w0.data(), count * sizeof(float));
    std::memcpy(u, u0.data(), count * sizeof(float));
    CHECK_OK(rais_sgd(nullptr, static_cast<int64_t>(count), w, u, g, rate.data(), 0.9f, 0.01f,
                      wantBfloat16 ? rounded : nullptr, wantNorm ? norm.data() : nullptr,
                      wantNorm ? workspace.data() : nullptr));
    CHECK_CLOSE(norm[0], wantNorm ? squares : -1, 1e-12, 0);
    for (size_t i = 0; i < count; i++) {
      CHECK_CLOSE(w[i], newW[i], 2e-7, 2e-7);
      CHECK_CLOSE(u[i], newU[i], 2e-7, 2e-7);
      if (wantBfloat16) {
        CHECK_EQUAL(rounded[i], __float2bfloat16_rn(w[i]).bits);
      }
    }
  }
  for (size_t i = 0; i < starts.w; i++) {
    CHECK(ws[i] == 7);
  }
  for (size_t i = 0; i < starts.u; i++) {
    CHECK(us[i] == 7);
  }
}

void badArgumentsAreNamed() {
  where = "arguments";
  Buffer<float> x(8, "x");
  float* p = x.data();
  Buffer<double> norm(1, "norm");
  CHECK(rais_sgd(nullptr, 0, p, p, p, p, 0.9f, 0, nullptr, nullptr, nullptr) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "rais_sgd(count=0): count must be in 1..");
  CHECK(rais_sgd(nullptr, 8, p, p, nullptr, p, 0.9f, 0, nullptr, nullptr, nullptr) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "g must not be null");
  CHECK(rais_sgd(nullptr, 8, p, p, p, p, NAN, 0, nullptr, nullptr, nullptr) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "momentum must be in [0, 1), but is nan");
  CHECK(rais_sgd(nullptr, 8, p, p, p, p, 0.9f, 0, nullptr, norm.data(), nullptr) ==
        RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "workspace must not be null");
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (size_t count : {1, 3, 4, 1023, 1025, 50'001}) {
      isTheDefinition(count, {0, 0, 0, 0}, true, true);
      isTheDefinition(count, {1, 1, 1, 1}, true, false);
      isTheDefinition(count, {3, 3, 3, 3}, false, true);
      // One operand that is misaligned is enough to forbid vectors.
      isTheDefinition(count, {1, 0, 0, 0}, false, true);
      isTheDefinition(count, {0, 1, 0, 0}, false, true);
      isTheDefinition(count, {0, 0, 1, 0}, false, true);
      isTheDefinition(count, {0, 0, 0, 1}, false, true);
    }
  });
  isTheDefinition(1'300'001, {0, 0, 0, 0}, true, true);  // more than the blocks take in one go
  badArgumentsAreNamed();
  return finish();
}
