// Division by multiplication against division.
#include "divide.cuh"

#include "testing.h"

using namespace rais;
using namespace testing;

namespace {

void isTheDivision(int32_t divisor, int32_t n) {
  Divisor by(divisor);
  int32_t quotient = by.quotient(n);
  if (quotient != n / divisor || by.remainder(n, quotient) != n % divisor) {
    where = std::to_string(n) + " / " + std::to_string(divisor);
    CHECK(quotient == n / divisor);
    CHECK(by.remainder(n, quotient) == n % divisor);
  }
}

}  // namespace

int main() {
  Random random(1);
  for (int i = 0; i < 200'000; i++) {
    // Numbers of every length, and multiples of the divisor and their neighbours.
    auto divisor = static_cast<int32_t>(random.next() >> 33 >> random.below(31));
    auto n = static_cast<int32_t>(random.next() >> 33 >> random.below(31));
    divisor = std::max(1, divisor);
    isTheDivision(divisor, n);
    isTheDivision(divisor, n / divisor * divisor);
    isTheDivision(divisor, std::max(1, n / divisor * divisor) - 1);
    isTheDivision(divisor, INT32_MAX - random.below(3));
  }
  for (int32_t divisor : {1, 2, 3, 7, 1 << 30, (1 << 30) + 1, INT32_MAX - 1, INT32_MAX}) {
    for (int32_t n : {0, 1, 2, 3, (1 << 30) - 1, 1 << 30, INT32_MAX - 1, INT32_MAX}) {
      isTheDivision(divisor, n);
    }
    Divisor by(divisor);
    where = "by " + std::to_string(divisor);
    CHECK(by.quotient(divisor) == 1);
    CHECK(by.quotient(divisor - 1) == 0);
  }
  return finish();
}
