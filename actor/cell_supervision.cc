// The incarnations of an actor: how they begin and end, and what a failure does.
#include <glog/logging.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "actor/actor.h"
#include "actor/actor_system.h"
#include "actor/local_cell.h"

namespace troupe {

const SpawnOptions& LocalCell::options() const {
  static const SpawnOptions usual;
  return options_ == nullptr ? usual : *options_;
}

// Begins the incarnation that follows `after`, if the actor has not stopped and nobody else has begun it meanwhile.
void LocalCell::CreateIncarnation(uint64_t after) {
  ActorState state = state_.load();
  if (incarnation_ != after || (state != ActorState::kStarting && state != ActorState::kRestarting)) return;
  state_ = ActorState::kStarting;
  ++incarnation_;
  started_ = executor_.CoarseNow();
  const bool began = RunGuarded([this] {
    actor_ = MakeActor();
    actor_->RunStarted(*this);
  });
  if (began) {
    state_ = ActorState::kRunning;
  } else {
    HandleFailure(TakeFailure());
  }
  StopIfRequested();
  if (!running() || relations_ == nullptr) return;
  for (std::unique_ptr<Envelope>& envelope : std::exchange(relations_->deferred, {})) {
    HandleEnvelope(std::move(envelope));
  }
  if (running()) ResumeTools();
}

void LocalCell::EndIncarnation() {
  if (actor_ == nullptr) return;
  CHECK(relations_ == nullptr || relations_->suspended.empty()) << "a coroutine would outlive its actor";
  const bool ended_well = RunGuarded([this] {
    if (state_ == ActorState::kRestarting) {
      actor_->RunRestarting(*this, end_reason_);
    } else {
      actor_->RunStopping(*this);
    }
  });
  // The incarnation ends all the same; there is nothing left to restart.
  const absl::Status failure = TakeFailure();
  if (!ended_well && system_.MayLogFailure()) {
    LOG(WARNING) << label() << ": a hook failed while the actor ended: " << failure.message();
  }
  // After the hook, so that what it arms goes too.
  EndTools();
  CancelStreams();
  if (relations_ != nullptr) {
    relations_->timers.Clear(executor_);
    for (auto& [id, watched] : relations_->watching) watched.cell->RemoveWatcher(id_);
    relations_->watching.clear();
    UnfollowAllNames();
    relations_->exception = nullptr;
  }
  actor_.reset();
}

void LocalCell::KeepLastFailure(absl::string_view message) {
  std::lock_guard lock(mutex());
  if (particulars_ == nullptr) particulars_ = std::make_unique<Particulars>();
  particulars_->last_failure = std::string(message);
}

OnFailure LocalCell::DecisionOn(const absl::Status& failure) {
  std::exception_ptr exception = std::exchange(relations().exception, nullptr);
  const SpawnOptions& options = this->options();
  if (options.decide == nullptr) return options.on_failure;
  OnFailure decision = options.on_failure;
  const bool decided = RunGuarded([&] { decision = options.decide(Failure(failure, std::move(exception))); });
  relations().exception = nullptr;
  const absl::Status undecided = TakeFailure();
  if (!decided && system_.MayLogFailure()) {
    LOG(WARNING) << label() << ": what decides on failures failed: " << undecided.message();
  }
  return decision;
}

void LocalCell::HandleFailure(absl::Status failure) {
  KeepLastFailure(failure.message());
  ActorState state = state_.load();
  if (state != ActorState::kStarting && state != ActorState::kRunning) return;  // it is ending anyway
  if (stop_requested_) {
    if (system_.MayLogFailure()) {
      LOG(WARNING) << label() << " failed after it had asked for its end: " << failure.message();
    }
    relations().exception = nullptr;
    return;
  }
  const OnFailure decision = DecisionOn(failure);
  const SpawnOptions& options = this->options();
  Relations& own = relations();
  if (!own.budget.has_value()) own.budget.emplace(options.restart_limit);
  if (executor_.Now() - started_ >= options.restart_limit.within) own.failures_in_a_row = 0;
  ++own.failures_in_a_row;
  switch (decision) {
    case OnFailure::kResume:
      if (actor_ == nullptr) break;  // its constructor failed: there is nothing to go on with
      if (system_.MayLogFailure()) LOG(WARNING) << label() << " failed and goes on: " << failure.message();
      state_ = ActorState::kRunning;
      return;
    case OnFailure::kRestart:
      if (RestartsWithSiblings() || own.budget->Spend(executor_.Now())) {
        return BeginRestart(std::move(failure), system_.RestartDelay(options.restart_backoff, own.failures_in_a_row));
      }
      failure = absl::Status(
          failure.code(), absl::StrCat(failure.message(), " (more than ", options.restart_limit.max_restarts,
                                       " restarts within ", absl::FormatDuration(options.restart_limit.within), ")"));
      escalates_ = true;
      break;
    case OnFailure::kStop:
      break;
    case OnFailure::kEscalate:
      escalates_ = true;
      break;
  }
  if (system_.MayLogFailure()) LOG(WARNING) << label() << " failed and terminates: " << failure.message();
  BeginStop(std::move(failure));
}

void LocalCell::BeginRestart(absl::Status failure, Duration backoff) {
  if (system_.MayLogFailure()) LOG(WARNING) << label() << " restarts: " << failure.message();
  state_ = ActorState::kRestarting;
  EndTools();
  relations().told_end = false;
  end_reason_ = std::move(failure);
  restarts_.fetch_add(1, std::memory_order_relaxed);
  system_.CountRestart();
  backoff_over_ = backoff <= absl::ZeroDuration();
  if (!backoff_over_) {
    executor_.RunAt(executor_.Now() + backoff, [weak = std::weak_ptr<LocalCell>(self_), incarnation = incarnation_] {
      std::shared_ptr<LocalCell> cell = weak.lock();
      if (cell == nullptr) return;
      cell->Post([self = cell.get(), incarnation] {
        if (self->incarnation_ != incarnation) return;
        self->backoff_over_ = true;
        self->ContinueWhenChildless();
      });
    });
  }
  EndCoroutines(end_reason_);
  StopChildren();
  ContinueWhenChildless();
}

void LocalCell::BeginStop(absl::Status reason) {
  ActorState state = state_.load();
  if (state == ActorState::kStopping || state == ActorState::kTerminated) return;
  state_ = ActorState::kStopping;
  EndTools();
  end_reason_ = std::move(reason);
  EndCoroutines(end_reason_);
  StopChildren();
  ContinueWhenChildless();
}

void LocalCell::StopChildren() {
  if (relations_ == nullptr) return;
  for (auto& [id, child] : relations_->children) child->Stop();
}

void LocalCell::OnChildTerminated(ActorId child, absl::Status escalated) {
  relations().children.erase(child);
  if (relations().siblings != nullptr) siblings().plan.Gone(child);
  if (!escalated.ok() && running()) {
    HandleFailure(std::move(escalated));
    if (!running()) return;
  }
  if (!running()) return ContinueWhenChildless();
  ContinueSiblings();
  if (draining_) PostReplay();
}

void LocalCell::ContinueWhenChildless() {
  ActorState state = state_.load();
  if (state != ActorState::kRestarting && state != ActorState::kStopping) return;
  if (!childless()) return;
  EndIncarnation();
  const bool stop_requested = stop_requested_;
  stop_requested_ = false;
  if (stop_requested && state == ActorState::kRestarting) {
    // The hook asked for the end.
    state = ActorState::kStopping;
    state_ = state;
    end_reason_ = absl::OkStatus();
  }
  // The hook may have spawned. What it spawned is told to stop, and comes back here.
  if (!childless()) return StopChildren();
  if (state == ActorState::kStopping) return Terminate();
  if (RestartsWithSiblings()) return TellParentOfEnd();
  // As a signal of its own, so that a stop that waits comes first, and an actor that fails at every start does not
  // recurse.
  if (backoff_over_) Post([this, after = incarnation_] { CreateIncarnation(after); });
}

void LocalCell::Terminate() {
  std::vector<std::string> names;
  {
    std::lock_guard lock(mutex());
    names_taken_back_ = true;
    LeaveMetrics();
    if (!end_reason_.ok() && particulars_ == nullptr) particulars_ = std::make_unique<Particulars>();
    if (particulars_ != nullptr) {
      particulars_->termination_reason = end_reason_;
      names = particulars_->names;  // copied: the first stays its label
    }
  }
  // The names first: who sees or is told of the end may want to take one.
  if (!names.empty()) system_.names().ReleaseAll(id_, names);
  state_ = ActorState::kTerminated;
  DropArguments();
  BuryDeferred();
  BuryTools();
  // Unread signals still run: a watcher among them must get its notice, and the others see that it is over.
  for (std::unique_ptr<MailboxItem>& item : mailbox_.Close()) HandleItem(std::move(item));
  if (relations_ != nullptr) {
    relations_->room_waiters.clear();
    for (auto& [id, watcher] : std::exchange(relations_->watchers, {})) watcher->NotifyTerminated(id_, end_reason_);
  }
  // Before the parent is told, which may then end too: a parent is there longer than its children.
  system_.Forget(*this);
  if (parent_ != nullptr) {
    parent_->Post([parent = parent_, id = id_, failure = escalates_ ? end_reason_ : absl::OkStatus()] {
      parent->OnChildTerminated(id, failure);
    });
  }
}

void LocalCell::BuryDeferred() {
  if (relations_ == nullptr) return;
  for (std::unique_ptr<Envelope>& envelope : std::exchange(relations_->deferred, {})) {
    Bury(DeadLetterReason::kTerminated, *envelope);
  }
}

void LocalCell::Abandon() {
  state_ = ActorState::kTerminated;
  {
    std::lock_guard lock(mutex());
    names_taken_back_ = true;  // and gets none any more
  }
  EndCoroutines(absl::OkStatus());
  BuryDeferred();
  BuryTools();
  for (std::unique_ptr<MailboxItem>& item : mailbox_.Close()) {
    // No signal runs any more.
    if (!item->is_signal()) Bury(DeadLetterReason::kTerminated, static_cast<Envelope&>(*item));
  }
  relations_.reset();
  actor_.reset();
  DropArguments();
  executor_.Retire();
  std::shared_ptr<LocalCell> last = std::move(self_);
}

}  // namespace troupe
