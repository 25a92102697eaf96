// What actors are told apart by.
#ifndef TROUPE_ACTOR_ACTOR_ID_H_
#define TROUPE_ACTOR_ACTOR_ID_H_

#include <compare>
#include <cstdint>

namespace troupe {

// Unique in its actor system, never reused; 0 is nobody's.
struct ActorId {
  uint64_t value = 0;
  friend auto operator<=>(ActorId, ActorId) = default;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_ACTOR_ID_H_
