// What waits for one actor, in two lanes.
//
//   Threads:  any thread may push; only the actor's turn pops.
//   Ordering: within a lane, in the order of the pushes. The system lane outranks the user lane.
//   Limits:   the user lane holds `capacity` envelopes; past it Push hands the new one back, or the oldest, as the
//             overflow policy says. The system lane has no limit: what may go there bounds itself.
//   Lifetime: Close is final and hands back what was not read, so that each asker can be told.
#ifndef TROUPE_ACTOR_MAILBOX_H_
#define TROUPE_ACTOR_MAILBOX_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "actor/envelope.h"

namespace troupe {

enum class Overflow {
  kReject,      // the new message is refused; its sender is told
  kDropOldest,  // the message that has waited longest makes room
};

class Mailbox {
 public:
  // Work of the runtime's own, done in the actor's turn.
  using Signal = absl::AnyInvocable<void()>;
  using Item = std::variant<std::unique_ptr<Envelope>, Signal>;

  struct PushResult {
    enum { kAccepted, kFull, kClosed } outcome = kAccepted;
    // The caller must schedule the actor: it was idle.
    bool wake = false;
    // What found no place: the new envelope when refused, the oldest one under kDropOldest.
    std::unique_ptr<Envelope> dropped;
  };

  // The capacity must not be 0.
  Mailbox(size_t capacity, Overflow overflow);

  PushResult Push(std::unique_ptr<Envelope> envelope);
  PushResult PushSignal(Signal signal);

  // The next item for the turn; with user_lane false only the system lane's. Nothing when there is none.
  std::optional<Item> Pop(bool user_lane);

  // Ends a turn. True: there is more to do, and the caller must schedule the actor again. False: the actor is idle
  // until a push says wake. user_lane as for Pop: without it waiting user messages do not wake the actor.
  bool EndTurn(bool user_lane);

  // Refuses everything from now on.
  std::vector<Item> Close();

  size_t depth() const;
  size_t capacity() const { return capacity_; }

 private:
  // Takes the right to schedule, if somebody must.
  bool Wake() { return !std::exchange(scheduled_, true); }

  const size_t capacity_;
  const Overflow overflow_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::deque<Item> system_;
  std::deque<std::unique_ptr<Envelope>> user_;
  bool user_lane_open_ = false;  // whether a user message is worth a turn
  bool scheduled_ = false;       // a turn runs or is queued
  bool closed_ = false;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_MAILBOX_H_
