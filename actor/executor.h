// What actors run on: threads, a clock, timers and a pool for work that blocks. Two stand behind it, and the actors
// cannot tell which: ThreadExecutor, and DeterministicExecutor with one thread, a seeded order and a virtual clock.
#ifndef TROUPE_ACTOR_EXECUTOR_H_
#define TROUPE_ACTOR_EXECUTOR_H_

#include <cstdint>

#include "absl/functional/any_invocable.h"
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

  // Runs work that may block (disk, fsync) where it holds up no actor. False: too much waits already or the executor
  // has stopped; the work was destroyed without being run.
  [[nodiscard]] virtual bool RunBlocking(absl::AnyInvocable<void()> work) = 0;

  // Calls back at `when` or soon after, once, on a thread that all timers share: the callback must be short and must
  // not block. Never is allowed and never comes.
  virtual TimerId RunAt(Instant when, absl::AnyInvocable<void()> callback) = 0;

  // The callback will not start after this, but may be running. False: it has started, was cancelled, or never was.
  virtual bool CancelTimer(TimerId id) = 0;

  // Ends all threads once they have finished what they are in, and drops the rest. May be called twice. Not from a
  // turn, a timer or blocking work.
  virtual void Stop() = 0;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_EXECUTOR_H_
