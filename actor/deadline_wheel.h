// The deadlines of asks: many that are set, few that come.
#ifndef TROUPE_ACTOR_DEADLINE_WHEEL_H_
#define TROUPE_ACTOR_DEADLINE_WHEEL_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "actor/executor.h"
#include "actor/time.h"

namespace troupe {

// A hashed timing wheel (Varghese and Lauck, Hashed and Hierarchical Timing Wheels, SOSP 1987, scheme 6), in shards
// chosen by thread, so that setting a deadline and taking it back is a lock that nobody else wants and two links.
//   Threads:  any thread may call anything.
//   Limits:   none; a deadline comes up to 2.1 ms late, never early.
class DeadlineWheel {
 public:
  // False: the wheel has stopped.
  bool Arm(Deadline& deadline, Instant when);
  static void Disarm(Deadline& deadline);

  // When the next deadline may be due; Never when there is none. It may turn out that none is, then ask again.
  Instant Earliest();
  // Ends those that are due.
  void ExpireDue(Instant now);
  // Ends all, and refuses new ones.
  void Stop();

 private:
  friend class Deadline;

  static constexpr int kTickShift = 20;  // of nanoseconds: about a millisecond
  static constexpr size_t kSlots = 4096;
  static constexpr size_t kShards = 8;

  // What has been unlinked, with a reference to each, until it can be ended without the lock.
  struct Unlinked {
    Deadline* first = nullptr;
    void Expire(const absl::Status& status);
  };
  struct Shard;

  static void Unlink(Deadline& deadline);
  static void MoveTo(Unlinked& unlinked, Deadline& deadline);

  struct Slots {
    std::array<Deadline*, kSlots> first = {};
    std::array<uint64_t, kSlots / 64> maybe = {};  // a bit for each slot that may hold something
  };
  struct Shard {
    std::mutex mutex;
    // Guarded by mutex.
    bool stopped = false;
    int64_t last_tick = 0;         // all slots up to here have been gone through
    std::unique_ptr<Slots> slots;  // null until the first deadline
    Deadline* never = nullptr;     // those that end only with the wheel
  };
  Shard& OfThisThread();

  std::array<Shard, kShards> shards_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_DEADLINE_WHEEL_H_
