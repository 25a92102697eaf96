// Siblings that restart together: the plan alone, then with actors; and decisions that are made for each failure.
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "actor/sibling_restart.h"
#include "actor/supervisor.h"
#include "actor/test_actors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::Crash;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TestSystem;
using Action = SiblingRestart::Action;

constexpr ActorId kOne{1}, kTwo{2}, kThree{3};

// "end 3" and so on; empty when there is nothing to do.
std::string Next(SiblingRestart& restart) {
  const SiblingRestart::Step step = restart.Next();
  switch (step.action) {
    case Action::kNothing:
      return "";
    case Action::kEnd:
      return "end " + std::to_string(step.child.value);
    case Action::kBegin:
      return "begin " + std::to_string(step.child.value);
  }
  return "?";
}

TEST(SiblingRestartTest, TheyEndInReverseAndBeginInOrderEachWhenTheOneBeforeHas) {
  SiblingRestart restart;
  restart.Failed(kTwo, std::vector<ActorId>{kOne, kThree});
  EXPECT_EQ(Next(restart), "end 3");
  EXPECT_EQ(Next(restart), "");
  restart.Ready(kThree);
  EXPECT_EQ(Next(restart), "end 1");
  restart.Ready(kOne);
  for (ActorId child : {kOne, kTwo, kThree}) {
    EXPECT_EQ(Next(restart), "begin " + std::to_string(child.value));
    EXPECT_EQ(Next(restart), "");
    restart.Runs(child);
  }
  EXPECT_EQ(Next(restart), "");
}

TEST(SiblingRestartTest, NobodyBeginsBeforeTheBackoffOfTheOneAtFaultIsOver) {
  SiblingRestart restart;
  restart.Failed(kTwo, std::vector<ActorId>{kOne});
  restart.EndedAndWaits(kTwo);
  EXPECT_EQ(Next(restart), "end 1");
  restart.Ready(kOne);
  EXPECT_EQ(Next(restart), "");
  restart.Ready(kTwo);
  EXPECT_EQ(Next(restart), "begin 1");
}

TEST(SiblingRestartTest, OneThatEndsForGoodIsWaitedForNoLonger) {
  SiblingRestart restart;
  restart.Failed(kTwo, std::vector<ActorId>{kOne, kThree});
  EXPECT_EQ(Next(restart), "end 3");
  restart.Gone(kThree);
  EXPECT_EQ(Next(restart), "end 1");
  restart.Ready(kOne);
  EXPECT_EQ(Next(restart), "begin 1");
  restart.Gone(kOne);
  EXPECT_EQ(Next(restart), "begin 2");
}

TEST(SiblingRestartTest, AFailureAtTheBeginningTakesThoseThatRunBackToTheirEnd) {
  SiblingRestart restart;
  restart.Failed(kOne, std::vector<ActorId>{kTwo});
  EXPECT_EQ(Next(restart), "end 2");
  restart.Ready(kTwo);
  EXPECT_EQ(Next(restart), "begin 1");
  restart.Runs(kOne);
  EXPECT_EQ(Next(restart), "begin 2");
  EXPECT_FALSE(restart.Ends(kTwo));
  restart.Failed(kTwo, std::vector<ActorId>{kOne});
  EXPECT_EQ(Next(restart), "end 1");
  EXPECT_TRUE(restart.Ends(kOne));
}

TEST(SiblingRestartTest, WhatOneSaidOfItsBeginningDoesNotCountOnceItHasToEndAgain) {
  SiblingRestart restart;
  restart.Failed(kTwo, {});
  EXPECT_EQ(Next(restart), "begin 2");
  restart.Failed(kOne, std::vector<ActorId>{kTwo});
  EXPECT_EQ(Next(restart), "end 2");
  restart.Runs(kTwo);
  EXPECT_EQ(Next(restart), "") << "its end is still awaited";
  restart.Ready(kTwo);
  EXPECT_EQ(Next(restart), "begin 1");
}

// A sibling: writes what happens to it into a log that outlives it.
struct Mark {
  int number = 0;
};
struct Marks {
  using Result = std::vector<int>;
};
struct Log {
  std::vector<std::string> lines;
  std::string stop_itself_while_restarting;
  std::string fails_at_start;

