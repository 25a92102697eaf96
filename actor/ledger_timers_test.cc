// Claims of groups 5 and 6 of docs/actors.md: timers and names.
#include "actor/actor.h"
#include "actor/test_actors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::Crash;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::TestSystem;

Instant At(int64_t seconds) { return Instant() + absl::Seconds(seconds); }

struct Tick {};
struct TickEvery {
  Duration period;
};
struct TickAfter {
  Duration delay;
};
// A handler that takes so long, in virtual time.
struct TakeLong {
  Duration time;
  bool then_cancel = false;
};
struct CancelIt {
  using Result = bool;
};
struct NoteLater {
  Address<Notebook> notebook;
  Duration delay;
  std::string text;
};
struct Due {
  Address<Notebook> notebook;
  std::string text;
};
class Ticker : public Actor<Ticker> {
 public:
  Ticker(Simulator* simulator, std::vector<Instant>* ticks) : simulator_(simulator), ticks_(ticks) {}
  void Handle(TickEvery every, Context& context) { timer_ = context.Every(every.period, Tick{}); }
  void Handle(TickAfter after, Context& context) { timer_ = context.After(after.delay, Tick{}); }
  void Handle(Tick, Context& context) { ticks_->push_back(context.Now()); }
  void Handle(TakeLong take, Context& context) {
    simulator_->RunFor(take.time);
    if (take.then_cancel) context.Cancel(timer_);
  }
  bool Handle(CancelIt, Context& context) { return context.Cancel(timer_); }
  void Handle(NoteLater later, Context& context) {
    context.After(later.delay, Due{std::move(later.notebook), std::move(later.text)});
  }
  void Handle(Due due, Context&) { due.notebook.Tell(Note{std::move(due.text)}); }

 private:
  Simulator* simulator_;
  std::vector<Instant>* ticks_;
  TimerId timer_ = 0;
};

class TickerTest : public ::testing::Test {
 protected:
  TestSystem test_;
  std::vector<Instant> ticks_;
  Address<Ticker> ticker_ = test_.system.Spawn<Ticker>(&test_.simulator, &ticks_);
};

TEST_F(TickerTest, TicksThatWereMissedComeOnceAndNotInABurst) {
  ticker_.Tell(TickEvery{absl::Seconds(1)});
  test_.simulator.RunFor(absl::Seconds(1));
  ticker_.Tell(TakeLong{absl::Seconds(10)});
  test_.Settle();
  test_.simulator.RunFor(absl::Seconds(2));
  EXPECT_THAT(ticks_, ElementsAre(At(1), At(11), At(12), At(13)));
}

TEST_F(TickerTest, CancelSaysWhetherItCameInTime) {
  EXPECT_FALSE(*test_.Await(ticker_.Ask(CancelIt{}))) << "there never was one";
  ticker_.Tell(TickAfter{absl::Seconds(1)});
  EXPECT_TRUE(*test_.Await(ticker_.Ask(CancelIt{})));
  EXPECT_FALSE(*test_.Await(ticker_.Ask(CancelIt{}))) << "once is enough";
  ticker_.Tell(TickAfter{absl::Seconds(1)});
  test_.simulator.RunFor(absl::Seconds(5));
  EXPECT_FALSE(*test_.Await(ticker_.Ask(CancelIt{}))) << "it has fired";
  EXPECT_EQ(ticks_.size(), 1u);
}

TEST_F(TickerTest, ATimerThatIsCancelledWhenItIsDueAlreadyDoesNotFire) {
  ticker_.Tell(TickAfter{absl::Seconds(1)});
  test_.Settle();
  ticker_.Tell(TakeLong{absl::Seconds(5), /*then_cancel=*/true});
  test_.simulator.RunFor(absl::Seconds(10));
  EXPECT_THAT(ticks_, IsEmpty());
}

TEST_F(TickerTest, ATimerThatIsOverdueFiresNowAndHoldsUpNoOther) {
  test_.simulator.RunFor(absl::Seconds(2));
  ticker_.Tell(TickAfter{-absl::Seconds(1)});
  ticker_.Tell(TickAfter{absl::ZeroDuration()});
  ticker_.Tell(TickAfter{absl::Seconds(1)});
  test_.simulator.RunFor(absl::Seconds(5));
  EXPECT_THAT(ticks_, ElementsAre(At(2), At(2), At(3)));
}

TEST_F(TickerTest, ATimerForNeverNeverComesAndCanBeCancelled) {
  ticker_.Tell(TickAfter{absl::InfiniteDuration()});
  test_.simulator.RunFor(absl::Hours(24 * 365));
  EXPECT_THAT(ticks_, IsEmpty());
  EXPECT_TRUE(*test_.Await(ticker_.Ask(CancelIt{})));
}

TEST_F(TickerTest, AMessageToAnotherComesLaterThroughATimerOfOnesOwn) {
  Address<Notebook> notebook = test_.system.Spawn<Notebook>();
  ticker_.Tell(NoteLater{notebook, absl::Seconds(2), "second"});
  ticker_.Tell(NoteLater{notebook, absl::Seconds(1), "first"});
  test_.Settle();
  EXPECT_THAT(*test_.Await(notebook.Ask(ReadNotes{})), IsEmpty());
  test_.simulator.RunFor(absl::Seconds(3));
  EXPECT_THAT(*test_.Await(notebook.Ask(ReadNotes{})), ElementsAre("first", "second"));
}

