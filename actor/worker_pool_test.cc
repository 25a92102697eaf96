// Fairness among actors, and a stress of the whole core for ThreadSanitizer: small mailboxes, short turns, more
// workers than cores, deadlines that pass, actors that stop in the middle.
#include "actor/worker_pool.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>

#include "actor/actor.h"
#include "actor/random.h"
#include "actor/thread_executor.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

struct Flood {};
struct Hello {
  using Result = int;
};
// Never has an empty mailbox again.
class Flooded : public Actor<Flooded> {
 public:
  void Handle(Flood flood, Context& context) { context.self().Tell(flood); }
};
class Neighbour : public Actor<Neighbour> {
 public:
  int Handle(Hello, Context&) { return 1; }
};

TEST(FairnessTest, AFloodedActorStarvesNoNeighbour) {
  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  Address<Neighbour> neighbour = system.Spawn<Neighbour>();
  Address<Flooded> flooded = system.Spawn<Flooded>();
  flooded.Tell(Flood{});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(neighbour.Ask(Hello{}).Wait().ok());
}

// What Slow is to do; with a neighbour, to ask that first, which then waits for the end of the turn.
struct Labor {
  bool quick = false;
  Address<Neighbour> neighbour = {};
  std::promise<int>* handled_before = nullptr;  // how many were handled when the neighbour's turn came
};
// A message that is not quick takes long enough for the coarsest clock to see.
class Slow : public Actor<Slow> {
 public:
  void Handle(Labor labor, Context& context) {
    if (labor.neighbour) {
      labor.neighbour.Ask(Hello{}, absl::Seconds(60)).Then([this, before = labor.handled_before](const auto&) {
        before->set_value(handled_);  // on the one worker, so in nobody's way
      });
    }
    const Instant end = context.Now() + (labor.quick ? absl::ZeroDuration() : absl::Milliseconds(12));
    while (context.Now() < end) {
    }
    ++handled_;
  }

 private:
  int handled_ = 0;
};

// Of a turn of so many messages, the slow ones that come before the neighbour, which is asked in the first of them.
int SlowOnesBeforeTheNeighbour(int quick) {
  ThreadExecutor executor({.workers = 1, .messages_per_turn = 1000});
  ActorSystem system(executor);
  Address<Neighbour> neighbour = system.Spawn<Neighbour>();
  EXPECT_TRUE(neighbour.Ask(Hello{}).Wait().ok());
  Address<Slow> slow = system.Spawn<Slow>();
  std::promise<int> handled_before;
  std::future<int> handled = handled_before.get_future();
  for (int i = 0; i < quick; ++i) slow.Tell(Labor{.quick = true});
  slow.Tell(Labor{.neighbour = neighbour, .handled_before = &handled_before});
  for (int i = 1; i < 64; ++i) slow.Tell(Labor{});
  const int slow_ones = handled.get() - quick;
  slow.Stop();
  return slow_ones;
}

TEST(FairnessTest, ATurnOfSlowMessagesEndsEarly) { EXPECT_LE(SlowOnesBeforeTheNeighbour(/*quick=*/0), 4); }

// Those that are quick must not hide those that are not.
TEST(FairnessTest, ATurnEndsEarlyAlsoWhenOnlyItsLaterMessagesAreSlow) {
  EXPECT_LE(SlowOnesBeforeTheNeighbour(/*quick=*/512), 8);
}

struct Block {
  Address<Neighbour> neighbour;
  std::promise<bool>* neighbour_answered_in_time;
};
class Blocker : public Actor<Blocker> {
 public:
  void Handle(Block block, Context&) {
    auto answered = std::make_shared<std::promise<void>>();
    block.neighbour.Ask(Hello{}, absl::Seconds(60)).Then([answered](absl::StatusOr<int>) { answered->set_value(); });
    // What no handler should do; what waits behind it must not suffer.
    const std::future_status status = answered->get_future().wait_for(std::chrono::seconds(20));
    block.neighbour_answered_in_time->set_value(status == std::future_status::ready);
  }
};

TEST(FairnessTest, WhatWaitsBehindAHandlerThatDoesNotEndMovesToAnotherWorker) {
  ThreadExecutor executor({.workers = 2});
  ActorSystem system(executor);
  std::promise<bool> answered_in_time;
  system.Spawn<Blocker>().Tell(Block{system.Spawn<Neighbour>(), &answered_in_time});
  EXPECT_TRUE(answered_in_time.get_future().get());
}

// What the kernel counts of this process's threads of one name.
struct ThreadCounts {
  int threads = 0;
  int asleep = 0;  // now
  Duration cpu;
  int64_t sleeps = 0;  // times that one of them gave its processor away
};
ThreadCounts CountsOf(const std::string& name) {
  ThreadCounts counts;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string its_name, word;
    std::getline(std::ifstream(task.path() / "comm"), its_name);
    if (its_name != name) continue;
    ++counts.threads;
    int64_t nanos = 0;
    std::ifstream(task.path() / "schedstat") >> nanos;
    counts.cpu += absl::Nanoseconds(nanos);
    int64_t sleeps = 0;
    for (std::ifstream status(task.path() / "status"); status >> word;) {
      if (word == "voluntary_ctxt_switches:" && status >> sleeps) counts.sleeps += sleeps;
      if (word == "State:" && status >> word && word == "S") ++counts.asleep;
    }
  }
  return counts;
}

