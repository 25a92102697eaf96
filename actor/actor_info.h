// What can be seen of one actor.
#ifndef TROUPE_ACTOR_ACTOR_INFO_H_
#define TROUPE_ACTOR_ACTOR_INFO_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "actor/address.h"

namespace troupe {

enum class ActorState : uint8_t { kStarting, kRunning, kRestarting, kStopping, kTerminated };

// One actor as an operator sees it, at about one moment.
struct ActorInfo {
  ActorId id;
  std::string name;  // the first of those that it has; empty when it has none
  std::string type;
  ActorState state = ActorState::kStarting;
  ActorId parent;  // 0 for a top-level actor
  size_t mailbox_depth = 0;
  size_t mailbox_capacity = 0;
  size_t mailbox_high_mark = 0;  // the most that a turn found waiting when it began
  uint64_t handled = 0;
  uint32_t restarts = 0;     // those with a sibling too
  std::string last_failure;  // or which sibling's it restarted with
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_ACTOR_INFO_H_
