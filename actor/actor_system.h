// Spawns top-level actors, knows all actors and their names, and ends them in order.
#ifndef TROUPE_ACTOR_ACTOR_SYSTEM_H_
#define TROUPE_ACTOR_ACTOR_SYSTEM_H_

#include <atomic>
#include <concepts>
#include <condition_variable>
#include <functional>
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
#include "actor/actor_kind.h"
#include "actor/actor_metrics.h"
#include "actor/address.h"
#include "actor/callback_guard.h"
#include "actor/cell_table.h"
#include "actor/dead_letter.h"
#include "actor/executor.h"
#include "actor/local_cell.h"
#include "actor/log_limit.h"
#include "actor/name_table.h"
#include "actor/random.h"
#include "actor/stall_detector.h"

namespace troupe {

template <typename A, typename... Args>
class SpawnedCell;

struct ActorSystemStats {
  uint64_t alive = 0;
  uint64_t restarts = 0;
  uint64_t dead_letters = 0;
  uint64_t stalls = 0;  // handlers that held a worker for too long
};

//   Threads:  any thread may call anything but Shutdown, which is not for actors.
//   Limits:   a name has 1 to 255 bytes.
//   Lifetime: an executor serves one system, which stops it at its own end; one of the caller's must outlive the
//             system. Addresses may outlive both, but only to be destroyed.
class ActorSystem {
 public:
  // With threads of its own: a worker for each core.
  ActorSystem();
  // Chance (the jitter of restarts) comes from the executor's seed.
  explicit ActorSystem(Executor& executor);
  // With threads of its own, shuts down first and waits for that 10 s at most. Then stops the executor, which waits for
  // handlers and blocking work that run, and drops what is left: no hook is called, neither of an actor nor for dead
  // letters, askers get a status, and the log says how many messages were lost. Work that goes on until its stop token
  // says otherwise (Context::StopToken) ends with its actor only: with an executor of the caller's, Shutdown first.
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

  // Gives an actor a name until it terminates; it may have several. kAlreadyExists: the name is taken.
  // kFailedPrecondition: the actor has terminated.
  template <typename A>
  absl::Status Register(const std::string& name, const Address<A>& address) {
    absl::StatusOr<Registration> registration = Claim(name, address);
    if (!registration.ok()) return registration.status();
    (*std::move(registration)).Keep();
    return absl::OkStatus();
  }
  // The same, but the name can be taken back: what this gives does so, by hand or at its end, and nobody else can.
  template <typename A>
  absl::StatusOr<Registration> Claim(const std::string& name, const Address<A>& address) {
    absl::StatusOr<uint64_t> token = names_->Claim(name, std::dynamic_pointer_cast<LocalCell>(address.cell()));
    if (!token.ok()) return token.status();
    return Registration(names_, name, *token);
  }
  // kNotFound: no such name. kFailedPrecondition: the actor of that name is of another type.
  template <typename A>
  absl::StatusOr<Address<A>> Lookup(std::string_view name) {
    absl::StatusOr<std::shared_ptr<Cell>> cell = names_->Lookup(name, typeid(A));
    if (!cell.ok()) return cell.status();
    return Address<A>(*std::move(cell));
  }

  // The actor with this id; null when there is none or it has terminated.
  std::shared_ptr<LocalCell> Find(ActorId id) const;
  // All actors, ascending by id.
  std::vector<ActorInfo> List() const;
  ActorSystemStats stats() const;
  // What all actors do, by name; actor_metrics.h says what it costs. "actors of other nodes" has the dead letters for
  // those.
  SystemMetrics Metrics() const;
  // Called for each dead letter, on the thread that caused it; it must be quick. An exception is logged, and harms
  // nobody. Set it before the first message.
  void OnDeadLetter(std::function<void(const DeadLetter&)> hook) { on_dead_letter_ = std::move(hook); }

  // Called for each stall (stall_detector.h), on the timers' thread; it must be quick. An exception is logged. Set it
  // before the first message.
  void OnStall(std::function<void(const Stall&)> hook) { on_stall_ = std::move(hook); }

