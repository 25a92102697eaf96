// Asks that are tried again, from inside an actor. retry.h has the rules.
//
//   class Shop : public troupe::Actor<Shop> {
//     void Handle(Order order, Reply<Receipt> reply, Context& context) {
//       troupe::AskWithRetry(context, till_, Charge{order.price}, retrier_,
//                            [reply = std::move(reply)](absl::StatusOr<Receipt> receipt) mutable { ... });
//     }
//     troupe::Retrier retrier_{{.max_attempts = 3}, troupe::Random(seed)};
//   };
#ifndef TROUPE_ACTOR_RETRY_ASK_H_
#define TROUPE_ACTOR_RETRY_ASK_H_

#include <memory>
#include <optional>
#include <utility>

#include "actor/actor.h"
#include "actor/circuit_breaker.h"
#include "actor/retry.h"

namespace troupe {

// What an actor keeps for one peer whose calls it retries. A member of the actor, touched only in its turns.
struct Retrier {
  Retrier(RetryOptions retry_options, Random chance, std::optional<CircuitBreaker> circuit_breaker = std::nullopt)
      : options(retry_options), random(chance), breaker(std::move(circuit_breaker)) {}

  RetryOptions options;
  Random random;
  RetryBudget budget;
  // Asked before each attempt, the first included; its refusal is the attempt's outcome, which is retryable.
  std::optional<CircuitBreaker> breaker;
};

namespace internal {

template <typename To, typename M>
concept Asks = requires(const To& to, M message, Duration timeout) {
  to.Ask(std::move(message), timeout);
};

// One call: attempt, wait, attempt, ... Kept alive by the continuation it waits for, and by nothing else, so that it
// ends with the incarnation.
template <typename Context, typename To, typename M, typename F>
class RetriedAsk : public std::enable_shared_from_this<RetriedAsk<Context, To, M, F>> {
 public:
  RetriedAsk(Context context, To to, M message, Retrier& retrier, F callback)
      : context_(context),
        to_(std::move(to)),
        message_(std::move(message)),
        retrier_(retrier),
        callback_(std::move(callback)),
        retry_(retrier.options, context.Now()) {}

  void Attempt() {
    const Instant now = context_.Now();
    std::optional<CircuitBreaker::Permit> permit;
    if (retrier_.breaker) {
      absl::StatusOr<CircuitBreaker::Permit> admitted = retrier_.breaker->Admit(now);
      if (!admitted.ok()) return Finish(admitted.status());
      permit = *admitted;
    }
    context_.Then(to_.Ask(M(message_), retry_.AttemptTimeout(now)),
                  [self = this->shared_from_this(), permit](Outcome<troupe::ResultOf<M>> outcome) {
                    if (permit) self->retrier_.breaker->Record(*permit, StatusOf(outcome), self->context_.Now());
                    self->Finish(std::move(outcome));
                  });
  }

 private:
  static const absl::Status& StatusOf(const absl::Status& outcome) { return outcome; }
  template <typename R>
  static const absl::Status& StatusOf(const absl::StatusOr<R>& outcome) {
    return outcome.status();
  }

  void Finish(Outcome<troupe::ResultOf<M>> outcome) {
    std::optional<Duration> wait;
    if (!outcome.ok()) {
      wait = retry_.WaitAfter(StatusOf(outcome), context_.Now(), retrier_.budget, retrier_.random);
    }
    if (!wait) return callback_(std::move(outcome));
    // A future that nobody answers: its deadline is the end of the wait. The callback holds the answering end.
    auto [waited, unanswered] = MakeFuture<void>(context_.system().executor(), context_.Now() + *wait);
    context_.Then(std::move(waited), [self = this->shared_from_this(),
                                      unanswered = std::move(unanswered)](const absl::Status&) { self->Attempt(); });
  }

  Context context_;
  const To to_;
  const M message_;
  Retrier& retrier_;
  F callback_;
  Retry retry_;
};

}  // namespace internal

// Asks until an attempt succeeds or the retrier's rules end it, and calls back once with the last outcome, in a turn
// of this incarnation (as Context::Then does; now, if the circuit breaker refuses and no retry is allowed). The
// message is copied for each attempt. `retrier` must live as long as the incarnation: a member of the actor. `to` is an
// Address or a Recipient.
template <typename Self, typename To, typename M, typename F>
requires internal::Asks<To, M>
void AskWithRetry(ActorContext<Self>& context, const To& to, M message, Retrier& retrier, F callback) {
  retrier.budget.CountCall();
  std::make_shared<internal::RetriedAsk<ActorContext<Self>, To, M, F>>(context, to, std::move(message), retrier,
                                                                       std::move(callback))
      ->Attempt();
}
// For coroutines: `co_await troupe::AskWithRetry(context, till_, charge, retrier_)` gives the last outcome.
template <typename Self, typename To, typename M>
requires internal::Asks<To, M> Future<ResultOf<M>> AskWithRetry(ActorContext<Self>& context, const To& to, M message,
                                                                Retrier& retrier) {
  auto [future, reply] = MakeFuture<ResultOf<M>>();
  AskWithRetry(context, to, std::move(message), retrier,
               [reply = std::move(reply)](Outcome<ResultOf<M>> outcome) mutable { reply(std::move(outcome)); });
  return std::move(future);
}

}  // namespace troupe

#endif  // TROUPE_ACTOR_RETRY_ASK_H_
