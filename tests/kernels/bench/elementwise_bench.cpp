// Operations on single elements, and dropout: 2^25 of them, as activations of a large minibatch
// are.
#include <algorithm>

#include "bench.h"
#include "reference.h"

namespace bench {
namespace {

constexpr int64_t kSeed = 0x0123456789ABCDEF;
constexpr int32_t kStream = 13;
constexpr float kRate = 0.3f;

// What is measured: y = f(a, b).
struct Operation {
  const char* name;
  int inputs;
  int32_t (*launch)(rais_stream stream, int64_t count, int32_t dtype, const void* a, const void* b,
                    void* y);
  float (*reference)(float a, float b);
};

const Operation kOperations[] = {
    {"relu", 1,
     [](rais_stream stream, int64_t count, int32_t dtype, const void* a, const void*, void* y) {
       return rais_relu(stream, count, dtype, a, y);
     },
     [](float a, float) { return a > 0 ? a : 0; }},
    {"relu_backward", 2,
     [](rais_stream stream, int64_t count, int32_t dtype, const void* a, const void* b, void* y) {
       return rais_relu_backward(stream, count, dtype, a, b, y);
     },
     [](float a, float b) { return a > 0 ? b : 0; }},
    {"add", 2,
     [](rais_stream stream, int64_t count, int32_t dtype, const void* a, const void* b, void* y) {
       return rais_add(stream, count, dtype, a, b, y);
     },
     [](float a, float b) { return a + b; }},
};

Work prepare(Bench& bench, const Operation& o, size_t n, bool bfloat16) {
  Random random(8);
  Elements a(bfloat16, random.floats(n, -1, 1));
  Elements b(bfloat16, random.floats(o.inputs == 2 ? n : 1, -1, 1));
  auto as = bench.input(a.bytes);
  auto bs = bench.input(b.bytes);
  auto ys = bench.output<char>(a.bytes.size());
  int32_t dtype = bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32;
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return o.launch(stream, static_cast<int64_t>(n), dtype, as(turn), bs(turn), ys(turn));
  };
  work.check = [=](Check& check) {
    Elements y(bfloat16, ys.read());
    for (size_t i = 0; i < n; i++) {
      float expected = o.reference(a[i], o.inputs == 2 ? b[i] : 0);
      check.holds("y", i, y[i] == (bfloat16 ? fromBfloat16(toBfloat16(expected)) : expected));
    }
  };
  return work;
}

Work prepareConversion(Bench& bench, size_t n, bool narrowing) {
  Elements from(!narrowing, Random(9).floats(n, -1, 1));
  auto xs = bench.input(from.bytes);
  auto ys = bench.output<char>(n * (narrowing ? 2 : 4));
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    auto count = static_cast<int64_t>(n);
    return narrowing ? rais_to_bfloat16(stream, count, reinterpret_cast<float*>(xs(turn)),
                                        reinterpret_cast<uint16_t*>(ys(turn)))
                     : rais_to_float32(stream, count, reinterpret_cast<uint16_t*>(xs(turn)),
                                       reinterpret_cast<float*>(ys(turn)));
  };
  work.check = [=](Check& check) {
    Elements y(narrowing, ys.read());
    for (size_t i = 0; i < n; i++) {
      check.holds("y", i, y[i] == (narrowing ? fromBfloat16(toBfloat16(from[i])) : from[i]));
    }
  };
  return work;
}

Work prepareDropout(Bench& bench, size_t n, bool bfloat16) {
  Elements x(bfloat16, Random(10).floats(n, -1, 1));
  auto xs = bench.input(x.bytes);
  auto ys = bench.output<char>(x.bytes.size());
  auto iteration = bench.shared<int64_t>({11});
  Work work;
  work.launch = [=](rais_stream stream, int turn) {
    return rais_dropout(stream, static_cast<int64_t>(n), bfloat16 ? RAIS_BFLOAT16 : RAIS_FLOAT32,
                        xs(turn), kRate, kSeed, kStream, iteration(0), ys(turn));
  };
  work.check = [=](Check& check) {
    Elements y(bfloat16, ys.read());
    auto threshold = static_cast<uint32_t>(std::floor(double{kRate} * 0x1p32 + 0.5));
    float scale = 1.0f / (1.0f - kRate);
    for (size_t i = 0; i < n; i += 4) {
      Philox words(kSeed, kStream, 11, static_cast<int32_t>(i / 4));
      for (size_t k = i; k < std::min(i + 4, n); k++) {
        float expected = words.x[k - i] >= threshold ? x[k] * scale : 0;
        check.holds("y", k, y[k] == (bfloat16 ? fromBfloat16(toBfloat16(expected)) : expected));
      }
    }
  };
  return work;
}

}  // namespace

void elementwise(Bench& bench) {
  for (size_t n : bench.shapes<size_t>({33'554'432}, {3'001})) {
    auto count = static_cast<double>(n);
    for (bool bfloat16 : {false, true}) {
      double width = bfloat16 ? 2 : 4;
      std::string shape = text("n=%zu %s", n, bfloat16 ? "bf16" : "fp32");
      for (const Operation& o : kOperations) {
        double bytes = count * width * (o.inputs + 1);
        bench.measure({o.name, shape, bytes, bytes},
                      [&] { return prepare(bench, o, n, bfloat16); });
      }
      double bytes = count * width * 2;
      bench.measure({"dropout", shape, bytes, bytes},
                    [&] { return prepareDropout(bench, n, bfloat16); });
    }
    for (bool narrowing : {true, false}) {
      bench.measure(
          {narrowing ? "to_bfloat16" : "to_float32", text("n=%zu", n), 6 * count, 6 * count},
          [&] { return prepareConversion(bench, n, narrowing); });
    }
  }
}

}  // namespace bench
