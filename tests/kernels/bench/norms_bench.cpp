// Squared norms: of rows, of a vector, and of every example's own gradient; and what an evaluation
// counts.
#include <algorithm>

#include "bench.h"
#include "reference.h"

namespace bench {
namespace {

struct Matrix {
  int rows, columns;
};

struct Convolution {
  int batch, side, channels, outputs;
};

int32_t dtypeOf(bool bfloat16) { return bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32; }

double squaredNorm(const Elements& x, size_t first, size_t count) {
  double sum = 0;
  for (size_t i = first; i < first + count; i++) {
    sum += double{x[i]} * x[i];
  }
  return sum;
}

Work prepareRows(Bench& bench, Matrix s, bool bfloat16) {
  auto columns = static_cast<size_t>(s.columns);
  Elements x(bfloat16, Random(16).floats(static_cast<size_t>(s.rows) * columns, -1, 1));
  auto xs = bench.input(x.bytes);
  auto norms = bench.output<float>(static_cast<size_t>(s.rows));
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return rais_row_squared_norms(stream, s.rows, s.columns, dtypeOf(bfloat16), xs(turn),
                                  norms(turn));
  };
  work.check = [=](Check& check) {
    std::vector<float> results = norms.read();
    for (size_t j = 0; j < results.size(); j++) {
      check.close("squared norms", j, results[j], squaredNorm(x, j * columns, columns), 1e-6, 0);
    }
  };
  return work;
}

Work prepareVector(Bench& bench, size_t n) {
  Elements x(false, Random(17).floats(n, -1, 1));
  auto xs = bench.input(x.bytes);
  auto result = bench.output<double>(1);
  auto workspace = bench.output<char>(
      static_cast<size_t>(rais_squared_norm_workspace_bytes(static_cast<int64_t>(n))));
  workspace.fill(0);
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return rais_squared_norm(stream, static_cast<int64_t>(n), reinterpret_cast<float*>(xs(turn)),
                             result(turn), workspace(turn));
  };
  work.check = [=](Check& check) {
    check.close("squared norm", 0, result.read()[0], squaredNorm(x, 0, n), 1e-10, 0);
  };
  return work;
}

Work prepareLinear(Bench& bench, Matrix s, int outputs, bool bfloat16) {
  Random random(18);
  auto rows = static_cast<size_t>(s.rows), in = static_cast<size_t>(s.columns);
  auto out = static_cast<size_t>(outputs);
  Elements x(bfloat16, random.floats(rows * in, -1, 1));
  Elements deltas(bfloat16, random.floats(rows * out, -1, 1));
  auto xs = bench.input(x.bytes);
  auto ds = bench.input(deltas.bytes);
  auto norms = bench.input(std::vector<float>(rows, 1));
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return rais_linear_gradient_norms(stream, s.rows, s.columns, outputs, 1, dtypeOf(bfloat16),
                                      xs(turn), ds(turn), norms(turn));
  };
  work.check = [=](Check& check) {
    std::vector<float> results = norms.read();
    for (size_t j = 0; j < rows; j++) {
      double expected = 1 + squaredNorm(deltas, j * out, out) * (squaredNorm(x, j * in, in) + 1);
      check.close("squared norms", j, results[j], expected, 1e-5, 0);
    }
  };
  return work;
}

// A 3 x 3 convolution with padding 1, which keeps the side.
Work prepareConvolution(Bench& bench, Convolution s, bool bfloat16) {
  Random random(19);
  auto batch = static_cast<size_t>(s.batch);
  auto pixels = static_cast<size_t>(s.side * s.side);
  auto channels = static_cast<size_t>(s.channels), out = static_cast<size_t>(s.outputs);
  Elements x(bfloat16, random.floats(batch * pixels * channels, -1, 1));
  Elements deltas(bfloat16, random.floats(batch * pixels * out, -1, 1));
  auto xs = bench.input(x.bytes);
  auto ds = bench.input(deltas.bytes);
  auto norms = bench.input(std::vector<float>(batch, 1));
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return rais_convolution_gradient_norms(stream, s.batch, s.side, s.side, s.channels, s.outputs,
                                           3, 1, 1, 1, dtypeOf(bfloat16), xs(turn), ds(turn),
                                           norms(turn));
  };
  work.check = [=](Check& check) {
    std::vector<float> results = norms.read();
    // The first and last few examples: the reference is slow.
    for (size_t j = 0; j < batch; j = j == 1 && batch > 4 ? batch - 2 : j + 1) {
      double squares = 1;
      for (size_t o = 0; o < out; o++) {
        double bias = 0;
        for (size_t at = 0; at < pixels; at++) {
          bias += deltas[(j * pixels + at) * out + o];
        }
        squares += bias * bias;
        for (int tap = 0; tap < 9; tap++) {
          std::vector<double> sums(channels);
          for (int position = 0; position < s.side * s.side; position++) {
            int y = position / s.side + tap / 3 - 1, column = position % s.side + tap % 3 - 1;
            if (y >= 0 && y < s.side && column >= 0 && column < s.side) {
              double delta = deltas[(j * pixels + static_cast<size_t>(position)) * out + o];
              size_t from = (j * pixels + static_cast<size_t>(y * s.side + column)) * channels;
              for (size_t c = 0; c < channels; c++) {
                sums[c] += delta * x[from + c];
              }
            }
          }
          for (double sum : sums) {
            squares += sum * sum;
          }
        }
      }
      check.close("squared norms", j, results[j], squares, 1e-4, 0);
    }
  };
  return work;
}

