#include "actor/local_cell.h"

#include <glog/logging.h>

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "actor/actor.h"
#include "actor/actor_system.h"

namespace troupe {
namespace {

thread_local bool in_actor_turn = false;

}  // namespace

bool InActorTurn() { return in_actor_turn; }

namespace internal {
thread_local bool waiting_forbidden = false;
void CheckMayWait() {
  CHECK(!in_actor_turn && !waiting_forbidden)
      << "a wait in an actor's turn or a timer's callback holds up others; use Context::Then";
}
void ForbidWaiting() { waiting_forbidden = true; }
bool FailurePending(const LocalCell& cell) { return cell.failure_pending(); }
}  // namespace internal

LocalCell::LocalCell(ActorSystem& system, ActorId id, std::shared_ptr<LocalCell> parent, const std::type_info& type,
                     Factory factory, SpawnOptions options)
    : system_(system),
      id_(id),
      parent_(std::move(parent)),
      type_(type),
      options_(options),
      mailbox_(options.mailbox_capacity, options.overflow),
      factory_(std::move(factory)),
      budget_(options.restart_limit) {}

// What other threads do: push.

bool LocalCell::Deliver(std::unique_ptr<Envelope> envelope) {
  Mailbox::PushResult result = mailbox_.Push(std::move(envelope));
  const bool closed = result.outcome == Mailbox::PushResult::kClosed;
  const bool accepted =
      !closed && (result.outcome == Mailbox::PushResult::kAccepted || options_.overflow == Overflow::kDropOldest);
  if (result.dropped != nullptr) {
    Bury(closed ? DeadLetterReason::kTerminated : DeadLetterReason::kMailboxFull, *result.dropped);
  }
  ScheduleIf(result.wake);
  return accepted;
}

void LocalCell::Signal(absl::AnyInvocable<void()> fn) { ScheduleIf(mailbox_.PushSignal(std::move(fn)).wake); }

void LocalCell::ScheduleIf(bool wake) {
  if (wake) executor().Schedule(std::static_pointer_cast<LocalCell>(shared_from_this()));
}

void LocalCell::Start() {
  Signal([this] { CreateIncarnation(/*after=*/0); });
}

void LocalCell::Stop() {
  Signal([this] { BeginStop(absl::OkStatus()); });
}

void LocalCell::AddWatcher(std::shared_ptr<Cell> watcher) {
  Mailbox::PushResult result = mailbox_.PushSignal([this, watcher] { watchers_.emplace(watcher->id(), watcher); });
  ScheduleIf(result.wake);
  if (result.outcome != Mailbox::PushResult::kClosed) return;
  absl::Status reason;
  {
    std::lock_guard lock(mutex_);
    reason = termination_reason_;
  }
  watcher->NotifyTerminated(id_, std::move(reason));
}

void LocalCell::RemoveWatcher(ActorId watcher) {
  Signal([this, watcher] { watchers_.erase(watcher); });
}

void LocalCell::NotifyTerminated(ActorId who, absl::Status reason) {
  Signal([this, who, reason = std::move(reason)] {
    auto watched = watching_.find(who);
    if (watched == watching_.end()) return;  // unwatched meanwhile, or by an incarnation that is gone
    TerminatedMaker maker = watched->second.maker;
    watching_.erase(watched);
    // The incarnation that watched is on its way out, and the next one did not ask.
    if (!running()) return;
    HandleEnvelope(maker(Terminated{who, reason}));
  });
}

void LocalCell::PostToIncarnation(uint64_t incarnation, absl::AnyInvocable<void()> fn) {
  Signal([this, incarnation, fn = std::move(fn)]() mutable {
    if (incarnation != incarnation_ || !running()) return;
    absl::Status failure = RunGuarded([&fn] { fn(); });
    if (!failure.ok()) HandleFailure(std::move(failure));
    StopIfRequested();
  });
}

Executor& LocalCell::executor() { return system_.executor(); }

std::string LocalCell::label() const {
  std::lock_guard lock(mutex_);
  return name_.empty() ? absl::StrCat(TypeName(type_), "#", id_.value) : name_;
}

bool LocalCell::SetName(const std::string& name, absl::AnyInvocable<void()> at_termination) {
  std::lock_guard lock(mutex_);
  if (!name_.empty() || name_taken_back_) return false;
  name_ = name;
  at_termination_ = std::move(at_termination);
  return true;
}

ActorInfo LocalCell::Info() const {
  ActorInfo info;
  info.id = id_;
  info.type = TypeName(type_);
  info.state = state_.load();
  if (parent_ != nullptr) info.parent = parent_->id();
  info.mailbox_depth = mailbox_.depth();
  info.mailbox_capacity = mailbox_.capacity();
  info.handled = handled_.load(std::memory_order_relaxed);
  info.restarts = restarts_.load(std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  info.name = name_;
  info.last_failure = last_failure_;
  return info;
}

void LocalCell::Bury(DeadLetterReason reason, Envelope& envelope) {
  envelope.Fail(DeadLetterStatus(reason, label()));
  system_.CountDeadLetter(reason, *this, envelope);
}

// The turn.

void LocalCell::RunTurn(int max_messages) {
  in_actor_turn = true;
  for (int i = 0; i < max_messages; ++i) {
    std::optional<Mailbox::Item> item = mailbox_.Pop(/*user_lane=*/running());
    if (!item.has_value()) break;
    HandleItem(*std::move(item));
  }
  in_actor_turn = false;
  ScheduleIf(mailbox_.EndTurn(/*user_lane=*/running()));
}

void LocalCell::HandleItem(Mailbox::Item item) {
  if (auto* signal = std::get_if<Mailbox::Signal>(&item)) {
    (*signal)();
  } else {
    HandleEnvelope(std::move(std::get<std::unique_ptr<Envelope>>(item)));
  }
}

void LocalCell::HandleEnvelope(std::unique_ptr<Envelope> envelope) {
  if (!running()) {
    if (state_.load() == ActorState::kTerminated) return Bury(DeadLetterReason::kTerminated, *envelope);
    deferred_.push_back(std::move(envelope));
    return;
  }
  if (envelope->deadline != Instant::Never() && executor().Now() >= envelope->deadline) {
    return Bury(DeadLetterReason::kExpired, *envelope);
  }
  handled_.store(handled_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  absl::Status failure = RunGuarded([&] { envelope->Invoke(*actor_, *this); });
  if (!failure.ok()) {
    envelope->Fail(failure);
    HandleFailure(std::move(failure));
  }
  StopIfRequested();
}

void LocalCell::Fail(absl::Status status) {
  CHECK(!status.ok()) << "Fail needs a reason";
  pending_failure_ = std::move(status);
}

void LocalCell::StopIfRequested() {
  if (std::exchange(stop_requested_, false)) BeginStop(absl::OkStatus());
}

absl::Status LocalCell::RunGuarded(absl::FunctionRef<void()> callback) {
  pending_failure_.reset();
  try {
    callback();
  } catch (const std::exception& exception) {
    pending_failure_ = absl::InternalError(absl::StrCat(TypeName(typeid(exception)), ": ", exception.what()));
  } catch (...) {
    pending_failure_ = absl::InternalError("an exception that is no std::exception");
  }
  absl::Status failure = pending_failure_.value_or(absl::OkStatus());
  pending_failure_.reset();
  return failure;
}

// Incarnations.

// Begins the incarnation that follows `after`, if the actor has not stopped and nobody else has begun it meanwhile.
void LocalCell::CreateIncarnation(uint64_t after) {
  ActorState state = state_.load();
  if (incarnation_ != after || (state != ActorState::kStarting && state != ActorState::kRestarting)) return;
  state_ = ActorState::kStarting;
  ++incarnation_;
  started_ = executor().Now();
  absl::Status failure = RunGuarded([this] {
    actor_ = factory_();
    actor_->RunStarted(*this);
  });
  if (failure.ok()) {
    state_ = ActorState::kRunning;
  } else {
    HandleFailure(std::move(failure));
  }
  StopIfRequested();
  if (!running()) return;
  for (std::unique_ptr<Envelope>& envelope : std::exchange(deferred_, {})) HandleEnvelope(std::move(envelope));
}

void LocalCell::EndIncarnation() {
  if (actor_ == nullptr) return;
  absl::Status failure = RunGuarded([this] {
    if (state_ == ActorState::kRestarting) {
      actor_->RunRestarting(*this, end_reason_);
    } else {
      actor_->RunStopping(*this);
    }
  });
  // The incarnation ends all the same; there is nothing left to restart.
  if (!failure.ok()) LOG(WARNING) << label() << ": a hook failed while the actor ended: " << failure.message();
  // After the hook, so that what it arms goes too.
  for (auto& [id, timer] : timers_) executor().CancelTimer(timer.executor_id);
  timers_.clear();
  for (auto& [id, watched] : watching_) watched.cell->RemoveWatcher(id_);
  watching_.clear();
  stop_requested_ = false;
  actor_.reset();
}

void LocalCell::HandleFailure(absl::Status failure) {
  {
    std::lock_guard lock(mutex_);
    last_failure_ = std::string(failure.message());
  }
  ActorState state = state_.load();
  if (state != ActorState::kStarting && state != ActorState::kRunning) return;  // it is ending anyway
  if (executor().Now() - started_ >= options_.restart_limit.within) failures_in_a_row_ = 0;
  ++failures_in_a_row_;
  switch (options_.on_failure) {
    case OnFailure::kResume:
      if (actor_ == nullptr) break;  // its constructor failed: there is nothing to go on with
      LOG(WARNING) << label() << " failed and goes on: " << failure.message();
      state_ = ActorState::kRunning;
      return;
    case OnFailure::kRestart:
      if (budget_.Spend(executor().Now())) {
        return BeginRestart(std::move(failure), system_.RestartDelay(options_.restart_backoff, failures_in_a_row_));
      }
      failure = absl::Status(
          failure.code(), absl::StrCat(failure.message(), " (more than ", options_.restart_limit.max_restarts,
                                       " restarts within ", absl::FormatDuration(options_.restart_limit.within), ")"));
      escalates_ = true;
      break;
    case OnFailure::kStop:
      break;
    case OnFailure::kEscalate:
      escalates_ = true;
      break;
  }
  LOG(WARNING) << label() << " failed and terminates: " << failure.message();
  BeginStop(std::move(failure));
}

void LocalCell::BeginRestart(absl::Status failure, Duration backoff) {
  LOG(WARNING) << label() << " failed and restarts: " << failure.message();
  state_ = ActorState::kRestarting;
  end_reason_ = std::move(failure);
  restarts_.fetch_add(1, std::memory_order_relaxed);
  system_.CountRestart();
  backoff_over_ = backoff <= absl::ZeroDuration();
  if (!backoff_over_) {
    executor().RunAt(executor().Now() + backoff,
                     [weak = std::weak_ptr<Cell>(shared_from_this()), incarnation = incarnation_] {
                       std::shared_ptr<Cell> cell = weak.lock();
                       if (cell == nullptr) return;
                       auto* self = static_cast<LocalCell*>(cell.get());
                       self->Signal([self, incarnation] {
                         if (self->incarnation_ != incarnation) return;
                         self->backoff_over_ = true;
                         self->ContinueWhenChildless();
                       });
                     });
  }
  StopChildren();
  ContinueWhenChildless();
}

void LocalCell::BeginStop(absl::Status reason) {
  ActorState state = state_.load();
  if (state == ActorState::kStopping || state == ActorState::kTerminated) return;
  state_ = ActorState::kStopping;
  end_reason_ = std::move(reason);
  StopChildren();
  ContinueWhenChildless();
}

void LocalCell::StopChildren() {
  for (auto& [id, child] : children_) child->Stop();
}

void LocalCell::OnChildTerminated(ActorId child, absl::Status escalated) {
  children_.erase(child);
  if (!escalated.ok() && running()) return HandleFailure(std::move(escalated));
  ContinueWhenChildless();
}

void LocalCell::ContinueWhenChildless() {
  ActorState state = state_.load();
  if (state != ActorState::kRestarting && state != ActorState::kStopping) return;
  if (!children_.empty()) return;
  EndIncarnation();
  // The hook may have spawned. What it spawned is told to stop, and comes back here.
  if (!children_.empty()) return StopChildren();
  if (state == ActorState::kStopping) return Terminate();
  // As a signal of its own, so that a stop that waits comes first, and an actor that fails at every start does not
  // recurse.
  if (backoff_over_) Signal([this, after = incarnation_] { CreateIncarnation(after); });
}

void LocalCell::Terminate() {
  absl::AnyInvocable<void()> at_termination;
  {
    std::lock_guard lock(mutex_);
    termination_reason_ = end_reason_;
    name_taken_back_ = true;
    at_termination = std::move(at_termination_);
  }
  // The name first: who sees or is told of the end may want to take it.
  if (at_termination) at_termination();
  state_ = ActorState::kTerminated;
  factory_ = nullptr;
  for (std::unique_ptr<Envelope>& envelope : std::exchange(deferred_, {})) {
    Bury(DeadLetterReason::kTerminated, *envelope);
  }
  // Unread signals still run: a watcher among them must get its notice, and the others see that it is over.
  for (Mailbox::Item& item : mailbox_.Close()) HandleItem(std::move(item));
  for (auto& [id, watcher] : std::exchange(watchers_, {})) watcher->NotifyTerminated(id_, end_reason_);
  if (parent_ != nullptr) {
    parent_->Signal([parent = parent_.get(), id = id_, failure = escalates_ ? end_reason_ : absl::OkStatus()] {
      parent->OnChildTerminated(id, failure);
    });
  }
  system_.Forget(*this);
}

void LocalCell::Abandon() {
  state_ = ActorState::kTerminated;
  mailbox_.Close();
  children_.clear();
  watchers_.clear();
  watching_.clear();
  deferred_.clear();
  timers_.clear();
  actor_.reset();
  factory_ = nullptr;
}

// Watches and timers.

void LocalCell::Watch(const std::shared_ptr<Cell>& other, TerminatedMaker maker) {
  if (!watching_.emplace(other->id(), Watched{other, maker}).second) return;
  other->AddWatcher(shared_from_this());
}

void LocalCell::Unwatch(const std::shared_ptr<Cell>& other) {
  if (watching_.erase(other->id()) > 0) other->RemoveWatcher(id_);
}

TimerId LocalCell::StartTimer(Duration delay, Duration period, EnvelopeMaker maker) {
  CHECK(period >= absl::ZeroDuration());
  TimerId id = next_timer_++;
  ActorTimer& timer = timers_[id];
  timer.period = period;
  timer.maker = std::move(maker);
  ArmTimer(id, timer, delay);
  return id;
}

void LocalCell::ArmTimer(TimerId id, ActorTimer& timer, Duration delay) {
  timer.executor_id = executor().RunAt(
      executor().Now() + delay, [weak = std::weak_ptr<Cell>(shared_from_this()), incarnation = incarnation_, id] {
        std::shared_ptr<Cell> cell = weak.lock();
        if (cell == nullptr) return;
        auto* self = static_cast<LocalCell*>(cell.get());
        self->Signal([self, incarnation, id] { self->FireTimer(incarnation, id); });
      });
}

bool LocalCell::CancelTimer(TimerId id) {
  auto timer = timers_.find(id);
  if (timer == timers_.end()) return false;
  executor().CancelTimer(timer->second.executor_id);
  timers_.erase(timer);
  return true;
}

void LocalCell::FireTimer(uint64_t incarnation, TimerId id) {
  auto timer = timers_.find(id);
  if (incarnation != incarnation_ || !running() || timer == timers_.end()) return;
  std::unique_ptr<Envelope> envelope = timer->second.maker();
  if (timer->second.period > absl::ZeroDuration()) {
    ArmTimer(id, timer->second, timer->second.period);
  } else {
    timers_.erase(timer);
  }
  HandleEnvelope(std::move(envelope));
}

}  // namespace troupe
