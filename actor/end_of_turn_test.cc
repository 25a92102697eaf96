// The end-of-turn hook: one call for many actors, in time, on every executor. Under ThreadSanitizer in the gate.
#include "actor/end_of_turn.h"

#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "actor/actor.h"
#include "actor/log_lines.h"
#include "actor/test_actors.h"
#include "actor/thread_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::LogLines;
using testing::RunSeeds;
using testing::TestSystem;

// Gathers what actors append and answers them once it is written.
class SharedLog : public EndOfTurnHook {
 public:
  void Append(Reply<void> written) {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(written));
  }
  void EndOfTurn() override {
    std::vector<Reply<void>> written;
    {
      std::lock_guard lock(mutex_);
      ++writes_;
      written.swap(waiting_);
      sizes_.push_back(written.size());
      writer_ = std::this_thread::get_id();
    }
    for (Reply<void>& reply : written) reply(absl::OkStatus());
  }

  int writes() const {
    std::lock_guard lock(mutex_);
    return writes_;
  }
  std::thread::id writer() const {
    std::lock_guard lock(mutex_);
    return writer_;
  }
  std::vector<size_t> sizes() const {
    std::lock_guard lock(mutex_);
    return sizes_;
  }

 private:
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  int writes_ = 0;
  std::vector<size_t> sizes_;
  std::thread::id writer_;
  std::vector<Reply<void>> waiting_;
};

struct Put {
  using Result = void;
};
struct WhereAreYou {
  using Result = std::thread::id;
};
class Shard : public Actor<Shard> {
 public:
  explicit Shard(std::shared_ptr<SharedLog> log) : log_(std::move(log)) {}
  void Handle(Put, Reply<void> reply, Context& context) {
    log_->Append(std::move(reply));
    context.AtEndOfTurn(log_);
  }
  std::thread::id Handle(WhereAreYou, Context&) { return std::this_thread::get_id(); }

 private:
  const std::shared_ptr<SharedLog> log_;
};

// Puts into all shards from one turn, so that all are ready at once.
struct PutAll {
  std::promise<void>* done;
};
class Client : public Actor<Client> {
 public:
  explicit Client(std::vector<Address<Shard>> shards) : shards_(std::move(shards)) {}
  void Handle(PutAll all, Context& context) {
    for (const Address<Shard>& shard : shards_) {
      context.Then(shard.Ask(Put{}), [this, done = all.done](absl::Status status) {
        EXPECT_TRUE(status.ok()) << status;
        if (++written_ == shards_.size()) done->set_value();
      });
    }
  }

 private:
  const std::vector<Address<Shard>> shards_;
  size_t written_ = 0;
};

TEST(EndOfTurnTest, OneCallServesAllActorsOfABatch) {
  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  auto log = std::make_shared<SharedLog>();
  std::vector<Address<Shard>> shards;
  for (int i = 0; i < 40; ++i) {
    shards.push_back(system.Spawn<Shard>(log));
    ASSERT_TRUE(shards.back().Ask(WhereAreYou{}).Wait().ok());
  }
  std::promise<void> done;
  system.Spawn<Client>(shards).Tell(PutAll{&done});
  done.get_future().wait();
  // One, but for a machine that takes the processor away in the middle.
  EXPECT_LE(log->writes(), 10);
}

TEST(EndOfTurnTest, OfTheLastTurnComesThoughNothingElseIsToDo) {
  ThreadExecutor executor({.workers = 2, .pools = {{.name = "disk"}}});
  ActorSystem system(executor);
  for (Dispatch dispatch : {Dispatch(), Dispatch::Pool("disk"), Dispatch::Pinned()}) {
    auto log = std::make_shared<SharedLog>();
    Address<Shard> shard = system.Spawn<Shard>({.dispatch = dispatch}, log);
    EXPECT_TRUE(shard.Ask(Put{}, absl::Seconds(20)).Wait().ok());
    EXPECT_EQ(log->writes(), 1);
  }
}

TEST(EndOfTurnTest, ComesOnTheThreadThatHadTheTurn) {
  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  for (Dispatch dispatch : {Dispatch(), Dispatch::Pinned()}) {
    auto log = std::make_shared<SharedLog>();
    Address<Shard> shard = system.Spawn<Shard>({.dispatch = dispatch}, log);
    ASSERT_TRUE(shard.Ask(Put{}).Wait().ok());
    EXPECT_EQ(log->writer(), *shard.Ask(WhereAreYou{}).Wait());
  }
}

// Never has an empty mailbox again.
struct Flood {};
class Flooded : public Actor<Flooded> {
 public:
  void Handle(Flood flood, Context& context) { context.self().Tell(flood); }
};

