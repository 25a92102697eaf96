// What an actor may do in its turns: the Context that each handler and hook is given.
#ifndef TROUPE_ACTOR_ACTOR_CONTEXT_H_
#define TROUPE_ACTOR_ACTOR_CONTEXT_H_

#include <glog/logging.h>

#include <concepts>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "actor/actor_system.h"
#include "actor/actor_timer.h"
#include "actor/address.h"
#include "actor/answer_in_turn.h"
#include "actor/await.h"
#include "actor/cron.h"
#include "actor/envelope.h"
#include "actor/handler_envelope.h"
#include "actor/local_cell.h"
#include "actor/recipient.h"
#include "actor/task.h"

namespace troupe {

// What an actor of type A can do besides computing. Good only in the actor's own turns: copy it into continuations
// (Then, RunBlocking), but not into the work that goes to another thread.
template <typename A>
class ActorContext {
 public:
  explicit ActorContext(LocalCell& cell, Envelope* in_hand = nullptr) : cell_(cell), in_hand_(in_hand) {}
  // A copy may outlive the callback, and so has no message in hand.
  ActorContext(const ActorContext& other) : cell_(other.cell_) {}

  Address<A> self() const { return Address<A>(cell_.self()); }
  ActorSystem& system() const { return cell_.system(); }
  Instant Now() const { return cell_.executor().Now(); }

  // Who sent the message in hand; nobody, if it came from no actor of this process. The actor itself for its timers and
  // notices, and who passed it on for what was forwarded.
  ActorId sender() const { return in_hand_ == nullptr ? ActorId() : in_hand_->sender; }
  // Its address, if it is a B and has not terminated; else empty.
  template <typename B>
  Address<B> SenderAs() const {
    std::shared_ptr<LocalCell> sender_cell = system().Find(sender());
    return sender_cell != nullptr && sender_cell->actor_type() == typeid(B) ? Address<B>(std::move(sender_cell))
                                                                            : Address<B>();
  }

  // A child: it terminates before this actor does, and with this incarnation.
  template <typename B, typename... Args>
  Address<B> Spawn(SpawnOptions options, Args... args) {
    return system().template SpawnUnder<B>(&cell_, std::move(options), std::move(args)...);
  }

  // This actor ends after the current callback, before anything that waits.
  void Stop() { cell_.StopAfterCallback(); }
  // The current callback counts as failed; it should return soon. The status must not be OK.
  void Fail(absl::Status status) { cell_.Fail(std::move(status)); }

  // The hook is called once when this worker's batch of turns ends, however many actors ask for it (end_of_turn.h).
  void AtEndOfTurn(std::shared_ptr<EndOfTurnHook> hook) { cell_.AtEndOfTurn(std::move(hook)); }

  // Handle(Terminated) will be called exactly once when `other` has terminated, also if it has already. Watching
  // twice is watching once; Unwatch takes it back, even a notice that is on its way. Watches end with their
  // incarnation, and those of its children when it drains and these do.
  template <typename B>
  void Watch(const Address<B>& other) {
    WatchCell(other.cell());
  }
  template <typename M>
  void Watch(const Recipient<M>& other) {
    WatchCell(other.cell());
  }
  template <typename B>
  void Unwatch(const Address<B>& other) {
    cell_.Unwatch(other.cell());
  }
  template <typename M>
  void Unwatch(const Recipient<M>& other) {
    cell_.Unwatch(other.cell());
  }

  // Handle(NameChanged<B>) will be called with the actor that has this name, or with none, now and at each change, also
  // one that comes before the first call: none is missed, and no two in a row say the same. Ends with the incarnation.
  template <typename B>
  requires Handles<A, NameChanged<B>>
  void FollowName(std::string name) {
    auto follower = std::make_shared<NameFollower>();
    follower->name = std::move(name);
    follower->type = &typeid(B);
    follower->make = [](const std::string& name, std::shared_ptr<Cell> holder) -> std::unique_ptr<Envelope> {
      return std::make_unique<HandlerEnvelope<A, NameChanged<B>>>(NameChanged<B>{name, Address<B>(std::move(holder))});
    };
    cell_.FollowName(std::move(follower));
  }
  // Takes it back, even what is on its way.
  template <typename B>
  void UnfollowName(std::string_view name) {
    cell_.UnfollowName(name, typeid(B));
  }

