// How an actor is reached, near or far: Address is what users hold, Cell the seam behind it.
#ifndef TROUPE_ACTOR_ADDRESS_H_
#define TROUPE_ACTOR_ADDRESS_H_

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "actor/actor_id.h"
#include "actor/await.h"
#include "actor/envelope.h"
#include "actor/executor.h"
#include "actor/future.h"
#include "actor/handler_envelope.h"
#include "actor/task.h"

namespace troupe {

// Told once to each watcher of an actor that is gone.
struct Terminated {
  static constexpr bool kControl = true;
  ActorId id;
  // OK: it was stopped. Else: the failure that ended it.
  absl::Status reason;
};

// One actor as the others see it. LocalCell serves the actors of this process; another layer may serve far ones by
// the same calls, and no caller can tell.
//   Threads:  any thread may call anything; nothing blocks.
//   Ordering: messages from one sender to one cell keep their order, within each lane.
//   Lifetime: a cell outlives its actor for as long as somebody holds it, and then answers that it has terminated.
class Cell {
 public:
  virtual ~Cell() = default;

  // False: refused. The envelope's asker has its error, and the dead letter is counted.
  virtual bool Deliver(std::unique_ptr<Envelope> envelope) = 0;

  // For senders that wait for room. As Deliver, but a message that finds the mailbox full stays where it is, whatever
  // the mailbox's policy. A far actor's mailbox is not seen from here: nothing is kFull, and what finds no room there
  // is refused there.
  enum class Offered { kTaken, kRefused, kFull };
  virtual Offered Offer(std::unique_ptr<Envelope>& envelope) {
    return Deliver(std::move(envelope)) ? Offered::kTaken : Offered::kRefused;
  }
  // After kFull: answers when it is worth while to offer again. An answer is no promise: others may be quicker.
  virtual void AwaitRoom(Reply<void> room) { room(absl::OkStatus()); }

  // Ends the actor before the user messages that wait; what waits on the system lane comes first.
  virtual void Stop() = 0;

  // `watcher` gets NotifyTerminated once: when the actor terminates, or now when it has.
  virtual void AddWatcher(std::shared_ptr<Cell> watcher) = 0;
  virtual void RemoveWatcher(ActorId watcher) = 0;
  virtual void NotifyTerminated(ActorId who, absl::Status reason) = 0;

  // Unique among all that an actor of this process may watch: a layer that serves far actors gives them ids that no
  // local one has.
  virtual ActorId id() const = 0;
  virtual bool alive() const = 0;
  // For people: the registered name if there is one, else the type and id.
  virtual std::string label() const = 0;
  // Where deadlines of asks are kept.
  virtual Executor& executor() = 0;
};

inline constexpr Duration kDefaultAskTimeout = absl::Seconds(5);

// Says what is wrong in a compiler's message.
template <typename A, typename M>
struct ActorHasNoHandlerForMessage {};
namespace internal {
// Whether a message can be made from these, other than from a message.
template <typename M, typename... Args>
inline constexpr bool kBuildsInPlace = std::is_constructible_v<M, Args...>;
template <typename M, typename First, typename... Rest>
inline constexpr bool kBuildsInPlace<M, First, Rest...> =
    !std::same_as<std::remove_cvref_t<First>, M> && std::is_constructible_v<M, First, Rest...>;

absl::Status AskedItself(const Cell& cell);
absl::Status OfferRefused(const Cell& to);

[[gnu::always_inline]] inline RoomAwaiter::RoomAwaiter(const std::shared_ptr<Cell>& to,
                                                       std::unique_ptr<Envelope>&& envelope, Duration timeout) {
  const Cell::Offered offered = to->Offer(envelope);
  if (offered == Cell::Offered::kTaken) [[likely]] {
    return;
  }
  if (offered == Cell::Offered::kFull) {
    wait_ = std::make_unique<RoomWait>(to, std::move(envelope), timeout);
  } else {
    status_ = OfferRefused(*to);
  }
}

// Of Address and Recipient: delivers the envelope that `wrap` makes for the reply.
template <typename M, typename Wrap>
Future<troupe::ResultOf<M>> AskCell(Cell& cell, Duration timeout, Wrap wrap) {
  const Instant deadline = cell.executor().DeadlineIn(timeout);
  auto [future, reply] = MakeFuture<troupe::ResultOf<M>>(cell.executor(), deadline);
  std::unique_ptr<Envelope> envelope = wrap(std::move(reply));
  envelope->deadline = deadline;
  if (coroutine_of == &cell && !envelope->control) [[unlikely]] {
    envelope->Fail(AskedItself(cell));
  } else {
    cell.Deliver(std::move(envelope));
  }
  return std::move(future);
}
}  // namespace internal

// An actor of type A. A value: copy it, send it, keep it; it stays good across restarts of the actor, and keeps
// nothing alive but a name plate.
template <typename A>
class Address {
 public:
  Address() = default;
  explicit Address(std::shared_ptr<Cell> cell) : cell_(std::move(cell)) {}

  // Hands the message over and forgets it. False: refused (mailbox full, or the actor has terminated) and counted as
  // a dead letter.
  template <typename M>
  requires Handles<A, M>
  bool Tell(M message) const { return cell_->Deliver(std::make_unique<HandlerEnvelope<A, M>>(std::move(message))); }

