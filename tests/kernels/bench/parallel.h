// Loops of references on all processors: on a GPU's host nearly all of kernel_bench's time is theirs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <thread>
#include <vector>

namespace bench {

// Parts that a loop of so many turns is cut into.
inline size_t parts(size_t count, size_t least = size_t{1} << 14) {
  size_t processors = std::max(1U, std::thread::hardware_concurrency());
  return std::max<size_t>(1, std::min({processors, size_t{64}, count / least}));
}

// body(begin, end, part) for each part of [0, count), each on a thread of its own. A part is least
// turns at least.
template <class Body>
void parallel(size_t count, const Body& body, size_t least = size_t{1} << 14) {
  size_t all = parts(count, least);
  std::vector<std::thread> threads;
  for (size_t part = 1; part < all; part++) {
    threads.emplace_back([&body, count, all, part] {
      body(count * part / all, count * (part + 1) / all, part);
    });
  }
  body(0, count / all, 0);
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace bench
