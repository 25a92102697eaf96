// An address that keeps nothing, for tables of actors that nobody cleans up.
#ifndef TROUPE_ACTOR_WEAK_ADDRESS_H_
#define TROUPE_ACTOR_WEAK_ADDRESS_H_

#include <memory>

#include "actor/address.h"

namespace troupe {

// What keeps what:
//   - The system keeps an actor of its own, and its name plate (the Cell), until the actor terminates. No address
//     keeps an actor from ending.
//   - An Address or a Recipient keeps the name plate, which then tells that the actor has terminated, and to whom it
//     answered. The actor, its arguments, its mail and its relations are gone.
//   - A WeakAddress does not keep the plate: when the actor has terminated and no Address is left, the plate ends, and
//     only its block of memory (some 250 bytes) stays until the last WeakAddress lets go.
//   - The plate of a far actor lives only while an Address of it is held in this process, since its actor does not: a
//     weak address of it is good only beside a strong one.
//
//   if (troupe::Address<Session> session = weak.Lock()) session.Tell(...);
template <typename A>
class WeakAddress {
 public:
  WeakAddress() = default;
  WeakAddress(const Address<A>& address) : cell_(address.cell()) {}  // NOLINT: implicit, it promises less

  // Empty when the actor has terminated, or is about to have.
  Address<A> Lock() const {
    std::shared_ptr<Cell> cell = cell_.lock();
    return cell != nullptr && cell->alive() ? Address<A>(std::move(cell)) : Address<A>();
  }

 private:
  std::weak_ptr<Cell> cell_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_WEAK_ADDRESS_H_
