// What is common to all launchers: version, build, checks of arguments and the last error's text.
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "call.h"
#include "platform.h"

namespace rais {
namespace {

constexpr size_t kErrorBytes = 1024;

// Fixed memory: reporting an error must not allocate.
char* errorText() noexcept {
  static thread_local char text[kErrorBytes] = "no call has failed";
  return text;
}

}  // namespace

void setError(const char* format, ...) noexcept {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(errorText(), kErrorBytes, format, arguments);
  va_end(arguments);
}

Call::Call(const char* function, std::initializer_list<Extent> shape) noexcept
    : function_(function) {
  for (const Extent& extent : shape) {
    if (extents_ < kMaxExtents) {
      shape_[extents_++] = extent;
    }
  }
}

Call& Call::inRange(const char* argument, int64_t value, int64_t least, int64_t most) noexcept {
  if (ok() && (value < least || value > most)) {
    fail(RAIS_INVALID_ARGUMENT, "%s must be in %lld..%lld, but is %lld", argument,
         static_cast<long long>(least), static_cast<long long>(most),
         static_cast<long long>(value));
  }
  return *this;
}

Call& Call::inRange(const char* argument, double value, double least, double bound) noexcept {
  if (ok() && !(value >= least && value < bound && std::isfinite(value))) {
    fail(RAIS_INVALID_ARGUMENT, "%s must be in [%g, %g), but is %g", argument, least, bound, value);
  }
  return *this;
}

Call& Call::pointer(const char* argument, const void* pointer, size_t alignment) noexcept {
  if (ok() && pointer == nullptr) {
    fail(RAIS_INVALID_ARGUMENT, "%s must not be null", argument);
  }
  return nullable(argument, pointer, alignment);
}

Call& Call::nullable(const char* argument, const void* pointer, size_t alignment) noexcept {
  if (ok() && reinterpret_cast<uintptr_t>(pointer) % alignment != 0) {
    fail(RAIS_INVALID_ARGUMENT, "%s must be aligned to %zu bytes, but is %p", argument, alignment,
         pointer);
  }
  return *this;
}

Call& Call::elementType(const char* argument, int32_t dtype) noexcept {
  if (ok() && dtype != RAIS_FLOAT32 && dtype != RAIS_BFLOAT16) {
    fail(RAIS_UNSUPPORTED, "%s must be RAIS_FLOAT32 or RAIS_BFLOAT16, but is %d", argument, dtype);
  }
  return *this;
}

Call& Call::supported(bool supported, const char* what) noexcept {
  if (ok() && !supported) {
    fail(RAIS_UNSUPPORTED, "%s", what);
  }
  return *this;
}

int32_t Call::launched() noexcept {
  cudaError_t error = cudaGetLastError();
  if (ok() && error != cudaSuccess) {
    fail(RAIS_CUDA_ERROR, "CUDA error %d: %s", static_cast<int>(error), cudaGetErrorString(error));
  }
  return status_;
}

Call& Call::fail(int32_t status, const char* format, ...) noexcept {
  status_ = status;
  char problem[kErrorBytes / 2];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(problem, sizeof problem, format, arguments);
  va_end(arguments);
  char shape[kErrorBytes / 4] = "";
  size_t used = 0;
  for (int i = 0; i < extents_ && used < sizeof shape; i++) {
    used += snprintf(shape + used, sizeof shape - used, "%s%s=%lld", i == 0 ? "" : ", ",
                     shape_[i].name, static_cast<long long>(shape_[i].value));
  }
  setError("%s(%s): %s", function_, shape, problem);
  return *this;
}

}  // namespace rais

#define RAIS_TEXT_OF(x) #x
#define RAIS_TEXT(x) RAIS_TEXT_OF(x)

#if defined(NDEBUG)
#define RAIS_BUILD_TYPE "optimised"
#else
#define RAIS_BUILD_TYPE "debug"
#endif

#if defined(__CUDACC__)
#define RAIS_NVCC RAIS_TEXT(__CUDACC_VER_MAJOR__) "." RAIS_TEXT(__CUDACC_VER_MINOR__)
#define RAIS_TARGET "CUDA " RAIS_NVCC ", architectures " RAIS_ARCHITECTURES
#else
#define RAIS_TARGET "on the host, compiler " __VERSION__
#endif

int32_t rais_abi_version(void) { return RAIS_ABI_VERSION; }

const char* rais_build_info(void) {
  return "rais_kernels, ABI " RAIS_TEXT(RAIS_ABI_VERSION) ", " RAIS_TARGET ", " RAIS_BUILD_TYPE;
}

const char* rais_last_error(void) { return rais::errorText(); }
