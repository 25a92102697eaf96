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
std::unique_ptr<Envelope> NextInBatch(LocalCell& cell, const std::type_info& envelope_type) {
  return cell.NextInBatch(envelope_type);
}
}  // namespace internal

namespace {

// Whether a spawn asked for nothing of its own beside its mailbox.
bool SupervisedByDefault(const SpawnOptions& options) {
  const SpawnOptions usual;
  return options.on_failure == usual.on_failure && options.restart_limit == usual.restart_limit &&
         options.restart_backoff == usual.restart_backoff;
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
    HandleMail(std::unique_ptr<Envelope>(static_cast<Envelope*>(item.release())));
  }
}

void LocalCell::HandleEnvelope(std::unique_ptr<Envelope> envelope) {
  if (!running()) [[unlikely]] {
    if (state_.load() == ActorState::kTerminated) return Bury(DeadLetterReason::kTerminated, *envelope);
    relations().deferred.push_back(std::move(envelope));
    return;
  }
  if (Expired(*envelope)) return Bury(DeadLetterReason::kExpired, *envelope);
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

absl::Status LocalCell::CaughtFailure() {
  try {
    throw;
  } catch (const std::exception& exception) {
    return absl::InternalError(absl::StrCat(TypeName(typeid(exception)), ": ", exception.what()));
  } catch (...) {
    return absl::InternalError("an exception that is no std::exception");
  }
}

LocalCell::Relations& LocalCell::relations() {
  if (relations_ == nullptr) relations_ = std::make_unique<Relations>();
  return *relations_;
}

void LocalCell::AdoptChild(std::shared_ptr<LocalCell> child) {
  relations().children.emplace(child->id(), std::move(child));
}

}  // namespace troupe
