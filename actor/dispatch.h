// On which threads an actor has its turns, when it does not want to share those of all others.
//
//   system.Spawn<Journal>({.dispatch = Dispatch::Pinned("journal")});       // its handlers may block
//
//   ThreadExecutor executor({.pools = {{.name = "reports", .workers = 2}}});
//   system.Spawn<Report>({.dispatch = Dispatch::Pool("reports")});          // long turns, beside all others
//
// Everything else is as everywhere: mailbox, asks, timers, watches, supervision. An executor without threads, such as
// the deterministic one, has one place for all turns, so that there the choice means nothing.
#ifndef TROUPE_ACTOR_DISPATCH_H_
#define TROUPE_ACTOR_DISPATCH_H_

#include <cstdint>
#include <string_view>

namespace troupe {

class Executor;

// A name is not copied: it must be there whenever an actor is spawned with it, which a pool (pool.h) and a supervisor
// do later, so that a literal is best. An actor that finds no place never begins: it terminates at once, and its
// watchers are told why: kResourceExhausted (no more pinned threads) or kNotFound (no pool of that name).
class Dispatch {
 public:
  enum class Where : uint8_t { kShared, kPinned, kPool };

  // On the executor's workers.
  constexpr Dispatch() = default;

  // On a thread of the actor's own, which ends with the actor and has this name (its first 15 bytes) for debuggers.
  // Its handlers may block, and may Wait for answers: they hold up nobody else. What they wait for must not be this
  // very actor, and code that is to run under the deterministic executor too cannot Wait in a turn.
  // ThreadExecutorOptions limits how many there are.
  static constexpr Dispatch Pinned(std::string_view name = "pinned") { return Dispatch(Where::kPinned, name); }

  // On the workers of a pool that ThreadExecutorOptions declares, for a class of actors whose turns are long. They
  // hold up each other only; a Wait stays forbidden.
  static constexpr Dispatch Pool(std::string_view name) { return Dispatch(Where::kPool, name); }

  constexpr Where where() const { return where_; }
  constexpr std::string_view name() const { return name_; }

 private:
  friend class ActorSystem;
  friend class LocalCell;

  constexpr Dispatch(Where where, std::string_view name) : where_(where), name_(name) {}

  Where where_ = Where::kShared;
  std::string_view name_;
  Executor* place_ = nullptr;  // found by the system for one spawn; null: its own executor
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_DISPATCH_H_
