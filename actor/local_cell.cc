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

// How many messages this thread handles until it times one. Counted by thread rather than by actor, so that each
// message has the same chance, and of random length, so that it does not keep step with what an actor does regularly.
constinit thread_local uint32_t messages_to_sample = 64;

uint32_t NextSample() {
  thread_local Random random(0);
  return 2 + static_cast<uint32_t>(random.Below(125));
}

}  // namespace

bool InActorTurn() { return internal::turn_mark.actor.load(std::memory_order_relaxed) != 0; }

namespace internal {
thread_local bool waiting_forbidden = false;
thread_local bool waiting_allowed = false;
void CheckMayWait() {
  CHECK(waiting_allowed || (!InActorTurn() && !waiting_forbidden))
      << "a wait in an actor's turn or a timer's callback holds up others; use Context::Then";
}
void ForbidWaiting() { waiting_forbidden = true; }
void AllowWaiting() { waiting_allowed = true; }
bool FailurePending(const LocalCell& cell) { return cell.failure_pending(); }
absl::Status CaughtFailure() {
  try {
    throw;
  } catch (const std::exception& exception) {
    return absl::InternalError(absl::StrCat(TypeName(typeid(exception)), ": ", exception.what()));
  } catch (...) {
    return absl::InternalError("an exception that is no std::exception");
  }
}
std::unique_ptr<Envelope> NextInBatch(LocalCell& cell, const std::type_info& envelope_type) {
  return cell.NextInBatch(envelope_type);
}
}  // namespace internal

namespace {

// Whether a spawn asked for nothing of its own beside its mailbox.
bool SupervisedByDefault(const SpawnOptions& options) {
  const SpawnOptions usual;
  return options.on_failure == usual.on_failure && options.restart_limit == usual.restart_limit &&
         options.restart_backoff == usual.restart_backoff && options.decide == nullptr &&
         options.children == usual.children && options.children_limit == usual.children_limit;
}

}  // namespace

LocalCell::LocalCell(ActorSystem& system, ActorId id, LocalCell* parent, const SpawnOptions& options)
    : system_(system),
      executor_(options.dispatch.place_ != nullptr ? *options.dispatch.place_ : system.executor()),
      id_(id),
      parent_(parent),
      parent_id_(parent == nullptr ? ActorId{} : parent->id()),
      options_(SupervisedByDefault(options) ? nullptr : std::make_unique<SpawnOptions>(options)),
      mailbox_(options.mailbox_capacity, options.overflow) {}

// Here, where ActorBase is known.
LocalCell::~LocalCell() = default;

// Not the one of its turns, which may end with the actor: an answer may be awaited for longer.
Executor& LocalCell::executor() { return system_.executor(); }

void LocalCell::Refuse(absl::Status reason) {
  incarnation_ = 1;  // so that its first turn begins none
  Post([this, reason = std::move(reason)] {
    LOG(WARNING) << label() << " does not begin: " << reason.message();
    BeginStop(reason);
  });
  Start();
}

// What other threads do: push.

bool LocalCell::Deliver(std::unique_ptr<Envelope> envelope) {
  const MailboxLane lane = envelope->control ? MailboxLane::kSystem : MailboxLane::kUser;
  std::unique_ptr<MailboxItem> item = std::move(envelope);
  const Mailbox::PushResult result = mailbox_.Push(item, lane);
  if (result.wake) executor_.Schedule(*this);
  if (item == nullptr) [[likely]] {
    return true;
  }
  const bool closed = result.outcome == Mailbox::PushResult::kClosed;
  Bury(closed ? DeadLetterReason::kTerminated : DeadLetterReason::kMailboxFull, static_cast<Envelope&>(*item));
  return !closed && mailbox_.overflow() != Overflow::kReject;
}

bool LocalCell::PostSignal(std::unique_ptr<Signal> signal) {
  std::unique_ptr<MailboxItem> item = std::move(signal);
  if (mailbox_.Push(item, MailboxLane::kSystem).wake) executor_.Schedule(*this);
  return item == nullptr;
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
  if (particulars_ != nullptr && !particulars_->names.empty()) return particulars_->names.front();
  return absl::StrCat(type_kind().name(), "#", id_.value);
}

[[gnu::noinline]] void LocalCell::Bury(DeadLetterReason reason, Envelope& envelope) {
  envelope.Fail(DeadLetterStatus(reason, label()));
  CountDeadLetter(reason, envelope);
}

void LocalCell::CountDeadLetter(DeadLetterReason reason, const Envelope& envelope) {
  {
    std::lock_guard lock(mutex());
    kind().CountDeadLetter(reason);
  }
  system_.CountDeadLetter(reason, *this, envelope);
}

// The turn.

