// One answer that is not there yet: what Ask gives to the asker (Future) and to the actor that was asked (Reply).
#ifndef TROUPE_ACTOR_FUTURE_H_
#define TROUPE_ACTOR_FUTURE_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "actor/executor.h"
#include "actor/future_state.h"
#include "actor/time.h"

namespace troupe {

// Whether this thread is inside an actor's turn, where waiting would hold up every actor of its worker.
bool InActorTurn();

namespace internal {

template <typename R>
class FutureAwaiter;

void CheckMayWait();
// What the exception that is being handled means to an asker.
absl::Status CaughtFailure();
// From now on this thread's waits are broken promises: others wait for it.
void ForbidWaiting();
// On this thread a wait in a turn holds up nobody else.
void AllowWaiting();

}  // namespace internal

// The asker's end. It always ends in an Outcome, at the latest at the ask's deadline. Dropping it drops the answer.
template <typename R>
class [[nodiscard]] Future {
 public:
  explicit Future(internal::FutureRef<R> state) : state_(std::move(state)) {}

  // Blocks this thread until the outcome is there. Never in an actor's turn (checked), unless it is pinned
  // (dispatch.h).
  Outcome<R> Wait() && {
    internal::CheckMayWait();
    return state_->Wait();
  }

  // Calls back once with the outcome, on the thread that brings it, or here and now when it is there already. The
  // callback must not block or Wait; an exception is logged. In an actor use Context::Then, which comes back in the
  // actor's own turn.
  template <typename F>
  void Then(F callback) && {
    state_->Then(std::make_unique<internal::WaiterOf<R, F>>(std::move(callback)));
  }
  // In a coroutine of an actor: `co_await std::move(future)` gives the outcome, in a turn of this incarnation.
  internal::FutureAwaiter<R> operator co_await() &&;
  // For Context.
  void ThenAnswer(std::unique_ptr<internal::Waiter<R>> waiter) && { state_->Then(std::move(waiter)); }

 private:
  internal::FutureRef<R> state_;
};

// The asked actor's end. Answer it once, in the handler or any time later, from any thread. When it dies unanswered
// the asker gets kUnknown, since the actor may have done what it was asked (kUnavailable is for messages that were
// never handled); an answer after the deadline goes nowhere; for a Tell, answers go nowhere too.
template <typename R>
class Reply {
 public:
  Reply() = default;
  explicit Reply(internal::FutureRef<R> state) : state_(std::move(state)) {}
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
  bool asked() const { return static_cast<bool>(state_); }
  // Whether somebody still waits: no answer yet, and the deadline is not over.
  bool awaited() const { return state_ && !state_->resolved(); }
  // When the asker stops waiting; Never for a Tell, and once answered.
  Instant deadline() const { return state_ ? state_->deadline() : Instant::Never(); }

  // For the envelope, which holds the state while the handler has another Reply to it.
  const internal::FutureRef<R>& state() const { return state_; }
  internal::FutureRef<R> TakeState() { return std::move(state_); }

  void operator()(Outcome<R> outcome) {
    if (state_) std::exchange(state_, internal::FutureRef<R>())->Resolve(std::move(outcome));
  }

 private:
  void Abandon() {
    if (state_) std::exchange(state_, internal::FutureRef<R>())->Abandon();
  }

  internal::FutureRef<R> state_;
};

// Both ends of one answer; past the deadline the asker's ends in kDeadlineExceeded.
template <typename R>
std::pair<Future<R>, Reply<R>> MakeFuture(Executor& executor, Instant deadline) {
  auto* state = new internal::FutureState<R>(/*refs=*/2);
  state->SetDeadline(executor, deadline);
  return {Future<R>(internal::FutureRef<R>(state)), Reply<R>(internal::FutureRef<R>(state))};
}

// Both ends of one answer that has no deadline: whoever has the Reply must see to it that it ends.
template <typename R>
std::pair<Future<R>, Reply<R>> MakeFuture() {
  auto* state = new internal::FutureState<R>(/*refs=*/2);
  return {Future<R>(internal::FutureRef<R>(state)), Reply<R>(internal::FutureRef<R>(state))};
}

// A future whose outcome is there already.
template <typename R>
Future<R> ResolvedFuture(Outcome<R> outcome) {
  internal::FutureRef<R> state(new internal::FutureState<R>());
  state->Resolve(std::move(outcome));
  return Future<R>(std::move(state));
}

}  // namespace troupe

#endif  // TROUPE_ACTOR_FUTURE_H_
