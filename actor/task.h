// Handlers that wait without holding a thread: coroutines that run in the turns of one actor.
//
//   class Visitor : public troupe::Actor<Visitor> {
//    public:
//     troupe::Task<std::string> Handle(Visit visit, Context& context) {
//       absl::StatusOr<std::string> reply = co_await greeter_.Ask<Greet>(visit.name);
//       if (!reply.ok()) co_return reply.status();
//       co_await context.Sleep(absl::Seconds(1));
//       co_return *reply + " And goodbye!";
//     }
//   };
//
// What may be awaited, in a handler and in the Tasks that it awaits: an ask (Address::Ask<M>, AskWithin<M>) or any
// other Future; a tell that waits for room (Address::TellWait<M>, TellWithin<M>); Context::Sleep; Context::Blocking; a
// Task. Do not write a message's braces into a co_await: GCC 12 destroys such a temporary twice. Ask<Greet>("x") builds
// it where it is needed.
//
// While a handler waits its actor's user lane is shut, so that its next message meets the state that this one leaves.
// What goes by the system lane comes through: stops, notices, control messages, timers, continuations. An actor that
// says `static constexpr bool kReentrant = true;` takes further messages meanwhile, until as many handlers wait as its
// mailbox holds messages; its state may then be another after each co_await.
//
//   Lifetime: message, context and reply live as long as the coroutine. When the incarnation ends (a stop, a failure)
//             its coroutines are destroyed where they wait, in the actor's turn and before its children and hooks;
//             their askers get the failure, or kUnknown. One that calls Context::Stop or Fail ends where it waits next.
//   Limits:   so many handlers of an actor wait at once as its mailbox holds messages, or 64 if that is more. One
//             beyond that, which only control messages and timers can bring, is ended at its first wait, as a dead
//             letter.
//   Errors:   an exception, or Context::Fail, fails the actor as in any handler; an exception of a Task that is awaited
//             comes out of the co_await.
#ifndef TROUPE_ACTOR_TASK_H_
#define TROUPE_ACTOR_TASK_H_

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "actor/block_pool.h"

namespace troupe {

class Cell;
class Envelope;
class LocalCell;

template <typename T>
class Task;

namespace internal {

// The actor whose coroutine runs on this thread, if it is not re-entrant: it can answer itself nothing.
extern constinit thread_local const Cell* coroutine_of;

// One handler's coroutine with those that it awaits, from its first step to its end.
class TaskRun {
 public:
  TaskRun() = default;
  TaskRun(const TaskRun&) = delete;

  LocalCell& cell() { return *cell_; }
  Envelope& envelope() { return *envelope_; }
  bool reentrant() const { return reentrant_; }
  bool done() const { return root_.done(); }

  // Runs from `at` on until all wait. When the handler has ended answers its asker; its exception passes through.
  void Run(std::coroutine_handle<> at);
  // What to go on with when the coroutine that runs has suspended itself. Instead of a symmetric transfer, which takes
  // stack wherever the compiler makes no tail call of it.
  void ContinueWith(std::coroutine_handle<> next) { next_ = next; }

  // The cell's, for as long as it keeps this.
  size_t place = 0;

 protected:
  ~TaskRun() = default;
  void Begin(LocalCell& cell, Envelope& envelope, bool reentrant, std::coroutine_handle<> root) {
    cell_ = &cell;
    envelope_ = &envelope;
    reentrant_ = reentrant;
    root_ = root;
    Run(root);
  }
  virtual void Complete() = 0;

 private:
  LocalCell* cell_ = nullptr;
  Envelope* envelope_ = nullptr;
  bool reentrant_ = false;
  std::coroutine_handle<> root_;
  std::coroutine_handle<> next_;
};

// What a Task<T> ends in: nothing, a Status, or a StatusOr.
template <typename T>
struct TaskOutcome {
  using Type = absl::StatusOr<T>;
};
template <>
struct TaskOutcome<void> {
  using Type = void;
};
template <>
struct TaskOutcome<absl::Status> {
  using Type = absl::Status;
};
template <typename T>
struct TaskOutcome<absl::StatusOr<T>> {
  using Type = absl::StatusOr<T>;
};

// Its frame comes from the pool.
class TaskPromiseBase : public Pooled {
 public:
  class FinalStep {
   public:
    bool await_ready() noexcept { return false; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> ended) noexcept {
      ended.promise().run->ContinueWith(ended.promise().awaiter);
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  FinalStep final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { exception_ = std::current_exception(); }

  TaskRun* run = nullptr;
  std::coroutine_handle<> awaiter;  // null: this is the handler

 protected:
  void Rethrow() {
    if (exception_ != nullptr) std::rethrow_exception(std::exchange(exception_, nullptr));
  }

 private:
  std::exception_ptr exception_;
};

template <typename T>
class TaskPromise : public TaskPromiseBase {
 public:
  using Outcome = typename TaskOutcome<T>::Type;

  Task<T> get_return_object() { return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this)); }
  void return_value(Outcome outcome) { outcome_.emplace(std::move(outcome)); }
  Outcome Take() {
    Rethrow();
    return *std::move(outcome_);
  }

 private:
  std::optional<Outcome> outcome_;
};

template <>
class TaskPromise<void> : public TaskPromiseBase {
 public:
  Task<void> get_return_object();
  void return_void() {}
  void Take() { Rethrow(); }
};

template <typename T>
class TaskAwaiter {
 public:
  explicit TaskAwaiter(std::coroutine_handle<TaskPromise<T>> task) : task_(task) {}
  bool await_ready() const { return false; }
  template <typename Promise>
  void await_suspend(std::coroutine_handle<Promise> awaiter) {
    task_.promise().run = awaiter.promise().run;
    task_.promise().awaiter = awaiter;
    task_.promise().run->ContinueWith(task_);
  }
  typename TaskOutcome<T>::Type await_resume() { return task_.promise().Take(); }

 private:
  const std::coroutine_handle<TaskPromise<T>> task_;
};

}  // namespace internal

// A coroutine that ends in a T or a Status: co_return either, or a StatusOr<T>; a Task<void> just ends. To be the
// handler of a message, with the message's Result as T (where that is void, Task<void> or Task<absl::Status>), or to be
// awaited by one: then `co_await` gives the StatusOr<T> (for Task<void> nothing, for Task<absl::Status> the Status). It
// does nothing until then, and is awaited once.
template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::TaskPromise<T>;

  explicit Task(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
  Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (coroutine_) coroutine_.destroy();
  }

  internal::TaskAwaiter<T> operator co_await() && { return internal::TaskAwaiter<T>(coroutine_); }

  // For what runs it.
  std::coroutine_handle<promise_type> coroutine() const { return coroutine_; }

 private:
  std::coroutine_handle<promise_type> coroutine_;
};

namespace internal {

inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

template <typename T>
inline constexpr bool kIsTask = false;
template <typename T>
inline constexpr bool kIsTask<Task<T>> = true;

}  // namespace internal
}  // namespace troupe

#endif  // TROUPE_ACTOR_TASK_H_
