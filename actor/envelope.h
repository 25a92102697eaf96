// A message on its way to an actor, with the actor's type erased; and what a message and a handler look like.
#ifndef TROUPE_ACTOR_ENVELOPE_H_
#define TROUPE_ACTOR_ENVELOPE_H_

#include <concepts>
#include <memory>
#include <optional>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "absl/status/status.h"
#include "actor/batch.h"
#include "actor/future.h"
#include "actor/mailbox.h"
#include "actor/stall_detector.h"
#include "actor/task.h"
#include "actor/time.h"

namespace troupe {

class ActorBase;
class Envelope;
class LocalCell;

namespace internal {
// Whether Context::Fail was called in the current callback.
bool FailurePending(const LocalCell& cell);
std::unique_ptr<Envelope> NextInBatch(LocalCell& cell, const std::type_info& envelope_type);

template <typename M>
struct ResultOf {
  using Type = void;
};
template <typename M>
requires requires { typename M::Result; }
struct ResultOf<M> {
  using Type = typename M::Result;
};
template <typename M>
concept DeclaredControl = requires {
  requires M::kControl;
};
}  // namespace internal

// A message is a movable struct. `using Result = T;` in it says what an Ask of it answers; without, void.
template <typename M>
using ResultOf = typename internal::ResultOf<M>::Type;

// `static constexpr bool kControl = true;` in a message puts it on the system lane: it outranks user messages and is
// never refused, so its protocol must bound how many there are.
template <typename M>
inline constexpr bool kIsControl = internal::DeclaredControl<M>;

// The forms of a handler: one that answers with what it returns (a ResultOf<M>, or an Outcome of it), one that is
// given the Reply and may answer later, and one that takes several messages at once (batch.h). The first two may be
// coroutines: a Task<ResultOf<M>>, or a Task<> that is given the Reply (task.h).
template <typename A, typename M>
concept HandlesNow = requires(A& actor, M message, typename A::Context& context) {
  actor.Handle(std::move(message), context);
};
template <typename A, typename M>
concept HandlesLater = requires(A& actor, M message, Reply<ResultOf<M>> reply, typename A::Context& context) {
  actor.Handle(std::move(message), std::move(reply), context);
};
template <typename A, typename M>
concept HandlesBatch = requires(A& actor, Batch<M>& batch, typename A::Context& context) {
  actor.Handle(batch, context);
};
template <typename A, typename M>
concept Handles = HandlesNow<A, M> || HandlesLater<A, M> || HandlesBatch<A, M>;

namespace internal {
template <typename A, typename M>
concept HandlesOnlyBatch = HandlesBatch<A, M> && !HandlesNow<A, M> && !HandlesLater<A, M>;
}  // namespace internal

class Envelope : public MailboxItem {
 public:
  // The message's type, and the message itself: a layer that carries messages elsewhere finds its codec by the one
  // and reads the other.
  virtual const std::type_info& type() const = 0;
  virtual void* message() = 0;

  // Hands the message to the actor. An exception of the handler passes through.
  virtual void Invoke(ActorBase& actor, LocalCell& cell) = 0;
  // Null unless the handler is a coroutine.
  virtual internal::TaskRun* task() { return nullptr; }

  // Answers the asker, if there is one that has no answer yet. The status must not be OK.
  virtual void Fail(const absl::Status& status) = 0;

  // On the system lane.
  bool control = false;
  // The handler is a coroutine and waits: this must be kept until it has ended.
  bool suspended = false;
  // When the asker stops waiting; Never for a Tell.
  Instant deadline = Instant::Never();
};

// A message of known type with its asker's Reply.
template <typename M>
class MessageEnvelope : public Envelope {
  static_assert(alignof(M) <= internal::kPoolGrain, "a message is aligned to 16 bytes at most");

 public:
  MessageEnvelope(M message, Reply<ResultOf<M>> reply) : message_(std::move(message)), reply_(std::move(reply)) {
    control = kIsControl<M>;
  }

  // Of a Tell.
  explicit MessageEnvelope(M message) : message_(std::move(message)) { control = kIsControl<M>; }
  ~MessageEnvelope() override {
    if (held_) held_->Release(absl::OkStatus());
  }

  const std::type_info& type() const final { return typeid(M); }
  void* message() final { return &message_; }
  void Fail(const absl::Status& status) override {
    if (held_) {
      std::exchange(held_, internal::FutureRef<ResultOf<M>>())->Release(status);
    } else {
      reply_(status);
    }
  }
  // For a layer that carries the message elsewhere and brings the answer back.
  Reply<ResultOf<M>> TakeReply() { return std::move(reply_); }
  // The Reply that was lent to the handler is on its way elsewhere, and the handler's failure no answer to it.
  void LetGoOfLent() {
    if (held_) std::exchange(held_, internal::FutureRef<ResultOf<M>>())->Release(absl::OkStatus());
  }

 protected:
  // For the handler, whose failure is still this asker's answer.
  Reply<ResultOf<M>> LendReply() {
    held_ = reply_.state();
    if (held_) held_->Hold();
    return std::move(reply_);
  }

  M message_;
  Reply<ResultOf<M>> reply_;

 private:
  internal::FutureRef<ResultOf<M>> held_;
};

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
}  // namespace internal

// A message for an actor of known type.
template <typename A, typename M>
requires Handles<A, M>
class HandlerEnvelope final : public MessageEnvelope<M> {
 public:
  using MessageEnvelope<M>::MessageEnvelope;

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
class HandlerEnvelope<A, M> final : public MessageEnvelope<M> {
 public:
  using MessageEnvelope<M>::MessageEnvelope;

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
class HandlerEnvelope<A, M> final : public MessageEnvelope<M>, private internal::TaskRun {
  using R = ResultOf<M>;
  using HandlerTask = typename internal::HandlerReturn<A, M>::Type;
  using Ends = decltype(std::declval<HandlerTask>().coroutine().promise().Take());
  static_assert(!HandlesLater<A, M> || std::is_void_v<Ends>, "a coroutine that is given the Reply must be a Task<>");
  static_assert(HandlesLater<A, M> || std::is_same_v<Ends, Outcome<R>> || (std::is_void_v<Ends> && std::is_void_v<R>),
                "a coroutine that handles this message must be a Task of its Result, or be given the Reply");

 public:
  using MessageEnvelope<M>::MessageEnvelope;
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
      if (this->reply_.asked() && !internal::FailurePending(this->cell())) this->reply_(absl::OkStatus());
    } else {
      Ends outcome = promise.Take();
      if (!internal::FailurePending(this->cell())) this->reply_(std::move(outcome));
    }
  }

  std::optional<typename A::Context> context_;
  std::optional<HandlerTask> task_;  // ends before what it uses
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_ENVELOPE_H_