TEST(EndOfTurnTest, ABatchEndsThoughTheWorkerNeverRunsOutOfTurns) {
  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  Address<Flooded> flooded = system.Spawn<Flooded>();
  flooded.Tell(Flood{});
  Address<Shard> shard = system.Spawn<Shard>(std::make_shared<SharedLog>());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(shard.Ask(Put{}, absl::Seconds(20)).Wait().ok());
}

class Failing : public EndOfTurnHook {
 public:
  void EndOfTurn() override { throw std::runtime_error("the disk is gone"); }
};
struct AskFor {
  using Result = void;
  std::vector<std::shared_ptr<EndOfTurnHook>> hooks;
};
class Asker : public Actor<Asker> {
 public:
  void Handle(AskFor ask, Context& context) {
    for (auto& hook : ask.hooks) context.AtEndOfTurn(hook);
    for (auto& hook : ask.hooks) context.AtEndOfTurn(hook);
    context.Stop();
  }
};

TEST(EndOfTurnTest, AHookThatFailsHarmsNoOtherAndAnActorsEndTakesNoneBack) {
  TestSystem test;
  auto log = std::make_shared<SharedLog>();
  Address<Asker> asker = test.system.Spawn<Asker>();
  asker.Tell(AskFor{{std::make_shared<Failing>(), log, std::make_shared<Failing>()}});
  test.Settle();
  EXPECT_FALSE(asker.alive());
  EXPECT_EQ(log->writes(), 1);
}

TEST(EndOfTurnTest, OfAThousandFailuresInARowTheLogHasTen) {
  TestSystem test;
  LogLines log;
  for (int i = 0; i < 1000; ++i) {
    test.system.Spawn<Asker>().Tell(AskFor{{std::make_shared<Failing>()}});
    test.Settle();
  }
  const std::vector<std::string> lines = log.Take();
  ASSERT_EQ(lines.size(), 10u);
  EXPECT_EQ(lines.back(), "an end-of-turn hook failed (failure 512): the disk is gone");
}

TEST(EndOfTurnTest, TheSeedChoosesWhichTurnsABatchHasAndNoTimePasses) {
  std::set<std::vector<size_t>> seen;
  RunSeeds(50, [&](uint64_t seed) {
    auto run = [seed] {
      TestSystem test(seed);
      auto log = std::make_shared<SharedLog>();
      std::vector<Future<void>> answers;
      for (int i = 0; i < 4; ++i) answers.push_back(test.system.Spawn<Shard>(log).Ask(Put{}));
      test.Settle();
      for (Future<void>& answer : answers) {
        const Instant before = test.simulator.Now();
        EXPECT_TRUE(test.Await(std::move(answer)).ok());
        EXPECT_EQ(test.simulator.Now(), before);
      }
      return std::pair(log->sizes(), test.simulator.trace_hash());
    };
    const auto first = run();
    EXPECT_EQ(first, run());
    seen.insert(first.first);
  });
  // From one write for all to one for each.
  EXPECT_TRUE(seen.contains({4}));
  EXPECT_TRUE(seen.contains({1, 1, 1, 1}));
}

TEST(EndOfTurnStressTest, WhateverIsAppendedIsWrittenOnceByWhicheverWorker) {
  auto log = std::make_shared<SharedLog>();
  std::atomic<int> written{0};
  constexpr int kUsers = 3, kPuts = 1'000;
  {
    ThreadExecutor executor({.workers = 6, .messages_per_turn = 3});
    ActorSystem system(executor);
    std::vector<Address<Shard>> shards;
    for (int i = 0; i < 16; ++i) {
      shards.push_back(
          system.Spawn<Shard>({.mailbox_capacity = 16, .dispatch = i % 8 == 0 ? Dispatch::Pinned() : Dispatch()}, log));
    }
    std::vector<std::thread> users;
    for (int u = 0; u < kUsers; ++u) {
      users.emplace_back([&, u] {
        for (int i = 0; i < kPuts; ++i) {
          absl::Status status;
          do {
            status = shards[static_cast<size_t>(u + i) % shards.size()].Ask(Put{}, absl::Minutes(1)).Wait();
          } while (absl::IsResourceExhausted(status));
          ASSERT_TRUE(status.ok()) << status;
          ++written;
        }
      });
    }
    for (std::thread& user : users) user.join();
  }
  EXPECT_EQ(written.load(), kUsers * kPuts);
  size_t sum = 0;
  for (size_t size : log->sizes()) sum += size;
  EXPECT_EQ(sum, static_cast<size_t>(kUsers * kPuts));
}

}  // namespace
}  // namespace troupe
