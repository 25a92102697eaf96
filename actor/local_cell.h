// An actor of this process: its mailbox, its incarnations, its place in the supervision tree.
//
// Everything that happens to the actor happens in its turns, one at a time: messages, signals of the runtime (stop,
// a child's end, a fired timer, a continuation) and supervision. Other threads only push to the mailbox.
//
// Life: starting -> running -> stopping -> terminated. A failure that ends in a restart goes from running through
// restarting (until all children are gone, and over the backoff) to starting again. In every state but running the
// user lane waits.
#ifndef TROUPE_ACTOR_LOCAL_CELL_H_
#define TROUPE_ACTOR_LOCAL_CELL_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "actor/address.h"
#include "actor/dead_letter.h"
#include "actor/executor.h"
#include "actor/mailbox.h"
#include "actor/supervision.h"

namespace troupe {

class ActorBase;
class ActorSystem;

struct SpawnOptions {
  // User messages that may wait.
  size_t mailbox_capacity = 1024;
  Overflow overflow = Overflow::kReject;
  OnFailure on_failure = OnFailure::kRestart;
  RestartLimit restart_limit = {};
  RestartBackoff restart_backoff = {};
};

enum class ActorState { kStarting, kRunning, kRestarting, kStopping, kTerminated };

// One actor as an operator sees it, at about one moment.
struct ActorInfo {
  ActorId id;
  std::string name;  // the registered one; empty when it has none
  std::string type;
  ActorState state = ActorState::kStarting;
  ActorId parent;  // 0 for a top-level actor
  size_t mailbox_depth = 0;
  size_t mailbox_capacity = 0;
  uint64_t handled = 0;
  uint32_t restarts = 0;
  std::string last_failure;
};

using TimerId = uint64_t;

class LocalCell final : public Cell, public Runnable {
 public:
  using Factory = absl::AnyInvocable<std::unique_ptr<ActorBase>()>;
  using EnvelopeMaker = absl::AnyInvocable<std::unique_ptr<Envelope>()>;
  using TerminatedMaker = std::unique_ptr<Envelope> (*)(Terminated);

  LocalCell(ActorSystem& system, ActorId id, std::shared_ptr<LocalCell> parent, const std::type_info& type,
            Factory factory, SpawnOptions options);

  // From any thread.
  bool Deliver(std::unique_ptr<Envelope> envelope) override;
  void Stop() override;
  void AddWatcher(std::shared_ptr<Cell> watcher) override;
  void RemoveWatcher(ActorId watcher) override;
  void NotifyTerminated(ActorId who, absl::Status reason) override;
  ActorId id() const override { return id_; }
  bool alive() const override { return state_.load() != ActorState::kTerminated; }
  std::string label() const override;
  Executor& executor() override;
  uint64_t trace_id() const override { return id_.value; }
  ActorInfo Info() const;
  const std::type_info& actor_type() const { return type_; }
  bool top_level() const { return parent_ == nullptr; }

  // Begins the actor's life; once, by the system.
  void Start();
  // Runs `fn` in a turn of this incarnation, guarded; if that has ended by then, destroys it unrun.
  void PostToIncarnation(uint64_t incarnation, absl::AnyInvocable<void()> fn);
  // Ends the actor without hooks, when the executor has stopped for good.
  void Abandon();

  void RunTurn(int max_messages) override;

  // For Context, in the actor's turn.
  ActorSystem& system() { return system_; }
  uint64_t incarnation() const { return incarnation_; }
  void StopAfterCallback() { stop_requested_ = true; }
  void AdoptChild(std::shared_ptr<LocalCell> child) { children_.emplace(child->id(), std::move(child)); }
  void Fail(absl::Status status);
  bool failure_pending() const { return pending_failure_.has_value(); }
  void Watch(const std::shared_ptr<Cell>& other, TerminatedMaker maker);
  void Unwatch(const std::shared_ptr<Cell>& other);
  TimerId StartTimer(Duration delay, Duration period, EnvelopeMaker maker);
  bool CancelTimer(TimerId timer);

  // For ActorSystem, from any thread: the actor's name, and what to undo when it terminates. False: it has a name
  // already or has terminated.
  bool SetName(const std::string& name, absl::AnyInvocable<void()> at_termination);

 private:
  struct ActorTimer {
    Executor::TimerId executor_id = 0;
    Duration period;  // zero: fires once
    EnvelopeMaker maker;
  };
  struct Watched {
    std::shared_ptr<Cell> cell;
    TerminatedMaker maker;
  };

  void Signal(absl::AnyInvocable<void()> fn);
  void ScheduleIf(bool wake);
  void Bury(DeadLetterReason reason, Envelope& envelope);

  // All in the actor's turn.
  bool running() const { return state_.load(std::memory_order_relaxed) == ActorState::kRunning; }
  void HandleItem(Mailbox::Item item);
  void StopIfRequested();
  void HandleEnvelope(std::unique_ptr<Envelope> envelope);
  // Runs a callback of the actor's and gives the failure that it ended in, or OK.
  absl::Status RunGuarded(absl::FunctionRef<void()> callback);
  void CreateIncarnation(uint64_t after);
  void EndIncarnation();
  void HandleFailure(absl::Status failure);
  void BeginRestart(absl::Status failure, Duration backoff);
  void BeginStop(absl::Status reason);
  void StopChildren();
  void OnChildTerminated(ActorId child, absl::Status escalated);
  // Goes on with a restart or stop that waits for the children, if none is left.
  void ContinueWhenChildless();
  void ArmTimer(TimerId id, ActorTimer& timer, Duration delay);
  void FireTimer(uint64_t incarnation, TimerId timer);
  void Terminate();

  // Fixed at construction.
  ActorSystem& system_;
  const ActorId id_;
  const std::shared_ptr<LocalCell> parent_;  // null for a top-level actor
  const std::type_info& type_;
  const SpawnOptions options_;

  Mailbox mailbox_;
  std::atomic<ActorState> state_{ActorState::kStarting};
  std::atomic<uint64_t> handled_{0};
  std::atomic<uint32_t> restarts_{0};

  // Touched only in the actor's turn.
  Factory factory_;
  std::unique_ptr<ActorBase> actor_;
  uint64_t incarnation_ = 0;
  RestartBudget budget_;
  std::optional<absl::Status> pending_failure_;  // reported by the current callback
  bool stop_requested_ = false;                  // by a callback of the actor's own
  Instant started_;                              // when the incarnation began
  int failures_in_a_row_ = 0;                    // without an incarnation that lasted between them
  absl::Status end_reason_;                      // why the incarnation ends, while restarting or stopping
  bool escalates_ = false;                       // the parent is to fail with end_reason_
  bool backoff_over_ = true;
  std::vector<std::unique_ptr<Envelope>> deferred_;  // control messages that came while not running
  std::map<ActorId, std::shared_ptr<LocalCell>> children_;
  std::map<ActorId, std::shared_ptr<Cell>> watchers_;
  std::map<ActorId, Watched> watching_;
  std::map<TimerId, ActorTimer> timers_;
  TimerId next_timer_ = 1;

  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::string name_;
  bool name_taken_back_ = false;
  std::string last_failure_;
  absl::AnyInvocable<void()> at_termination_;
  absl::Status termination_reason_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_LOCAL_CELL_H_
