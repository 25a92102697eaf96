// A system that ends in phases: their order, their deadlines, and what the report says.
#include "actor/coordinated_shutdown.h"

#include <algorithm>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "actor/actor.h"
#include "actor/test_actors.h"
#include "actor/thread_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::BeBusy;
using testing::Busy;
using testing::Crash;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Note;
using testing::Notebook;
using testing::TestSystem;
using testing::Urgent;

// Writes down what it handles, and its end.
struct BecomeSlow {};
class Worker : public Actor<Worker> {
 public:
  Worker(std::string name, std::vector<std::string>* log) : name_(std::move(name)), log_(log) {}
  void Handle(Note note, Context&) { log_->push_back(name_ + " " + note.text); }
  std::string Handle(Crash, Context&) {
    log_->push_back(name_ + " crashes");
    throw std::runtime_error("fell");
  }
  void Stopping(Context&) { log_->push_back(name_ + " stops"); }

 private:
  const std::string name_;
  std::vector<std::string>* log_;
};

class CoordinatedShutdownTest : public ::testing::Test {
 protected:
  // Logs, and is done after so long.
  absl::AnyInvocable<Future<void>()> After(Duration delay, std::string line, absl::Status outcome = absl::OkStatus()) {
    return [this, delay, line = std::move(line), outcome] {
      log.push_back(line + " begins");
      auto [future, reply] = MakeFuture<void>(test.executor, Instant::Never());
      test.executor.RunAt(test.executor.Now() + delay, [this, line, outcome, reply = std::move(reply)]() mutable {
        log.push_back(line + " ends");
        reply(outcome);
      });
      return std::move(future);
    };
  }
  // Begins and runs until it is over.
  ShutdownReport Run() {
    shutdown.Begin();
    test.simulator.RunUntil([&] { return shutdown.report().has_value(); }, absl::Hours(1));
    return *shutdown.report();
  }
  Address<Worker> SpawnWorker(std::string name) { return test.system.Spawn<Worker>(std::move(name), &log); }

  TestSystem test;
  std::vector<std::string> log;
  CoordinatedShutdown shutdown{test.system};
};

TEST_F(CoordinatedShutdownTest, PhasesFollowEachOtherAndTheTasksOfOneRunSideBySide) {
  SpawnWorker("worker");
  ASSERT_TRUE(shutdown.AddTask(kAfterActors, "last", After(absl::ZeroDuration(), "last")).ok());
  ASSERT_TRUE(shutdown.AddTask(kStopTakingWork, "long", After(absl::Seconds(2), "long")).ok());
  ASSERT_TRUE(shutdown.AddTask(kStopTakingWork, "short", After(absl::Seconds(1), "short")).ok());
  test.Settle();
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(log, ElementsAre("long begins", "short begins", "short ends", "long ends", "worker stops", "last begins",
                               "last ends"));
  EXPECT_TRUE(test.system.terminated());
}

TEST_F(CoordinatedShutdownTest, APhaseThatIsLateOrFailsIsReportedAndTheNextBegins) {
  const Instant begin = test.simulator.Now();
  ASSERT_TRUE(shutdown.AddTask(kStopTakingWork, "hangs", After(absl::Minutes(5), "hangs")).ok());
  ASSERT_TRUE(shutdown.AddTask(kDrain, "fails", After(absl::Seconds(1), "fails", absl::DataLossError("torn"))).ok());
  ASSERT_TRUE(
      shutdown.AddTask(kDrain, "throws", []() -> Future<void> { throw std::runtime_error("no such port"); }).ok());
  ASSERT_TRUE(shutdown.AddTask(kAfterActors, "last", After(absl::ZeroDuration(), "last")).ok());
  const ShutdownReport report = Run();
  EXPECT_EQ(test.simulator.Now() - begin, absl::Seconds(6));
  ASSERT_EQ(report.problems.size(), 3u);
  EXPECT_EQ(report.problems[0].phase, kStopTakingWork);
  EXPECT_EQ(report.problems[0].task, "hangs");
  EXPECT_TRUE(absl::IsDeadlineExceeded(report.problems[0].status));
  EXPECT_THAT(std::string(report.problems[1].status.message()), HasSubstr("no such port"));
  EXPECT_TRUE(absl::IsDataLoss(report.problems[2].status));
  EXPECT_THAT(std::string(report.ToStatus().message()), HasSubstr("drain: fails: torn"));
  EXPECT_EQ(log.back(), "last ends");
  // What is late and ends at last changes nothing any more.
  test.simulator.RunFor(absl::Minutes(10));
  EXPECT_EQ(shutdown.report()->problems.size(), 3u);
}

