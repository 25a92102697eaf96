// An actor whose handlers depend on the state that it is in (become).
//
//   struct Locked { static constexpr auto kUnhandled = troupe::Unhandled::kRefuse; };
//   struct Unlocked { static constexpr auto kUnhandled = troupe::Unhandled::kStash; int pushes_left = 1; };
//
//   class Turnstile : public troupe::StateMachine<Turnstile, Locked, Unlocked> {
//    public:
//     void On(Locked&, Coin, Context& context) { Become(Unlocked{}, context); }
//     void On(Unlocked& state, Push, Context& context) {
//       if (--state.pushes_left == 0) Become(Locked{}, context);
//     }
//     int On(auto& /*any state*/, Visitors, Context&) { return visitors_; }
//
//     void Left(Unlocked&, Context&) { ++visitors_; }       // optional, as is Entered
//     ...
//
// A state is a movable struct with what belongs to it; what belongs to the whole actor is in the actor. The messages
// that some state handles are the actor's messages, checked as everywhere; a handler takes the state and then what a
// Handle takes, one message and the Reply if it wants, and may be a coroutine. It may not take a Batch: no `On` that
// does is ever called. What a state leaves out meets its kUnhandled. There is no table: the states are a std::variant,
// and a message costs a switch over them. The model is Erlang's gen_statem with state functions, its postponing of
// events included.
//
// The actor must not define Handle itself, which would hide this class's: a handler for all states takes `auto&`.
#ifndef TROUPE_ACTOR_STATE_MACHINE_H_
#define TROUPE_ACTOR_STATE_MACHINE_H_

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "actor/actor.h"
#include "actor/task.h"

namespace troupe {

// What becomes of a message that the state does not handle. Whatever it is, an asker gets kFailedPrecondition at the
// latest when it is clear that the message will not be handled.
enum class Unhandled {
  kRefuse,  // a dead letter
  kIgnore,  // dropped, and not counted
  kStash,   // put aside until the next transition, then offered to the new state; Context::Stash has the limit
};

namespace internal {
template <typename D, typename S, typename M>
concept InStateNow = requires(D& self, S& state, M message, ActorContext<D>& context) {
  self.On(state, std::move(message), context);
};
template <typename D, typename S, typename M>
concept InStateLater = requires(D& self, S& state, M message, Reply<troupe::ResultOf<M>> reply,
                                ActorContext<D>& context) {
  self.On(state, std::move(message), std::move(reply), context);
};
template <typename D, typename S, typename M>
concept InState = InStateNow<D, S, M> || InStateLater<D, S, M>;

// What the handler of a message in a state returns; void, if it has none.
template <typename D, typename S, typename M>
struct InStateReturn {
  using Type = void;
};
template <typename D, typename S, typename M>
requires InStateNow<D, S, M>
struct InStateReturn<D, S, M> {
  using Type = decltype(std::declval<D&>().On(std::declval<S&>(), std::declval<M>(), std::declval<ActorContext<D>&>()));
};
template <typename D, typename S, typename M>
requires InStateLater<D, S, M>
struct InStateReturn<D, S, M> {
  using Type =
      decltype(std::declval<D&>().On(std::declval<S&>(), std::declval<M>(), std::declval<Reply<troupe::ResultOf<M>>>(),
                                     std::declval<ActorContext<D>&>()));
};
template <typename D, typename S, typename M>
inline constexpr bool kInStateTask = kIsTask<typename InStateReturn<D, S, M>::Type>;
template <typename S>
concept SaysUnhandled = std::same_as<std::remove_const_t<decltype(S::kUnhandled)>, Unhandled>;
}  // namespace internal

// Begins in the first of the states, default-constructed, at each start and restart, or in that which Started becomes.
template <typename Derived, typename... States>
class StateMachine : public Actor<Derived> {
 public:
  using Context = ActorContext<Derived>;

  template <typename M>
  requires((internal::InState<Derived, States, M> || ...) &&
           !(internal::kInStateTask<Derived, States, M> || ...)) void Handle(M message, Reply<ResultOf<M>> reply,
                                                                             Context& context) {
    // The asker hears of it when the transition has succeeded too.
    std::optional<Outcome<ResultOf<M>>> outcome;
    Callback callback(*this, context);
    std::visit([&](auto& state) { Dispatch(state, std::move(message), reply, outcome, context); }, state_);
    callback.End();
    if (outcome.has_value() && !context.failing()) reply(*std::move(outcome));
  }
  // The same, where the message has a coroutine in one of the states.
  template <typename M>
  requires(internal::kInStateTask<Derived, States, M> || ...) Task<> Handle(M message, Reply<ResultOf<M>> reply,
                                                                            Context& context) {
    std::optional<Outcome<ResultOf<M>>> outcome;
    Callback callback(*this, context);
    Task<> task = std::visit([&](auto& state) { return Await(state, message, reply, outcome, context); }, state_);
    co_await std::move(task);
    callback.End();
    if (outcome.has_value() && !context.failing()) reply(*std::move(outcome));
  }

  void RunStarted(LocalCell& cell) final {
    Context context(cell);
    Callback callback(*this, context);
    Actor<Derived>::RunStarted(cell);
    if (context.failing()) return;
    if (next_.has_value()) state_ = *std::exchange(next_, std::nullopt);
    CallEntered(context);
    callback.End();
  }

