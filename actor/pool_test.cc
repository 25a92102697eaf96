// Pools, on a deterministic executor.
#include "actor/pool.h"

#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "actor/coordinated_shutdown.h"
#include "actor/test_actors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::SizeIs;
using testing::TestSystem;

struct Job {
  int number = 0;
};
struct WhoAreYou {
  using Result = int;
};
struct Keyed {
  using Result = int;
  std::string key;
  std::string_view RoutingKey() const { return key; }
};
struct Hold {
  using Result = int;
};
struct AnswerIfYouAre {
  using Result = int;
  std::set<int> who;
};
struct LetGo {
  int who = 0;
};
struct Fall {};
struct Quit {};

// What outlives the workers.
struct Workshop {
  int incarnations = 0;
  std::map<int, std::vector<int>> jobs;  // by worker
  std::map<int, Reply<int>> held;
};

struct SlowJob {
  int number = 0;
};
// Takes eight seconds.
struct LongJob {
  using Result = int;
};
class Worker : public Actor<Worker> {
 public:
  explicit Worker(Workshop* workshop) : workshop_(workshop) { ++workshop->incarnations; }

  // The pool is the first actor of its system; its members are numbered from 0 in the order of their spawning.
  void Started(Context& context) { number_ = static_cast<int>(context.self().id().value) - 2; }

  void Handle(Job job, Context&) { workshop_->jobs[number_].push_back(job.number); }
  Task<> Handle(SlowJob job, Context& context) {
    co_await context.Sleep(absl::Seconds(1));
    workshop_->jobs[number_].push_back(job.number);
  }
  Task<int> Handle(LongJob, Context& context) {
    co_await context.Sleep(absl::Seconds(8));
    workshop_->jobs[number_].push_back(0);
    co_return number_;
  }
  int Handle(WhoAreYou, Context&) { return number_; }
  int Handle(Keyed, Context&) { return number_; }
  void Handle(Hold, Reply<int> reply, Context&) { workshop_->held[number_] = std::move(reply); }
  absl::StatusOr<int> Handle(AnswerIfYouAre question, Context&) {
    if (question.who.count(number_) == 0) return absl::NotFoundError(absl::StrCat("I am ", number_));
    return number_;
  }
  void Handle(Fall, Context& context) { context.Fail(absl::InternalError("fell")); }
  void Handle(Quit, Context& context) { context.Stop(); }

 private:
  Workshop* workshop_;
  int number_ = -1;
};

struct Shout {
  using Result = int;
  int number = 0;
  std::string_view RoutingKey() const { return {reinterpret_cast<const char*>(&number), sizeof(number)}; }
};
class Echo : public Actor<Echo> {
 public:
  int Handle(Shout shout, Context&) { return shout.number; }
};

class PoolTest : public ::testing::Test {
 protected:
  Address<Pool<Worker>> SpawnPool(PoolOptions options) {
    Address<Pool<Worker>> pool = test_.system.Spawn<Pool<Worker>>(options, &workshop_);
    test_.Settle();
    return pool;
  }
  template <typename M>
  Outcome<ResultOf<M>> Ask(const Address<Pool<Worker>>& pool, M message) {
    return test_.Await(pool.Ask(std::move(message)));
  }

  Workshop workshop_;
  TestSystem test_;
};

TEST_F(PoolTest, RoundRobinGivesEachMemberTheSame) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 3, .routing = Routing::kRoundRobin});
  for (int i = 0; i < 6; ++i) pool.Tell(Job{i});
  test_.Settle();
  EXPECT_THAT(workshop_.jobs[0], ElementsAre(0, 3));
  EXPECT_THAT(workshop_.jobs[1], ElementsAre(1, 4));
  EXPECT_THAT(workshop_.jobs[2], ElementsAre(2, 5));
  EXPECT_EQ(Ask(pool, GetPoolStats{})->routed, 6u);
}

