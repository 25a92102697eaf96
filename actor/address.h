// How an actor is reached, near or far: Address is what users hold, Cell the seam behind it.
#ifndef TROUPE_ACTOR_ADDRESS_H_
#define TROUPE_ACTOR_ADDRESS_H_

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "actor/envelope.h"
#include "actor/executor.h"
#include "actor/future.h"

namespace troupe {

// Unique in its actor system, never reused.
struct ActorId {
  uint64_t value = 0;
  friend auto operator<=>(ActorId, ActorId) = default;
};

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
  // handled will not be.
  template <typename M>
  requires Handles<A, M> Future<ResultOf<M>> Ask(M message, Duration timeout = kDefaultAskTimeout)
  const {
    const Instant deadline = cell_->executor().DeadlineIn(timeout);
    auto [future, reply] = MakeFuture<ResultOf<M>>(cell_->executor(), deadline);
    auto envelope = std::make_unique<HandlerEnvelope<A, M>>(std::move(message), std::move(reply));
    envelope->deadline = deadline;
    cell_->Deliver(std::move(envelope));
    return std::move(future);
  }

  // So that a wrong message is an error of one line that says so.
  template <typename M, typename... Rest>
  requires(!Handles<A, M>) ActorHasNoHandlerForMessage<A, M> Tell(M message, Rest... rest)
  const = delete;
  template <typename M, typename... Rest>
  requires(!Handles<A, M>) ActorHasNoHandlerForMessage<A, M> Ask(M message, Rest... rest)
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
