// Timers and deadlines of an executor with threads: many that are armed, few that come.
#ifndef TROUPE_ACTOR_TIMER_SERVICE_H_
#define TROUPE_ACTOR_TIMER_SERVICE_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "actor/executor.h"
#include "actor/time.h"
#include "actor/timer_wheel.h"

namespace troupe {

// Hierarchical wheels (timer_wheel.h) in shards chosen by thread, so that arming a timer and taking it back is a lock
// that nobody else wants and a few links: no system call, unless it comes before all others and the thread that waits
// must wait less.
//   Threads:  any thread may call anything, but one runs Run, or tests call FireDue in its place.
//   Ordering: those that are due at one look come by time, to the tick (0.26 ms); within a tick those of one thread
//             in the order in which they were armed.
//   Limits:   no number; a million are well. A Deadline takes no memory here, a RunAt some 170 bytes. One comes up to
//             two ticks late, never early, and no lock is held for more than kStepsPerLock of them.
class TimerService {
 public:
  using TimerId = Executor::TimerId;

  // Time begins about here: what is armed for a moment before it is due at once.
  explicit TimerService(Instant now);
  ~TimerService();

  // As Executor says. False: stopped, and it will not come.
  bool Arm(Deadline& deadline, Instant when);
  static void Disarm(Deadline& deadline);
  TimerId RunAt(Instant when, absl::AnyInvocable<void()> callback);
  bool Cancel(TimerId id);

  // Serves them until Stop, by the executor's clock.
  void Run(const Executor& executor);
  // Ends all deadlines, drops the callbacks, and refuses new ones. Run will return, but may still be in a callback.
  void Stop();

  // What Run does: when the next may be due (then ask again), Never when there is none; and ends those that are due.
  Instant Earliest();
  void FireDue(Instant now);

 private:
  friend struct internal::TimerShard;
  class Callback;

  static constexpr int kTickShift = 18;  // of nanoseconds
  static constexpr size_t kShards = 8;
  static constexpr size_t kStepsPerLock = 256;

  // With the shard's lock.
  static void Insert(internal::TimerShard& shard, Deadline& deadline, Instant when);
  internal::TimerShard& OfThisThread();
  // Wakes the thread, if it waits for something later than this.
  void CallFor(Instant when);
  // Ends those in `ended`, of which the caller holds a reference each.
  static void End(std::vector<Deadline*>& ended, const absl::Status& status);

  const std::unique_ptr<internal::TimerShard[]> shards_;
  // When the thread will look again. Never while it makes up its mind.
  std::atomic<int64_t> next_look_{Instant::Never().nanos()};
  std::vector<Deadline*> due_;  // of FireDue

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;  // guarded by mutex_
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_TIMER_SERVICE_H_
