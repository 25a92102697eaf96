#include "actor/histogram.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace troupe {
namespace {

TEST(HistogramTest, HasNoPercentileWithoutValues) { EXPECT_EQ(Histogram().Percentile(50), 0u); }

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t value = 0; value < 64; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.Percentile(50), 31u);
  EXPECT_EQ(histogram.Percentile(100), 63u);
}

TEST(HistogramTest, EveryValueIsKnownToWithinAPercentFromOneToTheLargest) {
  for (int bit = 0; bit < 64; ++bit) {
    for (const uint64_t offset : {uint64_t{0}, uint64_t{1}, (uint64_t{1} << bit) / 3, (uint64_t{1} << bit) - 1}) {
      const uint64_t value = (uint64_t{1} << bit) + offset;
      Histogram histogram;
      histogram.Record(value);
      const auto exact = static_cast<double>(value);
      EXPECT_NEAR(static_cast<double>(histogram.Percentile(50)), exact, exact * 0.008) << value;
    }
  }
}

TEST(HistogramTest, PercentilesComeFromTheRightRank) {
  Histogram histogram;
  for (int i = 0; i < 98; ++i) histogram.Record(10);
  histogram.Record(20);
  histogram.Record(30);
  EXPECT_EQ(histogram.Percentile(0), 10u);
  EXPECT_EQ(histogram.Percentile(98), 10u);
  EXPECT_EQ(histogram.Percentile(99), 20u);
  EXPECT_EQ(histogram.Percentile(99.1), 30u);
  EXPECT_EQ(histogram.count(), 100u);
}

TEST(HistogramTest, ASumHoldsTheValuesOfBoth) {
  CoarseHistogram sum;
  CoarseHistogram other;
  sum.Record(1);
  other.Record(2);
  other.Record(3);
  sum.Add(other);
  EXPECT_EQ(sum.count(), 3u);
  EXPECT_EQ(sum.Percentile(50), 2u);
  EXPECT_EQ(sum.Percentile(100), 3u);
}

TEST(HistogramTest, LargerValuesNeverStandBeforeSmallerOnes) {
  Histogram histogram;
  uint64_t last = 0;
  for (uint64_t value = 1; value < 1'000'000; value += 997) {
    histogram = Histogram();
    histogram.Record(value);
    EXPECT_GE(histogram.Percentile(50), last);
    last = histogram.Percentile(50);
  }
}

}  // namespace
}  // namespace troupe
