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
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "actor/address.h"
#include "actor/cell_toolbox.h"
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

enum class ActorState : uint8_t { kStarting, kRunning, kRestarting, kStopping, kTerminated };

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

class LocalCell : public Cell, public Runnable {
 public:
  using EnvelopeMaker = absl::AnyInvocable<std::unique_ptr<Envelope>()>;
  using TerminatedMaker = std::unique_ptr<Envelope> (*)(Terminated);

  // Work of the runtime's own, done in the actor's turn.
  class Signal : public MailboxItem {
   public:
    Signal() : MailboxItem(/*is_signal=*/true) {}
    virtual void Run(LocalCell& cell) = 0;
  };
  // The parent, null for a top-level actor, outlives its child's last turn.
  LocalCell(ActorSystem& system, ActorId id, LocalCell* parent, const SpawnOptions& options);
  ~LocalCell() override;

  // From any thread.
  bool Deliver(std::unique_ptr<Envelope> envelope) override;
  void Stop() override;
  void AddWatcher(std::shared_ptr<Cell> watcher) override;
  void RemoveWatcher(ActorId watcher) override;
  void NotifyTerminated(ActorId who, absl::Status reason) override;
  ActorId id() const override { return id_; }
  bool alive() const override { return state_.load() != ActorState::kTerminated; }
  std::string label() const override;
  Executor& executor() override { return executor_; }
  uint64_t trace_id() const override { return id_.value; }
  ActorInfo Info() const;
  virtual const std::type_info& actor_type() const = 0;
  bool top_level() const { return parent_id_.value == 0; }

  // Begins the actor's life; once, by the system. The cell holds itself until its last turn has ended.
  void Start() { executor_.Schedule(*this); }
  // Runs `fn` in a turn of this incarnation, guarded; if that has ended by then, destroys it unrun.
  template <typename F>
  void PostToIncarnation(uint64_t incarnation, F fn) {
    Post([this, incarnation, fn = std::move(fn)]() mutable { RunInIncarnation(incarnation, [&fn] { fn(); }); });
  }
  // False: the actor has terminated, and the signal was destroyed unrun.
  bool PostSignal(std::unique_ptr<Signal> signal);
  // Ends the actor once it has handled the user messages that wait now, before any that come later. A restart goes on
  // with them; a Stop does not wait for them.
  void Drain();
  // Ends the actor without hooks, when the executor has stopped for good.
  void Abandon();

  void RunTurn(int max_messages) override;

  // For the system, before Start.
  void HoldItself(std::shared_ptr<LocalCell> self) { self_ = std::move(self); }
  // Null before and after its life. In its turns, and under the lock of the system's table.
  const std::shared_ptr<LocalCell>& self() const { return self_; }

  // For Context, in the actor's turn.
  ActorSystem& system() { return system_; }
  uint64_t incarnation() const { return incarnation_; }
  void StopAfterCallback() { stop_requested_ = true; }
  // Guarded; not when that incarnation has ended.
  void RunInIncarnation(uint64_t incarnation, absl::FunctionRef<void()> callback);
  void AdoptChild(std::shared_ptr<LocalCell> child);
  void Fail(absl::Status status);
  bool failure_pending() const { return !pending_failure_.ok(); }
  void Watch(const std::shared_ptr<Cell>& other, TerminatedMaker maker);
  void Unwatch(const std::shared_ptr<Cell>& other);
  TimerId StartTimer(Duration delay, Duration period, EnvelopeMaker maker);
  bool CancelTimer(TimerId timer);
  // The toolbox (cell_toolbox.h). `limit` is how many may be stashed.
  absl::Status Stash(std::unique_ptr<Envelope> envelope, size_t limit);
  void UnstashAll();
  void SetIdleTimeout(Duration limit, std::unique_ptr<Envelope> (*maker)());
  void CancelIdleTimeout();
  std::stop_token StopToken();
  void Bury(DeadLetterReason reason, Envelope& envelope);
  // The next user message, if it waits now in an envelope of this very type, to be handled with the one in hand.
  std::unique_ptr<Envelope> NextInBatch(const std::type_info& envelope_type);

  // For ActorSystem, from any thread: the actor's name, and what to undo when it terminates. False: it has a name
  // already or has terminated.
  bool SetName(const std::string& name, absl::AnyInvocable<void()> at_termination);

 protected:
  virtual std::unique_ptr<ActorBase> MakeActor() = 0;
  // There will be no further incarnation.
  virtual void DropArguments() = 0;

 private:
  friend class CellTable;

  template <typename F>
  class SignalOf final : public Signal {
   public:
    explicit SignalOf(F fn) : fn_(std::move(fn)) {}
    void Run(LocalCell&) override { fn_(); }

