// Bias and rectifier, pooling: the small layers around convolutions and linear layers.
#include <algorithm>

#include "bench.h"
#include "reference.h"

namespace bench {
namespace {

struct Matrix {
  int rows, channels;
};

struct Image {
  int batch, side, channels, kernel, stride;
};

int32_t dtypeOf(bool bfloat16) { return bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32; }

float rounded(float x, bool bfloat16) { return bfloat16 ? fromBfloat16(toBfloat16(x)) : x; }

Work prepareBias(Bench& bench, Matrix s, bool bfloat16) {
  auto channels = static_cast<size_t>(s.channels);
  size_t count = static_cast<size_t>(s.rows) * channels;
  Random random(12);
  Elements x(bfloat16, random.floats(count, -1, 1));
  std::vector<float> b = random.floats(channels, -1, 1);
  auto xs = bench.input(x.bytes);
  auto bias = bench.shared(b);
  auto ys = bench.output<char>(x.bytes.size());
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return rais_bias_relu(stream, s.rows, s.channels, dtypeOf(bfloat16), xs(turn), bias(0), 1,
                          ys(turn));
  };
  work.check = [=](Check& check) {
    Elements y(bfloat16, ys.read());
    for (size_t i = 0; i < count; i++) {
      float sum = x[i] + b[i % channels];
      check.holds("y", i, y[i] == rounded(sum > 0 ? sum : 0, bfloat16));
    }
  };
  return work;
}

Work prepareBiasBackward(Bench& bench, Matrix s, bool bfloat16) {
  auto channels = static_cast<size_t>(s.channels);
  size_t count = static_cast<size_t>(s.rows) * channels;
  Random random(13);
  Elements y(bfloat16, random.floats(count, -1, 1)), dy(bfloat16, random.floats(count, -1, 1));
  auto ys = bench.input(y.bytes);
  auto dys = bench.input(dy.bytes);
  auto dxs = bench.output<char>(y.bytes.size());
  auto dbias = bench.output<float>(channels);
  auto workspace = bench.output<char>(
      static_cast<size_t>(rais_bias_relu_workspace_bytes(s.rows, s.channels, dtypeOf(bfloat16))));
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return rais_bias_relu_backward(stream, s.rows, s.channels, dtypeOf(bfloat16), ys(turn),
                                   dys(turn), dxs(turn), dbias(turn), workspace(turn));
  };
  work.check = [=](Check& check) {
    Elements dx(bfloat16, dxs.read());
    std::vector<float> sums = dbias.read();
    std::vector<double> expected(channels);
    for (size_t i = 0; i < count; i++) {
      float value = y[i] > 0 ? dy[i] : 0;
      check.holds("dx", i, dx[i] == value);
      expected[i % channels] += value;
    }
    double slack = 1e-5 * std::sqrt(static_cast<double>(s.rows));
    for (size_t c = 0; c < channels; c++) {
      check.close("dbias", c, sums[c], expected[c], 1e-5, slack);
    }
  };
  return work;
}

Work prepareMaxPool(Bench& bench, Image s, bool bfloat16, bool backward) {
  int out = (s.side - s.kernel) / s.stride + 1;
  auto channels = static_cast<size_t>(s.channels);
  auto pixels = [&](int side) { return static_cast<size_t>(s.batch) * side * side * channels; };
  Random random(14);
  Elements x(bfloat16, random.floats(pixels(s.side), -1, 1));
  Elements dy(bfloat16, random.floats(pixels(out), -1, 1));
  auto xs = bench.input(x.bytes);
  auto dys = bench.input(dy.bytes);
  auto ys = bench.output<char>(dy.bytes.size());
  auto dxs = bench.output<char>(x.bytes.size());
  auto winners = bench.output<uint8_t>(pixels(out));
  auto forward = [=](rais_stream stream, int turn) {
    return rais_max_pool(stream, s.batch, s.side, s.side, s.channels, s.kernel, s.stride,
                         dtypeOf(bfloat16), xs(turn), ys(turn), winners(turn));
  };
  if (backward) {
    for (size_t i = 0; i < ys.copies(); i++) {
      forward(nullptr, static_cast<int>(i));
    }
    device::finish();
  }
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return backward ? rais_max_pool_backward(stream, s.batch, s.side, s.side, s.channels, s.kernel,
                                             s.stride, dtypeOf(bfloat16), dys(turn), winners(turn),
                                             dxs(turn))
                    : forward(stream, turn);
  };
  work.check = [=](Check& check) {
    Elements y(bfloat16, ys.read()), dx(bfloat16, dxs.read());
    std::vector<float> sums(backward ? x.bytes.size() / x.width() : 0);
    for (int j = 0; j < s.batch; j++) {
      for (int oy = 0; oy < out; oy++) {
        for (int ox = 0; ox < out; ox++) {
          for (int c = 0; c < s.channels; c++) {
            size_t best = 0;
            for (int k = 0; k < s.kernel * s.kernel; k++) {
              int row = oy * s.stride + k / s.kernel, column = ox * s.stride + k % s.kernel;
              auto at =
                  static_cast<size_t>(((j * s.side + row) * s.side + column) * s.channels + c);
              best = k == 0 || x[at] > x[best] ? at : best;
            }
            auto to = static_cast<size_t>(((j * out + oy) * out + ox) * s.channels + c);
            if (backward) {
              sums[best] += dy[to];
            } else {
              check.holds("y", to, y[to] == x[best]);
            }
          }
        }
      }
    }
    for (size_t i = 0; i < sums.size(); i++) {
      check.holds("dx", i, dx[i] == rounded(sums[i], bfloat16));
    }
  };
  return work;
}

