// Claims of group 4 of docs/actors.md: what a failure does to an actor, its family, its mail and its watchers.
#include "actor/actor.h"
#include "actor/test_actors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::Contains;
using testing::Crash;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::TestSystem;

// Holds children and does to them what it is told.
struct Bear {
  using Result = Address<Notebook>;
  SpawnOptions options;
};
struct CountStarts {
  using Result = int;
};
class Mother : public Actor<Mother> {
 public:
  explicit Mother(std::vector<std::string>* log) : log_(log) {}
  void Started(Context&) { log_->push_back("mother started"); }
  Address<Notebook> Handle(Bear bear, Context& context) { return context.Spawn<Notebook>(bear.options, log_); }
  std::string Handle(Crash, Context&) { throw std::runtime_error("mother fell"); }
  void Handle(Note, Context&) {}

 private:
  std::vector<std::string>* log_;
};

ActorInfo InfoOf(const ActorSystem& system, ActorId id) {
  for (ActorInfo& info : system.List()) {
    if (info.id == id) return info;
  }
  return {};
}

TEST(RestartTest, MailThatWaitsIsHandledInItsOrderByTheNewIncarnation) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    TestSystem test(seed);
    Address<Notebook> notebook =
        test.system.Spawn<Notebook>(SpawnOptions{.restart_backoff = {.initial = absl::Seconds(1)}});
    notebook.Tell(Crash{});
    notebook.Tell(Note{"1"});
    test.Settle();
    notebook.Tell(Note{"2"});
    notebook.Tell(Note{"3"});
    EXPECT_THAT(*test.Await(notebook.Ask(ReadNotes{})), ElementsAre("1", "2", "3")) << "seed " << seed;
  }
}

TEST(RestartTest, TheMessageAtFaultIsNotHandledAgain) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  absl::StatusOr<std::string> crash = test.Await(notebook.Ask(Crash{}));
  EXPECT_FALSE(crash.ok());
  test.simulator.RunFor(absl::Minutes(1));
  EXPECT_EQ(test.system.stats().restarts, 1u);
}

TEST(RestartTest, TheOldIncarnationsChildrenAreGoneBeforeTheNewOneStarts) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    TestSystem test(seed);
    std::vector<std::string> log;
    Address<Mother> mother = test.system.Spawn<Mother>(&log);
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(test.Await(mother.Ask(Bear{})).ok());
    test.Settle();
    mother.Tell(Crash{});
    test.Settle();
    EXPECT_THAT(log, ElementsAre("mother started", "started", "started", "stopping", "stopping", "mother started"))
        << "seed " << seed;
  }
}

// Beats once a second, from each start on.
struct Beat {};
class Heart : public Actor<Heart> {
 public:
  explicit Heart(int* beats) : beats_(beats) {}
  void Started(Context& context) { context.Every(absl::Seconds(1), Beat{}); }
  void Handle(Beat, Context&) { ++*beats_; }
  std::string Handle(Crash, Context&) { throw std::runtime_error("missed a beat"); }

 private:
  int* beats_;
};

TEST(RestartTest, AnIntervalArmedAtEachStartDoesNotDouble) {
  TestSystem test;
  int beats = 0;
  Address<Heart> heart = test.system.Spawn<Heart>(&beats);
  for (int i = 0; i < 3; ++i) heart.Tell(Crash{});
  test.Settle();
  test.simulator.RunFor(absl::Seconds(10));
  EXPECT_EQ(beats, 10);
}

TEST(RestartTest, IsCountedWithItsReasonForEachActorAndForTheSystem) {
  TestSystem test;
  Address<Notebook> one = test.system.Spawn<Notebook>();
  Address<Notebook> two = test.system.Spawn<Notebook>();
  for (int i = 0; i < 3; ++i) one.Tell(Crash{});
  two.Tell(Crash{});
  test.Settle();
  EXPECT_EQ(InfoOf(test.system, one.id()).restarts, 3u);
  EXPECT_EQ(InfoOf(test.system, two.id()).restarts, 1u);
  EXPECT_THAT(InfoOf(test.system, two.id()).last_failure, HasSubstr("ink spilled"));
  EXPECT_EQ(test.system.stats().restarts, 4u);
  EXPECT_EQ(test.system.stats().alive, 2u);
}