TEST_F(CoordinatedShutdownTest, BlockingTasksRunOnThePoolAndTheirStatusIsReported) {
  ASSERT_TRUE(shutdown
                  .AddBlockingTask(kAfterActors, "flush",
                                   [&] {
                                     log.push_back("flush");
                                     return absl::OkStatus();
                                   })
                  .ok());
  ASSERT_TRUE(shutdown.AddBlockingTask(kAfterActors, "sync", [] { return absl::DataLossError("bad block"); }).ok());
  ASSERT_TRUE(shutdown.AddBlockingTask(kAfterActors, "throws", []() -> absl::Status { throw 1; }).ok());
  const ShutdownReport report = Run();
  EXPECT_THAT(log, ElementsAre("flush"));
  EXPECT_EQ(report.problems.size(), 2u);
}

TEST_F(CoordinatedShutdownTest, ActorsStopInThePhaseThatTheyAreGiven) {
  // Spawned in the wrong order.
  SpawnWorker("rest");
  Address<Worker> back_end = SpawnWorker("back end");
  Address<Worker> front_end = SpawnWorker("front end");
  ASSERT_TRUE(shutdown.StopActor(kDrain, back_end).ok());
  ASSERT_TRUE(shutdown.StopActor(kStopTakingWork, front_end).ok());
  test.Settle();
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(log, ElementsAre("front end stops", "back end stops", "rest stops"));
}

TEST_F(CoordinatedShutdownTest, OneThatIsGoneAlreadyHoldsUpNothing) {
  Address<Worker> worker = SpawnWorker("worker");
  test.Settle();
  ASSERT_TRUE(shutdown.StopActor(kDrain, worker).ok());
  worker.Stop();
  const Instant begin = test.simulator.Now();
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(test.simulator.Now(), begin);
}

TEST_F(CoordinatedShutdownTest, DrainingHandlesTheMailThatWaitsAndNoneThatComesLater) {
  Address<Worker> worker = SpawnWorker("worker");
  ASSERT_TRUE(shutdown.DrainActor(kDrain, worker).ok());
  for (const char* text : {"1", "2", "3"}) worker.Tell(Note{text});
  shutdown.Begin();
  while (log.empty()) test.simulator.Step();
  worker.Tell(Note{"late"});
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(log, ElementsAre("worker 1", "worker 2", "worker 3", "worker stops"));
  EXPECT_EQ(test.system.stats().dead_letters, 1u);
}

// Takes a second for each note, and takes others meanwhile.
class SlowReader : public Actor<SlowReader> {
 public:
  static constexpr bool kReentrant = true;
  explicit SlowReader(std::vector<std::string>* log) : log_(log) {}
  Task<> Handle(Note note, Context& context) {
    co_await context.Sleep(absl::Seconds(1));
    log_->push_back("read " + note.text);
  }

 private:
  std::vector<std::string>* log_;
};

TEST_F(CoordinatedShutdownTest, DrainingWaitsForCoroutinesAndLetsAReentrantActorTakeNothingMeanwhile) {
  Address<SlowReader> reader = test.system.Spawn<SlowReader>(&log);
  ASSERT_TRUE(shutdown.DrainActor(kDrain, reader).ok());
  for (const char* text : {"1", "2"}) reader.Tell(Note{text});
  shutdown.Begin();
  test.simulator.RunFor(absl::Milliseconds(500));
  EXPECT_TRUE(reader.Tell(Note{"late"}));
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(log, ::testing::UnorderedElementsAre("read 1", "read 2"));
  EXPECT_EQ(test.system.stats().dead_letters, 1u);
}

TEST_F(CoordinatedShutdownTest, DrainingAFullMailboxAndAnEmptyOneEnds) {
  Address<Worker> full = test.system.Spawn<Worker>(SpawnOptions{.mailbox_capacity = 2}, "full", &log);
  Address<Worker> dropping = test.system.Spawn<Worker>(
      SpawnOptions{.mailbox_capacity = 2, .overflow = Overflow::kDropOldest}, "dropping", &log);
  Address<Worker> empty = SpawnWorker("empty");
  for (const auto& worker : {full, dropping, empty}) ASSERT_TRUE(shutdown.DrainActor(kDrain, worker).ok());
  for (const char* text : {"1", "2", "3"}) full.Tell(Note{text});
  for (const char* text : {"1", "2", "3"}) dropping.Tell(Note{text});
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(log, ::testing::UnorderedElementsAre("full 1", "full 2", "full stops", "dropping 2", "dropping 3",
                                                   "dropping stops", "empty stops"));
}

