// The frame of kernel_bench: a bench describes one kernel at several shapes. Each is launched once
// and checked against a simple reference, then timed.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "device.h"
#include "parallel.h"
#include "rais_kernels.h"

namespace bench {

// printf into a string.
std::string text(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Device memory for one operand, several times over: turn k of many launches uses copy
// k mod copies, so that no launch finds its operands in a cache. Copies share the memory.
template <class T>
class Rotating {
 public:
  Rotating(size_t count, size_t copies)
      : count_(count),
        stride_((count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment),
        copies_(copies),
        memory_(static_cast<char*>(device::allocate(stride_ * copies)), device::release) {}

  T* operator()(int turn) const {
    return reinterpret_cast<T*>(memory_.get() + static_cast<size_t>(turn) % copies_ * stride_);
  }

  size_t copies() const { return copies_; }

  void write(int turn, const std::vector<T>& values) const {
    device::copyIn((*this)(turn), values.data(), count_ * sizeof(T));
  }

  std::vector<T> read(int turn = 0) const {
    std::vector<T> values(count_);
    device::copyOut(values.data(), (*this)(turn), count_ * sizeof(T));
    return values;
  }

  void fill(int byte) const { device::fill(memory_.get(), byte, stride_ * copies_); }

 private:
  static constexpr size_t kAlignment = 256;

  size_t count_;
  size_t stride_;
  size_t copies_;
  std::shared_ptr<char> memory_;
};

// Compares results with a reference. The first difference is kept, and all are counted.
class Check {
 public:
  // |actual - expected| <= absolute + relative * |expected|.
  void close(const char* what, size_t index, double actual, double expected, double relative,
             double absolute) {
    values_++;
    if (!(std::fabs(actual - expected) <= absolute + relative * std::fabs(expected)) &&
        wrong_++ == 0) {
      first_ = text("%s[%zu] is %.9g, expected %.9g", what, index, actual, expected);
    }
  }

  void holds(const char* what, size_t index, bool condition) {
    values_++;
    if (!condition && wrong_++ == 0) {
      first_ = text("%s[%zu] is wrong", what, index);
    }
  }

  // body(part, begin, end) for parts of [0, count), in threads; differences are those that one loop
  // would have found, in the same order.
  template <class Body>
  void each(size_t count, const Body& body, size_t least = size_t{1} << 14) {
    std::vector<Check> found(parts(count, least));
    parallel(
        count, [&](size_t begin, size_t end, size_t part) { body(found[part], begin, end); },
        least);
    for (const Check& part : found) {
      if (wrong_ == 0) {
        first_ = part.first_;
      }
      values_ += part.values_;
      wrong_ += part.wrong_;
    }
  }

  long values() const { return values_; }
  long wrong() const { return wrong_; }
  const std::string& first() const { return first_; }

 private:
  long values_ = 0;
  long wrong_ = 0;
  std::string first_;
};

// Operands on the device, ready to be worked on.
struct Work {
  // Launches turn 0, 1, ...; returns the status.
  std::function<int32_t(rais_stream stream, int turn)> launch;
  // Compares what launch(stream, 0) has left with a reference.
  std::function<void(Check& check)> check;
};

struct Row {
  std::string kernel;  // the function's name without rais_, or several joined by +
  std::string shape;
  double bytes;      // that one launch must move, by the formula in benches.cpp; 0: not counted
  double footprint;  // bytes of memory that one launch works on
};

struct Options {
  std::vector<std::string> kernels;  // empty: all
  bool small = false;                // shapes for checking alone
  bool quick = false;
  bool timed = true;
};

struct Result {
  Row row;
  int launches = 0;         // in one graph
  double micros = 0;        // of one launch, in a graph
  double streamMicros = 0;  // of one launch, put on the stream by itself
  double copyMicros = 0;    // of a copy that moves as many bytes, in a graph
  double spread = 0;        // of repeats: (largest - smallest) / median
  long checked = 0;
  std::string failure;
};

class Bench {
 public:
  explicit Bench(const Options& options);

  // Shapes, or those for checking alone.
  template <class T>
  std::vector<T> shapes(std::vector<T> measured, std::vector<T> small) const {
    return options_.small ? small : measured;
  }

  // Checks and times one row, if it is wanted. prepare() makes its operands with what follows.
  void measure(const Row& row, const std::function<Work()>& prepare);

  template <class T>
  Rotating<T> output(size_t count) {
    Rotating<T> operand(count, copies_);
    operand.fill(0xFF);  // NaNs, to be overwritten
    return operand;
  }

  // The same values in every copy.
  template <class T>
  Rotating<T> input(const std::vector<T>& values) {
    Rotating<T> operand(values.size(), copies_);
    for (size_t i = 0; i < copies_; i++) {
      operand.write(static_cast<int>(i), values);
    }
    return operand;
  }

  // One copy alone, for what is small and the same for all.
  template <class T>
  Rotating<T> shared(const std::vector<T>& values) {
    Rotating<T> operand(values.size(), 1);
    operand.write(0, values);
    return operand;
  }

  const std::vector<Result>& results() const { return results_; }
  const device::Properties& properties() const { return properties_; }

  // Bytes a second of a copy on the device, read and written bytes together.
  double copyBandwidth();

 private:
  void time(const Work& work, Result& result);
  Work copyWork(size_t bytes);

  Options options_;
  device::Properties properties_;
  size_t copies_ = 1;
  double copyBandwidth_ = 0;
  std::vector<Result> results_;
};

// One line of the list in benches.cpp.
struct Registration {
  const char* name;
  void (*run)(Bench& bench);
  const char* bytes;      // that a launch must move: what its operands' sizes come to
  const char* functions;  // of rais_kernels.h that it launches
};

extern const std::vector<Registration> registrations;

}  // namespace bench
