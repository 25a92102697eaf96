// What whoever spawns an actor decides about it.
#ifndef TROUPE_ACTOR_SPAWN_OPTIONS_H_
#define TROUPE_ACTOR_SPAWN_OPTIONS_H_

#include <cstddef>

#include "actor/dispatch.h"
#include "actor/mailbox.h"
#include "actor/supervision.h"

namespace troupe {

struct SpawnOptions {
  // User messages that may wait.
  size_t mailbox_capacity = 1024;
  Overflow overflow = Overflow::kReject;
  OnFailure on_failure = OnFailure::kRestart;
  RestartLimit restart_limit = {};
  RestartBackoff restart_backoff = {};
  // Chooses for each failure, in place of on_failure.
  Decide decide = nullptr;
  // For the children of this actor: which restart together, and how often (once for all that do) before the one at
  // fault escalates. With kOneForOne each child has its own restart_limit instead.
  Strategy children = Strategy::kOneForOne;
  RestartLimit children_limit = {};
  // On which threads its turns run.
  Dispatch dispatch = {};
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_SPAWN_OPTIONS_H_
