#include "actor/local_cell.h"

#include <glog/logging.h>

#include <array>
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

namespace {

// Whether a spawn asked for nothing of its own beside its mailbox.
bool SupervisedByDefault(const SpawnOptions& options) {
  const SpawnOptions usual;
  return options.on_failure == usual.on_failure && options.restart_limit == usual.restart_limit &&
         options.restart_backoff == usual.restart_backoff;
}

const SpawnOptions& DefaultOptions() {
  static const SpawnOptions options;
  return options;
}

}  // namespace

LocalCell::LocalCell(ActorSystem& system, ActorId id, LocalCell* parent, const SpawnOptions& options)
    : system_(system),
      executor_(system.executor()),
      id_(id),
      parent_(parent),
      parent_id_(parent == nullptr ? ActorId{} : parent->id()),
      options_(SupervisedByDefault(options) ? nullptr : std::make_unique<SpawnOptions>(options)),
      mailbox_(options.mailbox_capacity, options.overflow) {}

// Here, where ActorBase is known.
LocalCell::~LocalCell() = default;

// What other threads do: push.

bool LocalCell::Deliver(std::unique_ptr<Envelope> envelope) {
  const MailboxLane lane = envelope->control ? MailboxLane::kSystem : MailboxLane::kUser;
  Mailbox::PushResult result = mailbox_.Push(std::move(envelope), lane);
  if (result.wake) executor_.Schedule(*this);
  if (result.dropped == nullptr) [[likely]] {
    return true;
  }
  const bool closed = result.outcome == Mailbox::PushResult::kClosed;
  Bury(closed ? DeadLetterReason::kTerminated : DeadLetterReason::kMailboxFull,
       static_cast<Envelope&>(*result.dropped));
  return !closed && mailbox_.drops_oldest();
}

bool LocalCell::PostSignal(std::unique_ptr<Signal> signal) {
  Mailbox::PushResult result = mailbox_.Push(std::move(signal), MailboxLane::kSystem);
  if (result.wake) executor_.Schedule(*this);
  return result.outcome == Mailbox::PushResult::kAccepted;
}

void LocalCell::Stop() {
  Post([this] { BeginStop(absl::OkStatus()); });
}

void LocalCell::AddWatcher(std::shared_ptr<Cell> watcher) {
  if (Post([this, watcher] { relations().watchers.emplace(watcher->id(), watcher); })) return;
  absl::Status reason;
  {
    std::lock_guard lock(mutex());
    if (particulars_ != nullptr) reason = particulars_->termination_reason;
  }
  watcher->NotifyTerminated(id_, std::move(reason));
}

void LocalCell::RemoveWatcher(ActorId watcher) {
  Post([this, watcher] { relations().watchers.erase(watcher); });
}

void LocalCell::NotifyTerminated(ActorId who, absl::Status reason) {
  Post([this, who, reason = std::move(reason)] {
    auto& watching = relations().watching;
    auto watched = watching.find(who);
    if (watched == watching.end()) return;  // unwatched meanwhile, or by an incarnation that is gone
    TerminatedMaker maker = watched->second.maker;
    watching.erase(watched);
    // The incarnation that watched is on its way out, and the next one did not ask.
    if (!running()) return;
    HandleEnvelope(maker(Terminated{who, reason}));
  });
}

// Few actors have something under it, so that a mutex for each would be wasted on most.
std::mutex& LocalCell::mutex() const {
  static std::array<std::mutex, 64> mutexes;
  return mutexes[id_.value % mutexes.size()];
}

std::string LocalCell::label() const {
  std::lock_guard lock(mutex());
  if (particulars_ != nullptr && !particulars_->name.empty()) return particulars_->name;
  return absl::StrCat(TypeName(actor_type()), "#", id_.value);
}

