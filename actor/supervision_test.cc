// What failure does: restart, resume, stop, escalate, limits, children, hooks; and who is told.
#include "actor/supervision.h"

#include "actor/actor.h"
#include "actor/test_actors.h"
#include "actor/thread_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::Crash;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::TestSystem;

Instant At(int64_t seconds) { return Instant() + absl::Seconds(seconds); }

TEST(RestartBudgetTest, AllowsSoManyWithinTheTimeAndForgetsOldOnes) {
  RestartBudget budget({.max_restarts = 2, .within = absl::Seconds(10)});
  EXPECT_TRUE(budget.Spend(At(0)));
  EXPECT_TRUE(budget.Spend(At(5)));
  EXPECT_FALSE(budget.Spend(At(9)));
  EXPECT_TRUE(budget.Spend(At(10)));  // the first one is 10 s old
}

TEST(RestartBudgetTest, NoneAllowedMeansNone) {
  RestartBudget budget({.max_restarts = 0, .within = absl::Seconds(10)});
  EXPECT_FALSE(budget.Spend(At(0)));
}

TEST(BackoffTest, DoublesUpToItsMaximumAndIsCutByUpToAFifth) {
  RestartBackoff backoff{.initial = absl::Milliseconds(100), .max = absl::Seconds(1)};
  Random random(1);
  const struct {
    int restarts;
    Duration longest;
  } kCases[] = {{1, absl::Milliseconds(100)},
                {2, absl::Milliseconds(200)},
                {4, absl::Milliseconds(800)},
                {5, absl::Seconds(1)},
                {1000, absl::Seconds(1)}};
  for (const auto& c : kCases) {
    for (int i = 0; i < 100; ++i) {
      Duration wait = BackoffAfter(backoff, c.restarts, random);
      EXPECT_LE(wait, c.longest);
      EXPECT_GE(wait, c.longest * 0.8);
    }
  }
  EXPECT_EQ(BackoffAfter(RestartBackoff{}, 3, random), absl::ZeroDuration());
}

TEST(SupervisionTest, ARestartKeepsAddressAndMailboxAndLosesState) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Notebook> notebook = test.system.Spawn<Notebook>(&log);
  notebook.Tell(Note{"before"});
  notebook.Tell(Crash{});
  notebook.Tell(Note{"after"});
  EXPECT_THAT(*test.Await(notebook.Ask(ReadNotes{})), ElementsAre("after"));
  EXPECT_THAT(log, ElementsAre("started", HasSubstr("restarting: std::runtime_error: ink spilled"), "started"));
  EXPECT_EQ(test.system.stats().restarts, 1u);
  EXPECT_THAT(test.system.List()[0].last_failure, HasSubstr("ink spilled"));
}

TEST(SupervisionTest, ResumeKeepsTheState) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>(SpawnOptions{.on_failure = OnFailure::kResume});
  notebook.Tell(Note{"before"});
  notebook.Tell(Crash{});
  EXPECT_THAT(*test.Await(notebook.Ask(ReadNotes{})), ElementsAre("before"));
}

TEST(SupervisionTest, StopTerminatesAfterTheHook) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Notebook> notebook = test.system.Spawn<Notebook>(SpawnOptions{.on_failure = OnFailure::kStop}, &log);
  notebook.Tell(Crash{});
  test.Settle();
  EXPECT_FALSE(notebook.alive());
  EXPECT_THAT(log, ElementsAre("started", "stopping"));
}

TEST(SupervisionTest, MoreRestartsThanTheLimitTerminate) {
  TestSystem test;
  Address<Notebook> notebook =
      test.system.Spawn<Notebook>(SpawnOptions{.restart_limit = {.max_restarts = 3, .within = absl::Seconds(1)}});
  for (int i = 0; i < 3; ++i) notebook.Tell(Crash{});
  test.Settle();
  EXPECT_TRUE(notebook.alive());
  test.simulator.RunFor(absl::Seconds(1));
  for (int i = 0; i < 3; ++i) notebook.Tell(Crash{});
  test.Settle();
  EXPECT_TRUE(notebook.alive()) << "the first three are forgotten by now";
  notebook.Tell(Crash{});
  test.Settle();
  EXPECT_FALSE(notebook.alive());
}