  // Hands the message over and gives the answer that will come. The timeout covers the wait in the mailbox, the
  // handler, and the way back; when it is over the asker gets kDeadlineExceeded, and a message that is not yet
  // handled will not be. kFailedPrecondition, and nothing done: a coroutine asks its own actor, which is not
  // re-entrant and so could not answer before the coroutine has ended.
  template <typename M>
  requires Handles<A, M> Future<ResultOf<M>> Ask(M message, Duration timeout = kDefaultAskTimeout)
  const {
    return internal::AskCell<M>(*cell_, timeout, [&message](Reply<ResultOf<M>> reply) {
      return std::make_unique<HandlerEnvelope<A, M>>(std::move(message), std::move(reply));
    });
  }
  // Of a message that is built from the arguments: `co_await greeter.Ask<Greet>("Cinema")`.
  template <typename M, typename... Args>
  requires Handles<A, M> && internal::kBuildsInPlace<M, Args...> Future<ResultOf<M>> Ask(Args&&... args)
  const { return Ask(M(std::forward<Args>(args)...)); }
  template <typename M, typename... Args>
  requires Handles<A, M> && std::is_constructible_v<M, Args...> Future<ResultOf<M>> AskWithin(Duration timeout,
                                                                                              Args&&... args)
  const { return Ask(M(std::forward<Args>(args)...), timeout); }

  // For coroutines: `absl::Status told = co_await address.TellWait<Count>(1)`. As Tell of a message that is built from
  // the arguments, and as cheap when there is room. When there is none waits until half the mailbox is empty, those who
  // wait longest first, whatever the mailbox's policy; once the timeout is over it is told as with Tell. Not OK: it was
  // not told. kDeadlineExceeded: there was no room; kUnavailable: the actor has terminated or cannot be reached;
  // kFailedPrecondition: there is no room in the mailbox of the actor that waits, which is not re-entrant.
  // A far actor's mailbox is not seen from here, so that a tell to it does not wait.
  template <typename M, typename... Args>
  requires Handles<A, M> && std::is_constructible_v<M, Args...> internal::RoomAwaiter TellWait(Args&&... args)
  const { return TellWithin<M>(kDefaultAskTimeout, std::forward<Args>(args)...); }
  template <typename M, typename... Args>
  requires Handles<A, M> && std::is_constructible_v<M, Args...> internal::RoomAwaiter TellWithin(Duration timeout,
                                                                                                 Args&&... args)
  const {
    return internal::RoomAwaiter(cell_, std::make_unique<HandlerEnvelope<A, M>>(M(std::forward<Args>(args)...)),
                                 timeout);
  }

  // Passes a question on: the actor answers who asked first, within the deadline that it set. The reply of a Tell makes
  // a Tell. False: refused, and the asker has its error.
  template <typename M>
  requires Handles<A, M>
  bool Forward(M message, Reply<ResultOf<M>> reply) const {
    const Instant deadline = reply.deadline();
    auto envelope = std::make_unique<HandlerEnvelope<A, M>>(std::move(message), std::move(reply));
    envelope->deadline = deadline;
    return cell_->Deliver(std::move(envelope));
  }

  // So that a wrong message is an error of one line that says so.
  template <typename M, typename... Rest>
  requires(!Handles<A, M>) ActorHasNoHandlerForMessage<A, M> Tell(M message, Rest... rest)
  const = delete;
  template <typename M, typename... Rest>
  requires(!Handles<A, M>) ActorHasNoHandlerForMessage<A, M> Ask(M message, Rest... rest)
  const = delete;
  template <typename M, typename... Args>
  requires(!Handles<A, M> && internal::kBuildsInPlace<M, Args...>) ActorHasNoHandlerForMessage<A, M> Ask(Args&&... args)
  const = delete;
  template <typename M, typename... Args>
  requires(!Handles<A, M>) ActorHasNoHandlerForMessage<A, M> AskWithin(Duration timeout, Args&&... args)
  const = delete;
  template <typename M, typename... Args>
  requires(!Handles<A, M>) ActorHasNoHandlerForMessage<A, M> TellWait(Args&&... args)
  const = delete;
  template <typename M, typename... Args>
  requires(!Handles<A, M>) ActorHasNoHandlerForMessage<A, M> TellWithin(Duration timeout, Args&&... args)
  const = delete;
  template <typename M, typename... Rest>
  requires(!Handles<A, M>) ActorHasNoHandlerForMessage<A, M> Forward(M message, Rest... rest)
  const = delete;

  void Stop() const { cell_->Stop(); }

  bool alive() const { return cell_ != nullptr && cell_->alive(); }
  ActorId id() const { return cell_->id(); }
  std::string label() const { return cell_->label(); }
  const std::shared_ptr<Cell>& cell() const { return cell_; }
  explicit operator bool() const { return cell_ != nullptr; }
  friend bool operator==(const Address& a, const Address& b) { return a.cell_ == b.cell_; }

 private:
  std::shared_ptr<Cell> cell_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_ADDRESS_H_
