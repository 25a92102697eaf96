// What a coroutine of an actor waits for, beside other coroutines: an outcome that comes in a turn of its actor.
// task.h says what users may await; this is what they await it with.
#ifndef TROUPE_ACTOR_AWAIT_H_
#define TROUPE_ACTOR_AWAIT_H_

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "actor/envelope.h"
#include "actor/future.h"
#include "actor/task.h"
#include "actor/time.h"

namespace troupe {

class Cell;

namespace internal {

template <typename R>
class AwaitSignal;

// Lives in the frame of the coroutine that waits, and ends with it, also when nothing has come.
template <typename R>
class Awaiter {
 public:
  Awaiter() = default;
  Awaiter(const Awaiter&) = delete;

  // In a turn: what was waited for.
  virtual void OnAnswer(Outcome<R> outcome) = 0;
  LocalCell& cell() { return run_->cell(); }

 protected:
  // Takes the question back, if it has no answer yet.
  ~Awaiter();
  // Waits for the state, whose asker's end is this.
  void Wait(TaskRun& run, std::coroutine_handle<> coroutine, FutureRef<R> state);
  void Resume();

  TaskRun* run_ = nullptr;
  std::coroutine_handle<> coroutine_;

 private:
  friend class AwaitSignal<R>;

  FutureRef<R> state_;
  AwaitSignal<R>* signal_ = nullptr;  // brings the answer; null: nothing is waited for
};

template <typename R>
class FutureAwaiter final : public Awaiter<R> {
 public:
  explicit FutureAwaiter(FutureRef<R> state) : state_(std::move(state)) {}

  bool await_ready() {
    outcome_ = state_->TakeIfReady();
    return outcome_.has_value();
  }
  template <typename Promise>
  void await_suspend(std::coroutine_handle<Promise> coroutine) {
    this->Wait(*coroutine.promise().run, coroutine, std::move(state_));
  }
  Outcome<R> await_resume() { return *std::move(outcome_); }

  void OnAnswer(Outcome<R> outcome) override {
    outcome_ = std::move(outcome);
    this->Resume();
  }

 private:
  FutureRef<R> state_;
  std::optional<Outcome<R>> outcome_;
};

// A tell that has found no room, and waits.
class RoomWait final : public Pooled, public Awaiter<void> {
 public:
  RoomWait(std::shared_ptr<Cell> to, std::unique_ptr<Envelope> envelope, Duration timeout)
      : envelope_(std::move(envelope)), to_(std::move(to)), timeout_(timeout) {}

  // False: there is no way to wait.
  bool Begin(TaskRun& run, std::coroutine_handle<> coroutine);
  void OnAnswer(absl::Status outcome) override;
  absl::Status TakeStatus() { return std::move(status_); }

 private:
  // False: it has no room still.
  bool Offer();
  void AwaitRoom();
  // The mailbox's policy decides what becomes of the message.
  void GiveUp(const absl::Status& status);

  std::unique_ptr<Envelope> envelope_;
  const std::shared_ptr<Cell> to_;
  const Duration timeout_;
  Instant deadline_;
  absl::Status status_;
};

// Address::TellWait. Where there is room it costs what a tell costs.
class [[nodiscard]] RoomAwaiter {
 public:
  RoomAwaiter(const std::shared_ptr<Cell>& to, std::unique_ptr<Envelope>&& envelope, Duration timeout);
  [[gnu::always_inline]] ~RoomAwaiter() {}

  bool await_ready() const { return wait_ == nullptr; }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    return wait_->Begin(*coroutine.promise().run, coroutine);
  }
  absl::Status await_resume() { return wait_ == nullptr ? std::move(status_) : wait_->TakeStatus(); }

 private:
  std::unique_ptr<RoomWait> wait_;  // null: it is decided
  absl::Status status_;
};

// Context::Sleep.
class [[nodiscard]] SleepAwaiter final : public Awaiter<void> {
 public:
  SleepAwaiter(Executor& executor, Duration duration);

  bool await_ready() const { return false; }
  template <typename Promise>
  void await_suspend(std::coroutine_handle<Promise> coroutine) {
    Wait(*coroutine.promise().run, coroutine, std::move(state_));
  }
  void await_resume() const {}

  void OnAnswer(absl::Status) override { Resume(); }

 private:
  FutureRef<void> state_;
};

}  // namespace internal

template <typename R>
internal::FutureAwaiter<R> Future<R>::operator co_await() && {
  return internal::FutureAwaiter<R>(std::move(state_));
}

}  // namespace troupe

#endif  // TROUPE_ACTOR_AWAIT_H_
