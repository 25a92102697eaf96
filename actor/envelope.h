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
#include "actor/actor_id.h"
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

// An actor may say the same of messages that it gets, `using Control = troupe::ControlMessages<Heartbeat>;`: then it is
// so for that actor.
template <typename... Ms>
struct ControlMessages {};
namespace internal {
template <typename List, typename M>
inline constexpr bool kLists = false;
template <typename... Ms, typename M>
inline constexpr bool kLists<ControlMessages<Ms...>, M> = (std::same_as<Ms, M> || ...);
template <typename A, typename M>
concept ControlOf = kLists<typename A::Control, M>;
}  // namespace internal

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
  // The handler has the Reply, but its failure is still the answer.
  bool lent = false;
  // When the asker stops waiting; Never for a Tell.
  Instant deadline = Instant::Never();
  // In whose turn it was made.
  ActorId sender{internal::turn_mark.actor.load(std::memory_order_relaxed)};
};

// A message of known type with its asker's Reply.
template <typename M>
class MessageEnvelope : public Envelope {
  static_assert(alignof(M) <= internal::kPoolGrain, "a message is aligned to 16 bytes at most");

 public:
  MessageEnvelope(M message, Reply<ResultOf<M>> reply) : message_(std::move(message)), reply_(std::move(reply)) {}
  // Of a Tell.
  explicit MessageEnvelope(M message) : message_(std::move(message)) {}
  ~MessageEnvelope() override { LetGoOfLent(); }

  const std::type_info& type() const final { return typeid(M); }
  void* message() final { return &message_; }
  void Fail(const absl::Status& status) override {
    if (lent) {
      TakeBackLent(status);
    } else {
      reply_(status);
    }
  }
  // For a layer that carries the message elsewhere and brings the answer back. Empty while it is lent.
  Reply<ResultOf<M>> TakeReply() { return lent ? Reply<ResultOf<M>>() : std::move(reply_); }
  // The Reply that was lent to the handler is on its way elsewhere, and the handler's failure no answer to it.
  void LetGoOfLent() {
    if (lent) TakeBackLent(absl::OkStatus());
  }

 protected:
  // For the handler, whose failure is still this asker's answer.
  Reply<ResultOf<M>> LendReply() {
    if (!reply_.asked()) return Reply<ResultOf<M>>();
    lent = true;
    reply_.state()->Hold();
    return Reply<ResultOf<M>>(reply_.state());
  }
  // Somebody waits for the answer, and the handler has not got the Reply.
  bool owes_answer() const { return reply_.asked() && !lent; }

  M message_;
  Reply<ResultOf<M>> reply_;

 private:
  void TakeBackLent(const absl::Status& status) {
    lent = false;
    reply_.TakeState()->Release(status);
  }
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_ENVELOPE_H_
