// Actors: objects that share nothing and handle one message at a time. The front door of this folder.
//
//   struct Greet { using Result = std::string; std::string name; };
//
//   class Greeter : public troupe::Actor<Greeter> {
//    public:
//     std::string Handle(Greet greet, Context&) { return "Hello, " + greet.name + "!"; }
//   };
//
//   troupe::ActorSystem system;
//   troupe::Address<Greeter> greeter = system.Spawn<Greeter>();
//   greeter.Tell(Greet{"World"});
//   absl::StatusOr<std::string> reply = greeter.Ask(Greet{"Cinema"}).Wait();
//
// The way of one message: Address::Tell wraps it in a HandlerEnvelope, which knows actor and message by type; the
// Cell behind the address takes it (LocalCell::Deliver), its Mailbox queues it, and whoever finds the actor idle hands
// it to the Executor; a worker gives the actor a turn (LocalCell::RunTurn), which pops the envelope and invokes the
// handler. The answer goes back through the envelope's Reply to the asker's Future. Nothing on this way blocks.
//
// Read next: address.h (the seam), envelope.h (what a handler looks like), task.h (handlers that wait), local_cell.h
// (an actor's life), supervision.h (what a failure does), executor.h and deterministic_executor.h (what it all runs
// on).
#ifndef TROUPE_ACTOR_ACTOR_H_
#define TROUPE_ACTOR_ACTOR_H_

#include <concepts>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "actor/actor_system.h"
#include "actor/address.h"
#include "actor/answer_in_turn.h"
#include "actor/await.h"
#include "actor/envelope.h"
#include "actor/local_cell.h"
#include "actor/task.h"

namespace troupe {

template <typename A>
class ActorContext;

namespace internal {
template <typename Hook>
void CallHook(Hook hook) {
  static_assert(!kIsTask<decltype(hook())>, "a hook may not be a coroutine; only handlers may");
  hook();
}
}  // namespace internal

// What the runtime knows of an actor. Users derive from Actor<Derived>.
class ActorBase : public internal::Pooled {
 public:
  virtual ~ActorBase() = default;

  // Hooks, run in the cell's turn and guarded like handlers. `cell` is for the typed hooks of Actor.
  virtual void RunStarted(LocalCell& cell) = 0;
  virtual void RunStopping(LocalCell& cell) = 0;
  virtual void RunRestarting(LocalCell& cell, const absl::Status& failure) = 0;
};

// An actor of the user's. It may define, all optional, beside its Handle functions:
//   void Started(Context&)                          first in each incarnation
//   void Stopping(Context&)                         last before it terminates, when its children are gone
//   void Restarting(const absl::Status&, Context&)  last in an incarnation that failed
// They and the handlers run one at a time, in the actor's turns. None may block: Context::RunBlocking is for that, and
// a handler that is a coroutine (task.h) may wait. With `static constexpr bool kReentrant = true;` others run
// meanwhile.
template <typename Derived>
class Actor : public ActorBase {
 public:
  using Context = ActorContext<Derived>;

  void RunStarted(LocalCell& cell) final {
    if constexpr (requires(Derived & self, Context & context) { self.Started(context); }) {
      Context context(cell);
      internal::CallHook([&] { return static_cast<Derived&>(*this).Started(context); });
    }
  }
  void RunStopping(LocalCell& cell) final {
    if constexpr (requires(Derived & self, Context & context) { self.Stopping(context); }) {
      Context context(cell);
      internal::CallHook([&] { return static_cast<Derived&>(*this).Stopping(context); });
    }
  }
  void RunRestarting(LocalCell& cell, const absl::Status& failure) final {
    if constexpr (requires(Derived & self, Context & context) { self.Restarting(failure, context); }) {
      Context context(cell);
      internal::CallHook([&] { return static_cast<Derived&>(*this).Restarting(failure, context); });
    }
  }
};

// What an actor of type A can do besides computing. Good only in the actor's own turns: copy it into continuations
// (Then, RunBlocking), but not into the work that goes to another thread.
template <typename A>
class ActorContext {
 public:
  explicit ActorContext(LocalCell& cell) : cell_(cell) {}

  Address<A> self() const { return Address<A>(cell_.self()); }
  ActorSystem& system() const { return cell_.system(); }
  Instant Now() const { return cell_.executor().Now(); }

  // A child: it terminates before this actor does, and with this incarnation.
  template <typename B, typename... Args>
  Address<B> Spawn(SpawnOptions options, Args... args) {
    return system().template SpawnUnder<B>(&cell_, std::move(options), std::move(args)...);
  }

  // This actor ends after the current callback, before anything that waits.
  void Stop() { cell_.StopAfterCallback(); }
  // The current callback counts as failed; it should return soon. The status must not be OK.
  void Fail(absl::Status status) { cell_.Fail(std::move(status)); }