  std::vector<std::string> Take() { return std::exchange(lines, {}); }
};
class Sibling : public Actor<Sibling> {
 public:
  Sibling(std::string name, Log* log) : name_(std::move(name)), log_(log) {}
  void Started(Context&) {
    log_->lines.push_back(name_ + " starts");
    if (log_->fails_at_start == name_) {
      log_->fails_at_start.clear();
      throw std::runtime_error(name_ + " fails at its start");
    }
  }
  void Restarting(const absl::Status&, Context& context) {
    log_->lines.push_back(name_ + " restarts");
    if (log_->stop_itself_while_restarting == name_) context.Stop();
  }
  void Stopping(Context&) { log_->lines.push_back(name_ + " stops"); }
  void Handle(Mark mark, Context&) { marks_.push_back(mark.number); }
  std::vector<int> Handle(Marks, Context&) { return marks_; }
  std::string Handle(Crash, Context&) { throw std::runtime_error(name_ + " fell"); }

 private:
  std::string name_;
  Log* log_;
  std::vector<int> marks_;
};

// A parent of its own under the name "parent", and the siblings a, b and c.
struct Bear {
  using Result = Address<Sibling>;
  std::string name;
  SpawnOptions options;
};
class Parent : public Actor<Parent> {
 public:
  explicit Parent(Log* log) : log_(log) {}
  void Started(Context&) { log_->lines.push_back("parent starts"); }
  void Restarting(const absl::Status& failure, Context&) {
    log_->lines.push_back("parent restarts: " + std::string(failure.message()));
  }
  Address<Sibling> Handle(Bear bear, Context& context) { return context.Spawn<Sibling>(bear.options, bear.name, log_); }
  std::string Handle(Crash, Context&) { throw std::runtime_error("parent fell"); }

 private:
  Log* log_;
};

struct Family {
  explicit Family(SpawnOptions options, SpawnOptions of_b = {}, uint64_t seed = 1)
      : test(seed), parent(test.system.Spawn<Parent>(options, &log)) {
    a = *test.Await(parent.Ask(Bear{"a"}));
    b = *test.Await(parent.Ask(Bear{"b", of_b}));
    c = *test.Await(parent.Ask(Bear{"c"}));
    test.Settle();
    log.Take();
  }
  ActorInfo Info(ActorId id) const {
    for (ActorInfo& info : test.system.List()) {
      if (info.id == id) return info;
    }
    return {};
  }

  TestSystem test;
  Log log;
  Address<Parent> parent;
  Address<Sibling> a, b, c;
};

TEST(SiblingsTest, OneForOneConcernsNobodyElse) {
  Family family(SpawnOptions{});
  family.b.Tell(Crash{});
  family.test.Settle();
  EXPECT_THAT(family.log.Take(), ElementsAre("b restarts", "b starts"));
}

TEST(SiblingsTest, OneForAllEndsAllInReverseAndBeginsThemInTheOrderOfTheirSpawns) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Family family(SpawnOptions{.children = Strategy::kOneForAll}, {}, seed);
    family.b.Tell(Crash{});
    family.test.Settle();
    EXPECT_THAT(family.log.Take(),
                ElementsAre("b restarts", "c restarts", "a restarts", "a starts", "b starts", "c starts"))
        << "seed " << seed;
    EXPECT_EQ(family.Info(family.parent.id()).restarts, 0u);
  }
}

TEST(SiblingsTest, RestForOneConcernsThoseThatWereSpawnedLater) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Family family(SpawnOptions{.children = Strategy::kRestForOne}, {}, seed);
    family.b.Tell(Crash{});
    family.test.Settle();
    EXPECT_THAT(family.log.Take(), ElementsAre("b restarts", "c restarts", "b starts", "c starts")) << "seed " << seed;
  }
}

