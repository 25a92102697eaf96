// What actors run on: threads, a clock, timers and a pool for work that blocks. Two stand behind it, and the actors
// cannot tell which: ThreadExecutor, and DeterministicExecutor with one thread, a seeded order and a virtual clock.
#ifndef TROUPE_ACTOR_EXECUTOR_H_
#define TROUPE_ACTOR_EXECUTOR_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "actor/block_pool.h"
#include "actor/dispatch.h"
#include "actor/end_of_turn.h"
#include "actor/time.h"
#include "actor/timer_wheel.h"

namespace troupe {
namespace internal {
struct StalledTurn;
struct TimerShard;
}  // namespace internal

// Something that has turns: an actor.
class Runnable {
 public:
  virtual ~Runnable() = default;

  // Handles up to max_messages messages, then gives the thread back. The executor never runs two turns of one
  // Runnable at once.
  virtual void RunTurn(int max_messages) = 0;

  // What the deterministic executor's trace calls it.
  virtual uint64_t trace_id() const = 0;

 private:
  friend class ReadyList;
  Runnable* next_ready_ = nullptr;
};

// Something that comes at a point in time, unless it is disarmed before: the end of an ask, a timer of an actor. Counts
// who refers to it; being armed is no reference.
class Deadline : public internal::Pooled, private TimerWheel::Entry {
 public:
  // Referred to by so many.
  explicit Deadline(uint32_t refs = 1) : refs_(refs) {}
  // Its time has come (kDeadlineExceeded), or its executor has ended. Short, and does not block.
  virtual void Expire(const absl::Status& status) = 0;

  void Ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  // False: nobody else refers to it any more.
  bool TryRef() {
    uint32_t refs = refs_.load(std::memory_order_relaxed);
    while (refs != 0 && !refs_.compare_exchange_weak(refs, refs + 1, std::memory_order_relaxed)) {
    }
    return refs != 0;
  }
  void Unref() {
    // The last owner of what no wheel knows is alone with it.
    // In this order: the wheel takes its reference first, then lets go.
    const bool alone = !armed() && refs_.load(std::memory_order_acquire) == 1;
    if (!alone && refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (alone) refs_.store(0, std::memory_order_relaxed);
    OnUnreferenced();
  }

  // What an ask gets whose executor ends before it.
  static absl::Status ExecutorEnded() { return absl::UnknownError("the actors were ended before an answer came"); }

 protected:
  virtual ~Deadline() = default;
  // Disarms and deletes it.
  virtual void OnUnreferenced() = 0;

 private:
  friend class TimerService;
  friend class DeterministicExecutor;

  bool armed() const { return shard_.load(std::memory_order_acquire) != nullptr; }

  std::atomic<uint32_t> refs_;
  uint64_t timer_ = 0;  // of an executor that makes a timer of it
  // On whose wheel it lies, and whose lock guards that; null: on none.
  std::atomic<internal::TimerShard*> shard_{nullptr};
};

//   Threads:  any thread may call anything.
//   Ordering: Runnables are taken in the order in which they were scheduled (or in a seeded one); blocking work
//             starts in the order in which it was handed over, but several run at once.
//   Limits:   Schedule is never refused, since a Runnable waits in the queue at most once; RunBlocking is.
//             Under the deterministic executor it ends in a seeded order, too.
//   Lifetime: after Stop returns, nothing of anybody's runs any more, and what was queued has been dropped.
class Executor {
 public:
  using TimerId = uint64_t;

  virtual ~Executor() = default;

  virtual Instant Now() const = 0;
  // The time of day, which may jump; for calendars only. Unless an executor has a clock for it, Now counted from the
  // beginning of 1970, so that it is virtual when Now is.
  virtual absl::Time WallTime() const { return absl::FromUnixNanos(Now().nanos()); }
  // Up to kCoarseNanos behind Now, and never ahead of it, but cheap enough for each message.
  static constexpr int64_t kCoarseNanos = 10'000'000;
  virtual Instant CoarseNow() const { return Now(); }

  // What a system draws its chance from: another number each time, unless the executor repeats its runs.
  virtual uint64_t Seed() = 0;

  // Gives the Runnable a turn soon. It must not be scheduled again before that turn has begun, and must stay alive
  // until the turn has ended or the executor has stopped.
  virtual void Schedule(Runnable& runnable) = 0;

  // In a turn on this executor: the hook will be called once when the worker's batch ends, as end_of_turn.h says.
  virtual void AtEndOfTurn(std::shared_ptr<EndOfTurnHook> hook) = 0;

  // The executor for the turns of one actor that asks for a place of its own; dispatch.h names the errors. It is good
  // until it is retired. One without threads is the place of all.
  virtual absl::StatusOr<Executor*> Place(const Dispatch& dispatch) {
    (void)dispatch;
    return this;
  }
  // The Runnable that this was the place of will not be scheduled any more.
  virtual void Retire() {}

  // Runs work that may block (disk, fsync) where it holds up no actor. False: too much waits already or the executor
  // has stopped; the work was destroyed without being run. An exception that leaves it is logged.
  [[nodiscard]] virtual bool RunBlocking(absl::AnyInvocable<void()> work) = 0;

  // Calls back at `when` or soon after, once, on a thread that all timers share: the callback must be short and must
  // not block; an exception is logged. Never is allowed and never comes.
  virtual TimerId RunAt(Instant when, absl::AnyInvocable<void()> callback) = 0;

  // The callback will not start after this, but may be running. False: it has started, was cancelled, or never was.
  virtual bool CancelTimer(TimerId id) = 0;

  // The moment at which something ends that may last this long: never early, and late by a hundredth at most.
  virtual Instant DeadlineIn(Duration timeout) const { return Now() + timeout; }
  // Ends it with kDeadlineExceeded at `when` or up to a few milliseconds later, never early, or with ExecutorEnded when
  // the executor stops, or here and now when it has. Not while it is armed; the first time before it is shared.
  virtual void Arm(Deadline& deadline, Instant when) = 0;
  // It has ended, or will be gone.
  virtual void Disarm(Deadline& deadline) = 0;

  // Calls back, on the thread of the timers, about turns that hold a worker for too long. Once at most, before anything
  // is scheduled. Where turns take no time, never.
  virtual void OnStall(std::function<void(const internal::StalledTurn&)>) {}

  // Ends all threads once they have finished what they are in, and drops the rest. May be called twice. Not from a
  // turn, a timer or blocking work.
  virtual void Stop() = 0;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_EXECUTOR_H_
