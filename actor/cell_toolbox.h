// What a cell keeps for the tools of a Context that most actors never use: the stash, the idle timeout, and the stop
// token of its work on other threads. Allocated when the first of them is used; touched only in the actor's turn.
#ifndef TROUPE_ACTOR_CELL_TOOLBOX_H_
#define TROUPE_ACTOR_CELL_TOOLBOX_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>

#include "actor/executor.h"
#include "actor/mailbox.h"
#include "actor/time.h"

namespace troupe {

class Envelope;

// A message that comes to an actor which has handled none for as long as it said (Context::SetIdleTimeout).
struct IdleTimeout {
  static constexpr bool kControl = true;
};

namespace internal {

struct CellToolbox {
  struct Idle {
    Duration limit;
    std::unique_ptr<Envelope> (*maker)() = nullptr;
    Instant last_active;
    Executor::TimerId timer = 0;
  };

  ItemQueue stash;     // envelopes, in the order in which they were put aside
  size_t stashed = 0;  // in `stash`
  // Envelopes that come before the mailbox's user lane, each in a signal that posts the next one's. A signal outranks
  // user messages and is outranked by none, so that stops still get through, and turns need not look here.
  ItemQueue replay;
  bool replay_posted = false;

  Idle idle;
  uint64_t idle_number = 0;  // of the idle timeout that holds, so that the timer of an earlier one does nothing

  std::stop_source stop_source{std::nostopstate};
};

}  // namespace internal
}  // namespace troupe

#endif  // TROUPE_ACTOR_CELL_TOOLBOX_H_