  // The message comes to this actor after `delay`, or every `period` (the first time after one period; a late tick
  // delays the next, never doubles it). The period is positive (checked). Timers end with their incarnation.
  template <typename M>
  requires Handles<A, M> TimerId After(Duration delay, M message) {
    return cell_.StartTimer(delay, TimerFor(std::move(message), absl::ZeroDuration(), nullptr));
  }
  template <typename M>
  requires Handles<A, M> && std::copy_constructible<M> TimerId Every(Duration period, M message) {
    CHECK(period > absl::ZeroDuration()) << "what repeats needs a period";
    return cell_.StartTimer(period, TimerFor(std::move(message), period, nullptr));
  }
  // The message comes when the schedule says so (cron.h: Cron("*/5 9-17 * * MON-FRI", message) is every five minutes of
  // the working day), in a zone of the system's database. Ticks that were missed, since the actor was busy or the clock
  // jumped, come once; a jump of the clock is noticed within a minute. kInvalidArgument says what is wrong with the
  // schedule; kNotFound: no such zone.
  template <typename M>
  requires Handles<A, M> && std::copy_constructible<M> absl::StatusOr<TimerId> Cron(std::string_view schedule,
                                                                                    M message,
                                                                                    std::string_view zone = "UTC") {
    absl::StatusOr<CronSchedule> parsed = CronSchedule::Parse(schedule);
    if (!parsed.ok()) return parsed.status();
    absl::StatusOr<absl::TimeZone> found = FindTimeZone(zone);
    if (!found.ok()) return found.status();
    auto clock = std::make_unique<CronClock>(*parsed, *found, cell_.executor().WallTime());
    return cell_.StartCronTimer(TimerFor(std::move(message), absl::ZeroDuration(), std::move(clock)));
  }
  // False: it has fired, was cancelled before, or never was.
  bool Cancel(TimerId timer) { return cell_.CancelTimer(timer); }

  // Puts the message in hand aside, with its asker and deadline, until UnstashAll: in its handler, and once; what the
  // handler returns then goes nowhere. The actor's `static constexpr size_t kStashLimit`, 1,000 unless it says
  // otherwise, bounds how many; past it kResourceExhausted, and the message is a dead letter. A restart keeps them as
  // it keeps mail, and brings them back first. kFailedPrecondition: it is not the message in hand, as one of a Batch
  // never is.
  template <typename M>
  requires Handles<A, M> absl::Status Stash(M message) {
    MessageEnvelope<M>* in_hand = TakeInHand<M>();
    if (in_hand == nullptr) return NotInHand();
    return StashEnvelope(std::move(message), in_hand->TakeReply(), *in_hand);
  }
  template <typename M>
  requires Handles<A, M> absl::Status Stash(M message, Reply<ResultOf<M>> reply) {
    MessageEnvelope<M>* in_hand = TakeInHand<M>();
    if (in_hand == nullptr) return NotInHand();
    in_hand->LetGoOfLent();
    return StashEnvelope(std::move(message), std::move(reply), *in_hand);
  }
  // All that was put aside is handled next, in its order, before the mail that waits and after stops and notices.
  void UnstashAll() { cell_.UnstashAll(); }
  // Does not handle a message: it is a dead letter (kUnhandled), and its asker gets kFailedPrecondition.
  template <typename M>
  requires Handles<A, M>
  void Refuse(M message, Reply<ResultOf<M>> reply) {
    HandlerEnvelope<A, M> envelope(std::move(message), std::move(reply));
    cell_.Bury(DeadLetterReason::kUnhandled, envelope);
  }

  // Handle(IdleTimeout) is called when nobody has sent the actor anything for this long, and again after each further
  // such time, until it is cancelled or the incarnation ends. The actor's own timers and notices do not count; while a
  // coroutine of its handlers waits it is not idle.
  void SetIdleTimeout(Duration limit) requires Handles<A, IdleTimeout> {
    cell_.SetIdleTimeout(limit, []() -> std::unique_ptr<Envelope> {
      return std::make_unique<HandlerEnvelope<A, IdleTimeout>>(IdleTimeout{});
    });
  }
  void CancelIdleTimeout() { cell_.CancelIdleTimeout(); }