TEST_F(PoolTest, AnAskIsAnsweredByTheMember) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 2});
  EXPECT_EQ(*Ask(pool, WhoAreYou{}), 0);
  EXPECT_EQ(*Ask(pool, WhoAreYou{}), 1);
  EXPECT_EQ(*Ask(pool, WhoAreYou{}), 0);
}

TEST_F(PoolTest, LeastBusyPassesOverThoseThatOweAnAnswer) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 3, .routing = Routing::kLeastBusy});
  std::vector<Future<int>> answers;
  for (int i = 0; i < 3; ++i) answers.push_back(pool.Ask(Hold{}));
  test_.Settle();
  ASSERT_THAT(workshop_.held, SizeIs(3)) << "each has one";
  workshop_.held[1](11);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*Ask(pool, WhoAreYou{}), 1);
}

TEST_F(PoolTest, LeastBusyCountsTellsUntilTheyAreHandled) {
  Address<Pool<Worker>> pool = SpawnPool(
      {.size = 2, .routing = Routing::kLeastBusy, .member = {.restart_backoff = {.initial = absl::Hours(1)}}});
  pool.Tell(Fall{});  // worker 0 handles nothing for an hour
  test_.Settle();
  for (int i = 0; i < 6; ++i) {
    pool.Tell(Job{i});
    test_.Settle();
  }
  EXPECT_THAT(workshop_.jobs[1], SizeIs(5)) << "the one that waits keeps the others away from worker 0";
  test_.simulator.RunFor(absl::Hours(1));
  EXPECT_THAT(workshop_.jobs[0], SizeIs(1)) << "a timeout is for asks";
}

TEST_F(PoolTest, RandomReachesAllMembersAndRepeatsWithTheSeed) {
  auto run = [](uint64_t seed) {
    Workshop workshop;
    TestSystem test;
    auto pool =
        test.system.Spawn<Pool<Worker>>(PoolOptions{.size = 3, .routing = Routing::kRandom, .seed = seed}, &workshop);
    for (int i = 0; i < 60; ++i) pool.Tell(Job{i});
    test.Settle();
    return workshop.jobs;
  };
  std::map<int, std::vector<int>> jobs = run(7);
  for (int worker = 0; worker < 3; ++worker) EXPECT_THAT(jobs[worker], SizeIs(Ge(8u)));
  EXPECT_EQ(run(7), jobs);
  EXPECT_NE(run(8), jobs);
}

TEST_F(PoolTest, AKeyKeepsItsMemberAndMovesOnlyToNewOnes) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 4, .routing = Routing::kConsistentHash});
  std::map<std::string, int> before;
  for (int i = 0; i < 100; ++i) {
    const std::string key = absl::StrCat("user:", i);
    before[key] = *Ask(pool, Keyed{key});
    EXPECT_EQ(*Ask(pool, Keyed{key}), before[key]);
  }
  ASSERT_TRUE(Ask(pool, ResizePool{5}).ok());
  int moved = 0;
  for (const auto& [key, worker] : before) {
    const int now = *Ask(pool, Keyed{key});
    if (now == worker) continue;
    EXPECT_EQ(now, 4);
    ++moved;
  }
  EXPECT_THAT(moved, AllOf(::testing::Gt(5), ::testing::Lt(40)));
}

TEST_F(PoolTest, AMessageWithoutAKeyCannotBeHashed) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 2, .routing = Routing::kConsistentHash});
  EXPECT_TRUE(absl::IsInvalidArgument(Ask(pool, WhoAreYou{}).status()));
  EXPECT_EQ(Ask(pool, GetPoolStats{})->unroutable, 1u);
}

TEST_F(PoolTest, ABroadcastReachesAllAndSucceedsOnlyIfAllDo) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 3, .routing = Routing::kBroadcast});
  pool.Tell(Job{7});
  test_.Settle();
  for (int worker = 0; worker < 3; ++worker) EXPECT_THAT(workshop_.jobs[worker], ElementsAre(7));
  EXPECT_TRUE(Ask(pool, AnswerIfYouAre{{0, 1, 2}}).ok());
  EXPECT_EQ(Ask(pool, AnswerIfYouAre{{0, 2}}).status(), absl::NotFoundError("I am 1"));
}

