// The machine behind cuda_on_host.h: runs blocks on CPU threads and a block's threads as fibres.
#include "cuda_on_host.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fault.h"

#if !defined(__x86_64__) || defined(CUDA_ON_HOST_UCONTEXT)
#define CUDA_ON_HOST_UCONTEXT 1
#include <ucontext.h>
#endif

namespace cuda_on_host {

__thread Self* self = nullptr;

namespace {

constexpr unsigned kLanes = 32;
constexpr unsigned kMaxThreads = 1024;
constexpr size_t kStackBytes = 64 * 1024;
constexpr size_t kMaxUnasked = 48 * 1024;  // shared memory without cudaFuncSetAttribute
constexpr size_t kMaxStaticShared = kMaxUnasked;
constexpr size_t kMaxDynamicShared = 227 * 1024;
constexpr size_t kGuardBytes = 64;
constexpr size_t kMaxSharedVariables = 32;
constexpr size_t kArenaBytes =
    kMaxDynamicShared + kMaxStaticShared + (kMaxSharedVariables + 1) * 4 * kGuardBytes;
constexpr int kPoison = 0xFF;  // a NaN in every floating point format
constexpr int kGuard = 0xA5;
constexpr size_t kErrorBytes = 512;

// ---- Switching between fibres ----

#if defined(CUDA_ON_HOST_UCONTEXT)

using Context = ucontext_t;

void switchContext(Context& from, Context& to) { swapcontext(&from, &to); }

void prepareContext(Context& context, char* stack, size_t bytes, void (*entry)()) {
  getcontext(&context);
  context.uc_stack.ss_sp = stack;
  context.uc_stack.ss_size = bytes;
  context.uc_link = nullptr;
  makecontext(&context, entry, 0);
}

#else

struct Context {
  void* stackPointer;
};

// Saves the registers that a called function must keep, changes stacks, restores the others'.
extern "C" __attribute__((visibility("hidden"))) void cuda_on_host_switch(void** from, void* to);
asm(R"(
  .text
  .globl cuda_on_host_switch
  .hidden cuda_on_host_switch
  .type cuda_on_host_switch, @function
cuda_on_host_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size cuda_on_host_switch, .-cuda_on_host_switch
)");

void switchContext(Context& from, Context& to) {
  cuda_on_host_switch(&from.stackPointer, to.stackPointer);
}

void prepareContext(Context& context, char* stack, size_t bytes, void (*entry)()) {
  // As if entry had just been called: its return address lies 8 bytes off a multiple of 16.
  auto** top = reinterpret_cast<void**>(stack + bytes);
  top[-1] = nullptr;
  top[-2] = reinterpret_cast<void*>(entry);
  for (int i = 3; i <= 8; i++) {
    top[-i] = nullptr;
  }
  context.stackPointer = top - 8;
}

#endif

// ---- State ----

enum class State : uint8_t { ready, atBarrier, atWarp, ended };

struct Fibre {
  Self self;  // first, so that a pointer to it is one to the fibre
  Context context;
  unsigned number;
  State state;
  Site site;  // where it waits
  // What it brings to a warp operation, and what it takes away.
  WarpOperation operation;
  unsigned mask;
  int sourceLane;
  uint64_t value;
  uint64_t result;
};

struct SharedVariable {
  const void* site;
  const char* name;
  char* address;
  size_t bytes;
};

struct Launch {
  const char* kernel;
  const char* launcher;
  dim3 grid;
  dim3 block;
  size_t sharedBytes;
  size_t mostShared;  // static and dynamic together
  const std::function<void()>* thread;
  unsigned threads;
  uint64_t blocks;
  uint64_t schedule;
  uint64_t stride = 1;  // coprime to blocks: block i * stride + start mod blocks comes i-th
  uint64_t start = 0;
  std::atomic<uint64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  cudaError_t error = cudaSuccess;
  std::string text;
};

const char* nameOf(WarpOperation operation) {
  switch (operation) {
    case WarpOperation::sync:
      return "__syncwarp";
    case WarpOperation::shuffle:
      return "a shuffle";
    case WarpOperation::ballot:
    case WarpOperation::any:
    case WarpOperation::all:
      return "a vote";
    default:
      return "a reduction";
  }
}

const char* fileName(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

// The same literal is mostly at the same address, which is quicker to see.
bool same(const Site& a, const Site& b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

void enterFibre();

// Runs one block at a time: its fibres' stacks, its shared memory, and who is ready.
class Worker {
 public:
  Worker() : fibres_(kMaxThreads), ready_(2 * kMaxThreads), arena_(new char[kArenaBytes]) {
    page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    void* memory = mmap(nullptr, (kMaxThreads + 1) * (kStackBytes + page_), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
      perror("cuda_on_host: no memory for stacks");
      abort();
    }
    stacks_ = static_cast<char*>(memory);
    for (unsigned i = 0; i <= kMaxThreads; i++) {
      mprotect(stacks_ + i * (kStackBytes + page_), page_, PROT_NONE);
    }
  }

  ~Worker() { munmap(stacks_, (kMaxThreads + 1) * (kStackBytes + page_)); }

  void run(Launch& launch) {
    launch_ = &launch;
    random_ = launch.schedule;
    uint64_t i;
    while (!launch.failed && (i = launch.next.fetch_add(1)) < launch.blocks) {
      runBlock((launch.stride * i + launch.start) % launch.blocks);
    }
    launch_ = nullptr;
  }

  Fibre& current() { return *reinterpret_cast<Fibre*>(self); }

  void runThread() { (*launch_->thread)(); }

  void endThread() {
    current().state = State::ended;
    ended_++;
    switchToNext();
    abort();  // an ended fibre is never made ready
  }

  int barrier(bool predicate, Site site) {
    Fibre& fibre = current();
    fibre.site = site;
    fibre.state = State::atBarrier;
    atBarrier_++;
    predicates_ += predicate;
    if (atBarrier_ == launch_->threads) {
      releaseBarrier();
    }
    switchToNext();
    return released_;
  }

  uint64_t warp(WarpOperation operation, unsigned mask, uint64_t value, int sourceLane, Site site) {
    Fibre& fibre = current();
    unsigned warp = fibre.number / kLanes;
    unsigned lanes = std::min(kLanes, launch_->threads - warp * kLanes);
    if (lanes < kLanes) {
      mask &= (1u << lanes) - 1;  // lanes that the block does not have
    }
    unsigned lane = fibre.number % kLanes;
    if ((mask >> lane & 1) == 0) {
      fail("%s at %s:%d with mask 0x%08x, which leaves out the calling lane %u", nameOf(operation),
           fileName(site.file), site.line, mask, lane);
    }
    fibre.operation = operation;
    fibre.mask = mask;
    fibre.value = value;
    fibre.sourceLane = sourceLane;
    fibre.site = site;
    fibre.state = State::atWarp;
    Fibre* first = &fibres_[warp * kLanes];
    unsigned& waiting = waiting_[warp];
    waiting |= 1u << lane;
    if ((waiting & mask) != mask) {
      switchToNext();
      return fibre.result;
    }
    waiting &= ~mask;
    completeWarp(first, mask, fibre);
    if (launch_->schedule != 0) {
      makeReady(fibre);
      switchToNext();
    } else {
      fibre.state = State::ready;  // goes on at once
    }
    return fibre.result;
  }

  void* sharedVariable(const void* site, const char* name, size_t bytes, size_t alignment) {
    for (size_t i = 0; i < variables_; i++) {
      if (shared_[i].site == site) {
        return shared_[i].address;
      }
    }
    staticBytes_ += bytes;
    if (staticBytes_ > kMaxStaticShared || variables_ == kMaxSharedVariables) {
      fail("static shared memory of more than %zu bytes or %zu variables, with %s",
           kMaxStaticShared, kMaxSharedVariables, name);
    }
    if (staticBytes_ + launch_->sharedBytes > launch_->mostShared) {
      fail(
          "%zu bytes of static shared memory, with %s, and %zu of dynamic are more than the %zu "
          "that there are",
          staticBytes_, name, launch_->sharedBytes, launch_->mostShared);
    }
    return allocateShared(site, name, bytes, alignment);
  }

  void* dynamicShared() {
    if (launch_->sharedBytes == 0) {
      fail("dynamic shared memory is used, but the launch gave none");
    }
    return dynamic_;
  }

  [[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 2, 3))) {
    va_list arguments;
    va_start(arguments, format);
    failWith(cudaErrorLaunchFailure, format, arguments);
  }

  // Leaves the fibre for ever: kernels hold nothing that must be released.
  [[noreturn]] void failWith(cudaError_t error, const char* format, va_list arguments) {
    char text[kErrorBytes];
    int used = snprintf(text, sizeof text, "kernel %s of %s, block (%u, %u, %u)", launch_->kernel,
                        launch_->launcher, block_.x, block_.y, block_.z);
    if (self != nullptr) {
      const uint3& t = self->threadIndex;
      used += snprintf(text + used, sizeof text - used, ", thread (%u, %u, %u)", t.x, t.y, t.z);
    }
    used += snprintf(text + used, sizeof text - used, ": ");
    vsnprintf(text + used, sizeof text - used, format, arguments);
    record(error, text);
    Context abandoned;
    switchContext(abandoned, scheduler_);
    abort();
  }

  char* emergencyStackTop() { return stacks_ + (kMaxThreads + 1) * (kStackBytes + page_); }

 private:
  void runBlock(uint64_t index) {
    Launch& launch = *launch_;
    block_ = {static_cast<unsigned>(index % launch.grid.x),
              static_cast<unsigned>(index / launch.grid.x % launch.grid.y),
              static_cast<unsigned>(index / launch.grid.x / launch.grid.y)};
    atBarrier_ = ended_ = 0;
    predicates_ = 0;
    head_ = tail_ = 0;
    variables_ = 0;
    staticBytes_ = 0;
    arenaUsed_ = 0;
    dynamic_ = launch.sharedBytes == 0
                   ? nullptr
                   : allocateShared(&dynamic_, "dynamic shared memory", launch.sharedBytes, 16);
    std::fill(std::begin(waiting_), std::end(waiting_), 0);
    for (unsigned i = 0; i < launch.threads; i++) {
      Fibre& fibre = fibres_[i];
      fibre.self.threadIndex = {i % launch.block.x, i / launch.block.x % launch.block.y,
                                i / launch.block.x / launch.block.y};
      fibre.self.blockIndex = block_;
      fibre.self.blockSize = launch.block;
      fibre.self.gridSize = launch.grid;
      fibre.number = i;
      // Tops at different places in a page: else all fibres would fight for the same cache lines.
      size_t unused = i % 16 * 256;
      prepareContext(fibre.context, stacks_ + i * (kStackBytes + page_) + page_,
                     kStackBytes - unused, enterFibre);
      makeReady(fibre);
    }
    Context* first = &next()->context;
    switchContext(scheduler_, *first);
    self = nullptr;
    // Back here when no fibre is ready, or when one has failed.
    if (!launch.failed && ended_ < launch.threads) {
      reportDeadlock();
    }
    checkShared();
  }

  void makeReady(Fibre& fibre) {
    fibre.state = State::ready;
    ready_[tail_++ % ready_.size()] = &fibre;
  }

  // The fibre to run now, or null.
  Fibre* next() {
    if (head_ == tail_) {
      return nullptr;
    }
    if (launch_->schedule != 0) {
      random_ ^= random_ << 13;
      random_ ^= random_ >> 7;
      random_ ^= random_ << 17;
      std::swap(ready_[head_ % ready_.size()],
                ready_[(head_ + random_ % (tail_ - head_)) % ready_.size()]);
    }
    Fibre* fibre = ready_[head_++ % ready_.size()];
    self = &fibre->self;
    return fibre;
  }

  void switchToNext() {
    Fibre& fibre = current();
    Fibre* other = next();
    if (other != &fibre) {
      switchContext(fibre.context, other == nullptr ? scheduler_ : other->context);
    }
  }

  void releaseBarrier() {
    const Site& site = fibres_[0].site;
    for (unsigned i = 1; i < launch_->threads; i++) {
      const Site& other = fibres_[i].site;
      if (!same(site, other)) {
        fail("thread 0 waits at the barrier at %s:%d, thread %u at that at %s:%d",
             fileName(site.file), site.line, i, fileName(other.file), other.line);
      }
    }
    released_ = predicates_;
    predicates_ = 0;
    atBarrier_ = 0;
    for (unsigned i = 0; i < launch_->threads; i++) {
      makeReady(fibres_[i]);
    }
  }

  // Every lane of the mask is here: gives each its result.
  void completeWarp(Fibre* first, unsigned mask, Fibre& last) {
    uint64_t all = last.value;
    unsigned ballot = 0;
    for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
      int lane = __builtin_ctz(rest);
      Fibre& fibre = first[lane];
      if (fibre.operation != last.operation || fibre.mask != mask || !same(fibre.site, last.site)) {
        fail("lane %u is in %s at %s:%d with mask 0x%08x, lane %d in %s at %s:%d with mask 0x%08x",
             last.number % kLanes, nameOf(last.operation), fileName(last.site.file), last.site.line,
             mask, lane, nameOf(fibre.operation), fileName(fibre.site.file), fibre.site.line,
             fibre.mask);
      }
      ballot |= (fibre.value != 0 ? 1u : 0u) << lane;
      if (&fibre != &last) {
        all = combine(last.operation, all, fibre.value);
      }
    }
    for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
      Fibre& fibre = first[__builtin_ctz(rest)];
      switch (last.operation) {
        case WarpOperation::sync:
          break;
        case WarpOperation::shuffle:
          if ((mask >> fibre.sourceLane & 1) == 0 &&
              fibre.number % kLanes != static_cast<unsigned>(fibre.sourceLane)) {
            fibre.result = ~uint64_t{0};  // undefined: a NaN, so that whoever uses it shows
          } else {
            fibre.result = first[fibre.sourceLane].value;
          }
          break;
        case WarpOperation::ballot:
          fibre.result = ballot;
          break;
        case WarpOperation::any:
          fibre.result = ballot != 0;
          break;
        case WarpOperation::all:
          fibre.result = ballot == mask;
          break;
        default:
          fibre.result = all;
      }
      if (&fibre != &last) {
        makeReady(fibre);
      }
    }
  }