 protected:
  // The machine's next state, in a handler, a hook or a continuation. In a handler or hook it holds from the end of
  // that on, if that succeeds, and the last one counts; Left is called on the old state, Entered on the new one, and
  // what was stashed is handled next. Also when the new state is of the old one's type. While a coroutine waits, its
  // state stays: the transition comes when the last one has ended. When a handler fails, all that was to come is
  // forgotten.
  template <typename State>
  requires(std::same_as<State, States> || ...) void Become(State next, Context& context) {
    next_.emplace(std::move(next));
    if (callbacks_ > 0) return;
    Callback callback(*this, context);
    callback.End();
  }

  // The state, if it is of this type; else null. Good until the next transition.
  template <typename State>
  requires(std::same_as<State, States> || ...) State* In() { return std::get_if<State>(&state_); }

 private:
  // So many transitions of one message are a loop.
  static constexpr int kMaxTransitions = 1000;

  // A handler or hook is running, or a coroutine waits, and with it a state that must stay where it is.
  class Callback {
   public:
    Callback(StateMachine& machine, Context& context) : machine_(machine), context_(context) { ++machine_.callbacks_; }
    Callback(const Callback&) = delete;
    ~Callback() {
      --machine_.callbacks_;
      if (!well_) machine_.next_.reset();
    }

    // It has come to its end.
    void End() {
      if (machine_.callbacks_ == 1) machine_.Settle(context_);
      well_ = !context_.failing();
    }

   private:
    StateMachine& machine_;
    Context& context_;
    bool well_ = false;
  };

  Derived& self() { return static_cast<Derived&>(*this); }

  template <typename State, typename M>
  void Dispatch(State& state, M message, Reply<ResultOf<M>>& reply, std::optional<Outcome<ResultOf<M>>>& outcome,
                Context& context) {
    if constexpr (internal::InStateLater<Derived, State, M>) {
      self().On(state, std::move(message), std::move(reply), context);
    } else if constexpr (internal::InStateNow<Derived, State, M>) {
      if constexpr (std::is_void_v<decltype(self().On(state, std::move(message), context))>) {
        static_assert(std::is_void_v<ResultOf<M>>, "a handler that returns nothing must take the Reply to answer this");
        self().On(state, std::move(message), context);
        outcome.emplace(absl::OkStatus());
      } else {
        outcome.emplace(self().On(state, std::move(message), context));
      }
    } else {
      static_assert(
          internal::SaysUnhandled<State>,
          "a state that does not handle each message says `static constexpr auto kUnhandled = Unhandled::...`");
      if constexpr (State::kUnhandled == Unhandled::kStash) {
        // When there is no room for it, its asker has been told and the dead letter counted.
        context.Stash(std::move(message), std::move(reply)).IgnoreError();
      } else if constexpr (State::kUnhandled == Unhandled::kRefuse) {
        context.Refuse(std::move(message), std::move(reply));
      } else {
        outcome.emplace(absl::FailedPreconditionError("the actor ignores this message in its present state"));
      }
    }
  }

  template <typename State, typename M>
  Task<> Await(State& state, M& message, Reply<ResultOf<M>>& reply, std::optional<Outcome<ResultOf<M>>>& outcome,
               Context& context) {
    using Handled = typename internal::InStateReturn<Derived, State, M>::Type;
    if constexpr (!internal::kIsTask<Handled>) {
      Dispatch(state, std::move(message), reply, outcome, context);
      co_return;
    } else if constexpr (internal::InStateLater<Derived, State, M>) {
      static_assert(std::is_same_v<Handled, Task<>>, "a coroutine that is given the Reply must be a Task<>");
      co_await self().On(state, std::move(message), std::move(reply), context);
    } else if constexpr (std::is_same_v<Handled, Task<>>) {
      static_assert(std::is_void_v<ResultOf<M>>, "a coroutine that handles this message must be a Task of its Result");
      co_await self().On(state, std::move(message), context);
      outcome.emplace(absl::OkStatus());
    } else {
      outcome.emplace(co_await self().On(state, std::move(message), context));
    }
  }

  void Settle(Context& context) {
    int transitions = 0;
    for (; next_.has_value() && !context.failing(); ++transitions) {
      if (transitions == kMaxTransitions) return context.Fail(absl::InternalError("a loop of states"));
      std::variant<States...> next = *std::exchange(next_, std::nullopt);
      std::visit(
          [&](auto& state) {
            if constexpr (requires { self().Left(state, context); }) {
              internal::CallHook([&] { return self().Left(state, context); });
            }
          },
          state_);
      if (context.failing()) return;
      state_ = std::move(next);
      CallEntered(context);
    }
    if (transitions > 0) context.UnstashAll();
  }

  void CallEntered(Context& context) {
    std::visit(
        [&](auto& state) {
          if constexpr (requires { self().Entered(state, context); }) {
            internal::CallHook([&] { return self().Entered(state, context); });
          }
        },
        state_);
  }

  std::variant<States...> state_;
  std::optional<std::variant<States...>> next_;
  int callbacks_ = 0;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_STATE_MACHINE_H_