Work prepareAverage(Bench& bench, Image s, bool bfloat16, bool backward) {
  int positions = s.side * s.side;
  auto channels = static_cast<size_t>(s.channels);
  size_t count = static_cast<size_t>(s.batch) * static_cast<size_t>(positions) * channels;
  size_t means = static_cast<size_t>(s.batch) * channels;
  Elements from(bfloat16, Random(15).floats(backward ? means : count, -1, 1));
  auto froms = bench.input(from.bytes);
  auto tos = bench.output<char>((backward ? count : means) * from.width());
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    auto launch = backward ? rais_global_average_pool_backward : rais_global_average_pool;
    return launch(stream, s.batch, positions, s.channels, dtypeOf(bfloat16), froms(turn),
                  tos(turn));
  };
  work.check = [=](Check& check) {
    Elements to(bfloat16, tos.read());
    std::vector<double> sums(means);
    for (size_t i = 0; i < count; i++) {
      size_t mean = i / channels / static_cast<size_t>(positions) * channels + i % channels;
      if (backward) {
        check.close("dx", i, to[i], from[mean] / positions, bfloat16 ? 4e-3 : 1e-6, 0);
      } else {
        sums[mean] += from[i];
      }
    }
    for (size_t i = 0; i < means && !backward; i++) {
      check.close("y", i, to[i], sums[i] / positions, bfloat16 ? 4e-3 : 1e-5, 1e-6);
    }
  };
  return work;
}

}  // namespace

void biasRelu(Bench& bench) {
  for (Matrix s : bench.shapes<Matrix>({{524'288, 64}, {8192, 4096}, {512, 4096}}, {{37, 12}})) {
    for (bool bfloat16 : {false, true}) {
      double bytes = double{1} * s.rows * s.channels * (bfloat16 ? 2 : 4);
      std::string shape = text("%dx%d %s", s.rows, s.channels, bfloat16 ? "bf16" : "fp32");
      bench.measure({"bias_relu", shape, 2 * bytes, 2 * bytes},
                    [&] { return prepareBias(bench, s, bfloat16); });
      bench.measure({"bias_relu_backward", shape, 3 * bytes, 3 * bytes},
                    [&] { return prepareBiasBackward(bench, s, bfloat16); });
    }
  }
}

void pooling(Bench& bench) {
  for (Image s :
       bench.shapes<Image>({{512, 24, 64, 2, 2}, {512, 8, 512, 3, 2}}, {{3, 7, 8, 3, 2}})) {
    for (bool bfloat16 : {false, true}) {
      double width = bfloat16 ? 2 : 4;
      double in = double{1} * s.batch * s.side * s.side * s.channels;
      double side = (s.side - s.kernel) / s.stride + 1;
      double out = s.batch * side * side * s.channels;
      const char* type = bfloat16 ? "bf16" : "fp32";
      std::string shape = text("%dx%dx%dx%d, %d by %d, %s", s.batch, s.side, s.side, s.channels,
                               s.kernel, s.stride, type);
      double bytes = in * width + out * (width + 1);
      bench.measure({"max_pool", shape, bytes, bytes},
                    [&] { return prepareMaxPool(bench, s, bfloat16, false); });
      bench.measure({"max_pool_backward", shape, bytes, bytes},
                    [&] { return prepareMaxPool(bench, s, bfloat16, true); });
      shape = text("%dx%dx%dx%d %s", s.batch, s.side, s.side, s.channels, type);
      bytes = (in + s.batch * s.channels) * width;
      bench.measure({"global_average_pool", shape, bytes, bytes},
                    [&] { return prepareAverage(bench, s, bfloat16, false); });
      bench.measure({"global_average_pool_backward", shape, bytes, bytes},
                    [&] { return prepareAverage(bench, s, bfloat16, true); });
    }
  }
}

}  // namespace bench