TEST(RestartTest, TheLimitIsEachActorsOwnAndNotItsFamilys) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Mother> mother = test.system.Spawn<Mother>(&log);
  const SpawnOptions options{.restart_limit = {.max_restarts = 2, .within = absl::Seconds(10)}};
  Address<Notebook> first = *test.Await(mother.Ask(Bear{options}));
  Address<Notebook> second = *test.Await(mother.Ask(Bear{options}));
  for (int i = 0; i < 2; ++i) {
    first.Tell(Crash{});
    second.Tell(Crash{});
  }
  test.Settle();
  EXPECT_TRUE(first.alive());
  EXPECT_TRUE(second.alive());
  EXPECT_EQ(InfoOf(test.system, mother.id()).restarts, 0u);
}

TEST(RestartTest, KeepsTheName) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  ASSERT_TRUE(test.system.Register("notebook", notebook).ok());
  notebook.Tell(Crash{});
  test.Settle();
  EXPECT_EQ(test.system.stats().restarts, 1u);
  EXPECT_EQ(*test.system.Lookup<Notebook>("notebook"), notebook);
}

// Answers none of its questions, and holds them until it ends.
struct Question {
  using Result = int;
};
class Debtor : public Actor<Debtor> {
 public:
  void Handle(Question, Reply<int> reply, Context&) { owed_.push_back(std::move(reply)); }
  void Handle(Note, Context&) { throw std::runtime_error("broke"); }

 private:
  std::vector<Reply<int>> owed_;
};

TEST(RestartTest, AnAskThatTheOldIncarnationOwedAnAnswerEndsInAStatusAtOnce) {
  TestSystem test;
  Address<Debtor> debtor = test.system.Spawn<Debtor>();
  Future<int> answer = debtor.Ask(Question{}, absl::Hours(1));
  test.Settle();
  debtor.Tell(Note{"pay up"});
  const Instant start = test.simulator.Now();
  EXPECT_TRUE(absl::IsUnknown(test.Await(std::move(answer)).status()));
  EXPECT_EQ(test.simulator.Now(), start);
}

// Begins long work in each incarnation.
struct Work {};
class Worker : public Actor<Worker> {
 public:
  explicit Worker(int* results) : results_(results) {}
  void Handle(Work, Context& context) {
    context.RunBlocking([] { return absl::OkStatus(); }, [this](absl::Status) { ++*results_; });
  }
  void Handle(Note, Context&) { throw std::runtime_error("in the midst of it"); }

 private:
  int* results_;
};

TEST(RestartTest, BlockingWorkThatTheOldIncarnationBeganTellsNobody) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    TestSystem test(seed);
    int results = 0;
    Address<Worker> worker = test.system.Spawn<Worker>(&results);
    worker.Tell(Work{});
    worker.Tell(Note{"fail"});
    worker.Tell(Work{});
    test.simulator.RunFor(absl::Seconds(1));
    EXPECT_EQ(results, 1) << "seed " << seed;
  }
}

TEST(RestartTest, AnActorThatWaitsOutItsBackoffTakesNoTurns) {
  TestSystem test;
  Address<Notebook> notebook =
      test.system.Spawn<Notebook>(SpawnOptions{.restart_backoff = {.initial = absl::Seconds(10)}});
  notebook.Tell(Crash{});
  notebook.Tell(Note{"waits"});
  test.Settle();
  const uint64_t steps = test.simulator.steps();
  test.simulator.RunFor(absl::Seconds(7));
  EXPECT_EQ(test.simulator.steps(), steps);
}