  static uint64_t combine(WarpOperation operation, uint64_t a, uint64_t b) {
    auto signedA = static_cast<int32_t>(a);
    auto signedB = static_cast<int32_t>(b);
    switch (operation) {
      case WarpOperation::add:
        return static_cast<uint32_t>(a + b);
      case WarpOperation::smallest:
        return std::min(a, b);
      case WarpOperation::largest:
        return std::max(a, b);
      case WarpOperation::smallestSigned:
        return static_cast<uint32_t>(std::min(signedA, signedB));
      case WarpOperation::largestSigned:
        return static_cast<uint32_t>(std::max(signedA, signedB));
      case WarpOperation::bitAnd:
        return a & b;
      case WarpOperation::bitOr:
        return a | b;
      case WarpOperation::bitXor:
        return a ^ b;
      default:
        return a;
    }
  }

  void reportDeadlock() {
    for (unsigned i = 0; i < launch_->threads; i++) {
      Fibre& fibre = fibres_[i];
      if (fibre.state == State::atWarp) {
        unsigned warp = i / kLanes;
        unsigned lanes = std::min(kLanes, launch_->threads - warp * kLanes);
        for (unsigned l = 0; l < lanes; l++) {
          Fibre& other = fibres_[warp * kLanes + l];
          if ((fibre.mask >> l & 1) != 0 && other.state != State::atWarp) {
            report("thread %u waits in %s at %s:%d for lane %u, which %s", i,
                   nameOf(fibre.operation), fileName(fibre.site.file), fibre.site.line, l,
                   describe(other).c_str());
            return;
          }
        }
      }
    }
    for (unsigned i = 0; i < launch_->threads; i++) {
      if (fibres_[i].state == State::atBarrier) {
        for (unsigned j = 0; j < launch_->threads; j++) {
          if (fibres_[j].state != State::atBarrier) {
            report("thread %u waits at the barrier at %s:%d for thread %u, which %s", i,
                   fileName(fibres_[i].site.file), fibres_[i].site.line, j,
                   describe(fibres_[j]).c_str());
            return;
          }
        }
      }
    }
    report("no thread can go on");
  }