TEST_F(PoolTest, ABroadcastWaitsForTheLastAnswer) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 2, .routing = Routing::kBroadcast});
  bool answered = false;
  pool.Ask(Hold{}).Then([&](const absl::StatusOr<int>& answer) { answered = answer.ok(); });
  test_.Settle();
  workshop_.held[0](1);
  test_.Settle();
  EXPECT_FALSE(answered);
  workshop_.held[1](1);
  test_.Settle();
  EXPECT_TRUE(answered);
}

TEST_F(PoolTest, ScatterGatherTakesTheFirstSuccess) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 3, .routing = Routing::kScatterGather});
  EXPECT_EQ(*Ask(pool, AnswerIfYouAre{{1}}), 1);
  EXPECT_TRUE(absl::IsNotFound(Ask(pool, AnswerIfYouAre{{}}).status())) << "no success, so the last failure";
  Future<int> answer = pool.Ask(Hold{});
  test_.Settle();
  workshop_.held[2](22);
  EXPECT_EQ(*test_.Await(std::move(answer)), 22) << "the others have not answered";
}

TEST_F(PoolTest, AMemberHasTheWholeTimeThatTheAskerGave) {
  for (Routing routing :
       {Routing::kRoundRobin, Routing::kLeastBusy, Routing::kRandom, Routing::kBroadcast, Routing::kScatterGather}) {
    Workshop workshop;
    auto pool = test_.system.Spawn<Pool<Worker>>(PoolOptions{.size = 1, .routing = routing}, &workshop);
    EXPECT_TRUE(test_.Await(pool.Ask(LongJob{}, absl::Minutes(1))).ok());
    EXPECT_TRUE(test_.Await(pool.Ask(LongJob{}, absl::InfiniteDuration())).ok());
  }
}

TEST_F(PoolTest, WhatAnAskerHasGivenUpIsNotHandledByAMember) {
  for (Routing routing :
       {Routing::kRoundRobin, Routing::kLeastBusy, Routing::kRandom, Routing::kBroadcast, Routing::kScatterGather}) {
    Workshop workshop;
    auto pool = test_.system.Spawn<Pool<Worker>>(PoolOptions{.size = 1, .routing = routing}, &workshop);
    Future<int> first = pool.Ask(LongJob{}, absl::Minutes(1));
    test_.Settle();
    const Instant begin = test_.simulator.Now();
    // It waits for the first to end.
    EXPECT_TRUE(absl::IsDeadlineExceeded(test_.Await(pool.Ask(LongJob{}, absl::Seconds(1))).status()));
    EXPECT_LE(test_.simulator.Now() - begin, absl::Milliseconds(1010));
    test_.RunFor(absl::Minutes(1));
    EXPECT_EQ(workshop.jobs.size(), 1u);
    EXPECT_THAT(workshop.jobs.begin()->second, SizeIs(1));
  }
}

TEST_F(PoolTest, AMemberThatFailsRestartsInItsPlaceAndTheOthersGoOn) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 2});
  pool.Tell(Fall{});  // to worker 0
  test_.Settle();
  EXPECT_EQ(*Ask(pool, WhoAreYou{}), 1);
  EXPECT_EQ(*Ask(pool, WhoAreYou{}), 0);
  EXPECT_EQ(workshop_.incarnations, 3);
  EXPECT_EQ(Ask(pool, GetPoolStats{})->replaced, 0u);
}

TEST_F(PoolTest, AMemberThatTerminatesIsReplaced) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 2});
  pool.Tell(Quit{});
  test_.Settle();
  EXPECT_EQ(Ask(pool, GetPoolStats{})->replaced, 1u);
  EXPECT_EQ(Ask(pool, GetPoolStats{})->size, 2u);
  EXPECT_EQ(*Ask(pool, WhoAreYou{}), 1);
  EXPECT_EQ(*Ask(pool, WhoAreYou{}), 2);
}