TEST(EscalateTest, TheParentFailsWithItsChildsReason) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Mother> mother = test.system.Spawn<Mother>(&log);
  Address<Notebook> child = *test.Await(mother.Ask(Bear{SpawnOptions{.on_failure = OnFailure::kEscalate}}));
  child.Tell(Crash{});
  test.Settle();
  EXPECT_FALSE(child.alive());
  EXPECT_EQ(InfoOf(test.system, mother.id()).restarts, 1u);
  EXPECT_THAT(InfoOf(test.system, mother.id()).last_failure, HasSubstr("ink spilled"));
}

TEST(EscalateTest, ATopLevelActorTerminatesAndItsSystemGoesOn) {
  TestSystem test;
  Address<Notebook> top = test.system.Spawn<Notebook>(SpawnOptions{.on_failure = OnFailure::kEscalate});
  Address<Notebook> other = test.system.Spawn<Notebook>();
  top.Tell(Crash{});
  test.Settle();
  EXPECT_FALSE(top.alive());
  EXPECT_TRUE(test.Await(other.Ask(Note{"still here"})).ok());
}

TEST(ChildrenTest, AStopOrAFailureThatStopsAChildIsNoFailureOfItsParent) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Mother> mother = test.system.Spawn<Mother>(&log);
  Address<Notebook> stopped = *test.Await(mother.Ask(Bear{}));
  Address<Notebook> failed = *test.Await(mother.Ask(Bear{SpawnOptions{.on_failure = OnFailure::kStop}}));
  stopped.Stop();
  failed.Tell(Crash{});
  test.Settle();
  EXPECT_FALSE(stopped.alive());
  EXPECT_FALSE(failed.alive());
  EXPECT_EQ(InfoOf(test.system, mother.id()).restarts, 0u);
}

TEST(ChildrenTest, OneThatHasTerminatedLeavesNothingBehind) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Mother> mother = test.system.Spawn<Mother>(&log);
  std::weak_ptr<Cell> cell;
  {
    Address<Notebook> child = *test.Await(mother.Ask(Bear{}));
    cell = child.cell();
    child.Stop();
  }
  test.Settle();
  EXPECT_TRUE(cell.expired()) << "the parent or the system keeps it";
  EXPECT_EQ(test.system.stats().alive, 1u);
}

TEST(ChildrenTest, AStopOfTheParentReachesTheWholeTree) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Mother> mother = test.system.Spawn<Mother>(&log);
  std::vector<Address<Notebook>> children;
  for (int i = 0; i < 20; ++i) children.push_back(*test.Await(mother.Ask(Bear{})));
  mother.Stop();
  test.Settle();
  for (const Address<Notebook>& child : children) EXPECT_FALSE(child.alive());
  EXPECT_TRUE(test.system.terminated());
}

// Ends itself, and then fails all the same.
struct StopAndCrash {};
class Hasty : public Actor<Hasty> {
 public:
  explicit Hasty(bool with_child) : with_child_(with_child) {}
  void Started(Context& context) {
    if (with_child_) context.Spawn<Notebook>();
  }
  void Handle(StopAndCrash, Context& context) {
    context.Stop();
    throw std::runtime_error("on the way out");
  }

 private:
  bool with_child_;
};

TEST(StopTest, OneThatWasAskedForStandsThoughTheCallbackFailsAfterwards) {
  for (bool with_child : {true, false}) {
    TestSystem test;
    Address<Hasty> hasty = test.system.Spawn<Hasty>(with_child);
    hasty.Tell(StopAndCrash{});
    test.Settle();
    EXPECT_FALSE(hasty.alive()) << "with child: " << with_child;
  }
}

// Gives up instead of going on.
class Resigned : public Actor<Resigned> {
 public:
  void Restarting(const absl::Status&, Context& context) { context.Stop(); }
  void Handle(Note, Context&) { throw std::runtime_error("enough"); }
};