  static std::string describe(const Fibre& fibre) {
    std::string place = " at " +
                        std::string(fileName(fibre.site.file == nullptr ? "" : fibre.site.file)) +
                        ":" + std::to_string(fibre.site.line);
    switch (fibre.state) {
      case State::ended:
        return "has ended";
      case State::atBarrier:
        return "waits at the barrier" + place;
      case State::atWarp:
        return std::string("waits in ") + nameOf(fibre.operation) + place;
      default:
        return "is ready";
    }
  }

  void report(const char* format, ...) __attribute__((format(printf, 2, 3))) {
    char text[kErrorBytes];
    int used = snprintf(text, sizeof text, "kernel %s of %s, block (%u, %u, %u): ", launch_->kernel,
                        launch_->launcher, block_.x, block_.y, block_.z);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, sizeof text - used, format, arguments);
    va_end(arguments);
    record(cudaErrorLaunchFailure, text);
  }

  void record(cudaError_t error, const char* text) {
    std::lock_guard<std::mutex> lock(launch_->mutex);
    if (!launch_->failed) {
      launch_->error = error;
      launch_->text = text;
      launch_->failed = true;
    }
  }

  // Each variable lies between two guards of its own, and is aligned to no more than it asks for.
  void* allocateShared(const void* site, const char* name, size_t bytes, size_t alignment) {
    char* free = arena_.get() + arenaUsed_;
    uintptr_t earliest = reinterpret_cast<uintptr_t>(free) + kGuardBytes;
    size_t period = 2 * alignment;
    char* address = free + kGuardBytes + (period + alignment - earliest % period) % period;
    std::memset(free, kGuard, static_cast<size_t>(address - free));
    std::memset(address, kPoison, bytes);
    std::memset(address + bytes, kGuard, kGuardBytes);
    arenaUsed_ = static_cast<size_t>(address + bytes + kGuardBytes - arena_.get());
    shared_[variables_++] = {site, name, address, bytes};
    return address;
  }