TEST(SupervisionTest, ABackoffHoldsTheMailboxUntilItIsOver) {
  TestSystem test;
  Address<Notebook> notebook =
      test.system.Spawn<Notebook>(SpawnOptions{.restart_backoff = {.initial = absl::Seconds(2)}});
  notebook.Tell(Crash{});
  test.Settle();
  Instant start = test.simulator.Now();
  EXPECT_TRUE(test.Await(notebook.Ask(ReadNotes{}, absl::Seconds(60))).ok());
  EXPECT_GE(test.simulator.Now() - start, absl::Seconds(1.6));
  EXPECT_LE(test.simulator.Now() - start, absl::Seconds(2));
}

TEST(SupervisionTest, AStopDuringABackoffEndsTheActor) {
  TestSystem test;
  Address<Notebook> notebook =
      test.system.Spawn<Notebook>(SpawnOptions{.restart_backoff = {.initial = absl::Seconds(2)}});
  notebook.Tell(Crash{});
  test.Settle();
  notebook.Stop();
  test.Settle();
  EXPECT_FALSE(notebook.alive());
  test.simulator.RunFor(absl::Seconds(5));
  EXPECT_FALSE(notebook.alive());
}

class NeverStarts : public Actor<NeverStarts> {
 public:
  explicit NeverStarts(int* attempts) { ++*attempts; }
  void Started(Context&) { throw std::runtime_error("no"); }
  void Handle(Note, Context&) {}
};

TEST(SupervisionTest, AnActorThatCannotStartIsGivenUpAndItsMailAnswered) {
  TestSystem test;
  int attempts = 0;
  Address<NeverStarts> actor =
      test.system.Spawn<NeverStarts>(SpawnOptions{.restart_limit = {.max_restarts = 4}}, &attempts);
  absl::Status answer = test.Await(actor.Ask(Note{"hello?"}));
  EXPECT_TRUE(absl::IsUnavailable(answer)) << answer;
  EXPECT_EQ(attempts, 5);
  EXPECT_FALSE(actor.alive());
}

// A parent with one child, and the watcher of another actor.
struct CrashChild {};
struct ChildOf {
  using Result = Address<Notebook>;
};
class Parent : public Actor<Parent> {
 public:
  Parent(SpawnOptions child, std::vector<std::string>* log) : options_(child), log_(log) {}
  void Started(Context& context) {
    log_->push_back("parent started");
    child_ = context.Spawn<Notebook>(options_, log_);
  }
  void Stopping(Context&) { log_->push_back("parent stopping"); }
  void Handle(CrashChild, Context&) { child_.Tell(Crash{}); }
  std::string Handle(Crash, Context&) { throw std::runtime_error("parent fell"); }
  Address<Notebook> Handle(ChildOf, Context&) { return child_; }

 private:
  SpawnOptions options_;
  std::vector<std::string>* log_;
  Address<Notebook> child_;
};

TEST(SupervisionTest, ChildrenEndBeforeTheirParent) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Parent> parent = test.system.Spawn<Parent>(SpawnOptions{}, SpawnOptions{}, &log);
  test.Settle();
  parent.Stop();
  test.Settle();
  EXPECT_THAT(log, ElementsAre("parent started", "started", "stopping", "parent stopping"));
  EXPECT_TRUE(test.system.terminated() == test.system.List().empty());
  EXPECT_FALSE(parent.alive());
}

TEST(SupervisionTest, ARestartEndsTheChildrenOfTheOldIncarnation) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Parent> parent = test.system.Spawn<Parent>(SpawnOptions{}, SpawnOptions{}, &log);
  Address<Notebook> old_child = *test.Await(parent.Ask(ChildOf{}));
  parent.Tell(Crash{});
  Address<Notebook> new_child = *test.Await(parent.Ask(ChildOf{}));
  EXPECT_FALSE(old_child.alive());
  EXPECT_TRUE(new_child.alive());
  EXPECT_EQ(test.system.List().size(), 2u);
}

TEST(SupervisionTest, AnEscalatedFailureFailsTheParent) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Parent> parent =
      test.system.Spawn<Parent>(SpawnOptions{}, SpawnOptions{.on_failure = OnFailure::kEscalate}, &log);
  parent.Tell(CrashChild{});
  test.Settle();
  EXPECT_THAT(log, ElementsAre("parent started", "started", "stopping", "parent started", "started"));
}

