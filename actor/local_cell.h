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
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "actor/actor_info.h"
#include "actor/actor_timer.h"
#include "actor/address.h"
#include "actor/cell_relations.h"
#include "actor/dead_letter.h"
#include "actor/end_of_turn.h"
#include "actor/executor.h"
#include "actor/mailbox.h"
#include "actor/name_table.h"
#include "actor/spawn_options.h"

namespace troupe {

class ActorBase;
class ActorSystem;
namespace internal {
class ActorKind;
class MetricsRows;
}  // namespace internal

class LocalCell : public Cell, public Runnable {
 public:
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
  Offered Offer(std::unique_ptr<Envelope>& envelope) override;
  void AwaitRoom(Reply<void> room) override;
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
  // Adds this actor's figures to the row of its name or type, if it has not ended.
  void AddMetrics(internal::MetricsRows& rows) const;
  virtual const std::type_info& actor_type() const = 0;
  // A number for actor_type().
  virtual size_t type_slot() const = 0;
  bool top_level() const { return parent_id_.value == 0; }

  // Begins the actor's life; once, by the system. The cell holds itself until its last turn has ended.
  void Start() { executor_.Schedule(*this); }
  // Instead of Start: the actor terminates with this reason, without an incarnation.
  void Refuse(absl::Status reason);
  // Runs `fn` in a turn of this incarnation, guarded; if that has ended by then, destroys it unrun.
  template <typename F>
  void PostToIncarnation(uint64_t incarnation, F fn) {
    Post([this, incarnation, fn = std::move(fn)]() mutable { RunInIncarnation(incarnation, [&fn] { fn(); }); });
  }
  // False: the actor has terminated, and the signal was destroyed unrun.
  bool PostSignal(std::unique_ptr<Signal> signal);
  // Ends the actor once it has handled the user messages that wait now, before any that come later, and then its
  // children have handled theirs in the same way; it gets no Terminated of these. A restart goes on with them; a Stop
  // does not wait for them.
  void Drain();
  // Ends the actor without hooks, when the executor has stopped for good. The mail that waits becomes dead letters.
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
  // Goes on with a coroutine of this incarnation.
  void Resume(internal::TaskRun& run, std::coroutine_handle<> at);
  void AdoptChild(std::shared_ptr<LocalCell> child);
  void Fail(absl::Status status);
  void AtEndOfTurn(std::shared_ptr<EndOfTurnHook> hook);
  bool failure_pending() const { return !pending_failure_.ok(); }
  void Watch(const std::shared_ptr<Cell>& other, TerminatedMaker maker);
  void Unwatch(const std::shared_ptr<Cell>& other);
  TimerId StartTimer(Duration delay, ActorTimerRef timer);
  TimerId StartCronTimer(ActorTimerRef timer);
  bool CancelTimer(TimerId timer);
  // The toolbox (cell_toolbox.h). `limit` is how many may be stashed.
  absl::Status Stash(std::unique_ptr<Envelope> envelope, size_t limit);
  void UnstashAll();
  void SetIdleTimeout(Duration limit, std::unique_ptr<Envelope> (*maker)());
  void CancelIdleTimeout();
  std::stop_token StopToken();
  void Bury(DeadLetterReason reason, Envelope& envelope);
  // The part of Bury for an envelope whose asker has its error.
  void CountDeadLetter(DeadLetterReason reason, const Envelope& envelope);
  // The next user message, if it waits now in an envelope of this very type, to be handled with the one in hand.
  std::unique_ptr<Envelope> NextInBatch(const std::type_info& envelope_type);
  StreamId AddStream(std::unique_ptr<internal::StreamInlet> inlet);
  bool CancelStream(StreamId id);
  bool RequestFromStream(StreamId id, uint64_t items);
  void OnStreamReady(StreamId id);

  void FollowName(std::shared_ptr<NameFollower> follower);
  void UnfollowName(std::string_view name, const std::type_info& type);

  // For NameTable, from any thread. AddName is false when it has terminated.
  bool AddName(const std::string& name);
  void RemoveName(const std::string& name);
  void NotifyNameChanged(std::shared_ptr<NameFollower> follower, std::shared_ptr<Cell> holder);

 protected:
  virtual std::unique_ptr<ActorBase> MakeActor() = 0;
  // There will be no further incarnation.
  virtual void DropArguments() = 0;

 private:
  friend class ActorTimer;
  friend class CellTable;

  template <typename F>
  class SignalOf final : public Signal {
   public:
    explicit SignalOf(F fn) : fn_(std::move(fn)) {}
    void Run(LocalCell&) override { fn_(); }

   private:
    F fn_;
  };
  using Relations = internal::CellRelations;
  using Particulars = internal::CellParticulars;
  using Siblings = internal::CellSiblings;

  // False: the actor has terminated, and `fn` was destroyed unrun.
  template <typename F>
  bool Post(F fn) {
    return PostSignal(std::make_unique<SignalOf<F>>(std::move(fn)));
  }
  std::mutex& mutex() const;
  internal::ActorKind& type_kind() const;
  // With mutex(). Under which it counts: its name's while it is registered, else its type's.
  internal::ActorKind& kind() const;
  // With mutex(), when its names have changed.
  void ShowUnderFirstName();
  // With mutex(), when it ends: what it has done counts under its type from here on.
  void LeaveMetrics();

