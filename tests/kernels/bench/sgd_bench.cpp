// The momentum step for all parameters of a network: in float, and as master weights of a bfloat16
// one.
#include "bench.h"
#include "reference.h"

namespace bench {
namespace {

constexpr float kRate = 1e-4f;
constexpr float kMomentum = 0.9f;
constexpr float kDecay = 5e-4f;

Work prepare(Bench& bench, size_t n, bool bfloat16) {
  Random random(1);
  std::vector<float> w0 = random.floats(n, -1, 1);
  std::vector<float> u0 = random.floats(n, -1, 1);
  Elements g0(bfloat16, random.floats(n, -1, 1));
  auto w = bench.input(w0);
  auto u = bench.input(u0);
  auto g = bench.input(g0.bytes);
  auto copy = bench.output<uint16_t>(bfloat16 ? n : 1);
  auto rate = bench.shared<float>({kRate});
  auto norm = bench.output<double>(1);
  auto workspace =
      bench.output<char>(static_cast<size_t>(rais_sgd_workspace_bytes(static_cast<int64_t>(n))));
  workspace.fill(0);
  auto notFinite = bench.output<int32_t>(1);
  notFinite.fill(0);
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return rais_sgd(stream, static_cast<int64_t>(n), w(turn), u(turn),
                    bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32, g(turn), rate(0), kMomentum, kDecay,
                    bfloat16 ? copy(turn) : nullptr, norm(turn), notFinite(turn), workspace(turn));
  };
  work.check = [=](Check& check) {
    std::vector<float> newW = w.read(), newU = u.read();
    std::vector<uint16_t> newCopy = copy.read();
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
      double velocity = double{kMomentum} * u0[i] - kRate * (g0[i] + double{kDecay} * w0[i]);
      check.close("u", i, newU[i], velocity, 3e-7, 3e-7);
      check.close("w", i, newW[i], w0[i] + velocity, 3e-7, 3e-7);
      if (bfloat16) {
        check.holds("bfloat16 w", i, newCopy[i] == toBfloat16(newW[i]));
      }
      squares += double{g0[i]} * g0[i];
    }
    check.holds("not finite", 0, notFinite.read()[0] == 0);
    check.close("squared norm", 0, norm.read()[0], squares, 1e-10, 0);
  };
  return work;
}

}  // namespace

void sgd(Bench& bench) {
  for (size_t n : bench.shapes<size_t>({25'000'000, 11'000'000}, {5'003})) {
    for (bool bfloat16 : {false, true}) {
      double bytes = static_cast<double>(n) * 20;
      bench.measure(
          {"sgd", text("n=%zu%s", n, bfloat16 ? ", bf16 gradients and copy" : ""), bytes, bytes},
          [&] { return prepare(bench, n, bfloat16); });
    }
  }
}

}  // namespace bench