   private:
    F fn_;
  };
  struct ActorTimer {
    Executor::TimerId executor_id = 0;
    Duration period;  // zero: fires once
    EnvelopeMaker maker;
  };
  struct Watched {
    std::shared_ptr<Cell> cell;
    TerminatedMaker maker;
  };
  // What most actors never have.
  struct Relations {
    std::map<ActorId, std::shared_ptr<LocalCell>> children;
    std::map<ActorId, std::shared_ptr<Cell>> watchers;
    std::map<ActorId, Watched> watching;
    std::map<TimerId, ActorTimer> timers;
    TimerId next_timer = 1;
    std::vector<std::unique_ptr<Envelope>> deferred;  // control messages that came while not running
    std::optional<RestartBudget> budget;              // from the first failure on
    int failures_in_a_row = 0;                        // without an incarnation that lasted between them
    std::unique_ptr<internal::CellToolbox> toolbox;
  };
  // What other threads may want to know of an actor that has something to tell.
  struct Particulars {
    std::string name;
    std::string last_failure;
    absl::AnyInvocable<void()> at_termination;
    absl::Status termination_reason;
  };

  // False: the actor has terminated, and `fn` was destroyed unrun.
  template <typename F>
  bool Post(F fn) {
    return PostSignal(std::make_unique<SignalOf<F>>(std::move(fn)));
  }
  std::mutex& mutex() const;

  // All in the actor's turn.
  bool running() const { return state_.load(std::memory_order_relaxed) == ActorState::kRunning; }
  Relations& relations();
  bool childless() const { return relations_ == nullptr || relations_->children.empty(); }
  void HandleItem(std::unique_ptr<MailboxItem> item);
  void StopIfRequested();
  void HandleEnvelope(std::unique_ptr<Envelope> envelope);
  // What another actor or thread has sent, as against the actor's own timers and notices.
  void HandleMail(std::unique_ptr<Envelope> envelope) {
    HandleEnvelope(std::move(envelope));
    if (notes_activity_) [[unlikely]] {
      NoteActivity();
    }
  }
  // Runs a callback of the actor's and gives the failure that it ended in, or OK.
  template <typename F>
  absl::Status RunGuarded(F callback) {
    try {
      callback();
    } catch (...) {
      pending_failure_ = CaughtFailure();
    }
    return std::exchange(pending_failure_, absl::OkStatus());
  }
  // Of the exception that is being handled.
  static absl::Status CaughtFailure();
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
  // cell_toolbox.cc.
  internal::CellToolbox& toolbox();
  bool Expired(const Envelope& envelope) const {
    return envelope.deadline != Instant::Never() && executor_.CoarseNow() >= envelope.deadline;
  }
  void PostReplay();
  void Replay();
  void ReplayMailbox();
  std::unique_ptr<MailboxItem> NextMailIf(absl::FunctionRef<bool(MailboxItem&)> wanted);
  // When an incarnation has begun, begins to end, and when there will be no other.
  void ResumeTools();
  void EndTools();
  void BuryTools();
  void NoteActivity();
  void ArmIdleTimer();
  void FireIdleTimer(uint64_t number);

  // Fixed at construction.
  ActorSystem& system_;
  Executor& executor_;
  const ActorId id_;
  LocalCell* const parent_;  // good until this actor has told it of its end
  const ActorId parent_id_;
  // Null: all as SpawnOptions has it by default. The mailbox's part is not looked at here.
  const std::unique_ptr<const SpawnOptions> options_;

  Mailbox mailbox_;
  std::atomic<uint64_t> handled_{0};
  std::atomic<uint32_t> restarts_{0};
  std::atomic<ActorState> state_{ActorState::kStarting};

  // Touched only in the actor's turn.
  bool begun_ = false;
  bool stop_requested_ = false;  // by a callback of the actor's own
  bool escalates_ = false;       // the parent is to fail with end_reason_
  bool backoff_over_ = true;
  bool notes_activity_ = false;  // for the idle timeout
  uint32_t incarnation_ = 0;
  std::unique_ptr<ActorBase> actor_;
  Instant started_;               // about when the incarnation began
  absl::Status pending_failure_;  // reported by the current callback
  absl::Status end_reason_;       // why the incarnation ends, while restarting or stopping
  std::unique_ptr<Relations> relations_;
  std::shared_ptr<LocalCell> self_;

  // Guarded by mutex().
  std::unique_ptr<Particulars> particulars_;
  bool name_taken_back_ = false;

  // Guarded by the system's table.
  LocalCell* next_in_table_ = nullptr;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_LOCAL_CELL_H_