TEST_F(CoordinatedShutdownTest, DrainingGoesOnAfterARestart) {
  Address<Worker> worker =
      test.system.Spawn<Worker>(SpawnOptions{.restart_backoff = {.initial = absl::Seconds(1)}}, "worker", &log);
  ASSERT_TRUE(shutdown.DrainActor(kDrain, worker).ok());
  worker.Tell(Note{"1"});
  worker.Tell(Crash{});
  worker.Tell(Note{"2"});
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(log, ElementsAre("worker 1", "worker crashes", "worker 2", "worker stops"));
}

TEST_F(CoordinatedShutdownTest, DrainingThatBeginsDuringABackoffHandlesTheMailAfterIt) {
  Address<Worker> worker =
      test.system.Spawn<Worker>(SpawnOptions{.restart_backoff = {.initial = absl::Seconds(2)}}, "worker", &log);
  ASSERT_TRUE(shutdown.DrainActor(kDrain, worker).ok());
  worker.Tell(Crash{});
  test.simulator.RunFor(absl::Seconds(1));
  worker.Tell(Note{"1"});
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(log, ElementsAre("worker crashes", "worker 1", "worker stops"));
}

TEST_F(CoordinatedShutdownTest, ARestartWhileDrainingLetsNoLaterMailIn) {
  Address<Worker> worker =
      test.system.Spawn<Worker>(SpawnOptions{.restart_backoff = {.initial = absl::Seconds(1)}}, "worker", &log);
  ASSERT_TRUE(shutdown.DrainActor(kDrain, worker).ok());
  worker.Tell(Crash{});
  worker.Tell(Note{"1"});
  shutdown.Begin();
  ASSERT_TRUE(test.RunUntil([&] { return !log.empty(); }, absl::Seconds(1)));
  worker.Tell(Note{"late"});
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(log, ElementsAre("worker crashes", "worker 1", "worker stops"));
}

// Routes its notes to two children: foremen too while `levels` are left, then workers. An urgent one goes to a child of
// its own.
class Foreman : public Actor<Foreman> {
 public:
  Foreman(int levels, SpawnOptions workers, std::vector<std::string>* log)
      : levels_(levels), workers_(std::move(workers)), log_(log) {}
  void Started(Context& context) {
    for (const char* name : {"left", "right"}) {
      if (levels_ > 0) {
        children_.push_back(context.Spawn<Foreman>(levels_ - 1, workers_, log_));
      } else {
        children_.push_back(SpawnWorker(name, context));
      }
    }
  }
  void Handle(Note note, Context&) { children_[next_++ % 2].Tell(std::move(note)); }
  void Handle(Urgent urgent, Context& context) { SpawnWorker("extra", context).Tell(Note{urgent.text}); }
  // To the left child, which must be a worker.
  std::string Handle(Crash, Context&) {
    left_worker_.Tell(Crash{});
    return "";
  }
  void Handle(Terminated, Context& context) { SpawnWorker("replacement", context); }
  void Stopping(Context&) { log_->push_back("foreman stops"); }

 private:
  Address<Worker> SpawnWorker(std::string name, Context& context) {
    auto worker = context.Spawn<Worker>(workers_, std::move(name), log_);
    context.Watch(worker);
    if (!left_worker_) left_worker_ = worker;
    return worker;
  }

  const int levels_;
  const SpawnOptions workers_;
  std::vector<std::string>* log_;
  std::vector<Recipient<Note>> children_;
  Address<Worker> left_worker_;
  size_t next_ = 0;
};

TEST_F(CoordinatedShutdownTest, DrainingHandlesWhatWasRoutedToChildrenBeforeTheParentStops) {
  Address<Foreman> foreman = test.system.Spawn<Foreman>(0, SpawnOptions{}, &log);
  ASSERT_TRUE(shutdown.DrainActor(kDrain, foreman).ok());
  for (const char* text : {"1", "2", "3", "4"}) foreman.Tell(Note{text});
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(log.back(), "foreman stops");
  log.pop_back();
  EXPECT_THAT(log,
              ::testing::UnorderedElementsAre("left 1", "right 2", "left 3", "right 4", "left stops", "right stops"));
  EXPECT_EQ(test.system.stats().dead_letters, 0u);
}