  void checkShared() {
    for (size_t i = 0; i < variables_; i++) {
      const SharedVariable& variable = shared_[i];
      for (size_t g = 0; g < kGuardBytes; g++) {
        if (static_cast<unsigned char>(variable.address[variable.bytes + g]) != kGuard) {
          report("wrote past the %zu bytes of %s", variable.bytes, variable.name);
          return;
        }
        if (static_cast<unsigned char>(*(variable.address - 1 - g)) != kGuard) {
          report("wrote before the first byte of %s", variable.name);
          return;
        }
      }
    }
  }

  std::vector<Fibre> fibres_;
  std::vector<Fibre*> ready_;               // a ring from head to tail
  unsigned waiting_[kMaxThreads / kLanes];  // of each warp, the lanes in a warp operation
  std::unique_ptr<char[]> arena_;
  char* stacks_;
  size_t page_;
  Launch* launch_ = nullptr;
  Context scheduler_;
  uint3 block_;
  uint64_t random_ = 0;
  size_t head_ = 0;
  size_t tail_ = 0;
  unsigned atBarrier_ = 0;
  unsigned ended_ = 0;
  int predicates_ = 0;
  int released_ = 0;
  SharedVariable shared_[kMaxSharedVariables + 1];
  size_t variables_ = 0;
  size_t staticBytes_ = 0;
  size_t arenaUsed_ = 0;
  void* dynamic_ = nullptr;
};

