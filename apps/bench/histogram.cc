#include "apps/bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace troupe {
namespace {

constexpr int kStepBits = 6;
constexpr uint64_t kSteps = uint64_t{1} << kStepBits;
// The values below kSteps, and each power of two from there to 2^63.
constexpr size_t kBuckets = (64 - kStepBits + 1) * kSteps;

}  // namespace

Histogram::Histogram() : buckets_(kBuckets) {}

size_t Histogram::BucketOf(uint64_t value) {
  if (value < kSteps) return value;
  const int shift = static_cast<int>(std::bit_width(value)) - 1 - kStepBits;
  // What is left of the shifted value is kSteps to 2 * kSteps - 1: it counts on from the buckets of smaller powers.
  return static_cast<size_t>(shift) * kSteps + (value >> shift);
}

uint64_t Histogram::MiddleOf(size_t bucket) {
  if (bucket < kSteps) return bucket;
  const int shift = static_cast<int>(bucket / kSteps) - 1;
  const uint64_t lowest = (kSteps + bucket % kSteps) << shift;
  return lowest + ((uint64_t{1} << shift) >> 1);
}

uint64_t Histogram::Percentile(double percent) const {
  const auto rank = static_cast<uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_)));
  const uint64_t wanted = std::clamp<uint64_t>(rank, 1, std::max<uint64_t>(count_, 1));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted) return MiddleOf(bucket);
  }
  return 0;
}

}  // namespace troupe
