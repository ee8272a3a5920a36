// A GPU, through the CUDA runtime.
#include <cuda_runtime.h>

#include <cstring>
#include <fstream>
#include <stdexcept>

#include "device.h"

namespace device {
namespace {

void require(cudaError_t error, const char* what) {
  if (error != cudaSuccess) {
    throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
  }
}

#define REQUIRE(call) require((call), #call)

int attribute(cudaDeviceAttr name) {
  int value = 0;
  REQUIRE(cudaDeviceGetAttribute(&value, name, 0));
  return value;
}

// Not the default stream, which cannot be captured.
cudaStream_t stream() {
  static cudaStream_t stream = [] {
    cudaStream_t created;
    REQUIRE(cudaStreamCreateWithFlags(&created, cudaStreamNonBlocking));
    return created;
  }();
  return stream;
}

struct Event {
  cudaEvent_t event;
  Event() { REQUIRE(cudaEventCreate(&event)); }
  ~Event() { cudaEventDestroy(event); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
};

std::string driverVersion() {
  int cuda = 0;
  REQUIRE(cudaDriverGetVersion(&cuda));
  std::string text = "CUDA " + std::to_string(cuda / 1000) + "." + std::to_string(cuda % 1000 / 10);
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  if (std::getline(file, line)) {
    text += ", " + line;
  }
  return text;
}

}  // namespace

std::string missing() {
  int count = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    return cudaGetErrorString(error);
  }
  return count > 0 ? "" : "the driver knows of none";
}

Properties properties() {
  cudaDeviceProp all;
  REQUIRE(cudaGetDeviceProperties(&all, 0));
  Properties p;
  p.name = all.name;
  p.driver = driverVersion();
  p.multiprocessors = all.multiProcessorCount;
  // Attributes, as CUDA 13 has no fields for these.
  p.clockMegahertz = attribute(cudaDevAttrClockRate) / 1e3;
  p.memoryClockMegahertz = attribute(cudaDevAttrMemoryClockRate) / 1e3;
  REQUIRE(cudaMemGetInfo(&p.freeBytes, &p.memoryBytes));
  p.cacheBytes = static_cast<size_t>(all.l2CacheSize);
  return p;
}

bool isGpu() { return true; }

void* allocate(size_t bytes) {
  void* memory = nullptr;
  REQUIRE(cudaMalloc(&memory, bytes));
  return memory;
}

void release(void* memory) noexcept { cudaFree(memory); }

std::shared_ptr<const uint8_t> pinned(const std::vector<uint8_t>& bytes) {
  void* memory = nullptr;
  REQUIRE(cudaHostAlloc(&memory, bytes.size(), cudaHostAllocDefault));
  std::memcpy(memory, bytes.data(), bytes.size());
  return {static_cast<const uint8_t*>(memory),
          [](const uint8_t* p) { cudaFreeHost(const_cast<uint8_t*>(p)); }};
}

void fill(void* memory, int byte, size_t bytes) {
  REQUIRE(cudaMemset(memory, byte, bytes));
  finish();
}

void copyIn(void* to, const void* from, size_t bytes) {
  REQUIRE(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice));
}

void copyOut(void* to, const void* from, size_t bytes) {
  REQUIRE(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost));
}

void copy(rais_stream s, void* to, const void* from, size_t bytes) {
  REQUIRE(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, static_cast<cudaStream_t>(s)));
}

void finish() { REQUIRE(cudaDeviceSynchronize()); }

double milliseconds(const Work& work) {
  Event before, after;
  REQUIRE(cudaEventRecord(before.event, stream()));
  work(stream());
  REQUIRE(cudaEventRecord(after.event, stream()));
  REQUIRE(cudaEventSynchronize(after.event));
  float elapsed = 0;
  REQUIRE(cudaEventElapsedTime(&elapsed, before.event, after.event));
  return elapsed;
}

struct Graph::State {
  cudaGraphExec_t graph = nullptr;
};

Graph::Graph(const Work& work) : state_(new State) {
  cudaGraph_t recorded = nullptr;
  REQUIRE(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal));
  try {
    work(stream());
  } catch (...) {
    // All that follows uses the stream: it must not stay in capture mode.
    if (cudaStreamEndCapture(stream(), &recorded) == cudaSuccess) {
      cudaGraphDestroy(recorded);
    }
    cudaGetLastError();
    throw;
  }
  REQUIRE(cudaStreamEndCapture(stream(), &recorded));
  REQUIRE(cudaGraphInstantiate(&state_->graph, recorded, 0));
  REQUIRE(cudaGraphDestroy(recorded));
  REQUIRE(cudaGraphUpload(state_->graph, stream()));
}

Graph::~Graph() { cudaGraphExecDestroy(state_->graph); }

void Graph::launch(rais_stream s) const {
  REQUIRE(cudaGraphLaunch(state_->graph, static_cast<cudaStream_t>(s)));
}

}  // namespace device