TEST_F(PoolTest, MembersThatTerminateTooOftenAreAFailureOfThePool) {
  Address<Pool<Worker>> pool =
      SpawnPool({.size = 1, .member = {.restart_limit = {.max_restarts = 2, .within = absl::Seconds(10)}}});
  for (int i = 0; i < 2; ++i) {
    pool.Tell(Quit{});
    test_.Settle();
  }
  EXPECT_EQ(test_.system.stats().restarts, 0u);
  pool.Tell(Quit{});
  test_.Settle();
  EXPECT_EQ(test_.system.stats().restarts, 1u) << "the pool's";
  EXPECT_EQ(*Ask(pool, WhoAreYou{}), 3) << "with a new member";
}

TEST_F(PoolTest, ItGrowsAndShrinksAndTheOnesThatGoFinishWhatWaits) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 1});
  ASSERT_TRUE(Ask(pool, ResizePool{3}).ok());
  for (int i = 0; i < 9; ++i) pool.Tell(Job{i});
  Future<int> held = [&] {
    pool.Tell(WhoAreYou{});
    pool.Tell(WhoAreYou{});
    return pool.Ask(Hold{});
  }();
  ASSERT_TRUE(Ask(pool, ResizePool{1}).ok());
  test_.simulator.RunFor(absl::Seconds(1));
  EXPECT_THAT(workshop_.jobs[1], ElementsAre(1, 4, 7));
  EXPECT_THAT(workshop_.jobs[2], ElementsAre(2, 5, 8));
  EXPECT_EQ(test_.system.stats().dead_letters, 0u);
  EXPECT_EQ(Ask(pool, GetPoolStats{})->draining, 1u) << "worker 2 owes an answer";
  workshop_.held.at(2)(5);
  EXPECT_EQ(*test_.Await(std::move(held)), 5);
  test_.simulator.RunFor(absl::Seconds(1));
  EXPECT_EQ(Ask(pool, GetPoolStats{})->draining, 0u);
  EXPECT_EQ(test_.system.stats().alive, 2u) << "the pool and one worker";
  pool.Tell(Job{10});
  test_.Settle();
  EXPECT_EQ(workshop_.jobs[0].back(), 10);
}

TEST_F(PoolTest, OneThatGoesWhileItWaitsForItsRestartStillHandlesWhatWaits) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 2, .member = {.restart_backoff = {.initial = absl::Seconds(2)}}});
  pool.Tell(Job{0});
  pool.Tell(Fall{});  // to worker 1
  pool.Tell(Job{1});
  pool.Tell(Job{2});  // to worker 1
  ASSERT_TRUE(Ask(pool, ResizePool{1}).ok());
  test_.simulator.RunFor(absl::Seconds(1));
  EXPECT_EQ(Ask(pool, GetPoolStats{})->draining, 1u);
  test_.simulator.RunFor(absl::Seconds(2));
  EXPECT_EQ(Ask(pool, GetPoolStats{})->draining, 0u);
  EXPECT_THAT(workshop_.jobs[1], ElementsAre(2));
}

TEST_F(PoolTest, OneThatGoesEndsWhatItHasBegun) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 2});
  for (int i = 0; i < 4; ++i) pool.Tell(SlowJob{i});
  test_.Settle();
  ASSERT_TRUE(Ask(pool, ResizePool{1}).ok());
  test_.simulator.RunFor(absl::Seconds(4));
  EXPECT_THAT(workshop_.jobs[1], ElementsAre(1, 3));
  EXPECT_EQ(Ask(pool, GetPoolStats{})->draining, 0u);
}

