#ifndef TROUPE_APPS_BENCH_HISTOGRAM_H_
#define TROUPE_APPS_BENCH_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe {

// Counts of values of any size in 30 KiB, each known to within 0.8 %: every power of two is cut into 64 equal buckets.
// Values below 64 are exact. Not thread-safe.
class Histogram {
 public:
  Histogram();

  void Record(uint64_t value) {
    ++buckets_[BucketOf(value)];
    ++count_;
  }

  // The value that `percent` of all values, 0 to 100, do not exceed: the middle of its bucket. 0 when there is none.
  uint64_t Percentile(double percent) const;

  uint64_t count() const { return count_; }

 private:
  static size_t BucketOf(uint64_t value);
  static uint64_t MiddleOf(size_t bucket);

  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
};

}  // namespace troupe

#endif  // TROUPE_APPS_BENCH_HISTOGRAM_H_