__thread Worker* worker = nullptr;

void enterFibre() {
  worker->runThread();
  worker->endThread();
}

// Workers that no launch uses now: making one maps a thousand stacks.
class Pool {
 public:
  std::unique_ptr<Worker> take() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<Worker> taken = std::move(idle_.back());
        idle_.pop_back();
        return taken;
      }
    }
    return std::make_unique<Worker>();
  }

  void giveBack(std::unique_ptr<Worker> given) {
    std::lock_guard<std::mutex> lock(mutex_);
    idle_.push_back(std::move(given));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Worker>> idle_;
};

Pool& pool() {
  static Pool* instance = new Pool;  // never destroyed: a launch may still run at exit
  return *instance;
}

uint64_t fromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = getenv(name);
  return text == nullptr || *text == 0 ? otherwise : strtoull(text, nullptr, 0);
}

std::atomic<uint64_t>& schedule() {
  static std::atomic<uint64_t> seed{fromEnvironment("RAIS_HOST_SCHEDULE", 0)};
  return seed;
}

std::atomic<int>& threads() {
  static std::atomic<int> count{static_cast<int>(
      fromEnvironment("RAIS_HOST_THREADS", std::max(1u, std::thread::hardware_concurrency())))};
  return count;
}

// What cudaFuncSetAttribute has allowed, by kernel.
struct Allowances {
  std::mutex mutex;
  std::map<const void*, size_t> dynamicShared;
};

