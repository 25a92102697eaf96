// One answer that is not there yet: what Ask gives to the asker (Future) and to the actor that was asked (Reply).
#ifndef TROUPE_ACTOR_FUTURE_H_
#define TROUPE_ACTOR_FUTURE_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "actor/executor.h"
#include "actor/time.h"

namespace troupe {

// What an ask ends in: the result, or why there is none.
template <typename R>
using Outcome =
    std::conditional_t<std::is_void_v<R>, absl::Status, absl::StatusOr<std::conditional_t<std::is_void_v<R>, int, R>>>;

// Whether this thread is inside an actor's turn, where waiting would hold up every actor of its worker.
bool InActorTurn();

namespace internal {

// The place where the answer, the deadline and the asker meet; the first to resolve it wins.
template <typename R>
class FutureState : public std::enable_shared_from_this<FutureState<R>> {
 public:
  // Arms the deadline, which must be done before the state is shared.
  void SetDeadline(Executor& executor, Instant deadline) {
    executor_ = &executor;
    timer_ = executor.RunAt(deadline, [guard = DeadlineGuard(this->weak_from_this())] {
      guard.Resolve(absl::DeadlineExceededError("no answer before the deadline"));
    });
  }

  void Resolve(Outcome<R> outcome, bool cancel_timer = true) {
    absl::AnyInvocable<void(Outcome<R>)> callback;
    {
      std::lock_guard lock(mutex_);
      if (resolved_) return;
      resolved_ = true;
      if (!callback_) {
        outcome_ = std::move(outcome);
        // Under the lock: a waiter that wakes by itself may otherwise end the state's life first.
        ready_.notify_all();
      } else {
        callback = std::move(callback_);
      }
    }
    if (cancel_timer && executor_ != nullptr) executor_->CancelTimer(timer_);
    if (callback) callback(std::move(outcome));
  }

  // The answering end is gone without an answer.
  void Abandon() {
    {
      std::lock_guard lock(mutex_);
      if (held_) {
        abandoned_ = true;
        return;
      }
    }
    Resolve(absl::UnknownError("the actor ended or let the question go; what it did before is unknown"));
  }

  // While a handler runs, a Reply that dies is not an answer yet: it may die because the handler fails.
  void Hold() {
    std::lock_guard lock(mutex_);
    held_ = true;
  }
  // The handler has ended, with this failure or OK.
  void Release(const absl::Status& failure) {
    bool abandoned = false;
    {
      std::lock_guard lock(mutex_);
      held_ = false;
      abandoned = std::exchange(abandoned_, false);
    }
    if (!failure.ok()) {
      Resolve(failure);
    } else if (abandoned) {
      Abandon();
    }
  }

  Outcome<R> Wait() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return outcome_.has_value(); });
    return *std::move(outcome_);
  }

  void Then(absl::AnyInvocable<void(Outcome<R>)> callback) {
    {
      std::lock_guard lock(mutex_);
      if (!resolved_) {
        callback_ = std::move(callback);
        return;
      }
    }
    callback(*std::move(outcome_));
  }

 private:
  // Lives in the executor until the deadline, a cancel, or the executor's end, which it makes an answer too. After
  // that nothing here touches the executor, so an answer may outlive it.
  class DeadlineGuard {
   public:
    explicit DeadlineGuard(std::weak_ptr<FutureState> state) : state_(std::move(state)) {}
    DeadlineGuard(DeadlineGuard&&) = default;
    ~DeadlineGuard() { Resolve(absl::UnknownError("the actors were ended before an answer came")); }

    void Resolve(absl::Status status) const {
      if (auto state = state_.lock()) state->Resolve(std::move(status), /*cancel_timer=*/false);
    }

   private:
    std::weak_ptr<FutureState> state_;
  };

  // Fixed once SetDeadline has returned.
  Executor* executor_ = nullptr;
  Executor::TimerId timer_ = 0;

  std::mutex mutex_;
  std::condition_variable ready_;
  // Guarded by mutex_.
  bool resolved_ = false;
  bool held_ = false;
  bool abandoned_ = false;  // while held
  std::optional<Outcome<R>> outcome_;
  absl::AnyInvocable<void(Outcome<R>)> callback_;
};

void CheckMayWait();
// From now on this thread's waits are broken promises: others wait for it.
void ForbidWaiting();

}  // namespace internal

// The asker's end. It always ends in an Outcome, at the latest at the ask's deadline. Dropping it drops the answer.
template <typename R>
class [[nodiscard]] Future {
 public:
  explicit Future(std::shared_ptr<internal::FutureState<R>> state) : state_(std::move(state)) {}

  // Blocks this thread until the outcome is there. Never in an actor's turn (checked).
  Outcome<R> Wait() && {
    internal::CheckMayWait();
    return state_->Wait();
  }

  // Calls back once with the outcome, on the thread that brings it, or here and now when it is there already. The
  // callback must not throw, block or Wait. In an actor use Context::Then, which comes back in the actor's own turn.
  void Then(absl::AnyInvocable<void(Outcome<R>)> callback) && { state_->Then(std::move(callback)); }

 private:
  std::shared_ptr<internal::FutureState<R>> state_;
};

// The asked actor's end. Answer it once, in the handler or any time later, from any thread. When it dies unanswered
// the asker gets kUnknown, since the actor may have done what it was asked (kUnavailable is for messages that were
// never handled); an answer after the deadline goes nowhere; for a Tell, answers go nowhere too.
template <typename R>
class Reply {
 public:
  Reply() = default;
  explicit Reply(std::shared_ptr<internal::FutureState<R>> state) : state_(std::move(state)) {}
  Reply(Reply&& other) noexcept = default;
  Reply& operator=(Reply&& other) noexcept {
    if (this != &other) {
      Abandon();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~Reply() { Abandon(); }

  // False for a Tell, and once answered.
  bool asked() const { return state_ != nullptr; }

  // For the envelope: what it holds while the handler has this.
  const std::shared_ptr<internal::FutureState<R>>& state() const { return state_; }

  void operator()(Outcome<R> outcome) {
    if (auto state = std::exchange(state_, nullptr)) state->Resolve(std::move(outcome));
  }

 private:
  void Abandon() {
    if (auto state = std::exchange(state_, nullptr)) state->Abandon();
  }

  std::shared_ptr<internal::FutureState<R>> state_;
};

// Both ends of one answer; past the deadline the asker's ends in kDeadlineExceeded.
template <typename R>
std::pair<Future<R>, Reply<R>> MakeFuture(Executor& executor, Instant deadline) {
  auto state = std::make_shared<internal::FutureState<R>>();
  state->SetDeadline(executor, deadline);
  return {Future<R>(state), Reply<R>(state)};
}

// A future whose outcome is there already.
template <typename R>
Future<R> ResolvedFuture(Outcome<R> outcome) {
  auto state = std::make_shared<internal::FutureState<R>>();
  state->Resolve(std::move(outcome));
  return Future<R>(std::move(state));
}

}  // namespace troupe

#endif  // TROUPE_ACTOR_FUTURE_H_
