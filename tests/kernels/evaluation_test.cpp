// Evaluation counters against plain loops.
#include "testing.h"

using namespace testing;

namespace {

constexpr int kIgnored = -100;

void areTheDefinition(int rows, int classes, bool perClass) {
  where = std::to_string(rows) + " rows, " + std::to_string(classes) + " classes";
  auto m = static_cast<size_t>(rows);
  Buffer<float> losses(m, "losses");
  Buffer<uint8_t> correctness(m, "correctness");
  Buffer<int32_t> labels(m, "labels");
  Buffer<double> lossSum(1, "loss sum");
  Buffer<int64_t> counts(RAIS_COUNTS, "counts");
  Buffer<int64_t> classCounts(2 * static_cast<size_t>(classes), "class counts");
  lossSum[0] = 1000;
  std::vector<int64_t> expected(RAIS_COUNTS, 5), expectedOfClass(classCounts.count(), 7);
  counts.fill(5);
  classCounts.fill(7);
  double expectedLoss = 1000;
  // Two minibatches, whose counts add up.
  for (uint64_t batch = 0; batch < 2; batch++) {
    Random random(m + batch);
    for (size_t j = 0; j < m; j++) {
      losses[j] = static_cast<float>(random.between(0, 5));
      correctness[j] = static_cast<uint8_t>(j % 3 == 0 ? 0 : j % 3 == 1 ? 2 : 3);
      labels[j] = j % 11 == 4   ? kIgnored
                  : j % 11 == 5 ? classes
                  : j % 11 == 6 ? -7
                                : random.below(classes);
      if (labels[j] == kIgnored) {
        continue;
      }
      expectedLoss += losses[j];
      expected[RAIS_COUNT_EXAMPLES]++;
      expected[RAIS_COUNT_TOP_1_ERRORS] += correctness[j] != 3;
      expected[RAIS_COUNT_TOP_5_ERRORS] += correctness[j] == 0;
      if (perClass && labels[j] >= 0 && labels[j] < classes) {
        expectedOfClass[2 * static_cast<size_t>(labels[j])]++;
        expectedOfClass[2 * static_cast<size_t>(labels[j]) + 1] += correctness[j] != 3;
      }
    }
    CHECK_OK(rais_evaluation_counts(nullptr, rows, classes, losses.data(), correctness.data(),
                                    labels.data(), kIgnored, lossSum.data(), counts.data(),
                                    perClass ? classCounts.data() : nullptr));
  }
  CHECK_CLOSE(lossSum[0], expectedLoss, 1e-13, 0);
  for (size_t i = 0; i < RAIS_COUNTS; i++) {
    CHECK_EQUAL(counts[i], expected[i]);
  }
  for (size_t i = 0; i < classCounts.count(); i++) {
    CHECK_EQUAL(classCounts[i], expectedOfClass[i]);
  }
}

void lossesThatAreNotFiniteShow() {
  where = "not finite";
  Buffer<float> losses({1, NAN, INFINITY, 2}, "losses");
  Buffer<uint8_t> correctness({3, 0, 0, 2}, "correctness");
  Buffer<int32_t> labels({0, 1, 0, 1}, "labels");
  Buffer<double> lossSum(1, "loss sum");
  Buffer<int64_t> counts(RAIS_COUNTS, "counts");
  lossSum[0] = 0;
  counts.fill(0);
  CHECK_OK(rais_evaluation_counts(nullptr, 4, 2, losses.data(), correctness.data(), labels.data(),
                                  -1, lossSum.data(), counts.data(), nullptr));
  CHECK(std::isnan(lossSum[0]));
  CHECK_EQUAL(counts[RAIS_COUNT_NOT_FINITE], 2);
  CHECK_EQUAL(counts[RAIS_COUNT_EXAMPLES], 4);
  CHECK_EQUAL(counts[RAIS_COUNT_TOP_1_ERRORS], 3);
  CHECK_EQUAL(counts[RAIS_COUNT_TOP_5_ERRORS], 2);
}

void badArgumentsAreNamed() {
  where = "arguments";
  Buffer<float> losses(4, "losses");
  Buffer<uint8_t> correctness(4, "correctness");
  Buffer<int32_t> labels(4, "labels");
  Buffer<double> lossSum(1, "loss sum");
  Buffer<int64_t> counts(RAIS_COUNTS, "counts");
  auto call = [&](int rows, int classes, int ignored, double* sum) {
    return rais_evaluation_counts(nullptr, rows, classes, losses.data(), correctness.data(),
                                  labels.data(), ignored, sum, counts.data(), nullptr);
  };
  CHECK(call(0, 2, -1, lossSum.data()) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "rais_evaluation_counts(rows=0, classes=2): rows must be in");
  CHECK(call(4, 1, -1, lossSum.data()) == RAIS_INVALID_ARGUMENT);
  CHECK(call(4, 2, 0, lossSum.data()) == RAIS_INVALID_ARGUMENT);
  CHECK(call(4, 2, -1, nullptr) == RAIS_INVALID_ARGUMENT);
  CHECK_CONTAINS(rais_last_error(), "loss_sum must not be null");
}

}  // namespace

int main() {
  cuda_on_host::reportFaults();
  underSchedules([] {
    for (int rows : {1, 31, 128, 1024, 1025, 5000}) {
      areTheDefinition(rows, 10, true);
      areTheDefinition(rows, 2, false);
    }
    areTheDefinition(300, 2000, true);
  });
  lossesThatAreNotFiniteShow();
  badArgumentsAreNamed();
  return finish();
}
