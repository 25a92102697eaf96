// Points in time on a clock that only moves forward. Durations are Abseil's.
//
// Nothing outside an Executor reads a clock: time comes in through Executor::Now, so that under the deterministic
// executor it is virtual.
#ifndef TROUPE_ACTOR_TIME_H_
#define TROUPE_ACTOR_TIME_H_

#include <compare>
#include <cstdint>
#include <limits>

#include "absl/time/time.h"

namespace troupe {

using Duration = absl::Duration;

// Nanoseconds since some moment that is the executor's own. Instants of two executors do not compare.
class Instant {
 public:
  constexpr Instant() = default;
  static constexpr Instant FromNanos(int64_t nanos) { return Instant(nanos); }
  // Later than every other.
  static constexpr Instant Never() { return Instant(std::numeric_limits<int64_t>::max()); }

  constexpr int64_t nanos() const { return nanos_; }

  friend constexpr auto operator<=>(Instant, Instant) = default;

  // Saturates, so that an infinite timeout is Never.
  friend Instant operator+(Instant start, Duration duration) {
    int64_t nanos = absl::ToInt64Nanoseconds(duration);
    int64_t sum = 0;
    if (__builtin_add_overflow(start.nanos_, nanos, &sum)) {
      return nanos > 0 ? Never() : FromNanos(std::numeric_limits<int64_t>::min());
    }
    return FromNanos(sum);
  }

  friend Duration operator-(Instant end, Instant start) {
    if (end == Never()) return absl::InfiniteDuration();
    return absl::Nanoseconds(end.nanos_) - absl::Nanoseconds(start.nanos_);
  }

 private:
  constexpr explicit Instant(int64_t nanos) : nanos_(nanos) {}
  int64_t nanos_ = 0;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_TIME_H_
