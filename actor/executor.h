// What actors run on: threads, a clock, timers and a pool for work that blocks. Two stand behind it, and the actors
// cannot tell which: ThreadExecutor, and DeterministicExecutor with one thread, a seeded order and a virtual clock.
#ifndef TROUPE_ACTOR_EXECUTOR_H_
#define TROUPE_ACTOR_EXECUTOR_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "actor/block_pool.h"
#include "actor/dispatch.h"
#include "actor/end_of_turn.h"
#include "actor/time.h"

namespace troupe {

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

// An ask that ends at a point in time, unless it has its answer before. Counts who refers to it.
class Deadline : public internal::Pooled {
 public:
  // Referred to by so many.
  explicit Deadline(uint32_t refs = 1) : refs_(refs) {}
  // Ends it, unless it has ended. Short, and does not block.
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
  friend class DeadlineWheel;
  friend class DeterministicExecutor;

  bool armed() const { return wheel_mutex_.load(std::memory_order_acquire) != nullptr; }

  std::atomic<uint32_t> refs_;
  uint64_t timer_ = 0;  // of an executor that makes a timer of it
  // Of the wheel that it is in: the lock that guards the rest; null when it is in none.
  std::atomic<std::mutex*> wheel_mutex_{nullptr};
  int64_t tick_ = 0;
  Deadline* next_ = nullptr;
  Deadline** link_ = nullptr;  // what points here
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
  // Up to some 10 ms behind Now, and never ahead of it, but cheap enough for each message.
  virtual Instant CoarseNow() const { return Now(); }

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
  // has stopped; the work was destroyed without being run.
  [[nodiscard]] virtual bool RunBlocking(absl::AnyInvocable<void()> work) = 0;

  // Calls back at `when` or soon after, once, on a thread that all timers share: the callback must be short and must
  // not block. Never is allowed and never comes.
  virtual TimerId RunAt(Instant when, absl::AnyInvocable<void()> callback) = 0;

  // The callback will not start after this, but may be running. False: it has started, was cancelled, or never was.
  virtual bool CancelTimer(TimerId id) = 0;

  // The moment at which something ends that may last this long: never early, and late by a hundredth at most.
  virtual Instant DeadlineIn(Duration timeout) const { return Now() + timeout; }
  // Ends it with kDeadlineExceeded at `when` or up to a few milliseconds later, never early, or with ExecutorEnded when
  // the executor stops, or here and now when it has. Once only for each, before it is shared.
  virtual void Arm(Deadline& deadline, Instant when) = 0;
  // It has ended, or will be gone.
  virtual void Disarm(Deadline& deadline) = 0;

  // Ends all threads once they have finished what they are in, and drops the rest. May be called twice. Not from a
  // turn, a timer or blocking work.
  virtual void Stop() = 0;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_EXECUTOR_H_
