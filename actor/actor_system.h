// Spawns top-level actors, knows all actors and their names, and ends them in order.
#ifndef TROUPE_ACTOR_ACTOR_SYSTEM_H_
#define TROUPE_ACTOR_ACTOR_SYSTEM_H_

#include <array>
#include <atomic>
#include <concepts>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <typeinfo>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "actor/address.h"
#include "actor/cell_table.h"
#include "actor/dead_letter.h"
#include "actor/executor.h"
#include "actor/local_cell.h"
#include "actor/random.h"

namespace troupe {

template <typename A, typename... Args>
class SpawnedCell;

struct ActorSystemStats {
  uint64_t alive = 0;
  uint64_t restarts = 0;
  uint64_t dead_letters = 0;
};

//   Threads:  any thread may call anything but Shutdown, which is not for actors.
//   Limits:   a name has 1 to 255 bytes.
//   Lifetime: an executor serves one system, which stops it at its own end; one of the caller's must outlive the
//             system. Addresses may outlive both, but only to be destroyed.
class ActorSystem {
 public:
  // With threads of its own: a worker for each core.
  ActorSystem();
  // Chance (the jitter of restarts) comes from `random`.
  explicit ActorSystem(Executor& executor, Random random = Random(0));
  // With threads of its own, shuts down first and waits for that 10 s at most. Then stops the executor, which waits for
  // handlers that run, and drops what is left, without hooks.
  ~ActorSystem();

  // A top-level actor, constructed from copies of the arguments, again at each restart. After Shutdown has begun the
  // address of an actor that has terminated.
  template <typename A, typename... Args>
  requires std::constructible_from<A, Args...> Address<A> Spawn(Args... args) {
    return SpawnUnder<A>(nullptr, SpawnOptions{}, std::move(args)...);
  }
  template <typename A, typename... Args>
  Address<A> Spawn(SpawnOptions options, Args... args) {
    return SpawnUnder<A>(nullptr, std::move(options), std::move(args)...);
  }

  // Gives an actor a name until it terminates. kAlreadyExists: another has it. kFailedPrecondition: it has one, or has
  // terminated. A registration belongs to its actor: the end of a former owner does not end it.
  template <typename A>
  absl::Status Register(const std::string& name, const Address<A>& address) {
    return RegisterCell(name, std::dynamic_pointer_cast<LocalCell>(address.cell()));
  }
  // kNotFound: no such name. kFailedPrecondition: the actor of that name is of another type.
  template <typename A>
  absl::StatusOr<Address<A>> Lookup(std::string_view name) {
    absl::StatusOr<std::shared_ptr<Cell>> cell = LookupCell(name, typeid(A));
    if (!cell.ok()) return cell.status();
    return Address<A>(*std::move(cell));
  }

  // The actor with this id; null when there is none or it has terminated.
  std::shared_ptr<LocalCell> Find(ActorId id) const;
  // All actors, ascending by id.
  std::vector<ActorInfo> List() const;
  ActorSystemStats stats() const;
  // Called for each dead letter, on the thread that caused it; it must be quick. Set it before the first message.
  void OnDeadLetter(std::function<void(const DeadLetter&)> hook) { on_dead_letter_ = std::move(hook); }

  // Tells all top-level actors to stop, and they their children; terminated() says when all are gone.
  void BeginShutdown();
  bool terminated() const;
  // BeginShutdown, and waits. kDeadlineExceeded names an actor that is still there.
  absl::Status Shutdown(Duration timeout);
  // After BeginShutdown: calls back once all actors are gone, in the last one's last turn, or here and now when they
  // are. The callback must be short and not throw.
  void OnTerminated(absl::AnyInvocable<void()> callback);
  // For people: how many actors have not terminated, and one of them.
  std::string WhoIsLeft() const;

  Executor& executor() { return executor_; }

  // For Context and LocalCell.
  // Of no other actor and no other watcher.
  ActorId NewId() { return ActorId{next_id_.fetch_add(1, std::memory_order_relaxed)}; }
  template <typename A, typename... Args>
  Address<A> SpawnUnder(LocalCell* parent, SpawnOptions options, Args... args) {
    const ActorId id = NewId();
    std::shared_ptr<LocalCell> cell = std::allocate_shared<SpawnedCell<A, Args...>>(
        internal::PoolAllocator<LocalCell>(), *this, id, parent, options, std::move(args)...);
    Begin(cell, parent);
    return Address<A>(std::move(cell));
  }
  void Forget(LocalCell& cell);
  Duration RestartDelay(const RestartBackoff& backoff, int failures_in_a_row);
  void CountRestart() { restarts_.fetch_add(1, std::memory_order_relaxed); }
  void CountDeadLetter(DeadLetterReason reason, const LocalCell& recipient, const Envelope& envelope);

 private:
  // Begins the life of a new cell, or ends it at once when the system is stopping.
  void Begin(const std::shared_ptr<LocalCell>& cell, LocalCell* parent);
  // Ascending by id.
  std::vector<std::shared_ptr<LocalCell>> AllCells() const;
  absl::Status RegisterCell(const std::string& name, const std::shared_ptr<LocalCell>& cell);
  absl::StatusOr<std::shared_ptr<Cell>> LookupCell(std::string_view name, const std::type_info& type) const;
  void Unregister(const std::string& name, ActorId owner);

  std::unique_ptr<Executor> own_executor_;
  Executor& executor_;
  std::function<void(const DeadLetter&)> on_dead_letter_;
  std::atomic<uint64_t> restarts_{0};
  std::array<std::atomic<uint64_t>, kDeadLetterReasons> dead_letters_{};
  std::atomic<uint64_t> next_id_{1};
  // Set before the table is gone through, so that what comes to it later sees it.
  std::atomic<bool> stopping_{false};
  CellTable cells_;

  mutable std::mutex mutex_;
  std::condition_variable emptied_;
  // Guarded by mutex_.
  Random random_;
  std::vector<absl::AnyInvocable<void()>> on_terminated_;
  std::map<std::string, std::shared_ptr<LocalCell>, std::less<>> names_;
};

// A cell with what its actor is made from.
template <typename A, typename... Args>
class SpawnedCell final : public LocalCell {
 public:
  SpawnedCell(ActorSystem& system, ActorId id, LocalCell* parent, const SpawnOptions& options, Args... args)
      : LocalCell(system, id, parent, options), args_(std::in_place, std::move(args)...) {}

  const std::type_info& actor_type() const override { return typeid(A); }

 protected:
  std::unique_ptr<ActorBase> MakeActor() override {
    static_assert(alignof(A) <= internal::kPoolGrain, "an actor is aligned to 16 bytes at most");
    return std::apply([](const Args&... args) { return std::make_unique<A>(args...); }, *args_);
  }
  void DropArguments() override { args_.reset(); }

 private:
  std::optional<std::tuple<Args...>> args_;
};

// The readable name of a C++ type.
std::string TypeName(const std::type_info& type);

}  // namespace troupe

#endif  // TROUPE_ACTOR_ACTOR_SYSTEM_H_
