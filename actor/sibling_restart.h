// The restart of siblings together, as the parent goes about it: who ends and who begins next. Pure.
//
// The order is that of OTP's supervisor: those concerned end in the reverse of the order in which they were spawned,
// each only when the one before has ended; then they begin in the order of their spawns, each only when the one before
// runs. A failure on the way widens the circle or takes those that run already back to the first step. One that ends
// for good leaves the circle, and the others go on without it.
#ifndef TROUPE_ACTOR_SIBLING_RESTART_H_
#define TROUPE_ACTOR_SIBLING_RESTART_H_

#include <cstdint>
#include <map>
#include <span>

#include "actor/address.h"

namespace troupe {

class SiblingRestart {
 public:
  enum class Action : uint8_t { kNothing, kEnd, kBegin };
  struct Step {
    Action action = Action::kNothing;
    ActorId child;
  };

  // Whether the end of this child is awaited, so that a failure of its own makes no difference.
  bool Ends(ActorId child) const;
  // `child` has ended by a failure of its own, and all `siblings` have to restart with it.
  void Failed(ActorId child, std::span<const ActorId> siblings);

  // The child's incarnation has ended, but nobody begins before it is Ready.
  void EndedAndWaits(ActorId child);
  void Ready(ActorId child);
  void Runs(ActorId child);
  // It has terminated.
  void Gone(ActorId child) { members_.erase(child); }

  // What is to be done now, once: the step counts as begun.
  Step Next();

 private:
  enum class State : uint8_t { kToEnd, kEnding, kWaits, kReady, kBeginning };

  std::map<ActorId, State> members_;  // by id, which is the order of the spawns
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_SIBLING_RESTART_H_
