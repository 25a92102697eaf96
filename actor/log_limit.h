// Keeps a line that may come a million times from flooding the log.
#ifndef TROUPE_ACTOR_LOG_LIMIT_H_
#define TROUPE_ACTOR_LOG_LIMIT_H_

#include <atomic>
#include <cstdint>

#include "actor/time.h"

namespace troupe::internal {

// The first few lines of an interval are shown, the rest is counted. An interval begins with a line, so that nothing
// happens while none comes. Any thread may call anything.
class LogLimit {
 public:
  static constexpr uint64_t kShown = 5;
  explicit LogLimit(uint64_t shown = kShown) : shown_(shown) {}
  static Duration Interval() { return absl::Minutes(1); }

  enum class Line { kHide, kShow, kShowAndBeginInterval };
  // With kShowAndBeginInterval the caller sees to it that EndInterval is called once when the interval is over.
  Line Next() {
    const uint64_t before = lines_.fetch_add(1, std::memory_order_relaxed);
    if (before == 0) return Line::kShowAndBeginInterval;
    return before < shown_ ? Line::kShow : Line::kHide;
  }
  // How many lines were not shown.
  uint64_t EndInterval() {
    const uint64_t lines = lines_.exchange(0, std::memory_order_relaxed);
    return lines > shown_ ? lines - shown_ : 0;
  }

 private:
  const uint64_t shown_;
  std::atomic<uint64_t> lines_{0};
};

}  // namespace troupe::internal

#endif  // TROUPE_ACTOR_LOG_LIMIT_H_