TEST_F(TickerTest, ATimerOutranksTheMailThatWaits) {
  Address<Notebook> unused = test_.system.Spawn<Notebook>();
  ticker_.Tell(TickAfter{absl::Seconds(1)});
  test_.Settle();
  ticker_.Tell(TakeLong{absl::Seconds(5)});
  for (int i = 0; i < 100; ++i) ticker_.Tell(TakeLong{absl::Seconds(1)});
  test_.simulator.RunFor(absl::Minutes(10));
  EXPECT_THAT(ticks_, ElementsAre(At(5))) << "right after the handler that was on when it fell due";
}

TEST_F(TickerTest, AStoppedActorsTimersAreGoneFromTheClock) {
  ticker_.Tell(TickEvery{absl::Seconds(1)});
  test_.Settle();
  ticker_.Stop();
  test_.Settle();
  const uint64_t steps = test_.simulator.steps();
  test_.simulator.RunFor(absl::Hours(1));
  EXPECT_EQ(test_.simulator.steps(), steps);
}

// A message that cannot be copied a second time.
struct Brittle {
  explicit Brittle(int* copies) : copies(copies) {}
  Brittle(Brittle&&) = default;
  Brittle(const Brittle& other) : copies(other.copies) {
    if (++*copies > 1) throw std::runtime_error("no more copies");
  }
  int* copies;
};
struct TellBrittle {
  int* copies;
};
class Glazier : public Actor<Glazier> {
 public:
  void Handle(TellBrittle tell, Context& context) { context.Every(absl::Seconds(1), Brittle(tell.copies)); }
  void Handle(Brittle, Context&) {}
};

// Known fault: the copy is made outside of what guards the actor's callbacks, and the exception ends the process.
TEST(TimerTest, DISABLED_AMessageWhoseCopyThrowsFailsItsActorAndNothingElse) {
  TestSystem test;
  int copies = 0;
  Address<Glazier> glazier = test.system.Spawn<Glazier>();
  glazier.Tell(TellBrittle{&copies});
  test.simulator.RunFor(absl::Seconds(5));
  EXPECT_TRUE(glazier.alive());
  EXPECT_EQ(test.system.stats().restarts, 1u);
}

// Names.

TEST(NamesTest, TheEndOfAFormerOwnerDoesNotEndANewRegistration) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    TestSystem test(seed);
    Address<Notebook> former = test.system.Spawn<Notebook>();
    ASSERT_TRUE(test.system.Register("notebook", former).ok());
    Address<Notebook> next = test.system.Spawn<Notebook>();
    former.Stop();
    // At the first moment in which the name is free.
    absl::Status taken;
    ASSERT_TRUE(test.simulator.RunUntil(
        [&] {
          taken = test.system.Register("notebook", next);
          return taken.ok();
        },
        absl::Seconds(1)))
        << taken;
    test.simulator.RunFor(absl::Seconds(1));
    EXPECT_FALSE(former.alive());
    EXPECT_EQ(*test.system.Lookup<Notebook>("notebook"), next) << "seed " << seed;
  }
}

TEST(NamesTest, WhoeverIsToldOfTheEndMayTakeTheName) {
  struct Succeed {
    Address<Notebook> former;
  };
  class Heir : public Actor<Heir> {
   public:
    explicit Heir(std::vector<absl::Status>* taken) : taken_(taken) {}
    void Handle(Succeed succeed, Context& context) { context.Watch(succeed.former); }
    void Handle(Terminated, Context& context) { taken_->push_back(context.system().Register("crown", context.self())); }

   private:
    std::vector<absl::Status>* taken_;
  };
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    TestSystem test(seed);
    std::vector<absl::Status> taken;
    Address<Notebook> former = test.system.Spawn<Notebook>();
    ASSERT_TRUE(test.system.Register("crown", former).ok());
    test.system.Spawn<Heir>(&taken).Tell(Succeed{former});
    former.Stop();
    test.Settle();
    EXPECT_THAT(taken, ElementsAre(absl::OkStatus())) << "seed " << seed;
  }
}

TEST(NamesTest, HasAtLeastOneAndAtMostTwoHundredAndFiftyFiveBytes) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  EXPECT_TRUE(absl::IsInvalidArgument(test.system.Register("", notebook)));
  EXPECT_TRUE(absl::IsInvalidArgument(test.system.Register(std::string(256, 'n'), notebook)));
  EXPECT_TRUE(test.system.Register(std::string(255, 'n'), notebook).ok());
}

TEST(NamesTest, AnActorHasOneNameAtMost) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  ASSERT_TRUE(test.system.Register("first", notebook).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(test.system.Register("second", notebook)));
  EXPECT_TRUE(absl::IsNotFound(test.system.Lookup<Notebook>("second").status())) << "nothing is left of it";
}

}  // namespace
}  // namespace troupe