namespace {

// Ends turns that last: a neighbour waits for this one. Looks at the clock after 2 messages, 4, and each eighth, so
// that turns of one message cost nothing for it, and a turn outlasts the limit by eight messages at most.
class TurnClock {
 public:
  bool Expired(const Executor& executor, int handled) {
    if (handled % 8 != 0 && handled != 2 && handled != 4) return false;
    const int64_t now = executor.CoarseNow().nanos();
    if (handled == 2) begin_ = now;
    return now - begin_ >= kTurnLimitNanos;
  }

 private:
  static constexpr int64_t kTurnLimitNanos = 5'000'000;
  int64_t begin_ = 0;
};

}  // namespace

[[gnu::flatten]] void LocalCell::RunTurn(int max_messages) {
  internal::turn_mark.Begin(id_.value);
  int handled = 0;
  if (incarnation_ == 0) {
    internal::turn_mark.Handling(nullptr);
    CreateIncarnation(/*after=*/0);
    ++handled;
  }
  const auto waiting = static_cast<uint32_t>(mailbox_.depth());
  if (waiting > mailbox_high_mark_.load(std::memory_order_relaxed)) [[unlikely]] {
    mailbox_high_mark_.store(waiting, std::memory_order_relaxed);
  }
  TurnClock clock;
  while (handled < max_messages) {
    std::unique_ptr<MailboxItem> item = streams_ready_ ? NextBesideStreams(takes_mail()) : mailbox_.Pop(takes_mail());
    if (item == nullptr) break;
    HandleItem(std::move(item));
    if (clock.Expired(executor_, ++handled)) break;
  }
  internal::turn_mark.End();
  if (state_.load(std::memory_order_relaxed) == ActorState::kTerminated) [[unlikely]] {
    return LetGo();
  }
  if (streams_ready_) [[unlikely]] {
    ComeBackForStreams();
  }
  if (relations_ != nullptr && !relations_->room_waiters.empty()) TellRoomWaiters();
  if (mailbox_.EndTurn(takes_mail())) executor_.Schedule(*this);
}

// No message comes any more, so the turn that ends was the last one.
[[gnu::noinline]] void LocalCell::LetGo() {
  executor_.Retire();
  std::shared_ptr<LocalCell> last = std::move(self_);
}

void LocalCell::HandleItem(std::unique_ptr<MailboxItem> item) {
  if (item->is_signal()) {
    internal::turn_mark.Handling(nullptr);
    static_cast<Signal&>(*item).Run(*this);
  } else {
    HandleMail(std::unique_ptr<Envelope>(static_cast<Envelope*>(item.release())));
  }
}

void LocalCell::HandleEnvelope(std::unique_ptr<Envelope> envelope) {
  if (--messages_to_sample == 0) [[unlikely]] {
    messages_to_sample = NextSample();
    return HandleTimed(std::move(envelope));
  }
  if (!running()) [[unlikely]] {
    return Defer(std::move(envelope));
  }
  if (Expired(*envelope)) return Bury(DeadLetterReason::kExpired, *envelope);
  handled_.store(handled_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (!RunGuarded([&] { envelope->Invoke(*actor_, *this); })) [[unlikely]] {
    FailHandler(std::move(envelope), TakeFailure());
  } else if (envelope->suspended) [[unlikely]] {
    KeepSuspended(std::move(envelope));
  }
  StopIfRequested();
}

[[gnu::noinline]] void LocalCell::Defer(std::unique_ptr<Envelope> envelope) {
  if (state_.load() == ActorState::kTerminated) return Bury(DeadLetterReason::kTerminated, *envelope);
  relations().deferred.push_back(std::move(envelope));
}

void LocalCell::RunInIncarnation(uint64_t incarnation, absl::FunctionRef<void()> callback) {
  if (incarnation != incarnation_ || !running()) return;
  if (!RunGuarded(callback)) HandleFailure(TakeFailure());
  StopIfRequested();
}

[[gnu::noinline]] void LocalCell::KeepException() {
  relations().exception = std::current_exception();
  pending_failure_ = internal::CaughtFailure();
}

void LocalCell::Fail(absl::Status status) {
  CHECK(!status.ok()) << "Fail needs a reason";
  pending_failure_ = std::move(status);
}

void LocalCell::AtEndOfTurn(std::shared_ptr<EndOfTurnHook> hook) {
  CHECK(InActorTurn()) << "an end-of-turn hook is asked for in a turn";
  executor_.AtEndOfTurn(std::move(hook));
}

[[gnu::noinline]] void LocalCell::BeginRequestedStop() {
  stop_requested_ = false;
  BeginStop(absl::OkStatus());
}

LocalCell::Relations& LocalCell::relations() {
  if (relations_ == nullptr) relations_ = std::make_unique<Relations>();
  return *relations_;
}

void LocalCell::AdoptChild(std::shared_ptr<LocalCell> child) {
  relations().children.emplace(child->id(), std::move(child));
}

}  // namespace troupe
