// kernel_bench: checks the kernels against simple references, then times them on a GPU.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>

#include "bench.h"

using namespace bench;

namespace {

const char* const kHelp =
    "Checks RAIS's CUDA kernels against simple references, then times them.\n"
    "\n"
    "usage: kernel_bench [OPTIONS]\n"
    "  --kernel NAME  only this bench of --list; may be repeated\n"
    "  --quick        fewer and shorter repeats: times to about 5 %\n"
    "  --check        small shapes, checked but not timed: for compute-sanitizer\n"
    "  --json FILE    results as JSON, too\n"
    "  --list         the benches, what they launch, and which bytes they count\n"
    "  --help         this text\n"
    "\n"
    "Every row is launched many times in a row, over as many copies of its operands as it takes "
    "to\n"
    "exceed the L2 cache three times, 64 at most. us: the median of a launch's time, in a CUDA\n"
    "graph; us alone: put on the stream one by one. GB/s: the bytes that a launch must move\n"
    "(--list), over us. of copy: that over the bandwidth of a large copy on the device, read and\n"
    "written bytes together; of same: over that of a copy that moves as many bytes, timed in the\n"
    "same way.\n"
    "\n"
    "The exit code is 0 if all is right, 1 if a check or CUDA fails or there is no GPU, 2 for "
    "wrong\n"
    "usage.\n";

int wrongUsage(const std::string& what) {
  fprintf(stderr, "kernel_bench: %s\n\n%s", what.c_str(), kHelp);
  return 2;
}

void list() {
  for (const Registration& bench : registrations) {
    printf("%s\n  launches %s\n  bytes: %s\n", bench.name, bench.functions, bench.bytes);
  }
}

std::string now() {
  char buffer[32];
  time_t seconds = time(nullptr);
  strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%SZ", gmtime(&seconds));
  return buffer;
}

void printHeader(const device::Properties& p, double copyBandwidth) {
  printf("%s, %d multiprocessors, up to %.0f MHz, memory up to %.0f MHz, L2 cache %.0f MiB\n",
         p.name.c_str(), p.multiprocessors, p.clockMegahertz, p.memoryClockMegahertz,
         static_cast<double>(p.cacheBytes) / 0x1p20);
  printf("driver: %s\n%s\n%s\n", p.driver.c_str(), rais_build_info(), now().c_str());
  if (copyBandwidth > 0) {
    printf("copy on the device: %.0f GB/s\n", copyBandwidth / 1e9);
  }
  if (!device::isGpu()) {
    printf("small shapes on the CPU: shows that the bench works, its times mean nothing\n");
  }
}

void printTable(const std::vector<Result>& results, double copyBandwidth) {
  printf("\n%-28s %-40s %10s %10s %8s %8s %8s %7s\n", "kernel", "shape", "us", "us alone", "GB/s",
         "of copy", "of same", "spread");
  for (const Result& r : results) {
    printf("%-28s %-40s ", r.row.kernel.c_str(), r.row.shape.c_str());
    if (!r.failure.empty()) {
      printf("FAILED: %s\n", r.failure.c_str());
    } else if (r.launches == 0) {
      printf("%ld values are right\n", r.checked);
    } else if (r.row.bytes == 0) {
      printf("%10.2f %10.2f %8s %8s %8s %6.1f%%\n", r.micros, r.streamMicros, "", "", "",
             100 * r.spread);
    } else {
      double bandwidth = r.row.bytes / (r.micros * 1e-6);
      printf("%10.2f %10.2f %8.0f %7.1f%% %7.1f%% %6.1f%%\n", r.micros, r.streamMicros,
             bandwidth / 1e9, 100 * bandwidth / copyBandwidth, 100 * r.copyMicros / r.micros,
             100 * r.spread);
    }
  }
}

std::string quoted(const std::string& s) {
  std::string result = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      result += text("\\u%04x", c);
    } else {
      result += c;
    }
  }
  return result + '"';
}