TEST_F(PoolTest, DrainingEndsAtItsTimeout) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 2, .drain_timeout = absl::Seconds(5)});
  Future<int> first = pool.Ask(Hold{}, absl::Hours(1));
  Future<int> second = pool.Ask(Hold{}, absl::Hours(1));
  ASSERT_TRUE(Ask(pool, ResizePool{1}).ok());
  test_.simulator.RunFor(absl::Seconds(4));
  EXPECT_EQ(test_.system.stats().alive, 3u);
  test_.simulator.RunFor(absl::Seconds(2));
  EXPECT_EQ(test_.system.stats().alive, 2u);
}

TEST_F(PoolTest, SizesWithoutSenseAreRefused) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 0});
  EXPECT_EQ(Ask(pool, GetPoolStats{})->size, 1u);
  EXPECT_TRUE(absl::IsInvalidArgument(Ask(pool, ResizePool{0})));
  EXPECT_TRUE(absl::IsInvalidArgument(Ask(pool, ResizePool{kMaxPoolSize + 1})));
}

TEST_F(PoolTest, ItsMembersEndWithIt) {
  Address<Pool<Worker>> pool = SpawnPool({.size = 3});
  pool.Stop();
  test_.Settle();
  EXPECT_EQ(test_.system.stats().alive, 0u);
}

TEST_F(PoolTest, DrainingAPoolHandlesWhatItsMembersHaveAndReplacesNone) {
  // More than may be replaced, so that a pool that tried would fail.
  Address<Pool<Worker>> pool = SpawnPool({.size = 20});
  CoordinatedShutdown shutdown(test_.system);
  ASSERT_TRUE(shutdown.DrainActor(kDrain, pool).ok());
  for (int i = 0; i < 60; ++i) pool.Tell(SlowJob{i});
  test_.Settle();  // all are routed
  shutdown.Begin();
  ASSERT_TRUE(test_.RunUntil([&] { return shutdown.report().has_value(); }, absl::Hours(1)));
  EXPECT_TRUE(shutdown.report()->ok()) << shutdown.report()->ToStatus();
  EXPECT_THAT(workshop_.jobs, SizeIs(20));
  for (const auto& [worker, jobs] : workshop_.jobs) EXPECT_THAT(jobs, ElementsAre(worker, worker + 20, worker + 40));
  EXPECT_EQ(test_.system.stats().dead_letters, 0u);
  EXPECT_EQ(workshop_.incarnations, 20);
}

// The same on threads, where answers come from many at once.
TEST(PoolOnThreadsTest, EveryAskOfEveryKindIsAnsweredOnce) {
  for (Routing routing : {Routing::kRoundRobin, Routing::kLeastBusy, Routing::kRandom, Routing::kConsistentHash,
                          Routing::kBroadcast, Routing::kScatterGather}) {
    ActorSystem system;
    auto pool = system.Spawn<Pool<Echo>>(PoolOptions{.size = 4, .routing = routing});
    std::vector<Future<int>> answers;
    for (int i = 0; i < 500; ++i) answers.push_back(pool.Ask(Shout{i}, absl::Minutes(1)));
    for (int i = 0; i < 500; ++i) EXPECT_EQ(*std::move(answers[i]).Wait(), i);
    EXPECT_EQ(pool.Ask(GetPoolStats{}).Wait()->routed, 500u);
  }
}

TEST(PoolOnThreadsTest, DrainingLosesNoneOfTheAsksThatWait) {
  for (Routing routing : {Routing::kRoundRobin, Routing::kLeastBusy, Routing::kBroadcast}) {
    ActorSystem system;
    auto pool = system.Spawn<Pool<Echo>>(PoolOptions{.size = 4, .routing = routing});
    CoordinatedShutdown shutdown(system);
    ASSERT_TRUE(shutdown.DrainActor(kDrain, pool).ok());
    std::vector<Future<int>> answers;
    for (int i = 0; i < 500; ++i) answers.push_back(pool.Ask(Shout{i}, absl::Minutes(1)));
    EXPECT_TRUE(shutdown.Run().ok());
    for (int i = 0; i < 500; ++i) EXPECT_EQ(*std::move(answers[i]).Wait(), i);
  }
}

}  // namespace
}  // namespace troupe
