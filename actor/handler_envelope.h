// A message that knows its actor's type, and so how to be handled: by a function, by a coroutine, or in a batch.
#ifndef TROUPE_ACTOR_HANDLER_ENVELOPE_H_
#define TROUPE_ACTOR_HANDLER_ENVELOPE_H_

#include <concepts>
#include <memory>
#include <optional>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "absl/status/status.h"
#include "actor/batch.h"
#include "actor/envelope.h"
#include "actor/future.h"
#include "actor/stall_detector.h"
#include "actor/task.h"

namespace troupe {

namespace internal {
// What the handler of a message returns; void, if it takes batches.
template <typename A, typename M>
struct HandlerReturn {
  using Type = void;
};
template <typename A, typename M>
requires HandlesNow<A, M>
struct HandlerReturn<A, M> {
  using Type = decltype(std::declval<A&>().Handle(std::declval<M>(), std::declval<typename A::Context&>()));
};
template <typename A, typename M>
requires HandlesLater<A, M>
struct HandlerReturn<A, M> {
  using Type = decltype(std::declval<A&>().Handle(std::declval<M>(), std::declval<Reply<troupe::ResultOf<M>>>(),
                                                  std::declval<typename A::Context&>()));
};

template <typename A>
concept DeclaredReentrant = requires {
  requires A::kReentrant;
};

// What all forms share: the lane may be the actor's choice.
template <typename A, typename M>
class EnvelopeFor : public MessageEnvelope<M> {
 public:
  template <typename... Args>
  explicit EnvelopeFor(Args&&... args) : MessageEnvelope<M>(std::forward<Args>(args)...) {
    this->control = kIsControl<M> || ControlOf<A, M>;
  }
};
}  // namespace internal

// A message for an actor of known type.
template <typename A, typename M>
requires Handles<A, M>
class HandlerEnvelope final : public internal::EnvelopeFor<A, M> {
 public:
  using internal::EnvelopeFor<A, M>::EnvelopeFor;

  void Invoke(ActorBase& base, LocalCell& cell) override {
    using R = ResultOf<M>;
    internal::turn_mark.Handling(&typeid(M));
    A& actor = static_cast<A&>(base);
    typename A::Context context(cell, this);
    if constexpr (HandlesLater<A, M>) {
      actor.Handle(std::move(this->message_), this->LendReply(), context);
    } else if constexpr (std::is_void_v<decltype(actor.Handle(std::move(this->message_), context))>) {
      static_assert(std::is_void_v<R>, "a handler that returns nothing must take the Reply to answer this message");
      actor.Handle(std::move(this->message_), context);
      if (this->reply_.asked() && !internal::FailurePending(cell)) this->reply_(absl::OkStatus());
    } else {
      Outcome<R> outcome = actor.Handle(std::move(this->message_), context);
      // Else the asker gets the failure, from whoever catches it.
      if (!internal::FailurePending(cell)) this->reply_(std::move(outcome));
    }
  }
};

// One whose handler takes a batch, of which this is the first.
template <typename A, typename M>
requires internal::HandlesOnlyBatch<A, M>
class HandlerEnvelope<A, M> final : public internal::EnvelopeFor<A, M> {
 public:
  using internal::EnvelopeFor<A, M>::EnvelopeFor;

  void Invoke(ActorBase& base, LocalCell& cell) override {
    using HandlerResult = decltype(static_cast<A&>(base).Handle(batch_, std::declval<typename A::Context&>()));
    static_assert(std::is_void_v<HandlerResult>,
                  "a handler of a batch returns nothing and is no coroutine: it answers through the replies in it");
    internal::turn_mark.Handling(&typeid(M));
    std::unique_ptr<Envelope> next;
    MoveTo(batch_);
    while (batch_.size() < internal::MaxBatch<A>() &&
           (next = internal::NextInBatch(cell, typeid(HandlerEnvelope))) != nullptr) {
      static_cast<HandlerEnvelope&>(*next).MoveTo(batch_);
    }
    typename A::Context context(cell);
    static_cast<A&>(base).Handle(batch_, context);
    if constexpr (std::is_void_v<ResultOf<M>>) {
      if (!internal::FailurePending(cell)) batch_.Answer(absl::OkStatus());
    }
  }
  void Fail(const absl::Status& status) override {
    MessageEnvelope<M>::Fail(status);
    batch_.Answer(status);
  }

 private:
  void MoveTo(Batch<M>& batch) { batch.Add(std::move(this->message_), this->TakeReply()); }

  Batch<M> batch_;
};

// One whose handler is a coroutine.
template <typename A, typename M>
requires Handles<A, M> && internal::kIsTask<typename internal::HandlerReturn<A, M>::Type>
class HandlerEnvelope<A, M> final : public internal::EnvelopeFor<A, M>, private internal::TaskRun {
  using R = ResultOf<M>;
  using HandlerTask = typename internal::HandlerReturn<A, M>::Type;
  using Ends = decltype(std::declval<HandlerTask>().coroutine().promise().Take());
  static_assert(!HandlesLater<A, M> || std::is_void_v<Ends>, "a coroutine that is given the Reply must be a Task<>");
  static_assert(HandlesLater<A, M> || std::is_same_v<Ends, Outcome<R>> || (std::is_void_v<Ends> && std::is_void_v<R>),
                "a coroutine that handles this message must be a Task of its Result, or be given the Reply");

 public:
  using internal::EnvelopeFor<A, M>::EnvelopeFor;
  using MessageEnvelope<M>::operator new;
  using MessageEnvelope<M>::operator delete;

  void Invoke(ActorBase& base, LocalCell& cell) override {
    internal::turn_mark.Handling(&typeid(M));
    A& actor = static_cast<A&>(base);
    context_.emplace(cell, this);
    if constexpr (HandlesLater<A, M>) {
      task_.emplace(actor.Handle(std::move(this->message_), this->LendReply(), *context_));
    } else {
      task_.emplace(actor.Handle(std::move(this->message_), *context_));
    }
    task_->coroutine().promise().run = this;
    this->Begin(cell, *this, internal::DeclaredReentrant<A>, task_->coroutine());
    this->suspended = !this->done();
  }
  internal::TaskRun* task() override { return this; }

 private:
  void Complete() override {
    auto& promise = task_->coroutine().promise();
    if constexpr (std::is_void_v<Ends>) {
      promise.Take();
      if (this->owes_answer() && !internal::FailurePending(this->cell())) this->reply_(absl::OkStatus());
    } else {
      Ends outcome = promise.Take();
      if (!internal::FailurePending(this->cell())) this->reply_(std::move(outcome));
    }
  }

  std::optional<typename A::Context> context_;
  std::optional<HandlerTask> task_;  // ends before what it uses
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_HANDLER_ENVELOPE_H_