TEST(ParkingTest, NobodyPollsWhileNothingIsToDo) {
  ThreadExecutor executor({.workers = 4, .pools = {{.name = "reports", .workers = 2}}});
  ActorSystem system(executor);
  for (Dispatch dispatch : {Dispatch(), Dispatch::Pool("reports"), Dispatch::Pinned()}) {
    Address<Neighbour> neighbour = system.Spawn<Neighbour>({.dispatch = dispatch});
    ASSERT_TRUE(neighbour.Ask(Hello{}, absl::Minutes(1)).Wait().ok());
  }
  for (const char* name : {"worker", "reports", "pinned"}) {
    std::promise<ThreadCounts> begin, end;
    // The first moments may go on parking.
    executor.RunAt(executor.Now() + absl::Milliseconds(200), [&] { begin.set_value(CountsOf(name)); });
    executor.RunAt(executor.Now() + absl::Milliseconds(400), [&] { end.set_value(CountsOf(name)); });
    const ThreadCounts before = begin.get_future().get();
    const ThreadCounts after = end.get_future().get();
    EXPECT_GE(before.threads, 1) << name;
    EXPECT_EQ(after.sleeps, before.sleeps) << name << " was awake";
    EXPECT_EQ(after.cpu, before.cpu) << name;
  }
}

TEST(ParkingTest, AWorkerSearchesForAMomentOnlyAfterItsLastWork) {
#if defined(__SANITIZE_THREAD__)
  const Duration limit = absl::Milliseconds(10);  // to look takes longer
#else
  const Duration limit = absl::Milliseconds(1);
#endif
  ThreadExecutor executor({.workers = 2});
  ActorSystem system(executor);
  Address<Neighbour> neighbour = system.Spawn<Neighbour>();
  Duration shortest = absl::InfiniteDuration();
  // The best of many, on a busy machine of very many: others may take the processor away.
  for (const Instant give_up = executor.Now() + absl::Seconds(20); executor.Now() < give_up && shortest > limit;) {
    ASSERT_TRUE(neighbour.Ask(Hello{}, absl::Minutes(1)).Wait().ok());
    const Instant answered = executor.Now();
    while (CountsOf("worker").asleep < 2) {
    }
    shortest = std::min(shortest, executor.Now() - answered);
  }
  EXPECT_LE(shortest, limit) << "200 microseconds, and the way to sleep and to see it";
}

// The stress.

class Gossip;
struct Meet {
  std::vector<Address<Gossip>> others;
};
struct Rumor {
  using Result = int;
  int hops;
};
struct Counts {
  std::atomic<int64_t> asked{0};
  std::atomic<int64_t> ended{0};
};
// Asks others on the way, with deadlines of which some pass, and sometimes stops or fails.
class Gossip : public Actor<Gossip> {
 public:
  Gossip(uint64_t seed, Counts* counts) : random_(seed), counts_(counts) {}
  void Handle(Meet meet, Context&) { others_ = std::move(meet.others); }
  int Handle(Rumor rumor, Context& context) {
    if (random_.PerMille(20)) throw std::runtime_error("a slip of the tongue");
    if (random_.PerMille(5)) context.Stop();
    if (rumor.hops == 0 || others_.empty()) return 0;
    Address<Gossip>& other = others_[random_.Below(others_.size())];
    ++counts_->asked;
    const Duration timeout = random_.PerMille(300) ? absl::Microseconds(random_.Below(200)) : absl::Seconds(30);
    context.Then(other.Ask(Rumor{rumor.hops - 1}, timeout), [](absl::StatusOr<int>) {});
    ++counts_->asked;
    other.Ask(Rumor{rumor.hops - 1}, timeout).Then([counts = counts_](absl::StatusOr<int>) { ++counts->ended; });
    return rumor.hops;
  }

 private:
  Random random_;
  Counts* counts_;
  std::vector<Address<Gossip>> others_;
};

TEST(StressTest, EveryAskEndsHoweverActorsStopFailAndFillUp) {
  Counts counts;
  std::atomic<int64_t> asked_outside{0}, ended_outside{0};
  {
    ThreadExecutor executor({.workers = 6, .messages_per_turn = 3});
    ActorSystem system(executor);
    std::vector<std::thread> users;
    for (uint64_t user = 0; user < 3; ++user) {
      users.emplace_back([&, user] {
        Random random(user);
        for (int round = 0; round < 100; ++round) {
          std::vector<Address<Gossip>> all;
          for (int i = 0; i < 8; ++i) {
            all.push_back(
                system.Spawn<Gossip>(SpawnOptions{.mailbox_capacity = 16,
                                                  .overflow = i % 4 == 0 ? Overflow::kDropOldest : Overflow::kReject,
                                                  .restart_limit = {.max_restarts = 3}},
                                     random.Next(), &counts));
          }
          for (const auto& gossip : all) gossip.Tell(Meet{all});
          for (int i = 0; i < 60; ++i) {
            ++asked_outside;
            Future<int> answer = all[random.Below(all.size())].Ask(Rumor{4}, absl::Milliseconds(1 + random.Below(20)));
            if (i % 10 == 0) {
              (void)std::move(answer).Wait();
              ++ended_outside;
            } else {
              std::move(answer).Then([&](absl::StatusOr<int>) { ++ended_outside; });
            }
          }
          for (const auto& gossip : all) gossip.Stop();
        }
      });
    }
    for (std::thread& user : users) user.join();
    EXPECT_TRUE(system.Shutdown(absl::Seconds(60)).ok());
  }
  EXPECT_EQ(ended_outside.load(), asked_outside.load());
  EXPECT_EQ(counts.ended.load() * 2, counts.asked.load());
  EXPECT_GT(counts.asked.load(), 1000);
}

}  // namespace
}  // namespace troupe