TEST(StopTest, TheRestartingHookMayEndTheActor) {
  TestSystem test;
  Address<Resigned> resigned = test.system.Spawn<Resigned>();
  resigned.Tell(Note{"again"});
  test.Settle();
  EXPECT_FALSE(resigned.alive());
}

// Watches what it is told to; its own mailbox may be full.
struct WatchThis {
  Address<Notebook> actor;
};
class Sentinel : public Actor<Sentinel> {
 public:
  explicit Sentinel(std::vector<Terminated>* seen) : seen_(seen) {}
  void Handle(WatchThis watch, Context& context) { context.Watch(watch.actor); }
  void Handle(Note, Context&) {}
  void Handle(Terminated terminated, Context&) { seen_->push_back(std::move(terminated)); }

 private:
  std::vector<Terminated>* seen_;
};

TEST(WatchTest, TheNoticeReachesAWatcherWhoseMailboxIsFull) {
  TestSystem test;
  std::vector<Terminated> seen;
  Address<Sentinel> sentinel = test.system.Spawn<Sentinel>(SpawnOptions{.mailbox_capacity = 1}, &seen);
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  sentinel.Tell(WatchThis{notebook});
  test.Settle();
  EXPECT_TRUE(sentinel.Tell(Note{"fills it"}));
  EXPECT_FALSE(sentinel.Tell(Note{"too much"}));
  notebook.Stop();
  test.Settle();
  EXPECT_EQ(seen.size(), 1u);
}

TEST(WatchTest, EachOfManyWatchersIsToldOnceHoweverTheEndComes) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    TestSystem test(seed);
    std::vector<Terminated> seen;
    Address<Notebook> notebook = test.system.Spawn<Notebook>(SpawnOptions{.on_failure = OnFailure::kStop});
    std::vector<Address<Sentinel>> sentinels;
    for (int i = 0; i < 10; ++i) {
      sentinels.push_back(test.system.Spawn<Sentinel>(&seen));
      sentinels.back().Tell(WatchThis{notebook});
    }
    notebook.Tell(Crash{});
    notebook.Stop();
    test.Settle();
    EXPECT_EQ(seen.size(), 10u) << "seed " << seed;
  }
}

TEST(WatchTest, AWatcherThatIsGoneIsKeptByNobody) {
  TestSystem test;
  std::vector<Terminated> seen;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  std::weak_ptr<Cell> cell;
  {
    Address<Sentinel> sentinel = test.system.Spawn<Sentinel>(&seen);
    cell = sentinel.cell();
    sentinel.Tell(WatchThis{notebook});
    test.Settle();
    sentinel.Stop();
  }
  test.Settle();
  EXPECT_TRUE(cell.expired()) << "the watched one keeps it";
  EXPECT_TRUE(notebook.alive());
}

TEST(WatchTest, AnActorThatCouldNotStartIsToldOfWithItsReason) {
  class StillBorn : public Actor<StillBorn> {
   public:
    void Started(Context&) { throw std::runtime_error("never began"); }
    void Handle(Note, Context&) {}
  };
  struct WatchStillBorn {
    Address<StillBorn> actor;
  };
  class Doctor : public Actor<Doctor> {
   public:
    explicit Doctor(std::vector<Terminated>* seen) : seen_(seen) {}
    void Handle(WatchStillBorn watch, Context& context) { context.Watch(watch.actor); }
    void Handle(Terminated terminated, Context&) { seen_->push_back(std::move(terminated)); }

   private:
    std::vector<Terminated>* seen_;
  };
  TestSystem test;
  std::vector<Terminated> seen;
  Address<StillBorn> child = test.system.Spawn<StillBorn>(SpawnOptions{.on_failure = OnFailure::kStop});
  test.system.Spawn<Doctor>(&seen).Tell(WatchStillBorn{child});
  test.Settle();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_THAT(std::string(seen[0].reason.message()), HasSubstr("never began"));
  EXPECT_FALSE(child.alive()) << "no zombie";
}

}  // namespace
}  // namespace troupe
