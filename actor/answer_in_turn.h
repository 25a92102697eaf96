// How an answer, which may come on any thread, comes into a turn of the actor that waits for it.
#ifndef TROUPE_ACTOR_ANSWER_IN_TURN_H_
#define TROUPE_ACTOR_ANSWER_IN_TURN_H_

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "actor/await.h"
#include "actor/future.h"
#include "actor/local_cell.h"

namespace troupe::internal {

// Waits for its answer, then, with it, in the actor's mailbox. The item comes first among the bases: a mailbox needs
// its address to be that of the block.
template <typename R>
class AnswerInTurn : public LocalCell::Signal, public Waiter<R> {
 public:
  using LocalCell::Signal::operator new;
  using LocalCell::Signal::operator delete;

  explicit AnswerInTurn(LocalCell& cell) : cell_(cell.self()) {}

  void Answer(Outcome<R> outcome) final {
    outcome_ = std::move(outcome);
    // Held here, since what is posted may be gone at once.
    const std::shared_ptr<LocalCell> cell = std::move(cell_);
    cell->PostSignal(std::unique_ptr<LocalCell::Signal>(this));
  }

 protected:
  Outcome<R> TakeOutcome() { return *std::move(outcome_); }

 private:
  std::shared_ptr<LocalCell> cell_;
  std::optional<Outcome<R>> outcome_;
};

// Brings an awaiter its answer, if that waits still. Looks at it in turns only: what is destroyed elsewhere, since its
// actor is gone, has nothing to forget.
template <typename R>
class AwaitSignal final : public AnswerInTurn<R> {
 public:
  explicit AwaitSignal(Awaiter<R>& awaiter) : AnswerInTurn<R>(awaiter.cell()), awaiter_(&awaiter) {}

  void Forget() { awaiter_ = nullptr; }
  void Run(LocalCell&) override {
    if (awaiter_ == nullptr) return;
    awaiter_->signal_ = nullptr;
    awaiter_->state_ = FutureRef<R>();
    awaiter_->OnAnswer(this->TakeOutcome());
  }

 private:
  Awaiter<R>* awaiter_;
};

template <typename R>
void Awaiter<R>::Wait(TaskRun& run, std::coroutine_handle<> coroutine, FutureRef<R> state) {
  run_ = &run;
  coroutine_ = coroutine;
  state_ = std::move(state);
  auto signal = std::make_unique<AwaitSignal<R>>(*this);
  signal_ = signal.get();
  // The answer comes in a later turn, however soon: until then this is here.
  state_->Then(std::move(signal));
}

template <typename R>
Awaiter<R>::~Awaiter() {
  if (signal_ == nullptr) return;
  signal_->Forget();
  state_->Cancel();
}

template <typename R>
void Awaiter<R>::Resume() {
  cell().Resume(*run_, coroutine_);
}

}  // namespace troupe::internal

#endif  // TROUPE_ACTOR_ANSWER_IN_TURN_H_