TEST(SiblingsTest, KeepTheirAddressesAndTheMailThatWaits) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Family family(SpawnOptions{.children = Strategy::kOneForAll},
                  SpawnOptions{.restart_backoff = {.initial = absl::Seconds(1)}}, seed);
    family.b.Tell(Crash{});
    family.test.Settle();
    for (int i = 1; i <= 3; ++i) EXPECT_TRUE(family.a.Tell(Mark{i}));
    EXPECT_THAT(*family.test.Await(family.a.Ask(Marks{})), ElementsAre(1, 2, 3)) << "seed " << seed;
  }
}

TEST(SiblingsTest, WaitOutTheBackoffOfTheOneAtFaultTogether) {
  Family family(SpawnOptions{.children = Strategy::kOneForAll},
                SpawnOptions{.restart_backoff = {.initial = absl::Seconds(2)}});
  family.b.Tell(Crash{});
  family.test.simulator.RunFor(absl::Seconds(1.5));
  EXPECT_THAT(family.log.Take(), ElementsAre("b restarts", "c restarts", "a restarts"));
  family.test.simulator.RunFor(absl::Seconds(0.5));
  EXPECT_THAT(family.log.Take(), ElementsAre("a starts", "b starts", "c starts"));
}

TEST(SiblingsTest, ARestartWithASiblingIsCountedAndExplained) {
  Family family(SpawnOptions{.children = Strategy::kOneForAll});
  family.b.Tell(Crash{});
  family.test.Settle();
  const ActorInfo info = family.Info(family.a.id());
  EXPECT_EQ(info.restarts, 1u);
  EXPECT_EQ(info.parent, family.parent.id());
  EXPECT_THAT(info.last_failure, HasSubstr("restarted with sibling"));
  EXPECT_THAT(info.last_failure, HasSubstr(family.b.label()));
  EXPECT_THAT(info.last_failure, HasSubstr("b fell"));
  EXPECT_THAT(family.Info(family.b.id()).last_failure, ::testing::Not(HasSubstr("sibling")));
  EXPECT_EQ(family.test.system.stats().restarts, 3u);
}

TEST(SiblingsTest, OneMoreRestartThanTheGroupsLimitFailsTheParent) {
  Family family(SpawnOptions{.children = Strategy::kOneForAll, .children_limit = {.max_restarts = 2}});
  for (const Address<Sibling>& child : {family.a, family.c}) {
    child.Tell(Crash{});
    family.test.Settle();
  }
  EXPECT_EQ(family.Info(family.parent.id()).restarts, 0u);
  family.b.Tell(Crash{});
  family.test.Settle();
  EXPECT_FALSE(family.a.alive() || family.b.alive() || family.c.alive());
  const ActorInfo info = family.Info(family.parent.id());
  EXPECT_EQ(info.restarts, 1u);
  EXPECT_THAT(info.last_failure, HasSubstr("b fell (more than 2 restarts of siblings within 10s)"));
}

TEST(SiblingsTest, AParentThatResumesWhenItsGroupIsOverTheLimitKeepsTheOthers) {
  Family family(SpawnOptions{
      .on_failure = OnFailure::kResume, .children = Strategy::kOneForAll, .children_limit = {.max_restarts = 0}});
  family.b.Tell(Crash{});
  family.test.Settle();
  EXPECT_FALSE(family.b.alive());
  EXPECT_TRUE(family.test.Await(family.a.Ask(Marks{})).ok());
  EXPECT_THAT(family.log.Take(), ElementsAre("b restarts"));
}

TEST(SiblingsTest, AFailureAtTheStartOfAGroupBeginsItAnewAndCounts) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Family family(SpawnOptions{.children = Strategy::kOneForAll}, {}, seed);
    family.log.fails_at_start = "b";
    family.c.Tell(Crash{});
    family.test.Settle();
    EXPECT_THAT(family.log.Take(), ElementsAre("c restarts", "b restarts", "a restarts", "a starts", "b starts",
                                               "b restarts", "a restarts", "a starts", "b starts", "c starts"))
        << "seed " << seed;
  }
}

TEST(SiblingsTest, FailuresAtTheSameTimeLeaveAGroupThatRuns) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Family family(SpawnOptions{.children = Strategy::kOneForAll, .children_limit = {.max_restarts = 3}}, {}, seed);
    for (const Address<Sibling>& child : {family.a, family.b, family.c}) child.Tell(Crash{});
    family.test.Settle();
    EXPECT_EQ(family.Info(family.parent.id()).restarts, 0u) << "seed " << seed;
    EXPECT_TRUE(family.test.Await(family.a.Ask(Marks{})).ok()) << "seed " << seed;
  }
}

