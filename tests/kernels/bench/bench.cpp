// How a row is checked and timed.
#include "bench.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <stdexcept>

namespace bench {
namespace {

constexpr int kMaxCopies = 64;
constexpr int kMaxLaunches = 4096;  // in one graph

struct Timing {
  double median;
  double spread;
};

Timing repeat(int repeats, const device::Work& work) {
  std::vector<double> times;
  for (int i = 0; i < repeats; i++) {
    times.push_back(device::milliseconds(work));
  }
  std::sort(times.begin(), times.end());
  double median = times[times.size() / 2];
  return {median, (times.back() - times.front()) / median};
}

void require(int32_t status) {
  if (status != RAIS_OK) {
    throw std::runtime_error(rais_last_error());
  }
}

}  // namespace

std::string text(const char* format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

Bench::Bench(const Options& options) : options_(options), properties_(device::properties()) {}

void Bench::measure(const Row& row, const std::function<Work()>& prepare) {
  // Three times the cache, so that what a turn reads has left it when its copy comes again.
  double wanted = std::ceil(3.0 * static_cast<double>(properties_.cacheBytes) / row.footprint);
  double possible = std::floor(0.4 * static_cast<double>(properties_.freeBytes) / row.footprint);
  copies_ = static_cast<size_t>(
      std::max(1.0, std::min({wanted + 1, possible, static_cast<double>(kMaxCopies)})));
  Result result;
  result.row = row;
  try {
    Work work = prepare();
    require(work.launch(nullptr, 0));
    device::finish();
    Check check;
    work.check(check);
    result.checked = check.values();
    if (check.values() == 0) {
      result.failure = "nothing was checked";
    } else if (check.wrong() > 0) {
      result.failure =
          text("%ld of %ld values are wrong: ", check.wrong(), check.values()) + check.first();
    } else if (options_.timed) {
      time(work, result);
      if (row.bytes > 0) {
        Result copied;
        time(copyWork(static_cast<size_t>(row.bytes / 2)), copied);
        result.copyMicros = copied.micros;
      }
    }
  } catch (const std::exception& e) {
    result.failure = e.what();
  }
  results_.push_back(result);
}

void Bench::time(const Work& work, Result& result) {
  double enough = options_.small ? 0.1 : options_.quick ? 3 : 20;  // milliseconds
  int repeats = options_.small ? 2 : options_.quick ? 5 : 15;
  auto launches = [&](int count) {
    return [&work, count](rais_stream stream) {
      for (int turn = 0; turn < count; turn++) {
        require(work.launch(stream, turn));
      }
    };
  };
  // Each copy once: loads code, and shows how many launches take long enough.
  int first = static_cast<int>(copies_);
  device::milliseconds(launches(first));
  double one = device::milliseconds(launches(first)) / first;
  int rounds = static_cast<int>(std::ceil(enough / one / first));
  int count = std::max(1, std::min(rounds, kMaxLaunches / first)) * first;
  result.launches = count;

  device::Graph graph(launches(count));
  device::Work whole = [&](rais_stream stream) { graph.launch(stream); };
  device::milliseconds(whole);
  Timing timing = repeat(repeats, whole);
  result.micros = timing.median / count * 1e3;
  result.spread = timing.spread;
  result.streamMicros = repeat(repeats, launches(count)).median / count * 1e3;
  device::finish();
}

Work Bench::copyWork(size_t bytes) {
  Rotating<char> from(bytes, copies_);
  Rotating<char> to(bytes, copies_);
  from.fill(1);
  return {[=](rais_stream stream, int turn) {
            device::copy(stream, to(turn), from(turn), bytes);
            return RAIS_OK;
          },
          nullptr};
}

double Bench::copyBandwidth() {
  if (copyBandwidth_ == 0) {
    size_t bytes = options_.small ? size_t{1} << 20 : size_t{1} << 30;
    copies_ = 2;
    Result result;
    time(copyWork(bytes), result);
    copyBandwidth_ = 2.0 * static_cast<double>(bytes) / (result.micros * 1e-6);
  }
  return copyBandwidth_;
}

}  // namespace bench