bool LocalCell::SetName(const std::string& name, absl::AnyInvocable<void()> at_termination) {
  std::lock_guard lock(mutex());
  if (name_taken_back_) return false;
  if (particulars_ == nullptr) particulars_ = std::make_unique<Particulars>();
  if (!particulars_->name.empty()) return false;
  particulars_->name = name;
  particulars_->at_termination = std::move(at_termination);
  return true;
}

ActorInfo LocalCell::Info() const {
  ActorInfo info;
  info.id = id_;
  info.type = TypeName(actor_type());
  info.state = state_.load();
  info.parent = parent_id_;
  info.mailbox_depth = mailbox_.depth();
  info.mailbox_capacity = mailbox_.capacity();
  info.handled = handled_.load(std::memory_order_relaxed);
  info.restarts = restarts_.load(std::memory_order_relaxed);
  std::lock_guard lock(mutex());
  if (particulars_ != nullptr) {
    info.name = particulars_->name;
    info.last_failure = particulars_->last_failure;
  }
  return info;
}

void LocalCell::Bury(DeadLetterReason reason, Envelope& envelope) {
  envelope.Fail(DeadLetterStatus(reason, label()));
  system_.CountDeadLetter(reason, *this, envelope);
}

// The turn.

namespace {

// Ends turns that last: a neighbour waits for this one. Looks at the clock after 2, 4, 8, ... messages only, so that
// turns of one message or of quick ones cost nothing for it, and one of slow messages lasts about twice the limit.
class TurnClock {
 public:
  bool Expired(const Executor& executor, int handled) {
    if ((handled & (handled - 1)) != 0 || handled == 1) return false;
    const int64_t now = executor.CoarseNow().nanos();
    if (handled == 2) begin_ = now;
    return now - begin_ >= kTurnLimitNanos;
  }

 private:
  static constexpr int64_t kTurnLimitNanos = 5'000'000;
  int64_t begin_ = 0;
};

}  // namespace

void LocalCell::RunTurn(int max_messages) {
  in_actor_turn = true;
  int handled = 0;
  if (!begun_) {
    begun_ = true;
    CreateIncarnation(/*after=*/0);
    ++handled;
  }
  TurnClock clock;
  while (handled < max_messages) {
    std::unique_ptr<MailboxItem> item = mailbox_.Pop(/*user_lane=*/running());
    if (item == nullptr) break;
    HandleItem(std::move(item));
    if (clock.Expired(executor_, ++handled)) break;
  }
  in_actor_turn = false;
  if (state_.load(std::memory_order_relaxed) == ActorState::kTerminated) {
    // No message comes any more, so this was the last turn.
    std::shared_ptr<LocalCell> last = std::move(self_);
    return;
  }
  if (mailbox_.EndTurn(/*user_lane=*/running())) executor_.Schedule(*this);
}

void LocalCell::HandleItem(std::unique_ptr<MailboxItem> item) {
  if (item->is_signal()) {
    static_cast<Signal&>(*item).Run(*this);
  } else {
    HandleEnvelope(std::unique_ptr<Envelope>(static_cast<Envelope*>(item.release())));
  }
}

