// Checks of a launcher's arguments and the text of what is wrong with them. A launcher names itself
// and its shape, checks what it takes, launches, and returns launched().
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "rais_kernels.h"

namespace rais {

// One number of a call's shape.
struct Extent {
  const char* name;
  int64_t value;
};

// Keeps the text for rais_last_error(), in printf's format.
void setError(const char* format, ...) noexcept __attribute__((format(printf, 1, 2)));

// One call of a launcher. The first check that fails decides its status; later ones pass over.
class Call {
 public:
  Call(const char* function, std::initializer_list<Extent> shape) noexcept;

  Call& inRange(const char* argument, int64_t value, int64_t least, int64_t most) noexcept;

  // least <= value < bound, neither NaN nor infinite; bound may be infinite.
  Call& inRange(const char* argument, double value, double least, double bound) noexcept;

  // Not null and aligned.
  Call& pointer(const char* argument, const void* pointer, size_t alignment) noexcept;

  // Null or aligned.
  Call& nullable(const char* argument, const void* pointer, size_t alignment) noexcept;

  // RAIS_FLOAT32 or RAIS_BFLOAT16.
  Call& elementType(const char* argument, int32_t dtype) noexcept;

  // Fails with RAIS_UNSUPPORTED unless supported.
  Call& supported(bool supported, const char* what) noexcept;

  bool ok() const noexcept { return status_ == RAIS_OK; }

  // The status of the checks.
  int32_t status() const noexcept { return status_; }

  // The status after the launches: picks up CUDA's error, if there was one.
  int32_t launched() noexcept;

 private:
  static constexpr int kMaxExtents = 6;

  Call& fail(int32_t status, const char* format, ...) noexcept
      __attribute__((format(printf, 3, 4)));

  const char* function_;
  Extent shape_[kMaxExtents];
  int extents_ = 0;
  int32_t status_ = RAIS_OK;
};

}  // namespace rais