  // Tells all top-level actors to stop, and they their children; terminated() says when all are gone.
  void BeginShutdown();
  bool terminated() const;
  // BeginShutdown, and waits. kDeadlineExceeded names an actor that is still there.
  absl::Status Shutdown(Duration timeout);
  // After BeginShutdown: calls back once all actors are gone, in the last one's last turn, or here and now when they
  // are. The callback must be short; an exception is logged.
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
    absl::Status placed = FindPlace(options.dispatch);
    std::shared_ptr<LocalCell> cell = std::allocate_shared<SpawnedCell<A, Args...>>(
        internal::PoolAllocator<LocalCell>(), *this, id, parent, options, std::move(args)...);
    Begin(cell, parent, std::move(placed));
    return Address<A>(std::move(cell));
  }
  // A top-level cell of the caller's making, for the test kit.
  template <typename C, typename... Args>
  std::shared_ptr<C> SpawnCell(const SpawnOptions& options, Args&&... args) {
    const ActorId id = NewId();
    auto cell = std::make_shared<C>(*this, id, nullptr, options, std::forward<Args>(args)...);
    Begin(cell, nullptr, absl::OkStatus());
    return cell;
  }
  void Forget(LocalCell& cell);
  NameTable& names() { return *names_; }
  Duration RestartDelay(const RestartBackoff& backoff, int failures_in_a_row);
  // Whether one more line about the failure of an actor may be logged; if not, it is counted, and that is logged.
  bool MayLogFailure();
  void CountRestart() { restarts_.fetch_add(1, std::memory_order_relaxed); }
  void CountDeadLetter(DeadLetterReason reason, const Cell& recipient, const Envelope& envelope);
  // For a layer that serves actors of other nodes.
  void CountFarDeadLetter(DeadLetterReason reason, const Cell& recipient, const Envelope& envelope);
  internal::ActorKind& KindOf(size_t type_slot, const std::type_info& type) { return kinds_.Of(type_slot, type); }

 private:
  // Begins the life of a new cell, or ends it at once when the system is stopping or it has found no place.
  void Begin(const std::shared_ptr<LocalCell>& cell, LocalCell* parent, absl::Status placed);
  absl::Status FindPlace(Dispatch& dispatch) {
    return dispatch.where() == Dispatch::Where::kShared ? absl::OkStatus() : FindOtherPlace(dispatch);
  }
  absl::Status FindOtherPlace(Dispatch& dispatch);
  // Ascending by id.
  std::vector<std::shared_ptr<LocalCell>> AllCells() const;
  void WatchForStalls();
  void ReportStall(const internal::StalledTurn& turn);
  // `end_interval` gives the line that tells of what was not logged, or nothing.
  bool MayLog(internal::LogLimit::Line line, std::function<std::string()> end_interval);

  std::unique_ptr<Executor> own_executor_;
  Executor& executor_;
  std::function<void(const DeadLetter&)> on_dead_letter_;
  internal::CallbackGuard dead_letter_guard_{"the hook for dead letters"};
  std::atomic<uint64_t> restarts_{0};
  std::function<void(const Stall&)> on_stall_;
  internal::CallbackGuard stall_guard_{"the hook for stalls"};
  internal::DeadLetterCounts dead_letters_;
  internal::LogLimit stall_log_;
  internal::LogLimit failure_log_{60};
  std::atomic<uint64_t> stalls_{0};
  mutable internal::ActorKinds kinds_;
  internal::ActorKind far_{"actors of other nodes"};
  std::atomic<uint64_t> next_id_{1};
  // Set before the table is gone through, so that what comes to it later sees it.
  std::atomic<bool> stopping_{false};
  CellTable cells_;
  // Shared with registrations, which may outlive the system.
  const std::shared_ptr<NameTable> names_ = std::make_shared<NameTable>();

  mutable std::mutex mutex_;
  std::condition_variable emptied_;
  // Guarded by mutex_.
  Random random_;
  std::vector<absl::AnyInvocable<void()>> on_terminated_;

  internal::CallbackGuard terminated_guard_{"a callback for the end of all actors"};
};

// A cell with what its actor is made from.
template <typename A, typename... Args>
class SpawnedCell final : public LocalCell {
 public:
  SpawnedCell(ActorSystem& system, ActorId id, LocalCell* parent, const SpawnOptions& options, Args... args)
      : LocalCell(system, id, parent, options), args_(std::in_place, std::move(args)...) {}

  const std::type_info& actor_type() const override { return typeid(A); }
  size_t type_slot() const override { return internal::TypeSlotOf<A>(); }

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
