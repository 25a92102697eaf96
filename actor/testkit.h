// The test kit for users of the core: actors under test on one thread, in virtual time, in an order that a seed
// decides.
//
//   TEST(CashierTest, TellsTheGuestWhatTheStoreHasNot) {
//     RunSeeds(100, [](TestSystem& test) {
//       Probe<Store> store(test);      // stands in for a Store
//       Probe<Receipt, Sorry> guest(test);
//       Address<Cashier> cashier = test.system.Spawn<Cashier>(store.address(), guest.address());
//       cashier.Tell(Order{"tea"});
//       Asked<Take> asked = store.ExpectAsk<Take>();
//       EXPECT_EQ(asked.message.what, "tea");
//       asked.reply(absl::NotFoundError("no tea"));
//       EXPECT_EQ(guest.ExpectMessage<Sorry>().what, "tea");
//       guest.ExpectNoMessage(absl::Seconds(10));
//       cashier.Stop();
//       EXPECT_TRUE(guest.ExpectTerminated(cashier).ok());
//     });
//   }
//
// An expectation that is not met throws ExpectationFailed, which ends the test and says what came instead. The first
// seed that fails is named; TROUPE_SEED=n in the environment runs it alone, TROUPE_SEEDS=n runs so many.
#ifndef TROUPE_ACTOR_TESTKIT_H_
#define TROUPE_ACTOR_TESTKIT_H_

#include <concepts>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "actor/actor.h"
#include "actor/deterministic_executor.h"
#include "gtest/gtest.h"

namespace troupe::testing {

struct ExpectationFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// An actor of the test's choice: by its address, its id or its name.
class Chosen {
 public:
  template <typename A>
  Chosen(const Address<A>& address) : id_(address.id()) {}
  Chosen(ActorId id) : id_(id) {}
  Chosen(std::string_view name) : name_(name) {}
  Chosen(const char* name) : name_(name) {}

  // Throws ExpectationFailed when no actor has the name.
  uint64_t IdIn(const ActorSystem& system) const;

 private:
  ActorId id_;
  std::string name_;
};

// A system whose time moves by hand. What fails while it lives is reported with its seed.
class TestSystem {
 public:
  explicit TestSystem(uint64_t seed = 1, std::source_location where = std::source_location::current());

  // Runs until the answer is there, which an ask's deadline ensures; an hour at most.
  template <typename R>
  Outcome<R> Await(Future<R> future, std::source_location where = std::source_location::current()) {
    // Shared: the answer may come after this has given up.
    auto outcome = std::make_shared<std::optional<Outcome<R>>>();
    std::move(future).Then([outcome](Outcome<R> result) { *outcome = std::move(result); });
    if (!RunUntil([&] { return outcome->has_value(); }, absl::Hours(1))) Fail(where, "no answer came");
    return *std::move(*outcome);
  }

  // Runs whatever can run without time passing.
  void Settle() { RunFor(absl::ZeroDuration()); }
  void RunFor(Duration duration) { simulator.RunFor(duration); }
  // False: the condition did not come to hold within `limit` of virtual time.
  bool RunUntil(const std::function<bool()>& condition, Duration limit) { return simulator.RunUntil(condition, limit); }

  // Paused, an actor takes no turn and its mail waits, while time and all others go on.
  void Pause(const Chosen& actor) { simulator.Pause(executor.node(), actor.IdIn(system)); }
  void Resume(const Chosen& actor) { simulator.Resume(executor.node(), actor.IdIn(system)); }
  // From now on each of its messages takes so long before it is handled. Zero: no longer.
  void Slow(const Chosen& actor, Duration delay) { simulator.Slow(executor.node(), actor.IdIn(system), delay); }
  // Has the actor handle the next of its messages now, paused or not. False: none waits.
  bool Step(const Chosen& actor) { return simulator.StepOne(executor.node(), actor.IdIn(system)); }

  [[noreturn]] void Fail(std::source_location where, const std::string& what) const;

  Simulator simulator;
  DeterministicExecutor executor;
  ActorSystem system;

 private:
  const ::testing::ScopedTrace trace_;
};

// A message that was asked, with the reply that the test gives. Dropped, it is a reply let go.
template <typename M>
struct Asked {
  M message;
  Reply<ResultOf<M>> reply;
};

namespace internal {

// Takes these messages; never handles one.
template <typename... M>
class Takes;
template <typename M>
class Takes<M> : public Actor<Takes<M>> {
 public:
  void Handle(M, Reply<ResultOf<M>>, ActorContext<Takes<M>>&) {}
};
template <typename First, typename Second, typename... Rest>
class Takes<First, Second, Rest...> : public Takes<Second, Rest...> {
 public:
  using Takes<Second, Rest...>::Handle;
  void Handle(First, Reply<ResultOf<First>>, typename Takes<Second, Rest...>::Context&) {}
};

// An actor of the system, but for its messages, which are kept for the test as they are sent.
class ProbeCell final : public LocalCell {
 public:
  static constexpr size_t kCapacity = 10'000;

  ProbeCell(ActorSystem& system, ActorId id, LocalCell* parent, const SpawnOptions& options, const std::type_info& type,
            size_t type_slot)
      : LocalCell(system, id, parent, options), type_(type), type_slot_(type_slot) {}

  bool Deliver(std::unique_ptr<Envelope> envelope) override;
  Offered Offer(std::unique_ptr<Envelope>& envelope) override { return Cell::Offer(envelope); }
  const std::type_info& actor_type() const override { return type_; }
  size_t type_slot() const override { return type_slot_; }

