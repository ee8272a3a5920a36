// The fused loss layer, from few classes to very many.
#include <algorithm>

#include "bench.h"
#include "reference.h"

namespace bench {
namespace {

struct Shape {
  int m, K;
};

Work prepare(Bench& bench, int m, int K, bool bfloat16) {
  auto rows = static_cast<size_t>(m);
  auto classes = static_cast<size_t>(K);
  Random random(2);
  Elements z(bfloat16, random.floats(rows * classes, -4, 4));
  std::vector<int32_t> y(rows);
  for (int32_t& label : y) {
    label = random.below(K);
  }
  std::vector<float> v = random.floats(rows, 0.1, 3);
  float scale = 1.0f / static_cast<float>(m);
  auto logits = bench.input(z.bytes);
  auto labels = bench.input(y);
  auto weights = bench.input(v);
  auto losses = bench.output<float>(rows);
  auto norms = bench.output<float>(rows);
  auto gradients = bench.output<char>(z.bytes.size());
  auto correctness = bench.output<uint8_t>(rows);
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return rais_softmax_xent(stream, m, K, bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32, logits(turn),
                             labels(turn), -1, weights(turn), nullptr, scale, 0, losses(turn),
                             norms(turn), gradients(turn), correctness(turn));
  };
  work.check = [=](Check& check) {
    std::vector<float> loss = losses.read(), norm = norms.read();
    Elements gradient(bfloat16, gradients.read());
    std::vector<uint8_t> flags = correctness.read();
    check.each(
        rows,
        [&](Check& part, size_t begin, size_t end) {
          std::vector<double> s(classes);
          for (size_t j = begin; j < end; j++) {
            auto label = static_cast<size_t>(y[j]);
            size_t first = j * classes;
            double largest = z[first];
            size_t ahead = 0;
            for (size_t k = 0; k < classes; k++) {
              largest = std::max<double>(largest, z[first + k]);
              ahead +=
                  z[first + k] > z[first + label] || (z[first + k] == z[first + label] && k < label);
            }
            double sum = 0;
            for (size_t k = 0; k < classes; k++) {
              s[k] = std::exp(z[first + k] - largest);
              sum += s[k];
            }
            double squares = 0;
            for (size_t k = 0; k < classes; k++) {
              double difference = s[k] / sum - (k == label ? 1 : 0);
              squares += difference * difference;
              part.close("gradients", first + k, gradient[first + k],
                         double{scale} * v[j] * difference, bfloat16 ? 5e-3 : 3e-5, 1e-20);
            }
            part.close("losses", j, loss[j], std::log(sum) + largest - z[first + label], 2e-5,
                       1e-6);
            part.close("norms", j, norm[j], std::sqrt(squares), 2e-5, 0);
            int expected = ahead == 0 ? RAIS_TOP_1 | RAIS_TOP_5 : ahead < 5 ? RAIS_TOP_5 : 0;
            part.holds("correctness", j, flags[j] == expected);
          }
        },
        1 + (size_t{1} << 16) / classes);
  };
  return work;
}

}  // namespace

void softmaxXent(Bench& bench) {
  // All above 2^24 logits; and a minibatch's, for its latency. The longest of the small ones has
  // more than is kept in shared memory, or would be without asking.
  for (Shape s : bench.shapes<Shape>({{2'097'152, 10},
                                      {262'144, 100},
                                      {32'768, 1000},
                                      {1024, 32'000},
                                      {128, 200'000},
                                      {512, 10}},
                                     {{9, 10}, {5, 100}, {3, 1000}, {2, 2000}, {1, 70'000}})) {
    for (bool bfloat16 : {false, true}) {
      double logits = double{1} * s.m * s.K * (bfloat16 ? 2 : 4);
      double bytes = 2 * logits + 17.0 * s.m;
      bench.measure({"softmax_xent", text("m=%d K=%d %s", s.m, s.K, bfloat16 ? "bf16" : "fp32"),
                     bytes, bytes},
                    [&] { return prepare(bench, s.m, s.K, bfloat16); });
    }
  }
}

}  // namespace bench