bool writeJson(const char* path, const device::Properties& p, double copyBandwidth,
               const std::vector<Result>& results) {
  FILE* file = fopen(path, "w");
  if (file == nullptr) {
    return false;
  }
  fprintf(file,
          "{\"date\": %s, \"device\": %s, \"gpu\": %s, \"driver\": %s, \"multiprocessors\": %d, "
          "\"maxClockMegahertz\": %.0f, \"maxMemoryClockMegahertz\": %.0f, \"cacheBytes\": %zu, "
          "\"memoryBytes\": %zu, \"build\": %s, \"copyGigabytesPerSecond\": %.2f, \"rows\": [",
          quoted(now()).c_str(), quoted(p.name).c_str(), device::isGpu() ? "true" : "false",
          quoted(p.driver).c_str(), p.multiprocessors, p.clockMegahertz, p.memoryClockMegahertz,
          p.cacheBytes, p.memoryBytes, quoted(rais_build_info()).c_str(), copyBandwidth / 1e9);
  const char* separator = "";
  for (const Result& r : results) {
    fprintf(file, "%s\n  {\"kernel\": %s, \"shape\": %s, \"checkedValues\": %ld", separator,
            quoted(r.row.kernel).c_str(), quoted(r.row.shape).c_str(), r.checked);
    separator = ",";
    if (!r.failure.empty()) {
      fprintf(file, ", \"failure\": %s", quoted(r.failure).c_str());
    } else if (r.launches > 0) {
      fprintf(file, ", \"launches\": %d, \"micros\": %.4f, \"aloneMicros\": %.4f, \"spread\": %.4f",
              r.launches, r.micros, r.streamMicros, r.spread);
      if (r.row.bytes > 0) {
        double bandwidth = r.row.bytes / (r.micros * 1e-6);
        fprintf(file,
                ", \"bytes\": %.0f, \"gigabytesPerSecond\": %.2f, \"copyShare\": %.4f, "
                "\"sameSizeCopyShare\": %.4f",
                r.row.bytes, bandwidth / 1e9, bandwidth / copyBandwidth, r.copyMicros / r.micros);
      }
    }
    fprintf(file, "}");
  }
  fprintf(file, "\n]}\n");
  return fclose(file) == 0;
}

int run(const Options& options, const char* jsonPath) {
  Bench bench(options);
  double copyBandwidth = options.timed ? bench.copyBandwidth() : 0;
  printHeader(bench.properties(), copyBandwidth);
  for (const Registration& registration : registrations) {
    bool wanted = options.kernels.empty() ||
                  std::find(options.kernels.begin(), options.kernels.end(), registration.name) !=
                      options.kernels.end();
    if (wanted) {
      fprintf(stderr, "%s ...\n", registration.name);
      registration.run(bench);
    }
  }
  printTable(bench.results(), copyBandwidth);
  long failures = 0;
  for (const Result& result : bench.results()) {
    failures += result.failure.empty() ? 0 : 1;
  }
  if (failures > 0) {
    printf("%ld of %zu rows failed\n", failures, bench.results().size());
  }
  if (jsonPath != nullptr &&
      !writeJson(jsonPath, bench.properties(), copyBandwidth, bench.results())) {
    fprintf(stderr, "kernel_bench: cannot write %s\n", jsonPath);
    return 1;
  }
  return failures == 0 && !bench.results().empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.small = !device::isGpu();
  const char* jsonPath = nullptr;
  for (int i = 1; i < argc; i++) {
    std::string argument = argv[i];
    bool hasValue = i + 1 < argc;
    if (argument == "--help") {
      printf("%s", kHelp);
      return 0;
    } else if (argument == "--list") {
      list();
      return 0;
    } else if (argument == "--quick") {
      options.quick = true;
    } else if (argument == "--check") {
      options.small = true;
      options.timed = false;
    } else if (argument == "--json" && hasValue) {
      jsonPath = argv[++i];
    } else if (argument == "--kernel" && hasValue) {
      std::string name = argv[++i];
      if (std::none_of(registrations.begin(), registrations.end(),
                       [&](const Registration& r) { return name == r.name; })) {
        return wrongUsage("there is no bench " + name + "; --list shows them");
      }
      options.kernels.push_back(name);
    } else {
      return wrongUsage((hasValue || (argument != "--json" && argument != "--kernel")
                             ? "unknown argument: "
                             : "a value is missing: ") +
                        argument);
    }
  }
  try {
    std::string missing = device::missing();
    if (!missing.empty()) {
      fprintf(
          stderr,
          "kernel_bench: there is no CUDA device to measure on (%s); kernel_bench_host, made by "
          "\"native-build/build host\", checks the bench itself on a CPU\n",
          missing.c_str());
      return 1;
    }
    return run(options, jsonPath);
  } catch (const std::exception& e) {
    fprintf(stderr, "kernel_bench: %s\n", e.what());
    return 1;
  }
}