TEST(CoordinatedShutdownSeedsTest, DrainingReachesTheChildrenOfChildrenInEveryOrder) {
  testing::RunSeeds(100, [](TestSystem& test) {
    std::vector<std::string> log;
    CoordinatedShutdown shutdown(test.system);
    Address<Foreman> foreman = test.system.Spawn<Foreman>(2, SpawnOptions{}, &log);
    ASSERT_TRUE(shutdown.DrainActor(kDrain, foreman).ok());
    for (int i = 0; i < 20; ++i) foreman.Tell(Note{"done"});
    test.simulator.RunFor(absl::Microseconds(1));
    for (int i = 0; i < 20; ++i) foreman.Tell(Note{"done"});
    shutdown.Begin();
    ASSERT_TRUE(test.RunUntil([&] { return shutdown.report().has_value(); }, absl::Hours(1)));
    EXPECT_TRUE(shutdown.report()->ok());
    EXPECT_EQ(std::count(log.begin(), log.end(), "left done") + std::count(log.begin(), log.end(), "right done"), 40);
    EXPECT_EQ(test.system.stats().dead_letters, 0u);
  });
}

TEST_F(CoordinatedShutdownTest, AChildThatRestartsWhileItDrainsHandlesTheRestAndItsParentWaits) {
  const SpawnOptions slow_to_restart{.restart_backoff = {.initial = absl::Seconds(2)}};
  Address<Foreman> foreman = test.system.Spawn<Foreman>(0, slow_to_restart, &log);
  ASSERT_TRUE(shutdown.DrainActor(kDrain, foreman).ok());
  foreman.Tell(Crash{});
  foreman.Tell(Note{"1"});  // to the left one too
  const Instant begin = test.simulator.Now();
  EXPECT_TRUE(Run().ok());
  EXPECT_GE(test.simulator.Now() - begin, absl::Seconds(1));
  EXPECT_THAT(log, ElementsAre("right stops", "left crashes", "left 1", "left stops", "foreman stops"));
}

TEST_F(CoordinatedShutdownTest, AChildThatEscalatesWhileItDrainsRestartsItsParentWhichEndsAllTheSame) {
  Address<Foreman> foreman = test.system.Spawn<Foreman>(0, SpawnOptions{.on_failure = OnFailure::kEscalate}, &log);
  ASSERT_TRUE(shutdown.DrainActor(kDrain, foreman).ok());
  foreman.Tell(Crash{});
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(log.back(), "foreman stops");
  EXPECT_EQ(std::count(log.begin(), log.end(), "right stops"), 2) << "one in each incarnation of its parent";
}

TEST_F(CoordinatedShutdownTest, AStopInTheMidstOfDrainingChildrenWaitsForNoneOfTheirMail) {
  const SpawnOptions slow_to_restart{.restart_backoff = {.initial = absl::Seconds(60), .max = absl::Seconds(60)}};
  Address<Foreman> foreman = test.system.Spawn<Foreman>(0, slow_to_restart, &log);
  ASSERT_TRUE(shutdown.DrainActor(kDrain, foreman).ok());
  foreman.Tell(Crash{});
  foreman.Tell(Note{"never"});
  shutdown.Begin();
  test.simulator.RunFor(absl::Seconds(1));
  EXPECT_THAT(log, ::testing::UnorderedElementsAre("left crashes", "right stops"));
  foreman.Stop();
  test.Settle();
  EXPECT_EQ(log.back(), "foreman stops");
  EXPECT_FALSE(foreman.alive());
  EXPECT_EQ(test.system.stats().dead_letters, 1u);
}

TEST_F(CoordinatedShutdownTest, AChildSpawnedWhileTheOthersDrainHandlesItsMailAndReplacesNoneThatEnded) {
  const SpawnOptions slow_to_restart{.restart_backoff = {.initial = absl::Seconds(2)}};
  Address<Foreman> foreman = test.system.Spawn<Foreman>(0, slow_to_restart, &log);
  ASSERT_TRUE(shutdown.DrainActor(kDrain, foreman).ok());
  foreman.Tell(Crash{});
  shutdown.Begin();
  test.simulator.RunFor(absl::Milliseconds(500));
  foreman.Tell(Urgent{"1"});
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(log, ElementsAre("right stops", "left crashes", "extra 1", "left stops", "extra stops", "foreman stops"));
}

TEST_F(CoordinatedShutdownTest, WhoDoesNotDrainInTimeIsStoppedAndNamed) {
  // Its backoff outlasts the phase.
  Address<Worker> worker = test.system.Spawn<Worker>(
      SpawnOptions{.restart_backoff = {.initial = absl::Seconds(60), .max = absl::Seconds(60)}}, "worker", &log);
  ASSERT_TRUE(test.system.Register("the slow one", worker).ok());
  ASSERT_TRUE(shutdown.DrainActor(kStopTakingWork, worker).ok());
  bool alive_in_next_phase = true;
  ASSERT_TRUE(shutdown
                  .AddBlockingTask(kDrain, "look",
                                   [&] {
                                     alive_in_next_phase = worker.alive();
                                     return absl::OkStatus();
                                   })
                  .ok());
  worker.Tell(Crash{});
  worker.Tell(Note{"never"});
  const ShutdownReport report = Run();
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_EQ(report.problems[0].task, "the slow one");
  EXPECT_EQ(report.problems[0].phase, kStopTakingWork);
  EXPECT_FALSE(alive_in_next_phase);
}