  // Handle(Terminated) will be called exactly once when `other` has terminated, also if it has already. Watching
  // twice is watching once; Unwatch takes it back, even a notice that is on its way. Watches end with their
  // incarnation.
  template <typename B>
  void Watch(const Address<B>& other) {
    cell_.Watch(other.cell(), [](Terminated terminated) -> std::unique_ptr<Envelope> {
      return std::make_unique<HandlerEnvelope<A, Terminated>>(std::move(terminated));
    });
  }
  template <typename B>
  void Unwatch(const Address<B>& other) {
    cell_.Unwatch(other.cell());
  }

  // The message comes to this actor after `delay`, or every `period` (the first time after one period; a late tick
  // delays the next, never doubles it). Timers end with their incarnation.
  template <typename M>
  TimerId After(Duration delay, M message) {
    return cell_.StartTimer(delay, absl::ZeroDuration(), MakerOf(std::move(message)));
  }
  template <typename M>
  TimerId Every(Duration period, M message) {
    return cell_.StartTimer(period, period, MakerOf(std::move(message)));
  }
  // False: it has fired, was cancelled before, or never was.
  bool Cancel(TimerId timer) { return cell_.CancelTimer(timer); }

  // A child with the default options.
  template <typename B, typename... Args>
  requires std::constructible_from<B, Args...> Address<B> Spawn(Args... args) {
    return Spawn<B>(SpawnOptions{}, std::move(args)...);
  }

  // Calls back with the answer in a turn of this incarnation; never, if that ends before.
  template <typename R, typename F>
  void Then(Future<R> future, F callback) {
    std::move(future).ThenAnswer(std::make_unique<Continuation<R, F>>(cell_, std::move(callback)));
  }

  // In a coroutine: `co_await context.Sleep(...)` goes on after `duration`.
  internal::SleepAwaiter Sleep(Duration duration) const { return internal::SleepAwaiter(cell_.executor(), duration); }

  // In a coroutine: `co_await context.Blocking(work)` gives what `work` returns, an absl::Status or StatusOr, from the
  // blocking pool; the rest is as with RunBlocking.
  template <typename Work>
  auto Blocking(Work work) {
    using R = internal::ResultIn<std::invoke_result_t<Work&>>;
    auto [future, reply] = MakeFuture<R>();
    RunBlocking(std::move(work), [reply = std::move(reply)](Outcome<R> outcome) mutable { reply(std::move(outcome)); });
    return std::move(future);
  }

  // Runs `work` on the blocking pool and calls back with what it returns, an absl::Status or StatusOr, as Then does.
  // `work` must not touch the actor. kResourceExhausted when the pool is full: then `work` was not run. An exception
  // that leaves it comes back as kInternal.
  template <typename Work, typename F>
  void RunBlocking(Work work, F callback) {
    using T = std::invoke_result_t<Work&>;
    auto shared = std::make_shared<F>(std::move(callback));
    // Gives the callback away, so that it ends in the actor's turn and not on the pool's thread.
    auto finish = [cell = self_cell(), incarnation = cell_.incarnation(), shared](T outcome) mutable {
      cell->PostToIncarnation(incarnation, [shared = std::move(shared), outcome = std::move(outcome)]() mutable {
        (*shared)(std::move(outcome));
      });
    };
    bool taken = cell_.executor().RunBlocking([work = std::move(work), finish]() mutable {
      try {
        finish(work());
      } catch (const std::exception& exception) {
        finish(absl::InternalError(exception.what()));
      } catch (...) {
        finish(absl::InternalError("an exception that is no std::exception"));
      }
    });
    if (!taken) finish(absl::ResourceExhaustedError("too much work waits for the disk; try again in a moment"));
  }

 private:
  const std::shared_ptr<LocalCell>& self_cell() const { return cell_.self(); }

  template <typename M>
  requires Handles<A, M>
  static LocalCell::EnvelopeMaker MakerOf(M message) {
    return [message = std::move(message)]() -> std::unique_ptr<Envelope> {
      return std::make_unique<HandlerEnvelope<A, M>>(message);
    };
  }

  template <typename R, typename F>
  class Continuation final : public internal::AnswerInTurn<R> {
   public:
    Continuation(LocalCell& cell, F callback)
        : internal::AnswerInTurn<R>(cell), incarnation_(cell.incarnation()), callback_(std::move(callback)) {}
    void Run(LocalCell& cell) override {
      cell.RunInIncarnation(incarnation_, [this] { callback_(this->TakeOutcome()); });
    }

   private:
    const uint64_t incarnation_;
    F callback_;
  };

  LocalCell& cell_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_ACTOR_H_
