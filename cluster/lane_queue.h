// Frames that wait for their turn on one lane to one peer: how many may, for how long, and who must go.
//
// No clock and no thread: the caller passes the time and holds a lock.
#ifndef TROUPE_CLUSTER_LANE_QUEUE_H_
#define TROUPE_CLUSTER_LANE_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "actor/time.h"
#include "cluster/transport.h"

namespace troupe {

class LaneQueue {
 public:
  struct Limits {
    size_t max_frames;
    // Each frame counts kFrameOverhead more than its size, so that empty ones are bounded too.
    size_t max_bytes;
    // Frames that waited longer are dropped when their turn comes: a ping that is sent late tells a lie.
    Duration max_wait;
    // When full, the oldest frame makes room; otherwise the new one is refused.
    bool drop_oldest;
  };
  static constexpr size_t kFrameOverhead = 64;
  // What one write takes: enough to fill a connection, and little enough that frames come out while more go in.
  static constexpr size_t kBatchBytes = 256 << 10;
  static constexpr size_t kBatchFrames = 1000;

  static Limits LimitsOf(Lane lane);

  struct Frame {
    uint64_t number;  // only grows
    Instant since;
    std::string bytes;
  };

  explicit LaneQueue(Limits limits) : limits_(limits) {}

  // kResourceExhausted: it is full, and the frame was not taken.
  absl::Status Push(uint64_t number, std::string frame, Instant now);

  // What goes into the next write: frames up to a batch, at least one if any waits that is not too late.
  std::vector<Frame> TakeBatch(Instant now);

  void Clear();

  bool empty() const { return frames_.empty(); }
  // Not of an empty queue.
  uint64_t first_number() const { return frames_.front().number; }
  uint64_t last_number() const { return frames_.back().number; }

  // Frames that were dropped for the newer, or refused; and those that waited too long.
  uint64_t dropped_full() const { return dropped_full_; }
  uint64_t dropped_late() const { return dropped_late_; }

 private:
  bool HasRoomFor(size_t bytes) const;
  void PopFront();

  const Limits limits_;
  std::deque<Frame> frames_;
  size_t bytes_ = 0;  // with the overhead
  uint64_t dropped_full_ = 0;
  uint64_t dropped_late_ = 0;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_LANE_QUEUE_H_