TEST(SiblingsTest, AFailureOfOneThatHasToEndAnywayIsNotCounted) {
  int together = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Family family(SpawnOptions{.children = Strategy::kOneForAll, .children_limit = {.max_restarts = 1}}, {}, seed);
    family.a.Tell(Crash{});
    family.b.Tell(Crash{});
    while (family.log.lines.size() < 2) family.test.simulator.Step();
    const bool both = absl::StrContains(family.Info(family.a.id()).last_failure, "std::runtime_error: a fell") &&
                      absl::StrContains(family.Info(family.b.id()).last_failure, "std::runtime_error: b fell");
    family.test.Settle();
    if (!both) continue;  // one of them fails again when it has been restarted with the other
    ++together;
    EXPECT_EQ(family.Info(family.parent.id()).restarts, 0u) << "seed " << seed;
  }
  EXPECT_GT(together, 0);
}

TEST(SiblingsTest, OneThatIsStoppedInTheMidstOfARestartIsNotBegunAndHoldsUpNobody) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    for (bool at_fault : {true, false}) {
      Family family(SpawnOptions{.children = Strategy::kOneForAll},
                    SpawnOptions{.restart_backoff = {.initial = absl::Seconds(2)}}, seed);
      family.b.Tell(Crash{});
      family.test.Settle();
      (at_fault ? family.b : family.a).Stop();
      family.test.simulator.RunFor(absl::Seconds(2));
      EXPECT_EQ(family.a.alive(), at_fault);
      EXPECT_EQ(family.b.alive(), !at_fault);
      EXPECT_TRUE(family.test.Await(family.c.Ask(Marks{})).ok()) << "seed " << seed;
      EXPECT_EQ(family.Info(family.parent.id()).restarts, 0u) << "a stop is no failure";
    }
  }
}

TEST(SiblingsTest, OneThatEndsItselfInItsHookIsNotBegunAndHoldsUpNobody) {
  Family family(SpawnOptions{.children = Strategy::kOneForAll});
  family.log.stop_itself_while_restarting = "a";
  family.b.Tell(Crash{});
  family.test.Settle();
  EXPECT_THAT(family.log.Take(), ElementsAre("b restarts", "c restarts", "a restarts", "b starts", "c starts"));
  EXPECT_FALSE(family.a.alive());
}

TEST(SiblingsTest, OneWhoseFailureStopsItConcernsNobodyElse) {
  Family family(SpawnOptions{.children = Strategy::kOneForAll}, SpawnOptions{.on_failure = OnFailure::kStop});
  family.b.Tell(Crash{});
  family.test.Settle();
  EXPECT_THAT(family.log.Take(), ElementsAre("b stops"));
}

TEST(SiblingsTest, AParentThatEndsInTheMidstOfARestartEndsThemAll) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    for (bool restarts : {true, false}) {
      Family family(SpawnOptions{.children = Strategy::kRestForOne}, {}, seed);
      family.a.Tell(Crash{});
      for (uint64_t step = 0; step < seed % 20; ++step) family.test.simulator.Step();
      if (restarts) {
        family.parent.Tell(Crash{});
      } else {
        family.parent.Stop();
      }
      family.test.Settle();
      EXPECT_FALSE(family.a.alive() || family.b.alive() || family.c.alive()) << "seed " << seed;
      EXPECT_EQ(family.test.system.stats().alive, restarts ? 1u : 0u) << "seed " << seed;
    }
  }
}

