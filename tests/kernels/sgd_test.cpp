// The momentum step against a plain loop in double.
#include "testing.h"

using namespace testing;

namespace {

// Where each operand starts in its buffer, in elements.
struct Starts {
  size_t w, u, g, rounded;
};

void isTheDefinition(size_t count, Starts starts, bool wantNorm, bool wantBfloat16,
                     bool bfloat16Gradients = false) {
  where = "sgd of " + std::to_string(count) + " at " + std::to_string(starts.w) + ", " +
          std::to_string(starts.u) + ", " + std::to_string(starts.g) + ", " +
          std::to_string(starts.rounded) + (bfloat16Gradients ? ", bf16 gradients" : "");
  Buffer<float> ws(starts.w + count, "w"), us(starts.u + count, "u");
  Elements g(count, bfloat16Gradients, starts.g, "g");
  Buffer<uint16_t> roundeds(starts.rounded + count, "bf16");
  Buffer<float> rate(1, "learning rate");
  Buffer<double> norm(1, "norm");
  Buffer<int32_t> notFinite(1, "not finite");
  notFinite[0] = 0;
  Buffer<char> workspace(static_cast<size_t>(rais_sgd_workspace_bytes(static_cast<int64_t>(count))),
                         "workspace");
  float* w = ws.data() + starts.w;
  float* u = us.data() + starts.u;
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
    g.set(i, random.between(-1, 1));
    double velocity = 0.9f * double{u[i]} - 0.05f * (g.get(i) + 0.01f * double{w[i]});
    newU.push_back(velocity);
    newW.push_back(w[i] + velocity);
    squares += double{g.get(i)} * g.get(i);
  }
  std::vector<float> w0(w, w + count), u0(u, u + count);
  // The second launch finds the workspace as the first left it.
  for (int repeat = 0; repeat < 2; repeat++) {
    norm[0] = -1;
    std::memcpy(w, w0.data(), count * sizeof(float));
    std::memcpy(u, u0.data(), count * sizeof(float));
    CHECK_OK(rais_sgd(nullptr, static_cast<int64_t>(count), w, u,
                      bfloat16Gradients ? RAIS_BFLOAT16 : RAIS_FLOAT32, g.data(), rate.data(), 0.9f,
                      0.01f, wantBfloat16 ? rounded : nullptr, wantNorm ? norm.data() : nullptr,
                      notFinite.data(), wantNorm ? workspace.data() : nullptr));
    CHECK_EQUAL(notFinite[0], 0);
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

// A parameter that becomes infinite or NaN, in a vector, in the rest, by its gradient or by its
// size.
void whatIsNotFiniteIsTold() {
  for (size_t at : {size_t{1}, size_t{1028}, size_t{1029}}) {
    for (float bad : {NAN, INFINITY, -INFINITY, 3e38f}) {
      where = "not finite: " + std::to_string(bad) + " at " + std::to_string(at);
      Buffer<float> w(1030, "w"), u(1030, "u"), g(1030, "g"), rate(1, "learning rate");
      Buffer<int32_t> notFinite(1, "not finite");
      w.fill(1);
      u.fill(0);
      g.fill(1);
      rate[0] = 2;
      auto step = [&] {
        CHECK_OK(rais_sgd(nullptr, 1030, w.data(), u.data(), RAIS_FLOAT32, g.data(), rate.data(), 0,
                          0, nullptr, nullptr, notFinite.data(), nullptr));
      };
      notFinite[0] = 0;
      step();
      CHECK_EQUAL(notFinite[0], 0);
      g[at] = bad;
      step();
      CHECK_EQUAL(notFinite[0], 1);
      g[at] = 1;
      w[at] = 1;
      u[at] = 0;
      step();
      CHECK_EQUAL(notFinite[0], 1);  // it stays until it is read
    }
  }
}

void badArgumentsAreNamed() {
  where = "arguments";
  Buffer<float> x(8, "x");
  float* p = x.data();
  Buffer<double> norm(1, "norm");
  CHECK(rais_sgd(nullptr, 0, p, p, RAIS_FLOAT32, p, p, 0.9f, 0, nullptr, nullptr, nullptr,
                 nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "rais_sgd(count=0, gradient_dtype=0): count must be in 1..");
  CHECK(rais_sgd(nullptr, 8, p, p, RAIS_FLOAT32, nullptr, p, 0.9f, 0, nullptr, nullptr, nullptr,
                 nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "g must not be null");
  CHECK(rais_sgd(nullptr, 8, p, p, RAIS_FLOAT32, p, p, NAN, 0, nullptr, nullptr, nullptr,
                 nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "momentum must be in [0, 1), but is nan");
  CHECK(rais_sgd(nullptr, 8, p, p, RAIS_FLOAT32, p, p, 0.9f, 0, nullptr, norm.data(), nullptr,
                 nullptr) == RAIS_INVALID_ARGUMENT);
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
      isTheDefinition(count, {0, 0, 0, 0}, true, true, true);
      isTheDefinition(count, {0, 0, 1, 0}, true, false, true);
    }
  });
  isTheDefinition(1'300'001, {0, 0, 0, 0}, true, true);  // more than the blocks take in one go
  whatIsNotFiniteIsTold();
  badArgumentsAreNamed();
  return finish();
}
