// The CPU in the place of a GPU, with the kernels as CUDA on host: shows that kernel_bench itself
// works and that its references agree with the kernels. Its times mean nothing.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>

#include "device.h"

namespace device {

std::string missing() { return ""; }

Properties properties() {
  Properties p = {};
  p.name = "CPU (CUDA on host)";
  p.driver = "none";
  p.freeBytes = p.memoryBytes = size_t{1} << 30;
  p.cacheBytes = size_t{1} << 14;  // few copies
  return p;
}

bool isGpu() { return false; }

void* allocate(size_t bytes) {
  constexpr size_t kAlignment = 256;  // cudaMalloc's
  void* memory = std::aligned_alloc(kAlignment, (bytes + kAlignment) / kAlignment * kAlignment);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

void release(void* memory) noexcept { std::free(memory); }

std::shared_ptr<const uint8_t> pinned(const std::vector<uint8_t>& bytes) {
  auto* memory = static_cast<uint8_t*>(allocate(bytes.size()));
  std::memcpy(memory, bytes.data(), bytes.size());
  return {memory, [](const uint8_t* p) { release(const_cast<uint8_t*>(p)); }};
}

void fill(void* memory, int byte, size_t bytes) { std::memset(memory, byte, bytes); }

void copyIn(void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); }

void copyOut(void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); }

void copy(rais_stream, void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); }

void finish() {}

double milliseconds(const Work& work) {
  auto before = std::chrono::steady_clock::now();
  work(nullptr);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before)
      .count();
}

struct Graph::State {
  Work work;
};

Graph::Graph(const Work& work) : state_(new State{work}) {}

Graph::~Graph() = default;

void Graph::launch(rais_stream stream) const { state_->work(stream); }

}  // namespace device
