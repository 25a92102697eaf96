// The test kit does what it says, and says what came instead.
#include "actor/testkit.h"

#include "actor/test_actors.h"
#include "gmock/gmock.h"
#include "gtest/gtest-spi.h"
#include "gtest/gtest.h"

namespace troupe::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

// The example of the header.
struct Take {
  using Result = int;
  std::string what;
};
class Store : public Actor<Store> {
 public:
  int Handle(Take, Context&) { return ++taken_; }

 private:
  int taken_ = 0;
};
struct Receipt {
  int total;
};
struct Sorry {
  std::string what;
};
struct Order {
  std::string what;
};
class Cashier : public Actor<Cashier> {
 public:
  using Guest = Probe<Receipt, Sorry>::Actor;
  Cashier(Address<Store> store, Address<Guest> guest) : store_(std::move(store)), guest_(std::move(guest)) {}
  void Handle(Order order, Context& context) {
    context.Then(store_.Ask(Take{order.what}), [this, order](absl::StatusOr<int> taken) {
      if (taken.ok()) {
        guest_.Tell(Receipt{*taken});
      } else {
        guest_.Tell(Sorry{order.what});
      }
    });
  }

 private:
  const Address<Store> store_;
  const Address<Guest> guest_;
};

TEST(ProbeTest, TheExampleOfTheHeader) {
  RunSeeds(100, [](TestSystem& test) {
    Probe<Store> store(test);
    Probe<Receipt, Sorry> guest(test);
    Address<Cashier> cashier = test.system.Spawn<Cashier>(store.address(), guest.address());
    cashier.Tell(Order{"tea"});
    Asked<Take> asked = store.ExpectAsk<Take>();
    EXPECT_EQ(asked.message.what, "tea");
    asked.reply(absl::NotFoundError("no tea"));
    EXPECT_EQ(guest.ExpectMessage<Sorry>().what, "tea");
    guest.ExpectNoMessage(absl::Seconds(10));
    cashier.Stop();
    EXPECT_TRUE(guest.ExpectTerminated(cashier).ok());
  });
}

TEST(ProbeTest, SaysWhatCameInsteadWhereAndWithWhichSeed) {
  TestSystem test(/*seed=*/7);
  Probe<Receipt, Sorry> guest(test);
  guest.address().Tell(Receipt{1});
  guest.address().Tell(Sorry{"tea"});
  guest.address().Tell(Receipt{2});
  EXPECT_THAT([&] { guest.ExpectMessage<Sorry>(); },
              ThrowsMessage<ExpectationFailed>(AllOf(HasSubstr("testkit_test.cc:"), HasSubstr("Sorry, but got a "),
                                                     HasSubstr("Receipt and then a "), HasSubstr("Sorry, a "),
                                                     HasSubstr("(seed 7)"))));
  EXPECT_THAT([&] { guest.ExpectNoMessage(); }, ThrowsMessage<ExpectationFailed>(HasSubstr("but got a ")));
}

TEST(ProbeTest, WaitsInVirtualTimeAndNoLonger) {
  TestSystem test;
  Probe<Receipt, Sorry> guest(test);
  test.simulator.At(test.simulator.Now() + absl::Seconds(2), 0, Simulator::Kind::kEvent,
                    [&] { guest.address().Tell(Receipt{1}); });
  guest.ExpectNoMessage(absl::Seconds(1));
  EXPECT_THAT([&] { guest.ExpectMessage<Receipt>(absl::Milliseconds(500)); },
              ThrowsMessage<ExpectationFailed>(HasSubstr("nothing came within 500ms")));
  EXPECT_EQ(guest.ExpectMessage<Receipt>().total, 1);
}

TEST(ProbeTest, IsAnActorOfTheSystemThatCanBeNamedWatchedAndEnded) {
  TestSystem test;
  Probe<Store> store(test);
  ASSERT_TRUE(test.system.Register("store", store.address()).ok());
  EXPECT_EQ(*test.system.Lookup<Store>("store"), store.address());
  Probe<Sorry> other(test);
  other.Watch(store.address());
  Future<int> asked = store.address().Ask(Take{"tea"});
  store.Fail(absl::DataLossError("burnt down"));
  EXPECT_EQ(other.ExpectTerminated(store.address()), absl::DataLossError("burnt down"));
  EXPECT_TRUE(absl::IsUnavailable(test.Await(std::move(asked)).status())) << "nobody came to it";
  EXPECT_TRUE(absl::IsUnavailable(test.Await(store.address().Ask(Take{"tea"})).status()));
}

TEST(ProbeTest, DoesNotGetAMessageWhoseAskerHasGivenUp) {
  TestSystem test;
  Probe<Store> store(test);
  Future<int> asked = store.address().Ask(Take{"tea"}, absl::Seconds(1));
  EXPECT_TRUE(absl::IsDeadlineExceeded(test.Await(std::move(asked)).status()));
  EXPECT_THROW(store.ExpectAsk<Take>(), ExpectationFailed);
}

