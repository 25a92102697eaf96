// Whoever handles an M, near or far, without its type.
#ifndef TROUPE_ACTOR_RECIPIENT_H_
#define TROUPE_ACTOR_RECIPIENT_H_

#include <memory>
#include <string>
#include <utility>

#include "actor/address.h"

namespace troupe {

//   std::vector<troupe::Recipient<OrderPlaced>> interested = {billing, shipping};   // addresses of different types
//   for (const auto& recipient : interested) recipient.Tell(order);
//
// A value of the size of an Address and a pointer, with the same cost and guarantees for each message. Like an address
// it keeps nothing alive but a name plate.
template <typename M>
class Recipient {
 public:
  Recipient() = default;
  template <typename A>
  requires Handles<A, M> Recipient(const Address<A>& address)  // NOLINT: implicit, it is the same actor
      : cell_(address.cell()), wrap_(&Wrap<A>) {}
  template <typename A>
  requires(!Handles<A, M>) Recipient(const Address<A>& address, ActorHasNoHandlerForMessage<A, M> = {})
  = delete;

  // As Address has them.
  bool Tell(M message) const { return cell_->Deliver(wrap_(std::move(message), Reply<ResultOf<M>>())); }
  // False also when the mailbox was full, whatever its policy: then a message is lost, this one or an older one.
  bool TellSeeingRoom(M message) const {
    std::unique_ptr<Envelope> envelope = wrap_(std::move(message), Reply<ResultOf<M>>());
    const Cell::Offered offered = cell_->Offer(envelope);
    if (offered == Cell::Offered::kFull) cell_->Deliver(std::move(envelope));
    return offered == Cell::Offered::kTaken;
  }
  Future<ResultOf<M>> Ask(M message, Duration timeout = kDefaultAskTimeout) const {
    return internal::AskCell<M>(*cell_, timeout, [this, &message](Reply<ResultOf<M>> reply) {
      return wrap_(std::move(message), std::move(reply));
    });
  }
  // Of a message that is built from the arguments.
  template <typename... Args>
  requires std::is_constructible_v<M, Args...> Future<ResultOf<M>> AskWithin(Duration timeout, Args&&... args)
  const { return Ask(M(std::forward<Args>(args)...), timeout); }
  template <typename... Args>
  requires std::is_constructible_v<M, Args...> internal::RoomAwaiter TellWait(Args&&... args)
  const { return TellWithin(kDefaultAskTimeout, std::forward<Args>(args)...); }
  template <typename... Args>
  requires std::is_constructible_v<M, Args...> internal::RoomAwaiter TellWithin(Duration timeout, Args&&... args)
  const { return internal::RoomAwaiter(cell_, wrap_(M(std::forward<Args>(args)...), Reply<ResultOf<M>>()), timeout); }
  bool Forward(M message, Reply<ResultOf<M>> reply) const {
    const Instant deadline = reply.deadline();
    std::unique_ptr<Envelope> envelope = wrap_(std::move(message), std::move(reply));
    envelope->deadline = deadline;
    return cell_->Deliver(std::move(envelope));
  }

  bool alive() const { return cell_ != nullptr && cell_->alive(); }
  ActorId id() const { return cell_->id(); }
  std::string label() const { return cell_->label(); }
  const std::shared_ptr<Cell>& cell() const { return cell_; }
  explicit operator bool() const { return cell_ != nullptr; }
  friend bool operator==(const Recipient& a, const Recipient& b) { return a.cell_ == b.cell_; }

 private:
  using WrapFunction = std::unique_ptr<Envelope> (*)(M message, Reply<ResultOf<M>> reply);

  template <typename A>
  static std::unique_ptr<Envelope> Wrap(M message, Reply<ResultOf<M>> reply) {
    return std::make_unique<HandlerEnvelope<A, M>>(std::move(message), std::move(reply));
  }

  std::shared_ptr<Cell> cell_;
  WrapFunction wrap_ = nullptr;  // knows the actor's type
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_RECIPIENT_H_