Allowances& allowances() {
  static Allowances* instance = new Allowances;
  return *instance;
}

size_t mostDynamicShared(const void* entry) {
  std::lock_guard<std::mutex> lock(allowances().mutex);
  auto found = allowances().dynamicShared.find(entry);
  return found == allowances().dynamicShared.end() ? kMaxUnasked : found->second;
}

thread_local cudaError_t lastError = cudaSuccess;
thread_local std::string lastText;

void setLastError(cudaError_t error, std::string text) {
  if (lastError == cudaSuccess) {
    lastError = error;
    lastText = std::move(text);
  }
}

void work(Launch& launch) {
  std::unique_ptr<Worker> own = pool().take();
  worker = own.get();
  prepareFaultHandling();
  own->run(launch);
  worker = nullptr;
  pool().giveBack(std::move(own));
}

uint64_t greatestCommonDivisor(uint64_t a, uint64_t b) {
  return b == 0 ? a : greatestCommonDivisor(b, a % b);
}

}  // namespace

uint64_t warp(WarpOperation operation, unsigned mask, uint64_t value, int sourceLane, Site site) {
  return worker->warp(operation, mask, value, sourceLane, site);
}

int barrier(bool predicate, Site site) { return worker->barrier(predicate, site); }

void* sharedVariable(const void* site, const char* name, size_t bytes, size_t alignment) {
  return worker->sharedVariable(site, name, bytes, alignment);
}

void* dynamicShared() { return worker->dynamicShared(); }

void fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  worker->failWith(cudaErrorLaunchFailure, format, arguments);
}

void failWithIllegalAddress(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  worker->failWith(cudaErrorIllegalAddress, format, arguments);
}

[[noreturn]] static void failWithMisalignedAddress(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  worker->failWith(cudaErrorMisalignedAddress, format, arguments);
}

char* emergencyStackTop() { return worker == nullptr ? nullptr : worker->emergencyStackTop(); }

void setSchedule(uint64_t seed) { schedule() = seed; }

void setThreads(int count) { threads() = std::max(1, count); }