TEST(SupervisorTest, TopLevelActorsMayFormAGroup) {
  TestSystem test;
  Log log;
  Address<Supervisor> group = SpawnSupervisor(test.system, Strategy::kOneForAll, {.max_restarts = 1});
  Address<Sibling> a = *test.Await(group.Ask(StartChild<Sibling>("a", &log)));
  Address<Sibling> b = *test.Await(group.Ask(StartChild<Sibling>(SpawnOptions{.mailbox_capacity = 8}, "b", &log)));
  test.Settle();
  log.Take();
  a.Tell(Crash{});
  test.Settle();
  EXPECT_THAT(log.Take(), ElementsAre("a restarts", "b restarts", "a starts", "b starts"));
  b.Tell(Crash{});
  test.Settle();
  EXPECT_FALSE(group.alive()) << "one restart more than allowed";
  EXPECT_TRUE(test.system.terminated());
}

// Decisions.

struct Fragile : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct Throw {
  std::function<void()> what;
};
struct Fall {
  absl::Status status;
};
struct State {
  using Result = int;
};
class Patient : public Actor<Patient> {
 public:
  void Handle(Throw how, Context&) {
    ++state_;
    how.what();
  }
  void Handle(Fall fall, Context& context) { context.Fail(fall.status); }
  int Handle(State, Context&) { return state_; }

 private:
  int state_ = 0;
};

TEST(DecisionTest, IsMadeForEachFailureByItsStatusOrByTheTypeOfTheException) {
  TestSystem test;
  const SpawnOptions options{.decide = [](const Failure& failure) {
    if (failure.Is<std::runtime_error>()) return OnFailure::kResume;
    return absl::IsDataLoss(failure.status()) ? OnFailure::kStop : OnFailure::kRestart;
  }};
  Address<Patient> patient = test.system.Spawn<Patient>(options);
  patient.Tell(Throw{[] { throw Fragile("one that is derived"); }});
  EXPECT_EQ(*test.Await(patient.Ask(State{})), 1) << "resumed";
  patient.Tell(Throw{[] { throw 7; }});
  EXPECT_EQ(*test.Await(patient.Ask(State{})), 0) << "restarted";
  patient.Tell(Throw{[] { throw Fragile("again"); }});
  patient.Tell(Fall{absl::AbortedError("no exception, whatever there was before")});
  EXPECT_EQ(*test.Await(patient.Ask(State{})), 0) << "restarted";
  patient.Tell(Fall{absl::DataLossError("beyond repair")});
  test.Settle();
  EXPECT_FALSE(patient.alive()) << "stopped";
}

TEST(DecisionTest, MayEscalateWithTheReason) {
  Family family(SpawnOptions{}, SpawnOptions{.decide = [](const Failure&) { return OnFailure::kEscalate; }});
  family.b.Tell(Crash{});
  family.test.Settle();
  EXPECT_THAT(family.log.Take(), ::testing::Contains(HasSubstr("parent restarts: std::runtime_error: b fell")));
}

TEST(DecisionTest, ThatFailsItselfLeavesItToOnFailure) {
  TestSystem test;
  const SpawnOptions options{.on_failure = OnFailure::kResume,
                             .decide = [](const Failure&) -> OnFailure { throw std::runtime_error("undecided"); }};
  Address<Patient> patient = test.system.Spawn<Patient>(options);
  patient.Tell(Throw{[] { throw Fragile("ouch"); }});
  EXPECT_EQ(*test.Await(patient.Ask(State{})), 1);
}

TEST(SiblingsTest, RestartTogetherOnThreadsTooAndEveryAskEnds) {
  ActorSystem system;
  Address<Supervisor> group = SpawnSupervisor(system, Strategy::kOneForAll, {.max_restarts = 1'000'000});
  std::vector<Address<Patient>> patients;
  for (int i = 0; i < 3; ++i) patients.push_back(*group.Ask(StartChild<Patient>()).Wait());
  std::vector<std::thread> threads;
  for (size_t own = 0; own < patients.size(); ++own) {
    threads.emplace_back([&patients, own] {
      for (int round = 0; round < 200; ++round) {
        patients[own].Tell(Throw{[] { throw Fragile("now and then"); }});
        for (const Address<Patient>& patient : patients)
          EXPECT_TRUE(patient.Ask(State{}, absl::Seconds(60)).Wait().ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(system.stats().restarts, 3u);
  group.Stop();
  EXPECT_TRUE(system.Shutdown(absl::Seconds(60)).ok());
}

}  // namespace
}  // namespace troupe