Work prepareEvaluation(Bench& bench, int m, int classes) {
  auto rows = static_cast<size_t>(m);
  Random random(20);
  std::vector<float> loss = random.floats(rows, 0, 3);
  std::vector<uint8_t> flag(rows);
  std::vector<int32_t> label(rows);
  for (size_t j = 0; j < rows; j++) {
    flag[j] = static_cast<uint8_t>(random.below(2) == 0 ? 0 : RAIS_TOP_1 | RAIS_TOP_5);
    label[j] = random.below(classes + 1) - 1;
  }
  auto losses = bench.input(loss);
  auto flags = bench.input(flag);
  auto labels = bench.input(label);
  auto sum = bench.input(std::vector<double>(1));
  auto counts = bench.input(std::vector<int64_t>(RAIS_COUNTS));
  auto classCounts = bench.input(std::vector<int64_t>(2 * static_cast<size_t>(classes)));
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return rais_evaluation_counts(stream, m, classes, losses(turn), flags(turn), labels(turn), -1,
                                  sum(turn), counts(turn), classCounts(turn));
  };
  work.check = [=](Check& check) {
    double expected = 0;
    int64_t examples = 0, errors = 0;
    std::vector<int64_t> ofClasses(2 * static_cast<size_t>(classes));
    for (size_t j = 0; j < rows; j++) {
      if (label[j] >= 0) {
        expected += loss[j];
        examples++;
        errors += flag[j] == 0;
        ofClasses[2 * static_cast<size_t>(label[j])]++;
        ofClasses[2 * static_cast<size_t>(label[j]) + 1] += flag[j] == 0;
      }
    }
    check.close("sum of losses", 0, sum.read()[0], expected, 1e-10, 0);
    std::vector<int64_t> found = counts.read(), byClass = classCounts.read();
    check.holds("examples", 0, found[RAIS_COUNT_EXAMPLES] == examples);
    check.holds("errors", 0, found[RAIS_COUNT_TOP_1_ERRORS] == errors);
    for (size_t i = 0; i < byClass.size(); i++) {
      check.holds("counts of classes", i, byClass[i] == ofClasses[i]);
    }
  };
  return work;
}

}  // namespace

void norms(Bench& bench) {
  for (bool bfloat16 : {false, true}) {
    double width = bfloat16 ? 2 : 4;
    const char* type = bfloat16 ? "bf16" : "fp32";
    for (Matrix s :
         bench.shapes<Matrix>({{65'536, 512}, {8192, 4096}, {512, 512}}, {{9, 40}, {3, 1500}})) {
      double bytes = s.rows * (s.columns * width + 4);
      bench.measure({"row_squared_norms", text("%dx%d %s", s.rows, s.columns, type), bytes, bytes},
                    [&] { return prepareRows(bench, s, bfloat16); });
    }
    for (Matrix s : bench.shapes<Matrix>({{8192, 4096}, {512, 512}}, {{9, 40}})) {
      int outputs = bench.shapes<int>({1000}, {10})[0];
      double bytes = s.rows * ((s.columns + outputs) * width + 8);
      bench.measure({"linear_gradient_norms",
                     text("%dx%d, %d outputs, %s", s.rows, s.columns, outputs, type), bytes, bytes},
                    [&] { return prepareLinear(bench, s, outputs, bfloat16); });
    }
    for (Convolution s :
         bench.shapes<Convolution>({{512, 32, 16, 16}, {512, 8, 64, 64}, {512, 4, 512, 512}},
                                   {{3, 5, 4, 6}, {2, 7, 8, 130}})) {
      double bytes = double{1} * s.batch * s.side * s.side * (s.channels + s.outputs) * width;
      bench.measure(
          {"convolution_gradient_norms",
           text("%dx%dx%d, %d to %d, %s", s.batch, s.side, s.side, s.channels, s.outputs, type),
           bytes, bytes},
          [&] { return prepareConvolution(bench, s, bfloat16); });
    }
  }
  for (size_t n : bench.shapes<size_t>({25'000'000, 5130}, {5003})) {
    double bytes = 4.0 * static_cast<double>(n);
    bench.measure({"squared_norm", text("n=%zu", n), bytes, bytes},
                  [&] { return prepareVector(bench, n); });
  }
}

void evaluation(Bench& bench) {
  for (int m : bench.shapes<int>({512, 10'000}, {300})) {
    int classes = bench.shapes<int>({1000}, {10})[0];
    bench.measure({"evaluation_counts", text("m=%d K=%d", m, classes), 0, 9.0 * m},
                  [&] { return prepareEvaluation(bench, m, classes); });
  }
}

}  // namespace bench