void LocalCell::HandleEnvelope(std::unique_ptr<Envelope> envelope) {
  if (!running()) [[unlikely]] {
    if (state_.load() == ActorState::kTerminated) return Bury(DeadLetterReason::kTerminated, *envelope);
    relations().deferred.push_back(std::move(envelope));
    return;
  }
  if (envelope->deadline != Instant::Never() && executor_.CoarseNow() >= envelope->deadline) {
    return Bury(DeadLetterReason::kExpired, *envelope);
  }
  handled_.store(handled_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  absl::Status failure = RunGuarded([&] { envelope->Invoke(*actor_, *this); });
  if (!failure.ok()) [[unlikely]] {
    envelope->Fail(failure);
    HandleFailure(std::move(failure));
  }
  StopIfRequested();
}

void LocalCell::RunInIncarnation(uint64_t incarnation, absl::FunctionRef<void()> callback) {
  if (incarnation != incarnation_ || !running()) return;
  absl::Status failure = RunGuarded(callback);
  if (!failure.ok()) HandleFailure(std::move(failure));
  StopIfRequested();
}

void LocalCell::Fail(absl::Status status) {
  CHECK(!status.ok()) << "Fail needs a reason";
  pending_failure_ = std::move(status);
}

void LocalCell::StopIfRequested() {
  if (std::exchange(stop_requested_, false)) BeginStop(absl::OkStatus());
}

template <typename F>
absl::Status LocalCell::RunGuarded(F callback) {
  try {
    callback();
  } catch (const std::exception& exception) {
    pending_failure_ = absl::InternalError(absl::StrCat(TypeName(typeid(exception)), ": ", exception.what()));
  } catch (...) {
    pending_failure_ = absl::InternalError("an exception that is no std::exception");
  }
  return std::exchange(pending_failure_, absl::OkStatus());
}

LocalCell::Relations& LocalCell::relations() {
  if (relations_ == nullptr) relations_ = std::make_unique<Relations>();
  return *relations_;
}

void LocalCell::AdoptChild(std::shared_ptr<LocalCell> child) {
  relations().children.emplace(child->id(), std::move(child));
}

// Incarnations.

// Begins the incarnation that follows `after`, if the actor has not stopped and nobody else has begun it meanwhile.
void LocalCell::CreateIncarnation(uint64_t after) {
  ActorState state = state_.load();
  if (incarnation_ != after || (state != ActorState::kStarting && state != ActorState::kRestarting)) return;
  state_ = ActorState::kStarting;
  ++incarnation_;
  started_ = executor_.CoarseNow();
  absl::Status failure = RunGuarded([this] {
    actor_ = MakeActor();
    actor_->RunStarted(*this);
  });
  if (failure.ok()) {
    state_ = ActorState::kRunning;
  } else {
    HandleFailure(std::move(failure));
  }
  StopIfRequested();
  if (!running() || relations_ == nullptr) return;
  for (std::unique_ptr<Envelope>& envelope : std::exchange(relations_->deferred, {})) {
    HandleEnvelope(std::move(envelope));
  }
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
  if (relations_ != nullptr) {
    for (auto& [id, timer] : relations_->timers) executor_.CancelTimer(timer.executor_id);
    relations_->timers.clear();
    for (auto& [id, watched] : relations_->watching) watched.cell->RemoveWatcher(id_);
    relations_->watching.clear();
  }
  stop_requested_ = false;
  actor_.reset();
}

void LocalCell::HandleFailure(absl::Status failure) {
  {
    std::lock_guard lock(mutex());
    if (particulars_ == nullptr) particulars_ = std::make_unique<Particulars>();
    particulars_->last_failure = std::string(failure.message());
  }
  ActorState state = state_.load();
  if (state != ActorState::kStarting && state != ActorState::kRunning) return;  // it is ending anyway
  const SpawnOptions& options = options_ == nullptr ? DefaultOptions() : *options_;
  Relations& own = relations();
  if (!own.budget.has_value()) own.budget.emplace(options.restart_limit);
  if (executor_.Now() - started_ >= options.restart_limit.within) own.failures_in_a_row = 0;
  ++own.failures_in_a_row;
  switch (options.on_failure) {
    case OnFailure::kResume:
      if (actor_ == nullptr) break;  // its constructor failed: there is nothing to go on with
      LOG(WARNING) << label() << " failed and goes on: " << failure.message();
      state_ = ActorState::kRunning;
      return;
    case OnFailure::kRestart:
      if (own.budget->Spend(executor_.Now())) {
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
  if (relations_ == nullptr) return;
  for (auto& [id, child] : relations_->children) child->Stop();
}

void LocalCell::OnChildTerminated(ActorId child, absl::Status escalated) {
  relations().children.erase(child);
  if (!escalated.ok() && running()) return HandleFailure(std::move(escalated));
  ContinueWhenChildless();
}

void LocalCell::ContinueWhenChildless() {
  ActorState state = state_.load();
  if (state != ActorState::kRestarting && state != ActorState::kStopping) return;
  if (!childless()) return;
  EndIncarnation();
  // The hook may have spawned. What it spawned is told to stop, and comes back here.
  if (!childless()) return StopChildren();
  if (state == ActorState::kStopping) return Terminate();
  // As a signal of its own, so that a stop that waits comes first, and an actor that fails at every start does not
  // recurse.
  if (backoff_over_) Post([this, after = incarnation_] { CreateIncarnation(after); });
}

void LocalCell::Terminate() {
  absl::AnyInvocable<void()> at_termination;
  {
    std::lock_guard lock(mutex());
    name_taken_back_ = true;
    if (!end_reason_.ok() && particulars_ == nullptr) particulars_ = std::make_unique<Particulars>();
    if (particulars_ != nullptr) {
      particulars_->termination_reason = end_reason_;
      at_termination = std::move(particulars_->at_termination);
    }
  }
  // The name first: who sees or is told of the end may want to take it.
  if (at_termination) at_termination();
  state_ = ActorState::kTerminated;
  DropArguments();
  if (relations_ != nullptr) {
    for (std::unique_ptr<Envelope>& envelope : std::exchange(relations_->deferred, {})) {
      Bury(DeadLetterReason::kTerminated, *envelope);
    }
  }
  // Unread signals still run: a watcher among them must get its notice, and the others see that it is over.
  for (std::unique_ptr<MailboxItem>& item : mailbox_.Close()) HandleItem(std::move(item));
  if (relations_ != nullptr) {
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

void LocalCell::Abandon() {
  state_ = ActorState::kTerminated;
  mailbox_.Close();
  relations_.reset();
  actor_.reset();
  DropArguments();
  std::shared_ptr<LocalCell> last = std::move(self_);
}

// Watches and timers.

void LocalCell::Watch(const std::shared_ptr<Cell>& other, TerminatedMaker maker) {
  if (!relations().watching.emplace(other->id(), Watched{other, maker}).second) return;
  other->AddWatcher(self_);
}

void LocalCell::Unwatch(const std::shared_ptr<Cell>& other) {
  if (relations().watching.erase(other->id()) > 0) other->RemoveWatcher(id_);
}

TimerId LocalCell::StartTimer(Duration delay, Duration period, EnvelopeMaker maker) {
  CHECK(period >= absl::ZeroDuration());
  TimerId id = relations().next_timer++;
  ActorTimer& timer = relations().timers[id];
  timer.period = period;
  timer.maker = std::move(maker);
  ArmTimer(id, timer, delay);
  return id;
}

void LocalCell::ArmTimer(TimerId id, ActorTimer& timer, Duration delay) {
  timer.executor_id = executor_.RunAt(
      executor_.Now() + delay, [weak = std::weak_ptr<LocalCell>(self_), incarnation = incarnation_, id] {
        std::shared_ptr<LocalCell> cell = weak.lock();
        if (cell == nullptr) return;
        cell->Post([self = cell.get(), incarnation, id] { self->FireTimer(incarnation, id); });
      });
}

bool LocalCell::CancelTimer(TimerId id) {
  auto& timers = relations().timers;
  auto timer = timers.find(id);
  if (timer == timers.end()) return false;
  executor_.CancelTimer(timer->second.executor_id);
  timers.erase(timer);
  return true;
}

void LocalCell::FireTimer(uint64_t incarnation, TimerId id) {
  auto& timers = relations().timers;
  auto timer = timers.find(id);
  if (incarnation != incarnation_ || !running() || timer == timers.end()) return;
  std::unique_ptr<Envelope> envelope = timer->second.maker();
  if (timer->second.period > absl::ZeroDuration()) {
    ArmTimer(id, timer->second, timer->second.period);
  } else {
    timers.erase(timer);
  }
  HandleEnvelope(std::move(envelope));
}

}  // namespace troupe
