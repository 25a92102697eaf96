// Top-level actors that restart together, and with a limit of their own: the children of an actor that does nothing
// else.
//
//   troupe::Address<troupe::Supervisor> shop = troupe::SpawnSupervisor(system, troupe::Strategy::kOneForAll);
//   troupe::Address<Till> till = *shop.Ask(troupe::StartChild<Till>("front")).Wait();
//
// Stop the supervisor to end the group; its watchers are told when all are gone. When the limit is exceeded it
// terminates with the reason, and so do all in it.
#ifndef TROUPE_ACTOR_SUPERVISOR_H_
#define TROUPE_ACTOR_SUPERVISOR_H_

#include <concepts>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "actor/actor.h"

namespace troupe {

template <typename A>
class StartChild;

class Supervisor : public Actor<Supervisor> {
 public:
  template <typename A>
  Address<A> Handle(StartChild<A> start, Context& context) {
    return start(context);
  }
};

// Spawns a child of the supervisor's that asks for it; the answer is its address. Arguments as for ActorSystem::Spawn.
template <typename A>
class StartChild {
 public:
  using Result = Address<A>;

  template <typename... Args>
  requires std::constructible_from<A, Args...>
  explicit StartChild(Args... args) : StartChild(SpawnOptions{}, std::move(args)...) {}
  template <typename... Args>
  explicit StartChild(SpawnOptions options, Args... args)
      : spawn_([options = std::move(options), ... args = std::move(args)](Supervisor::Context& context) mutable {
          return context.template Spawn<A>(std::move(options), std::move(args)...);
        }) {}

  Address<A> operator()(Supervisor::Context& context) { return spawn_(context); }

 private:
  absl::AnyInvocable<Address<A>(Supervisor::Context&)> spawn_;
};

inline Address<Supervisor> SpawnSupervisor(ActorSystem& system, Strategy strategy, RestartLimit limit = {}) {
  return system.Spawn<Supervisor>(
      SpawnOptions{.on_failure = OnFailure::kStop, .children = strategy, .children_limit = limit});
}

}  // namespace troupe

#endif  // TROUPE_ACTOR_SUPERVISOR_H_
