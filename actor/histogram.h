// Counts of values of any size, in buckets whose width grows with the value.
#ifndef TROUPE_ACTOR_HISTOGRAM_H_
#define TROUPE_ACTOR_HISTOGRAM_H_

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe {

// Cuts every power of two into 2^kStepBits equal buckets, so that a value is known to within 1 / 2^(kStepBits + 1).
// Values below 2^kStepBits have a bucket each.
template <int kStepBits>
struct LogBuckets {
  static constexpr uint64_t kSteps = uint64_t{1} << kStepBits;
  // The values below kSteps, and each power of two from there to 2^63.
  static constexpr size_t kCount = (64 - kStepBits + 1) * kSteps;

  static size_t BucketOf(uint64_t value) {
    if (value < kSteps) return value;
    const int shift = static_cast<int>(std::bit_width(value)) - 1 - kStepBits;
    // What is left of the shifted value is kSteps to 2 * kSteps - 1: it counts on from the buckets of smaller powers.
    return static_cast<size_t>(shift) * kSteps + (value >> shift);
  }
  static uint64_t MiddleOf(size_t bucket) {
    if (bucket < kSteps) return bucket;
    const int shift = static_cast<int>(bucket / kSteps) - 1;
    const uint64_t lowest = (kSteps + bucket % kSteps) << shift;
    return lowest + ((uint64_t{1} << shift) >> 1);
  }
};

// Not thread-safe.
template <int kStepBits>
class BasicHistogram {
 public:
  using Buckets = LogBuckets<kStepBits>;

  void Record(uint64_t value) { AddToBucket(Buckets::BucketOf(value), 1); }
  void AddToBucket(size_t bucket, uint64_t times) {
    if (buckets_.empty()) buckets_.resize(Buckets::kCount);
    buckets_[bucket] += times;
    count_ += times;
  }
  void Add(const BasicHistogram& other) {
    for (size_t bucket = 0; bucket < other.buckets_.size(); ++bucket) AddToBucket(bucket, other.buckets_[bucket]);
  }

  // The value that `percent` of all values, 0 to 100, do not exceed: the middle of its bucket. 0 when there is none.
  uint64_t Percentile(double percent) const {
    const auto rank = static_cast<uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_)));
    const uint64_t wanted = std::clamp<uint64_t>(rank, 1, std::max<uint64_t>(count_, 1));
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
      seen += buckets_[bucket];
      if (seen >= wanted) return Buckets::MiddleOf(bucket);
    }
    return 0;
  }

  uint64_t count() const { return count_; }

 private:
  std::vector<uint64_t> buckets_;  // empty until the first value
  uint64_t count_ = 0;
};

// To within 0.8 %, in 30 KiB.
using Histogram = BasicHistogram<6>;
// To within 6 %, in 4 KiB.
using CoarseHistogram = BasicHistogram<3>;

}  // namespace troupe

#endif  // TROUPE_ACTOR_HISTOGRAM_H_
