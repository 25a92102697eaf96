// The executor of production: worker threads for turns, a small pool for work
// that blocks, one thread for timers. An idle one uses no CPU: all threads
// sleep until there is something to do or a timer is due. worker_pool.h says
// how actors get their turns.
#ifndef TROUPE_ACTOR_THREAD_EXECUTOR_H_
#define TROUPE_ACTOR_THREAD_EXECUTOR_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "actor/callback_guard.h"
#include "actor/executor.h"
#include "actor/placed_executor.h"
#include "actor/stall_detector.h"
#include "actor/timer_service.h"
#include "actor/worker_pool.h"

namespace troupe {

struct ThreadExecutorOptions {
  // 0: one for each core.
  int workers = 0;
  // Work that waits for the disk, not for a core; a few suffice, since writes
  // are gathered before they come here.
  int blocking_threads = 4;
  // Blocking work that may wait for a thread.
  size_t blocking_queue_limit = 4096;
  // Messages an actor handles before its worker turns to the next.
  int messages_per_turn = 64;
  // A handler that holds a worker for longer is told of, see stall_detector.h. Infinite: none is.
  Duration stall_limit = absl::Milliseconds(100);
  // Workers beside those, for actors that ask for them by name (dispatch.h).
  struct Pool {
    std::string name;
    int workers = 1;
    int messages_per_turn = 64;
  };
  std::vector<Pool> pools = {};
  // Actors that may have a thread of their own at the same time.
  int pinned_limit = 64;
};

class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(ThreadExecutorOptions options);
  ~ThreadExecutor() override;

  Instant Now() const override;
  Instant CoarseNow() const override;
  absl::Time WallTime() const override { return absl::Now(); }
  uint64_t Seed() override;
  void Schedule(Runnable& runnable) override { workers_.Schedule(runnable); }
  void AtEndOfTurn(std::shared_ptr<EndOfTurnHook> hook) override { workers_.AtEndOfTurn(std::move(hook)); }
  absl::StatusOr<Executor*> Place(const Dispatch& dispatch) override;
  [[nodiscard]] bool RunBlocking(absl::AnyInvocable<void()> work) override;
  TimerId RunAt(Instant when, absl::AnyInvocable<void()> callback) override {
    return timers_.RunAt(when, std::move(callback));
  }
  bool CancelTimer(TimerId id) override { return timers_.Cancel(id); }
  Instant DeadlineIn(Duration timeout) const override;
  void Arm(Deadline& deadline, Instant when) override;
  void Disarm(Deadline& deadline) override { TimerService::Disarm(deadline); }
  void OnStall(std::function<void(const internal::StalledTurn&)> callback) override;
  void Stop() override;

 private:
  // A queue that threads wait at. Closed, it gives nothing more.
  template <typename T>
  class Queue {
   public:
    // False: full or closed.
    bool Push(T item, size_t limit);
    // Waits. False: closed.
    bool Pop(T& item);
    void Close();

   private:
    std::mutex mutex_;
    std::condition_variable not_empty_;
    std::deque<T> items_;
    bool closed_ = false;
  };

  void LookForStallsSoon();
  void LookForStalls();

  const ThreadExecutorOptions options_;
  WorkerPool workers_;
  std::vector<std::unique_ptr<PoolExecutor>> pools_;  // fixed at construction
  PinnedThreads pinned_;
  Queue<absl::AnyInvocable<void()>> blocking_;
  internal::CallbackGuard blocking_guard_{"blocking work"};

  // Of the timers' thread, once set.
  internal::StallDetector stall_detector_;
  std::function<void(const internal::StalledTurn&)> on_stall_;

  TimerService timers_;

  std::mutex stop_mutex_;  // one Stop at a time
  std::vector<std::thread> threads_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_THREAD_EXECUTOR_H_