TEST(RunSeedsTest, StopsAtTheFirstSeedThatFailsAndNamesIt) {
  static uint64_t last = 0;
  EXPECT_NONFATAL_FAILURE(RunSeeds(10,
                                   [](uint64_t seed) {
                                     last = seed;
                                     if (seed == 3) throw ExpectationFailed("no tea");
                                   }),
                          "no tea\nseed 3 of 10 failed; again: TROUPE_SEED=3");
  EXPECT_EQ(last, 3u);
}

// Power over one actor.

TEST(PauseTest, MailWaitsWhileOthersGoOnAndAskersGetTheirDeadline) {
  TestSystem test;
  Address<Notebook> paused = test.system.Spawn<Notebook>();
  Address<Notebook> other = test.system.Spawn<Notebook>();
  ASSERT_TRUE(test.system.Register("paused", paused).ok());
  test.Pause("paused");
  paused.Tell(Note{"1"});
  other.Tell(Note{"2"});
  EXPECT_TRUE(absl::IsDeadlineExceeded(test.Await(paused.Ask(Note{"late"}, absl::Seconds(1)))));
  EXPECT_THAT(*test.Await(other.Ask(ReadNotes{})), ElementsAre("2"));
  EXPECT_EQ(test.system.Find(paused.id())->Info().mailbox_depth, 2u);
  test.Resume("paused");
  EXPECT_THAT(*test.Await(paused.Ask(ReadNotes{})), ElementsAre("1"));
}

TEST(PauseTest, HoldsAnActorThatWasReadyAlreadyAndItsStop) {
  TestSystem test;
  Address<Notebook> paused = test.system.Spawn<Notebook>();
  paused.Tell(Note{"1"});
  test.Pause(paused);
  paused.Stop();
  test.RunFor(absl::Hours(1));
  EXPECT_TRUE(paused.alive());
  test.Resume(paused);
  test.Settle();
  EXPECT_FALSE(paused.alive());
}

TEST(SlowTest, EachMessageTakesItsTimeAndOthersDoNot) {
  TestSystem test;
  Address<Notebook> slow = test.system.Spawn<Notebook>();
  Address<Notebook> other = test.system.Spawn<Notebook>();
  test.Settle();
  test.Slow(slow, absl::Seconds(1));
  const Instant start = test.simulator.Now();
  slow.Tell(Note{"1"});
  slow.Tell(Note{"2"});
  EXPECT_TRUE(test.Await(other.Ask(Note{"3"})).ok());
  EXPECT_EQ(test.simulator.Now(), start);
  EXPECT_THAT(*test.Await(slow.Ask(ReadNotes{})), ElementsAre("1", "2"));
  EXPECT_EQ(test.simulator.Now(), start + absl::Seconds(3));
  test.Slow(slow, absl::ZeroDuration());
  EXPECT_TRUE(test.Await(slow.Ask(Note{"4"})).ok());
  EXPECT_EQ(test.simulator.Now(), start + absl::Seconds(3));
}

TEST(SlowTest, OneThatIsPausedMeanwhileStaysSo) {
  TestSystem test;
  Address<Notebook> slow = test.system.Spawn<Notebook>();
  test.Settle();
  test.Slow(slow, absl::Seconds(1));
  slow.Tell(Note{"1"});
  test.Pause(slow);
  test.RunFor(absl::Seconds(5));
  EXPECT_EQ(test.system.Find(slow.id())->Info().handled, 0u);
  test.Resume(slow);
  test.Settle();
  EXPECT_EQ(test.system.Find(slow.id())->Info().handled, 1u) << "its second was over long ago";
}

TEST(StepTest, HandlesOneMessageOfThatActorAndNothingElse) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Notebook> stepped = test.system.Spawn<Notebook>(&log);
  Address<Notebook> other = test.system.Spawn<Notebook>(&log);
  for (const char* note : {"1", "2"}) stepped.Tell(Note{note});
  test.Pause(stepped);
  EXPECT_TRUE(test.Step(stepped));
  EXPECT_THAT(log, ElementsAre("started"));
  EXPECT_TRUE(test.Step(stepped));
  EXPECT_EQ(test.system.Find(stepped.id())->Info().handled, 1u);
  EXPECT_TRUE(test.Step(stepped));
  EXPECT_FALSE(test.Step(stepped)) << "nothing waits";
  EXPECT_EQ(test.system.Find(stepped.id())->Info().handled, 2u);
}

TEST(StepTest, OneOfAStoppedNodeIsGone) {
  Simulator simulator(1);
  DeterministicExecutor executor(simulator, /*node=*/3);
  ActorId id;
  {
    ActorSystem system(executor);
    id = system.Spawn<Notebook>().id();
    simulator.Pause(3, id.value);
  }
  EXPECT_FALSE(simulator.StepOne(3, id.value));
}

}  // namespace
}  // namespace troupe::testing