  // Tells work on other threads when this incarnation begins to end. What is hung on it by std::stop_callback runs in
  // the actor's turn; it must be short and not throw.
  std::stop_token StopToken() { return cell_.StopToken(); }
  // Context::Fail was called in this callback.
  bool failing() const { return cell_.failure_pending(); }
  // Takes up a stream: its items come to Handle(StreamItem<T>), until it ends, is cancelled or this incarnation ends.
  // stream.h says how.
  template <typename T>
  StreamId AddStream(Stream<T> stream, StreamDemand demand = StreamDemand::kAutomatic);
  // Nothing of the stream is handled any more, and its sink is told. False: it has ended, or never was.
  bool CancelStream(StreamId stream) { return cell_.CancelStream(stream); }
  // Asks for so many more items of a stream that was added with kOnRequest. False: it has ended, or never was.
  bool Request(StreamId stream, uint64_t items) { return cell_.RequestFromStream(stream, items); }

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
  // `work` must not touch the actor. One that takes a std::stop_token gets StopToken's, to end early: its result has
  // no taker then. kResourceExhausted when the pool is full: then `work` was not run. An exception that leaves it comes
  // back as kInternal.
  template <typename Work, typename F>
  void RunBlocking(Work work, F callback) {
    if constexpr (std::invocable<Work&, std::stop_token>) {
      RunOnPool([work = std::move(work), token = StopToken()]() mutable { return work(std::move(token)); },
                std::move(callback));
    } else {
      RunOnPool(std::move(work), std::move(callback));
    }
  }

 private:
  static constexpr size_t kDefaultStashLimit = 1000;

  template <typename Work, typename F>
  void RunOnPool(Work work, F callback) {
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
      } catch (...) {
        finish(internal::CaughtFailure());
      }
    });
    if (!taken) finish(absl::ResourceExhaustedError("too much work waits for the disk; try again in a moment"));
  }

  // Null: another message, or none, is in hand, or it has been put aside already.
  template <typename M>
  MessageEnvelope<M>* TakeInHand() {
    if (in_hand_ == nullptr || in_hand_->type() != typeid(M)) return nullptr;
    return static_cast<MessageEnvelope<M>*>(std::exchange(in_hand_, nullptr));
  }
  static absl::Status NotInHand() { return absl::FailedPreconditionError("only the message in hand can be stashed"); }
  template <typename M>
  absl::Status StashEnvelope(M message, Reply<ResultOf<M>> reply, const Envelope& in_hand) {
    static_assert(!std::is_same_v<M, Terminated> && !std::is_same_v<M, IdleTimeout>,
                  "a notice is for this incarnation and cannot be put aside for the next one");
    auto envelope = std::make_unique<HandlerEnvelope<A, M>>(std::move(message), std::move(reply));
    envelope->deadline = in_hand.deadline;
    envelope->sender = in_hand.sender;
    size_t limit = kDefaultStashLimit;
    if constexpr (requires { A::kStashLimit; }) limit = A::kStashLimit;
    return cell_.Stash(std::move(envelope), limit);
  }

  const std::shared_ptr<LocalCell>& self_cell() const { return cell_.self(); }

  void WatchCell(const std::shared_ptr<Cell>& cell) {
    cell_.Watch(cell, [](Terminated terminated) -> std::unique_ptr<Envelope> {
      return std::make_unique<HandlerEnvelope<A, Terminated>>(std::move(terminated));
    });
  }

  template <typename M>
  static ActorTimerRef TimerFor(M message, Duration period, std::unique_ptr<CronClock> cron) {
    return ActorTimerRef(new ActorTimerOf<A, M>(std::move(message), period, std::move(cron)));
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
  // Of the handler that this was made for, in its call.
  Envelope* in_hand_ = nullptr;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_ACTOR_CONTEXT_H_