// Spawns a child that escalates, in each incarnation; the second one fails at its start.
struct Tried {
  std::vector<std::string> log;
  int starts = 0;
};
class Unlucky : public Actor<Unlucky> {
 public:
  explicit Unlucky(Tried* tried) : tried_(tried), number_(++tried->starts) {}
  void Started(Context& context) {
    tried_->log.push_back("start " + std::to_string(number_));
    child_ = context.Spawn<Notebook>(SpawnOptions{.on_failure = OnFailure::kEscalate});
    if (number_ == 2) throw std::runtime_error("bad luck");
  }
  void Restarting(const absl::Status&, Context&) { tried_->log.push_back("end " + std::to_string(number_)); }
  void Handle(CrashChild, Context&) { child_.Tell(Crash{}); }

 private:
  Tried* tried_;
  int number_;
  Address<Notebook> child_;
};

TEST(SupervisionTest, EachIncarnationBeginsOnceAndEndsBeforeTheNext) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    TestSystem test(seed);
    Tried tried;
    test.system.Spawn<Unlucky>(&tried).Tell(CrashChild{});
    test.Settle();
    EXPECT_THAT(tried.log, ElementsAre("start 1", "end 1", "start 2", "end 2", "start 3")) << "seed " << seed;
    EXPECT_EQ(test.system.List().size(), 2u) << "seed " << seed;
  }
}

// Watches its child, and stops itself or falls when told.
class Guardian : public Actor<Guardian> {
 public:
  explicit Guardian(std::vector<ActorId>* told) : told_(told) {}
  void Started(Context& context) { context.Watch(context.Spawn<Notebook>()); }
  void Restarting(const absl::Status&, Context& context) { context.After(absl::Seconds(1), Note{"from the past"}); }
  void Handle(Terminated terminated, Context&) { told_->push_back(terminated.id); }
  void Handle(Note, Context&) { told_->push_back(ActorId{0}); }
  std::string Handle(Crash, Context&) { throw std::runtime_error("fell"); }

 private:
  std::vector<ActorId>* told_;
};

TEST(SupervisionTest, ANewIncarnationHearsNothingOfWhatTheOldOneWatchedOrArmed) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    TestSystem test(seed);
    std::vector<ActorId> told;
    test.system.Spawn<Guardian>(&told).Tell(Crash{});
    test.simulator.RunFor(absl::Seconds(5));
    EXPECT_THAT(told, IsEmpty()) << "seed " << seed;
    EXPECT_EQ(test.system.stats().dead_letters, 0u) << "seed " << seed;
  }
}

TEST(SupervisionTest, TheBackoffGrowsToItsMaximumForAnActorThatKeepsFailing) {
  TestSystem test;
  int attempts = 0;
  test.system.Spawn<NeverStarts>(
      SpawnOptions{.restart_backoff = {.initial = absl::Seconds(1), .max = absl::Seconds(30)}}, &attempts);
  test.simulator.RunFor(absl::Minutes(10));
  // 1 2 4 8 16 and then 30 s each, cut by up to a fifth.
  EXPECT_GE(attempts, 20);
  EXPECT_LE(attempts, 32);
}

TEST(SupervisionTest, AfterAnIncarnationThatLastedTheBackoffBeginsAnew) {
  TestSystem test;
  std::vector<std::string> log;
  constexpr RestartLimit kLimit{.max_restarts = 10, .within = absl::Minutes(1)};
  Address<Notebook> notebook = test.system.Spawn<Notebook>(
      SpawnOptions{.restart_limit = kLimit, .restart_backoff = {.initial = absl::Seconds(1), .max = absl::Seconds(30)}},
      &log);
  auto wait_after_failure = [&] {
    notebook.Tell(Crash{});
    test.Settle();
    const Instant failed = test.simulator.Now();
    const size_t lines = log.size();
    test.RunUntil([&] { return log.size() > lines; }, absl::Minutes(1));
    return test.simulator.Now() - failed;
  };
  for (int failure = 1; failure <= 3; ++failure) wait_after_failure();
  EXPECT_GE(wait_after_failure(), absl::Seconds(8) * 0.8);
  test.RunFor(kLimit.within);
  EXPECT_LE(wait_after_failure(), absl::Seconds(1));
  EXPECT_EQ(test.system.stats().restarts, 5u);
}

