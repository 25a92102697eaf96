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
struct CancelTheOneBefore {
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
  void Handle(TickAfter after, Context& context) {
    before_ = std::exchange(timer_, context.After(after.delay, Tick{}));
  }
  void Handle(Tick, Context& context) { ticks_->push_back(context.Now()); }
  void Handle(TakeLong take, Context& context) {
    simulator_->RunFor(take.time);
    if (take.then_cancel) context.Cancel(timer_);
  }
  bool Handle(CancelIt, Context& context) { return context.Cancel(timer_); }
  bool Handle(CancelTheOneBefore, Context& context) { return context.Cancel(before_); }
  void Handle(NoteLater later, Context& context) {
    context.After(later.delay, Due{std::move(later.notebook), std::move(later.text)});
  }
  void Handle(Due due, Context&) { due.notebook.Tell(Note{std::move(due.text)}); }

 private:
  Simulator* simulator_;
  std::vector<Instant>* ticks_;
  TimerId timer_ = 0;
  TimerId before_ = 0;
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

TEST_F(TickerTest, TheIdOfATimerThatIsGoneIsNoOtherTimers) {
  ticker_.Tell(TickAfter{absl::Seconds(1)});
  EXPECT_TRUE(*test_.Await(ticker_.Ask(CancelIt{})));
  ticker_.Tell(TickAfter{absl::Seconds(1)});
  EXPECT_FALSE(*test_.Await(ticker_.Ask(CancelTheOneBefore{})));
  test_.simulator.RunFor(absl::Seconds(2));
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

// A message of which it can be seen whether anybody still has it.
struct HoldIt {
  std::shared_ptr<int> held;
};
struct Again {
  std::shared_ptr<int> held;
  Duration in;
  bool cancel;
};
class Holder : public Actor<Holder> {
 public:
  void Handle(Again again, Context& context) {
    const TimerId timer = context.After(again.in, HoldIt{std::move(again.held)});
    if (again.cancel) context.Cancel(timer);
  }
  void Handle(HoldIt, Context&) {}
};

TEST_F(TickerTest, OneThatHasComeOrWasCancelledLeavesNothingBehind) {
  auto held = std::make_shared<int>(0);
  Address<Holder> holder = test_.system.Spawn<Holder>();
  holder.Tell(Again{held, absl::Hours(1), /*cancel=*/true});
  test_.Settle();
  EXPECT_EQ(held.use_count(), 1);
  holder.Tell(Again{held, absl::Hours(1), /*cancel=*/false});
  test_.Settle();
  EXPECT_EQ(held.use_count(), 2);
  test_.RunFor(absl::Hours(1));
  EXPECT_EQ(held.use_count(), 1);
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

TEST(TimerTest, AMessageWhoseCopyThrowsFailsItsActorAndNothingElse) {
  TestSystem test;
  int copies = 0;
  Address<Glazier> glazier = test.system.Spawn<Glazier>();
  glazier.Tell(TellBrittle{&copies});
  test.simulator.RunFor(absl::Seconds(5));
  EXPECT_TRUE(glazier.alive());
  EXPECT_EQ(test.system.stats().restarts, 1u);
}

// Takes along what can only be moved.
struct Parcel {
  std::unique_ptr<std::string> content;
};
struct SendLater {};
class Postman : public Actor<Postman> {
 public:
  explicit Postman(std::vector<std::string>* delivered) : delivered_(delivered) {}
  void Handle(SendLater, Context& context) {
    context.After(absl::Seconds(1), Parcel{std::make_unique<std::string>("a book")});
  }
  void Handle(Parcel parcel, Context&) { delivered_->push_back(*parcel.content); }

 private:
  std::vector<std::string>* delivered_;
};

TEST(TimerTest, AMessageThatComesOnceMayBeOneThatCanOnlyBeMoved) {
  TestSystem test;
  std::vector<std::string> delivered;
  test.system.Spawn<Postman>(&delivered).Tell(SendLater{});
  test.simulator.RunFor(absl::Seconds(2));
  EXPECT_THAT(delivered, ElementsAre("a book"));
}

// Cron.

struct Begin {
  using Result = void;
  std::string schedule;
  std::string zone = "UTC";
};
struct End {
  using Result = bool;
};
struct Nap {
  Duration time;
};
struct Stumble {};
// Notes the time of day at each tick.
class Sexton : public Actor<Sexton> {
 public:
  Sexton(TestSystem* test, std::vector<std::string>* rung) : test_(test), rung_(rung) {}
  absl::Status Handle(Begin begin, Context& context) {
    absl::StatusOr<TimerId> timer = context.Cron(begin.schedule, Tick{}, begin.zone);
    if (timer.ok()) timer_ = *timer;
    return timer.status();
  }
  void Handle(Tick, Context&) {
    rung_->push_back(absl::FormatTime("%a %H:%M:%S", test_->executor.WallTime(), absl::UTCTimeZone()));
  }
  bool Handle(End, Context& context) { return context.Cancel(timer_); }
  void Handle(Nap nap, Context&) { test_->simulator.RunFor(nap.time); }
  void Handle(Stumble, Context& context) { context.Fail(absl::InternalError("stumbled")); }

 private:
  TestSystem* test_;
  std::vector<std::string>* rung_;
  TimerId timer_ = 0;
};

class CronTimerTest : public ::testing::Test {
 protected:
  CronTimerTest() {
    test_.executor.SetWallTime(absl::FromCivil(absl::CivilMinute(2026, 11, 20, 8, 57), absl::UTCTimeZone()));
  }
  // A Friday.
  void Begin(const std::string& schedule, const std::string& zone = "UTC") {
    ASSERT_TRUE(test_.Await(sexton_.Ask(troupe::Begin{schedule, zone})).ok());
  }
  void SetClock(int hour, int minute) {
    test_.executor.SetWallTime(absl::FromCivil(absl::CivilMinute(2026, 11, 20, hour, minute), absl::UTCTimeZone()));
  }

  TestSystem test_;
  std::vector<std::string> rung_;
  Address<Sexton> sexton_ = test_.system.Spawn<Sexton>(&test_, &rung_);
};

TEST_F(CronTimerTest, TicksWheneverTheScheduleSaysSo) {
  Begin("*/5 9-17 * * MON-FRI");
  test_.simulator.RunFor(absl::Minutes(15));
  EXPECT_THAT(rung_, ElementsAre("Fri 09:00:00", "Fri 09:05:00", "Fri 09:10:00"));
  rung_.clear();
  test_.simulator.RunFor(absl::Hours(9) - absl::Minutes(14));
  rung_.clear();
  test_.simulator.RunFor(absl::Hours(24 * 2 + 15) + absl::Minutes(4));
  EXPECT_THAT(rung_, ElementsAre("Mon 09:00:00")) << "over the week-end";
}

TEST_F(CronTimerTest, TheZoneIsUtcUnlessNamed) {
  Begin("0 10 * * *", "Europe/Berlin");
  test_.simulator.RunFor(absl::Hours(24));
  EXPECT_THAT(rung_, ElementsAre("Fri 09:00:00"));
}

TEST_F(CronTimerTest, AnErrorSaysWhatIsWrong) {
  const absl::Status range = test_.Await(sexton_.Ask(troupe::Begin{"61 * * * *"}));
  EXPECT_TRUE(absl::IsInvalidArgument(range));
  EXPECT_THAT(std::string(range.message()), ::testing::HasSubstr("minute"));
  const absl::Status zone = test_.Await(sexton_.Ask(troupe::Begin{"* * * * *", "Mars/Olympus"}));
  EXPECT_TRUE(absl::IsNotFound(zone));
  EXPECT_THAT(std::string(zone.message()), ::testing::HasSubstr("Mars/Olympus"));
}

TEST_F(CronTimerTest, IsCancelledAsAnyTimerAndEndsWithItsIncarnation) {
  Begin("* * * * *");
  EXPECT_TRUE(*test_.Await(sexton_.Ask(End{})));
  EXPECT_FALSE(*test_.Await(sexton_.Ask(End{})));
  Begin("* * * * *");
  sexton_.Tell(Stumble{});
  test_.simulator.RunFor(absl::Hours(1));
  EXPECT_THAT(rung_, IsEmpty());
}

TEST_F(CronTimerTest, AStallAndAJumpAheadAreOneTick) {
  Begin("*/5 * * * *");
  sexton_.Tell(Nap{absl::Minutes(30)});
  test_.Settle();
  test_.simulator.RunFor(absl::Minutes(4));
  EXPECT_THAT(rung_, ElementsAre("Fri 09:27:00", "Fri 09:30:00"));
  rung_.clear();
  SetClock(12, 1);
  test_.simulator.RunFor(absl::Minutes(5));
  EXPECT_THAT(rung_, ElementsAre("Fri 12:02:00", "Fri 12:05:00")) << "noticed within a minute";
}

TEST_F(CronTimerTest, WhatHasTickedDoesNotTickAgainWhenTheClockIsSetBack) {
  Begin("0 * * * *");
  test_.simulator.RunFor(absl::Minutes(10));
  EXPECT_THAT(rung_, ElementsAre("Fri 09:00:00"));
  SetClock(8, 30);
  test_.simulator.RunFor(absl::Hours(1));
  EXPECT_EQ(rung_.size(), 1u);
  test_.simulator.RunFor(absl::Hours(1));
  EXPECT_THAT(rung_, ElementsAre("Fri 09:00:00", "Fri 10:00:00"));
}

TEST_F(CronTimerTest, AClockThatWasWrongByHoursIsBelievedAtOnce) {
  SetClock(20, 57);
  Begin("0 * * * *");
  test_.simulator.RunFor(absl::Minutes(10));
  SetClock(8, 30);
  test_.simulator.RunFor(absl::Hours(1));
  EXPECT_THAT(rung_, ElementsAre("Fri 21:00:00", "Fri 09:00:00"));
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

}  // namespace
}  // namespace troupe