  void WatchFor(const std::shared_ptr<Cell>& other);
  void Keep(std::unique_ptr<Envelope> envelope) { kept_.push_back(std::move(envelope)); }
  // The oldest, without those whose askers have given up; null when there is none.
  std::unique_ptr<Envelope> Take(Instant now);
  bool empty() const { return kept_.empty(); }
  // The types of what it keeps, for people.
  std::string Describe() const;

 protected:
  std::unique_ptr<ActorBase> MakeActor() override;
  void DropArguments() override;

 private:
  const std::type_info& type_;
  const size_t type_slot_;
  std::deque<std::unique_ptr<Envelope>> kept_;
};

template <typename... T>
struct Probed {
  using Actor = Takes<T...>;
};
template <std::derived_from<ActorBase> A>
struct Probed<A> {
  using Actor = A;
};

void ForEachSeed(uint64_t seeds, absl::FunctionRef<void(uint64_t)> run);

}  // namespace internal

// An actor whose messages the test looks at, one by one, in the order in which they were sent, and answers by hand.
// Probe<A> stands in for an actor of type A and is never an A; Probe<M...> takes the messages M. It is an actor of the
// system as any other, can be registered, watched and stopped, but for what it does.
//   Limits:   10,000 messages wait for the test, then it is full. Waits are in virtual time.
//   Lifetime: within that of the TestSystem.
template <typename... T>
class Probe {
 public:
  using Actor = typename internal::Probed<T...>::Actor;

  explicit Probe(TestSystem& test)
      : test_(test),
        cell_(test.system.SpawnCell<internal::ProbeCell>(SpawnOptions{.on_failure = OnFailure::kStop}, typeid(Actor),
                                                         troupe::internal::TypeSlotOf<Actor>())) {}

  Address<Actor> address() const { return Address<Actor>(cell_); }
  void Stop() { cell_->Stop(); }
  // The probe terminates as an actor that failed.
  void Fail(absl::Status reason) {
    test_.Settle();
    cell_->PostToIncarnation(cell_->incarnation(), [cell = cell_.get(), reason] { cell->Fail(reason); });
  }

  // Runs until the next message is there, which must be an M. The asker of a message taken by this is let go.
  template <typename M>
  M ExpectMessage(Duration within = absl::Seconds(5), std::source_location where = std::source_location::current()) {
    return std::move(*static_cast<M*>(Next(typeid(M), within, where)->message()));
  }
  // The same of a message that was asked.
  template <typename M>
  Asked<M> ExpectAsk(Duration within = absl::Seconds(5), std::source_location where = std::source_location::current()) {
    std::unique_ptr<Envelope> envelope = Next(typeid(M), within, where);
    auto& typed = dynamic_cast<MessageEnvelope<M>&>(*envelope);
    Asked<M> asked{std::move(*static_cast<M*>(typed.message())), typed.TakeReply()};
    if (!asked.reply.asked())
      test_.Fail(where, "a " + TypeName(typeid(M)) + " came by Tell, nobody waits for the reply");
    return asked;
  }
  // Lets so much time pass, in which nothing must come; nor must anything wait already.
  void ExpectNoMessage(Duration quiet = absl::ZeroDuration(),
                       std::source_location where = std::source_location::current()) {
    test_.RunFor(quiet);
    if (!cell_->empty()) test_.Fail(where, "expected no message, but got" + cell_->Describe());
  }

  // Its Terminated will come as a message. ExpectTerminated watches too, if nobody has.
  template <typename A>
  void Watch(const Address<A>& actor) {
    cell_->WatchFor(actor.cell());
  }
  // Runs until the next message is there, which must be the notice of this actor's end, and gives its reason.
  template <typename A>
  absl::Status ExpectTerminated(const Address<A>& actor, Duration within = absl::Seconds(5),
                                std::source_location where = std::source_location::current()) {
    Watch(actor);
    const Terminated terminated = ExpectMessage<Terminated>(within, where);
    if (terminated.id != actor.id()) test_.Fail(where, "another actor terminated than " + actor.label());
    return terminated.reason;
  }

 private:
  std::unique_ptr<Envelope> Next(const std::type_info& type, Duration within, std::source_location where) {
    std::unique_ptr<Envelope> envelope;
    test_.RunUntil([&] { return (envelope = cell_->Take(test_.simulator.Now())) != nullptr; }, within);
    const std::string expected = "expected a " + TypeName(type) + ", but ";
    if (envelope == nullptr) test_.Fail(where, expected + "nothing came within " + absl::FormatDuration(within));
    if (envelope->type() != type) {
      test_.Fail(where, expected + "got a " + TypeName(envelope->type()) + " and then" + cell_->Describe());
    }
    return envelope;
  }

  TestSystem& test_;
  const std::shared_ptr<internal::ProbeCell> cell_;
};

// Runs the test once for each seed from 1 on, with a TestSystem or the seed, and stops at the first that fails.
template <typename F>
void RunSeeds(uint64_t seeds, F test) {
  internal::ForEachSeed(seeds, [&test](uint64_t seed) {
    if constexpr (std::is_invocable_v<F&, TestSystem&>) {
      TestSystem system(seed);
      test(system);
    } else {
      test(seed);
    }
  });
}

}  // namespace troupe::testing

#endif  // TROUPE_ACTOR_TESTKIT_H_
