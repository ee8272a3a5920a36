// What kernel_bench's references share: loops in threads find what one loop finds.
#include "bench/bench.h"
#include "bench/reference.h"

#include "testing.h"

using namespace testing;

namespace {

// Every index once, whatever the parts.
void loopsVisitAllOnce(size_t count, size_t least) {
  where = "count " + std::to_string(count) + ", least " + std::to_string(least);
  std::vector<int> visits(count);
  bench::parallel(
      count,
      [&](size_t begin, size_t end, size_t part) {
        CHECK(part < bench::parts(count, least));
        for (size_t i = begin; i < end; i++) {
          visits[i]++;
        }
      },
      least);
  for (int v : visits) {
    CHECK(v == 1);
  }
}

void differencesAreThoseOfOneLoop(size_t wrongFrom, size_t wrongCount) {
  where = std::to_string(wrongCount) + " wrong from " + std::to_string(wrongFrom);
  constexpr size_t kCount = 1000;
  bench::Check check;
  check.each(
      kCount,
      [&](bench::Check& part, size_t begin, size_t end) {
        for (size_t i = begin; i < end; i++) {
          bool wrong = i >= wrongFrom && i < wrongFrom + wrongCount;
          part.close("value", i, wrong ? NAN : 1, 1, 1e-6, 0);
        }
      },
      1);
  CHECK(check.values() == kCount);
  CHECK(check.wrong() == static_cast<long>(wrongCount));
  std::string first = "value[" + std::to_string(wrongFrom) + "] is nan, expected 1";
  CHECK((wrongCount == 0) == check.first().empty());
  CHECK(wrongCount == 0 || check.first() == first);
}

void randomNumbersAreThoseOfOneLoop(size_t count) {
  where = std::to_string(count) + " random numbers";
  bench::Random one(7), other(7);
  std::vector<float> all = other.floats(count, -1, 3);
  for (size_t i = 0; i < count; i++) {
    CHECK(all[i] == one.between(-1, 3));
  }
  CHECK(one.next() == other.next());
}

}  // namespace

int main() {
  for (size_t count : {size_t{0}, size_t{1}, size_t{31}, size_t{100'003}}) {
    for (size_t least : {size_t{1}, size_t{1000}}) {
      loopsVisitAllOnce(count, least);
    }
    randomNumbersAreThoseOfOneLoop(count);
  }
  differencesAreThoseOfOneLoop(0, 0);
  differencesAreThoseOfOneLoop(0, 1000);
  differencesAreThoseOfOneLoop(3, 1);
  differencesAreThoseOfOneLoop(997, 3);
  return finish();
}