// The waits of a system with this executor, each cut by chance.
std::vector<Duration> Waits(ActorSystem& system) {
  std::vector<Duration> waits;
  for (int i = 0; i < 5; ++i) {
    waits.push_back(system.RestartDelay({.initial = absl::Seconds(1), .max = absl::Seconds(1)}, 1));
  }
  return waits;
}

TEST(BackoffTest, TheChanceInItIsTheSeedsInTheSimulatorAndAnotherOneInEachProcess) {
  auto simulated = [](uint64_t seed) {
    TestSystem test(seed);
    return Waits(test.system);
  };
  EXPECT_EQ(simulated(1), simulated(1));
  EXPECT_NE(simulated(1), simulated(2));
  Simulator simulator(1);
  DeterministicExecutor one(simulator, 1), two(simulator, 2);
  EXPECT_NE(one.Seed(), two.Seed());
  auto threaded = [] {
    ThreadExecutor executor({.workers = 1});
    ActorSystem system(executor);
    return Waits(system);
  };
  EXPECT_NE(threaded(), threaded());
}

struct WatchThis {
  Address<Notebook> actor;
};
struct UnwatchThis {
  Address<Notebook> actor;
};
class Watcher : public Actor<Watcher> {
 public:
  explicit Watcher(std::vector<Terminated>* seen) : seen_(seen) {}
  void Handle(WatchThis watch, Context& context) { context.Watch(watch.actor); }
  void Handle(UnwatchThis unwatch, Context& context) { context.Unwatch(unwatch.actor); }
  void Handle(Terminated terminated, Context&) { seen_->push_back(terminated); }

 private:
  std::vector<Terminated>* seen_;
};

TEST(WatchTest, TellsOnceWithTheReason) {
  TestSystem test;
  std::vector<Terminated> seen;
  Address<Watcher> watcher = test.system.Spawn<Watcher>(&seen);
  Address<Notebook> stopped = test.system.Spawn<Notebook>();
  Address<Notebook> failed = test.system.Spawn<Notebook>(SpawnOptions{.on_failure = OnFailure::kStop});
  for (int i = 0; i < 2; ++i) watcher.Tell(WatchThis{stopped});
  watcher.Tell(WatchThis{failed});
  test.Settle();
  stopped.Stop();
  test.Settle();
  failed.Tell(Crash{});
  test.Settle();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].id, stopped.id());
  EXPECT_TRUE(seen[0].reason.ok());
  EXPECT_EQ(seen[1].id, failed.id());
  EXPECT_THAT(std::string(seen[1].reason.message()), HasSubstr("ink spilled"));
}

TEST(WatchTest, TellsAlsoOfAnActorThatIsGoneAlready) {
  TestSystem test;
  std::vector<Terminated> seen;
  Address<Watcher> watcher = test.system.Spawn<Watcher>(&seen);
  Address<Notebook> gone = test.system.Spawn<Notebook>();
  gone.Stop();
  test.Settle();
  watcher.Tell(WatchThis{gone});
  test.Settle();
  EXPECT_EQ(seen.size(), 1u);
}

TEST(WatchTest, UnwatchTakesItBack) {
  TestSystem test;
  std::vector<Terminated> seen;
  Address<Watcher> watcher = test.system.Spawn<Watcher>(&seen);
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  watcher.Tell(WatchThis{notebook});
  watcher.Tell(UnwatchThis{notebook});
  test.Settle();
  notebook.Stop();
  test.Settle();
  EXPECT_THAT(seen, IsEmpty());
}

TEST(WatchTest, CannotMissWhateverTheOrder) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    TestSystem test(seed);
    std::vector<Terminated> seen;
    Address<Watcher> watcher = test.system.Spawn<Watcher>(&seen);
    Address<Notebook> notebook = test.system.Spawn<Notebook>();
    watcher.Tell(WatchThis{notebook});
    notebook.Stop();
    test.Settle();
    ASSERT_EQ(seen.size(), 1u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace troupe