  // All in the actor's turn.
  bool running() const { return state_.load(std::memory_order_relaxed) == ActorState::kRunning; }
  bool user_lane_open() const { return running() && !user_lane_shut_; }
  // While it drains only what waited when that began is handled, which comes by Replay.
  bool takes_mail() const { return user_lane_open() && !draining_; }
  Relations& relations();
  bool childless() const { return relations_ == nullptr || relations_->children.empty(); }
  void HandleItem(std::unique_ptr<MailboxItem> item);
  void StopIfRequested() {
    if (stop_requested_) [[unlikely]] {
      BeginRequestedStop();
    }
  }
  void BeginRequestedStop();
  void HandleEnvelope(std::unique_ptr<Envelope> envelope);
  // Until it runs.
  void Defer(std::unique_ptr<Envelope> envelope);
  void BuryDeferred();
  // What another actor or thread has sent, as against the actor's own timers and notices.
  void HandleMail(std::unique_ptr<Envelope> envelope) {
    HandleEnvelope(std::move(envelope));
    if (notes_activity_) [[unlikely]] {
      NoteActivity();
    }
  }
  void HandleTimed(std::unique_ptr<Envelope> envelope);
  // Runs a callback of the actor's. False: it failed, and TakeFailure says how.
  template <typename F>
  [[nodiscard]] bool RunGuarded(F callback) {
    try {
      callback();
    } catch (...) {
      KeepException();
    }
    return pending_failure_.ok();
  }
  void KeepException();
  absl::Status TakeFailure() { return std::exchange(pending_failure_, absl::OkStatus()); }
  // Of a handler that failed: its asker is told, then it counts as the actor's.
  void FailHandler(std::unique_ptr<Envelope> envelope, absl::Status failure);
  void KeepSuspended(std::unique_ptr<Envelope> envelope);
  std::unique_ptr<Envelope> TakeSuspended(internal::TaskRun& run);
  // Their askers get the reason, or, if that is OK, kUnknown.
  void EndCoroutines(const absl::Status& reason);
  void TellRoomWaiters();
  void CreateIncarnation(uint64_t after);
  void EndIncarnation();
  void HandleFailure(absl::Status failure);
  OnFailure DecisionOn(const absl::Status& failure);
  void KeepLastFailure(absl::string_view message);
  void BeginRestart(absl::Status failure, Duration backoff);
  void BeginStop(absl::Status reason);
  void StopChildren();
  void OnChildTerminated(ActorId child, absl::Status escalated);
  // Goes on with a restart or stop that waits for the children, if none is left.
  void ContinueWhenChildless();
  void FireTimer(TimerId timer);
  void UnfollowAllNames();
  const SpawnOptions& options() const;
  // Siblings that restart together: cell_siblings.cc. First the child's side.
  bool RestartsWithSiblings() const;
  void TellParentOfEnd();
  void EndWithSibling(const std::string& sibling, const absl::Status& failure);
  void BeginWithSiblings();
  void GiveUp(absl::Status reason);
  // The parent's.
  Siblings& siblings();
  void OnChildEnded(ActorId child, const absl::Status& failure, bool waits);
  void OnChildReady(ActorId child, bool running);
  void ContinueSiblings();
  void CancelStreams();
  // For Pop, while something waits in a stream.
  std::unique_ptr<MailboxItem> NextBesideStreams(bool user_lane);
  // Sees to it that the turn that ends is not the last one.
  void ComeBackForStreams();
  void Terminate();
  void LetGo();
  // cell_toolbox.cc.
  internal::CellToolbox& toolbox();
  bool Expired(const Envelope& envelope) const {
    if (envelope.deadline == Instant::Never()) return false;
    // The exact clock costs more and is looked at near the deadline only.
    if (executor_.CoarseNow().nanos() + Executor::kCoarseNanos < envelope.deadline.nanos()) return false;
    return executor_.Now() >= envelope.deadline;
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
  Executor& executor_;  // of its turns; not to be used after its life
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
  bool stop_requested_ : 1 = false;  // by a callback of the actor's own
  bool user_lane_shut_ : 1 = false;  // a coroutine waits that lets no other message in
  bool notes_activity_ : 1 = false;  // for the idle timeout
  bool streams_ready_ : 1 = false;   // something may wait in a stream
  bool draining_ : 1 = false;        // it ends when it has handled what the toolbox has to replay
  // Written in the actor's turn, read by any thread.
  std::atomic<uint32_t> mailbox_high_mark_{0};
  uint32_t incarnation_ = 0;  // 0 before its first turn
  std::unique_ptr<ActorBase> actor_;
  Instant started_;               // about when the incarnation began
  absl::Status pending_failure_;  // reported by the current callback
  absl::Status end_reason_;       // why the incarnation ends, while restarting or stopping
  std::unique_ptr<Relations> relations_;
  std::shared_ptr<LocalCell> self_;

  // Guarded by mutex().
  std::unique_ptr<Particulars> particulars_;
  bool names_taken_back_ = false;

  // Touched only in the actor's turn, and rarely.
  bool backoff_over_ = true;
  bool escalates_ = false;  // the parent is to fail with end_reason_

  // Guarded by the system's table.
  LocalCell* next_in_table_ = nullptr;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_LOCAL_CELL_H_
