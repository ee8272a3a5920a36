// What kernel_bench needs of a device, and no more. device_cuda.cpp is a GPU through the CUDA
// runtime; device_host.cpp is the CPU, on which the bench's own code is tested. Both throw
// std::runtime_error with CUDA's text when something fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "rais_kernels.h"

namespace device {

// Why there is no device here; empty if there is one.
std::string missing();

struct Properties {
  std::string name;
  std::string driver;
  int multiprocessors;
  double clockMegahertz;  // the highest, not the present one
  double memoryClockMegahertz;
  size_t memoryBytes;
  size_t freeBytes;
  size_t cacheBytes;  // of the last level, the L2 cache
};

Properties properties();

// Whether times mean anything.
bool isGpu();

void* allocate(size_t bytes);
void release(void* memory) noexcept;

// Host memory that kernels read over the bus, full of these bytes.
std::shared_ptr<const uint8_t> pinned(const std::vector<uint8_t>& bytes);

void fill(void* memory, int byte, size_t bytes);
void copyIn(void* to, const void* from, size_t bytes);
void copyOut(void* to, const void* from, size_t bytes);

// On the device, in the stream's order.
void copy(rais_stream stream, void* to, const void* from, size_t bytes);

// Waits for all work; throws if a kernel has failed.
void finish();

using Work = std::function<void(rais_stream)>;

// The device's own time from before the work to after it.
double milliseconds(const Work& work);

// Work that is recorded once and then launched as a whole, so that the time to launch each kernel
// of it does not count.
class Graph {
 public:
  explicit Graph(const Work& work);
  ~Graph();
  void launch(rais_stream stream) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace device
