// Actors: objects that share nothing and handle one message at a time. The front door of this folder.
//
//   struct Greet { using Result = std::string; std::string name; };
//
//   class Greeter : public troupe::Actor<Greeter> {
//    public:
//     std::string Handle(Greet greet, Context&) { return "Hello, " + greet.name + "!"; }
//   };
//
//   troupe::ActorSystem system;
//   troupe::Address<Greeter> greeter = system.Spawn<Greeter>();
//   greeter.Tell(Greet{"World"});
//   absl::StatusOr<std::string> reply = greeter.Ask(Greet{"Cinema"}).Wait();
//
// The way of one message: Address::Tell wraps it in a HandlerEnvelope, which knows actor and message by type; the
// Cell behind the address takes it (LocalCell::Deliver), its Mailbox queues it, and whoever finds the actor idle hands
// it to the Executor; a worker gives the actor a turn (LocalCell::RunTurn), which pops the envelope and invokes the
// handler. The answer goes back through the envelope's Reply to the asker's Future. Nothing on this way blocks.
//
// Read next: actor_context.h (what an actor may do), address.h (the seam; recipient.h and weak_address.h beside it),
// envelope.h (what a handler looks like), task.h (handlers that wait), local_cell.h (an actor's life), supervision.h
// (what a failure does), executor.h and deterministic_executor.h (what it all runs on).
#ifndef TROUPE_ACTOR_ACTOR_H_
#define TROUPE_ACTOR_ACTOR_H_

#include "absl/status/status.h"
#include "actor/actor_context.h"
#include "actor/actor_system.h"
#include "actor/address.h"
#include "actor/envelope.h"
#include "actor/local_cell.h"
#include "actor/recipient.h"
#include "actor/task.h"

namespace troupe {

namespace internal {
template <typename Hook>
void CallHook(Hook hook) {
  static_assert(!kIsTask<decltype(hook())>, "a hook may not be a coroutine; only handlers may");
  hook();
}
}  // namespace internal

// What the runtime knows of an actor. Users derive from Actor<Derived>.
class ActorBase : public internal::Pooled {
 public:
  virtual ~ActorBase() = default;

  // Hooks, run in the cell's turn and guarded like handlers. `cell` is for the typed hooks of Actor.
  virtual void RunStarted(LocalCell& cell) = 0;
  virtual void RunStopping(LocalCell& cell) = 0;
  virtual void RunRestarting(LocalCell& cell, const absl::Status& failure) = 0;
};

// An actor of the user's. It may define, all optional, beside its Handle functions:
//   void Started(Context&)                          first in each incarnation
//   void Stopping(Context&)                         last before it terminates, when its children are gone
//   void Restarting(const absl::Status&, Context&)  last in an incarnation that failed
// They and the handlers run one at a time, in the actor's turns. None may block: Context::RunBlocking is for that, or
// a thread of the actor's own (dispatch.h); a handler that is a coroutine (task.h) may wait. With
// `static constexpr bool kReentrant = true;` others run meanwhile.
template <typename Derived>
class Actor : public ActorBase {
 public:
  using Context = ActorContext<Derived>;

  void RunStarted(LocalCell& cell) override {
    if constexpr (requires(Derived & self, Context & context) { self.Started(context); }) {
      Context context(cell);
      internal::CallHook([&] { return static_cast<Derived&>(*this).Started(context); });
    }
  }
  void RunStopping(LocalCell& cell) final {
    if constexpr (requires(Derived & self, Context & context) { self.Stopping(context); }) {
      Context context(cell);
      internal::CallHook([&] { return static_cast<Derived&>(*this).Stopping(context); });
    }
  }
  void RunRestarting(LocalCell& cell, const absl::Status& failure) final {
    if constexpr (requires(Derived & self, Context & context) { self.Restarting(failure, context); }) {
      Context context(cell);
      internal::CallHook([&] { return static_cast<Derived&>(*this).Restarting(failure, context); });
    }
  }
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_ACTOR_H_
