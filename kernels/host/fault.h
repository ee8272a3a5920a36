// Memory that tells when a kernel leaves it: for test programs that run kernels by cuda_on_host.h.
#pragma once

#include <cstddef>

namespace cuda_on_host {

// From now on, a kernel's access to memory that is not there ends its launch with
// cudaErrorIllegalAddress and a text that names the thread and the nearest GuardedMemory. Takes
// over SIGSEGV and SIGBUS: for test programs only, not inside a JVM.
void reportFaults();

// Bytes that end where a page begins that may not be touched: even a read past the end faults. A
// write before the start, or into the up to 15 bytes that alignment leaves behind the end, is found
// by whole().
class GuardedMemory {
 public:
  // Aligned to 16 bytes, filled with NaNs (0xFF). The name is kept, not copied.
  GuardedMemory(size_t bytes, const char* name);
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

  // Whether what lies around the bytes is untouched.
  bool whole() const;

  // As long as it lives, any write faults.
  void makeReadOnly();

 private:
  size_t bytes_;
  size_t mapped_;
  char* map_;
  char* data_;
};

// ---- For cuda_on_host.cpp ----

// Once for each CPU thread that runs blocks.
void prepareFaultHandling();

// Ends the launch of the fibre that runs on this CPU thread.
[[noreturn]] void failWithIllegalAddress(const char* format, ...)
    __attribute__((format(printf, 1, 2)));

// A stack for the fault of a fibre that may have used up its own; null outside launches.
char* emergencyStackTop();

}  // namespace cuda_on_host