TEST_F(CoordinatedShutdownTest, TellsOfMistakes) {
  auto task = [] { return ResolvedFuture<void>(absl::OkStatus()); };
  EXPECT_TRUE(absl::IsInvalidArgument(shutdown.AddTask("no such phase", "task", task)));
  shutdown.Begin();
  EXPECT_TRUE(absl::IsFailedPrecondition(shutdown.AddTask(kDrain, "task", task)));
}

TEST_F(CoordinatedShutdownTest, IsOneHoweverOftenItIsBegun) {
  int runs = 0;
  ASSERT_TRUE(shutdown
                  .AddTask(kDrain, "count",
                           [&] {
                             ++runs;
                             return ResolvedFuture<void>(absl::OkStatus());
                           })
                  .ok());
  shutdown.Begin();
  shutdown.Begin();
  Run();
  shutdown.Begin();
  EXPECT_EQ(runs, 1);
}

TEST(CoordinatedShutdownDeathTest, PhasesHaveDeadlinesNamesOfTheirOwnAndOneThatStopsAllActors) {
  TestSystem test;
  const ShutdownPhase stop{.name = "stop", .stops_all_actors = true};
  EXPECT_DEATH(CoordinatedShutdown(test.system, {{.name = "a"}}), "one phase stops all actors");
  EXPECT_DEATH(CoordinatedShutdown(test.system, {stop, stop}), "two phases");
  EXPECT_DEATH(CoordinatedShutdown(test.system, {stop, {.name = "a", .timeout = absl::InfiniteDuration()}}),
               "needs a deadline");
}

TEST(CoordinatedShutdownThreadsTest, WorksWhileActorsAreBusyNamesThemAndIsJoinedByMany) {
  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  std::promise<void> entered;
  std::promise<void> release;
  Address<Busy> busy = system.Spawn<Busy>(&entered, release.get_future().share());
  busy.Tell(BeBusy{});
  entered.get_future().wait();
  CoordinatedShutdown shutdown(system, {{.name = "drain", .timeout = absl::Milliseconds(10)},
                                        {.name = "stop", .timeout = absl::Milliseconds(10), .stops_all_actors = true},
                                        {.name = "after", .timeout = absl::Minutes(1)}});
  ASSERT_TRUE(shutdown.DrainActor("drain", busy).ok());
  ASSERT_TRUE(shutdown
                  .AddBlockingTask("after", "let go",
                                   [&] {
                                     release.set_value();
                                     return absl::OkStatus();
                                   })
                  .ok());
  ShutdownReport other;
  std::thread joiner([&] { other = shutdown.Run(); });
  const ShutdownReport report = shutdown.Run();
  joiner.join();
  ASSERT_EQ(report.problems.size(), 2u);
  EXPECT_THAT(report.problems[0].task, HasSubstr("Busy"));
  EXPECT_THAT(std::string(report.problems[1].status.message()), HasSubstr("Busy"));
  EXPECT_EQ(other.problems.size(), 2u);
  EXPECT_TRUE(system.Shutdown(absl::Minutes(1)).ok());
}

TEST(CoordinatedShutdownThreadsTest, EndsManyActorsThatKeepEachOtherBusy) {
  ThreadExecutor executor({.workers = 3, .messages_per_turn = 3});
  ActorSystem system(executor);
  CoordinatedShutdown shutdown(system);
  for (int i = 0; i < 100; ++i) {
    Address<Notebook> notebook = system.Spawn<Notebook>(SpawnOptions{.mailbox_capacity = 16});
    for (int j = 0; j < 20; ++j) notebook.Tell(Note{"mail"});
    ASSERT_TRUE((i % 2 == 0 ? shutdown.DrainActor(kDrain, notebook) : shutdown.StopActor(kDrain, notebook)).ok());
    system.Spawn<Notebook>().Tell(Crash{});
  }
  const ShutdownReport report = shutdown.Run();
  EXPECT_TRUE(report.ok()) << report.ToStatus();
  EXPECT_TRUE(system.terminated());
}

}  // namespace
}  // namespace troupe
