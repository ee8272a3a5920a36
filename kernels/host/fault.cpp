// Guarded memory, and the signal handler that turns a kernel's fault into the launch's error.
#include "fault.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "cuda_on_host.h"

namespace cuda_on_host {
namespace {

constexpr int kGuard = 0xA5;
constexpr size_t kAlignment = 16;
constexpr size_t kMaxBuffers = 256;
constexpr size_t kSignalStackBytes = 64 * 1024;

struct Registered {
  std::atomic<char*> data{nullptr};
  size_t bytes;
  const char* name;
};

// Read by the signal handler, so without a lock.
Registered buffers[kMaxBuffers];

std::atomic<bool> installed{false};
thread_local char* faultAddress;

[[noreturn]] void endLaunch() {
  char* address = faultAddress;
  const Registered* nearest = nullptr;
  long best = 0;
  for (const Registered& buffer : buffers) {
    char* data = buffer.data;
    if (data == nullptr) {
      continue;
    }
    long distance = address < data ? data - address : address - (data + buffer.bytes) + 1;
    if (address >= data && address < data + buffer.bytes) {
      distance = 0;
    }
    if (nearest == nullptr || distance < best) {
      nearest = &buffer;
      best = distance;
    }
  }
  constexpr long kNear = 1 << 20;
  if (nearest == nullptr || best > kNear) {
    failWithIllegalAddress("illegal access at %p", static_cast<void*>(address));
  }
  if (best == 0) {
    failWithIllegalAddress("illegal write at byte %ld of %s, which is read-only",
                           static_cast<long>(address - nearest->data), nearest->name);
  }
  failWithIllegalAddress("illegal access at byte %ld of %s, which has %zu",
                         static_cast<long>(address - nearest->data), nearest->name, nearest->bytes);
}

void handle(int signal, siginfo_t* info, void* context) {
  char* stack = emergencyStackTop();
  if (self == nullptr || stack == nullptr) {
    ::signal(signal, SIG_DFL);  // not a kernel's: faults again and ends the program
    return;
  }
  faultAddress = static_cast<char*>(info->si_addr);
  // Returning from the handler goes to endLaunch, on a stack that has room.
  auto* interrupted = static_cast<ucontext_t*>(context);
#if defined(__x86_64__)
  interrupted->uc_mcontext.gregs[REG_RIP] = reinterpret_cast<greg_t>(&endLaunch);
  interrupted->uc_mcontext.gregs[REG_RSP] = reinterpret_cast<greg_t>(stack) - 8;
#elif defined(__aarch64__)
  interrupted->uc_mcontext.pc = reinterpret_cast<uintptr_t>(&endLaunch);
  interrupted->uc_mcontext.sp = reinterpret_cast<uintptr_t>(stack);
#else
  ::signal(signal, SIG_DFL);
#endif
}

}  // namespace

void reportFaults() {
  struct sigaction action;
  std::memset(&action, 0, sizeof action);
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
  installed = true;
}

void prepareFaultHandling() {
  struct Stack {
    std::unique_ptr<char[]> bytes{new char[kSignalStackBytes]};
    Stack() {
      stack_t stack;
      std::memset(&stack, 0, sizeof stack);
      stack.ss_sp = bytes.get();
      stack.ss_size = kSignalStackBytes;
      sigaltstack(&stack, nullptr);
    }
    ~Stack() {
      stack_t none;
      std::memset(&none, 0, sizeof none);
      none.ss_flags = SS_DISABLE;
      sigaltstack(&none, nullptr);
    }
  };
  if (installed) {
    static thread_local Stack stack;
    (void)stack;
  }
}

GuardedMemory::GuardedMemory(size_t bytes, const char* name) : bytes_(bytes) {
  auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t usable = (bytes + 2 * kAlignment + page - 1) / page * page;
  mapped_ = usable + 2 * page;
  void* memory = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    perror("cuda_on_host: no memory for a buffer");
    abort();
  }
  map_ = static_cast<char*>(memory);
  std::memset(map_ + page, kGuard, usable);
  data_ = map_ + page + usable - (bytes + kAlignment - 1) / kAlignment * kAlignment;
  std::memset(data_, 0xFF, bytes);
  mprotect(map_, page, PROT_NONE);
  mprotect(map_ + page + usable, page, PROT_NONE);
  for (Registered& buffer : buffers) {
    char* expected = nullptr;
    if (buffer.data.compare_exchange_strong(expected, data_)) {
      buffer.bytes = bytes;
      buffer.name = name;
      break;
    }
  }
}

GuardedMemory::~GuardedMemory() {
  for (Registered& buffer : buffers) {
    char* expected = data_;
    buffer.data.compare_exchange_strong(expected, nullptr);
  }
  munmap(map_, mapped_);
}

bool GuardedMemory::whole() const {
  auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (const char* p = map_ + page; p < map_ + mapped_ - page; p++) {
    bool inside = p >= data_ && p < data_ + bytes_;
    if (!inside && static_cast<unsigned char>(*p) != kGuard) {
      return false;
    }
  }
  return true;
}

void GuardedMemory::makeReadOnly() {
  auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  mprotect(map_ + page, mapped_ - 2 * page, PROT_READ);
}

}  // namespace cuda_on_host