bool allowDynamicShared(const void* entry, int bytes) {
  if (bytes < 0 || static_cast<size_t>(bytes) > kMaxDynamicShared) {
    setLastError(cudaErrorInvalidValue, "a block cannot have so much dynamic shared memory");
    return false;
  }
  std::lock_guard<std::mutex> lock(allowances().mutex);
  allowances().dynamicShared[entry] = std::max(kMaxUnasked, static_cast<size_t>(bytes));
  return true;
}

void launch(const char* kernel, const void* entry, const char* launcher, dim3 grid, dim3 block,
            size_t sharedBytes, const std::function<void()>& thread) {
  uint64_t blockThreads = static_cast<uint64_t>(block.x) * block.y * block.z;
  size_t mostDynamic = mostDynamicShared(entry);
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7FFFFFFF || grid.y > 65535 ||
      grid.z > 65535 || blockThreads == 0 || blockThreads > kMaxThreads || block.z > 64 ||
      sharedBytes > mostDynamic || self != nullptr) {
    char text[kErrorBytes];
    snprintf(text, sizeof text,
             "kernel %s of %s cannot be launched with grid (%u, %u, %u), block (%u, %u, %u) and "
             "%zu bytes of dynamic shared memory, of which it may have %zu",
             kernel, launcher, grid.x, grid.y, grid.z, block.x, block.y, block.z, sharedBytes,
             mostDynamic);
    setLastError(cudaErrorInvalidConfiguration, text);
    return;
  }
  Launch launch;
  launch.kernel = kernel;
  launch.launcher = launcher;
  launch.grid = grid;
  launch.block = block;
  launch.sharedBytes = sharedBytes;
  launch.mostShared = mostDynamic > kMaxUnasked ? kMaxDynamicShared : kMaxUnasked;
  launch.thread = &thread;
  launch.threads = static_cast<unsigned>(blockThreads);
  launch.blocks = static_cast<uint64_t>(grid.x) * grid.y * grid.z;
  launch.schedule = schedule();
  if (launch.schedule != 0) {
    launch.start = launch.schedule % launch.blocks;
    launch.stride = launch.schedule / 3 % launch.blocks;
    while (greatestCommonDivisor(launch.stride, launch.blocks) != 1) {
      launch.stride++;
    }
  }
  auto helpers = static_cast<size_t>(
      std::min<uint64_t>(launch.blocks, static_cast<uint64_t>(threads().load())) - 1);
  std::vector<std::thread> others;
  for (size_t i = 0; i < helpers; i++) {
    others.emplace_back([&launch] { work(launch); });
  }
  work(launch);
  for (std::thread& other : others) {
    other.join();
  }
  if (launch.failed) {
    setLastError(launch.error, launch.text);
  }
}

}  // namespace cuda_on_host

// What kernels compiled with -fsanitize=alignment call before an access to a misaligned address; in
// UBSan's library it would print a message. The names are the compilers'.
struct UbsanTypeMismatch {
  const char* file;
  uint32_t line;
  uint32_t column;
  const void* type;
  unsigned char logAlignment;
  unsigned char access;  // 0 for a load, 1 for a store
};

extern "C" void __ubsan_handle_type_mismatch_v1(const UbsanTypeMismatch* where, uintptr_t address) {
  if (cuda_on_host::self != nullptr) {
    cuda_on_host::failWithMisalignedAddress(
        "misaligned %s at %p, which must be aligned to %d bytes, at %s:%u",
        where->access == 0 ? "read" : "write", reinterpret_cast<void*>(address),
        1 << where->logAlignment, where->file, where->line);
  }
}

void rais_host_set_schedule(uint64_t seed) { cuda_on_host::setSchedule(seed); }

cudaError_t cudaGetLastError() {
  cudaError_t error = cuda_on_host::lastError;
  cuda_on_host::lastError = cudaSuccess;
  return error;
}

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : cuda_on_host::lastText.c_str();
}
