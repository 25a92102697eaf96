// Executors for actors that do not share the workers: they give turns on threads of their own, and pass everything
// else on to the executor that they belong to.
#ifndef TROUPE_ACTOR_PLACED_EXECUTOR_H_
#define TROUPE_ACTOR_PLACED_EXECUTOR_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "actor/executor.h"
#include "actor/worker_pool.h"

namespace troupe {

class PlacedExecutor : public Executor {
 public:
  explicit PlacedExecutor(Executor& home) : home_(home) {}

  Instant Now() const override { return home_.Now(); }
  Instant CoarseNow() const override { return home_.CoarseNow(); }
  absl::Time WallTime() const override { return home_.WallTime(); }
  uint64_t Seed() override { return home_.Seed(); }
  [[nodiscard]] bool RunBlocking(absl::AnyInvocable<void()> work) override {
    return home_.RunBlocking(std::move(work));
  }
  TimerId RunAt(Instant when, absl::AnyInvocable<void()> callback) override {
    return home_.RunAt(when, std::move(callback));
  }
  bool CancelTimer(TimerId id) override { return home_.CancelTimer(id); }
  Instant DeadlineIn(Duration timeout) const override { return home_.DeadlineIn(timeout); }
  void Arm(Deadline& deadline, Instant when) override { home_.Arm(deadline, when); }
  void Disarm(Deadline& deadline) override { home_.Disarm(deadline); }

 private:
  Executor& home_;
};

// A second pool of workers, for the actors that ask for it by name.
class PoolExecutor final : public PlacedExecutor {
 public:
  PoolExecutor(Executor& home, std::string name, int workers, int messages_per_turn)
      : PlacedExecutor(home), name_(std::move(name)), workers_(workers, messages_per_turn, name_) {}

  const std::string& name() const { return name_; }
  void Schedule(Runnable& runnable) override { workers_.Schedule(runnable); }
  void AtEndOfTurn(std::shared_ptr<EndOfTurnHook> hook) override { workers_.AtEndOfTurn(std::move(hook)); }
  void Stop() override { workers_.Stop(); }

 private:
  const std::string name_;
  WorkerPool workers_;
};

// Threads with one actor each.
//   Threads:  any thread may call anything.
//   Limits:   `limit` threads that have not ended.
//   Lifetime: a thread ends when its actor is retired, or with StopTurns; its executor is good until it is retired, and
//             until this object's end at the longest.
class PinnedThreads {
 public:
  PinnedThreads(Executor& home, int limit, int messages_per_turn);
  ~PinnedThreads();

  // A thread for the one Runnable that will be scheduled there. kResourceExhausted, or kUnavailable after StopTurns.
  absl::StatusOr<Executor*> Start(std::string_view name);
  // No turn begins after this; those that run may go on.
  void StopTurns();
  // After StopTurns: waits until they have ended.
  void Join();

 private:
  class Thread;

  void Run(Thread& thread);

  Executor& home_;
  const int limit_;
  const int messages_per_turn_;

  std::mutex mutex_;
  // Guarded by mutex_.
  bool stopped_ = false;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::unique_ptr<Thread> ended_;  // the last one; the next to end joins it, so that no more than one waits for that
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_PLACED_EXECUTOR_H_
