// Coroutines of an actor, and those who wait for room in its mailbox.
#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "actor/actor.h"
#include "actor/actor_system.h"
#include "actor/await.h"
#include "actor/local_cell.h"
#include "actor/task.h"

namespace troupe {
namespace internal {

constinit thread_local const Cell* coroutine_of = nullptr;

void TaskRun::Run(std::coroutine_handle<> at) {
  coroutine_of = reentrant_ ? nullptr : cell_;
  while (at) {
    at.resume();
    at = std::exchange(next_, nullptr);
  }
  coroutine_of = nullptr;
  if (done()) Complete();
}

absl::Status AskedItself(const Cell& cell) {
  return absl::FailedPreconditionError(
      absl::StrCat("a coroutine of ", cell.label(), " asked its own actor, which is not re-entrant and cannot answer"));
}

absl::Status OfferRefused(const Cell& to) {
  return to.alive() ? absl::UnavailableError(absl::StrCat(to.label(), " cannot be reached, or not with this message"))
                    : DeadLetterStatus(DeadLetterReason::kTerminated, to.label());
}

bool RoomWait::Offer() {
  const Cell::Offered offered = to_->Offer(envelope_);
  if (offered == Cell::Offered::kRefused) status_ = OfferRefused(*to_);
  return offered != Cell::Offered::kFull;
}

bool RoomWait::Begin(TaskRun& run, std::coroutine_handle<> coroutine) {
  run_ = &run;
  coroutine_ = coroutine;
  if (coroutine_of == to_.get()) {
    GiveUp(absl::FailedPreconditionError(absl::StrCat("a coroutine of ", to_->label(),
                                                      " cannot wait for room in the mailbox of its own actor, which is "
                                                      "not re-entrant")));
    return false;
  }
  deadline_ = to_->executor().DeadlineIn(timeout_);
  AwaitRoom();
  return true;
}

void RoomWait::AwaitRoom() {
  auto* state = new FutureState<void>(/*refs=*/2);
  state->SetDeadline(to_->executor(), deadline_);
  Reply<void> room{FutureRef<void>(state)};
  Wait(*run_, coroutine_, FutureRef<void>(state));
  to_->AwaitRoom(std::move(room));
}

void RoomWait::OnAnswer(absl::Status outcome) {
  if (absl::IsDeadlineExceeded(outcome)) {
    GiveUp(
        absl::DeadlineExceededError(absl::StrCat("no room in the mailbox of ", to_->label(), " before the deadline")));
  } else if (!Offer()) {
    return AwaitRoom();
  }
  Resume();
}

void RoomWait::GiveUp(const absl::Status& status) {
  if (!to_->Deliver(std::move(envelope_))) status_ = status;
}

SleepAwaiter::SleepAwaiter(Executor& executor, Duration duration) : state_(new FutureState<void>()) {
  state_->SetDeadline(executor, executor.DeadlineIn(duration));
}

}  // namespace internal

void LocalCell::KeepSuspended(std::unique_ptr<Envelope> envelope) {
  // The user lane is shut long before; control messages and timers are not held up by that.
  constexpr size_t kAtLeast = 64;
  Relations& own = relations();
  if (own.suspended.size() >= std::max(mailbox_.capacity(), kAtLeast)) {
    envelope->Fail(
        absl::UnknownError(absl::StrCat("too many handlers of ", label(), " wait already; this one was ended")));
    CountDeadLetter(DeadLetterReason::kMailboxFull, *envelope);
    envelope.reset();
    pending_failure_ = absl::OkStatus();  // as in FailHandler
    return;
  }
  internal::TaskRun& run = *envelope->task();
  run.place = own.suspended.size();
  own.most_suspended = run.reentrant() ? mailbox_.capacity() : 1;
  own.suspended.push_back(std::move(envelope));
  user_lane_shut_ = own.suspended.size() >= own.most_suspended;
}

std::unique_ptr<Envelope> LocalCell::TakeSuspended(internal::TaskRun& run) {
  auto& suspended = relations_->suspended;
  std::unique_ptr<Envelope> taken = std::exchange(suspended[run.place], std::move(suspended.back()));
  suspended.pop_back();
  if (run.place < suspended.size()) suspended[run.place]->task()->place = run.place;
  user_lane_shut_ = suspended.size() >= relations_->most_suspended;
  if (relations_->toolbox != nullptr) PostReplay();
  if (notes_activity_) NoteActivity();
  return taken;
}

void LocalCell::Resume(internal::TaskRun& run, std::coroutine_handle<> at) {
  const bool went_well = RunGuarded([&] { run.Run(at); });
  if (went_well && !run.done()) return StopIfRequested();
  // Before anything of the coroutine ends, which may say a failure of its own.
  absl::Status failure = TakeFailure();
  std::unique_ptr<Envelope> envelope = TakeSuspended(run);
  if (went_well) {
    envelope.reset();
  } else {
    FailHandler(std::move(envelope), std::move(failure));
  }
  StopIfRequested();
}

void LocalCell::FailHandler(std::unique_ptr<Envelope> envelope, absl::Status failure) {
  envelope->Fail(failure);
  // Before what follows: a coroutine in it must not outlive the actor.
  envelope.reset();
  // What a destructor in the coroutine says is no failure of the next callback's.
  pending_failure_ = absl::OkStatus();
  HandleFailure(std::move(failure));
}

void LocalCell::EndCoroutines(const absl::Status& reason) {
  if (relations_ == nullptr || relations_->suspended.empty()) return;
  auto suspended = std::exchange(relations_->suspended, {});
  user_lane_shut_ = false;
  const bool ended_well = RunGuarded([&] {
    for (std::unique_ptr<Envelope>& envelope : suspended) {
      if (!reason.ok()) envelope->Fail(reason);
      envelope.reset();
    }
  });
  const absl::Status failure = TakeFailure();
  if (!ended_well && system_.MayLogFailure()) {
    LOG(WARNING) << label() << ": a coroutine failed while it was ended: " << failure.message();
  }
}

Cell::Offered LocalCell::Offer(std::unique_ptr<Envelope>& envelope) {
  const MailboxLane lane = envelope->control ? MailboxLane::kSystem : MailboxLane::kUser;
  std::unique_ptr<MailboxItem> item = std::move(envelope);
  const Mailbox::PushResult result = mailbox_.Push(item, lane, /*may_drop=*/false);
  if (result.wake) executor_.Schedule(*this);
  if (item == nullptr) [[likely]] {
    return Offered::kTaken;
  }
  envelope.reset(static_cast<Envelope*>(item.release()));
  if (result.outcome == Mailbox::PushResult::kFull) return Offered::kFull;
  Bury(DeadLetterReason::kTerminated, *envelope);
  return Offered::kRefused;
}

void LocalCell::AwaitRoom(Reply<void> room) {
  // When it has terminated the reply dies with this, and the next offer finds out. Else the turn's end looks whether
  // there is room.
  Post([this, room = std::move(room)]() mutable {
    if (state_.load() == ActorState::kTerminated) return;
    auto& waiters = relations().room_waiters;
    // Those who have given up since go when there are twice as many as there were after the last look.
    if (waiters.size() >= relations_->room_waiters_limit) {
      std::erase_if(waiters, [](const Reply<void>& waiter) { return !waiter.awaited(); });
      relations_->room_waiters_limit = std::max<size_t>(16, 2 * waiters.size());
    }
    waiters.push_back(std::move(room));
  });
}

void LocalCell::TellRoomWaiters() {
  if (!mailbox_.HalfEmpty()) return;
  for (Reply<void>& waiter : std::exchange(relations_->room_waiters, {})) waiter(absl::OkStatus());
}

}  // namespace troupe
