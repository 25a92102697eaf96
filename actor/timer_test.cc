// Timers, blocking work and continuations, on virtual time.
#include "actor/actor.h"
#include "actor/test_actors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::TestSystem;

struct Tick {};
struct Arm {
  Duration delay;
  bool repeat = false;
};
struct Disarm {};
struct Fall {};

class Clock : public Actor<Clock> {
 public:
  explicit Clock(std::vector<Instant>* ticks) : ticks_(ticks) {}
  void Handle(Arm arm, Context& context) {
    timer_ = arm.repeat ? context.Every(arm.delay, Tick{}) : context.After(arm.delay, Tick{});
  }
  void Handle(Disarm, Context& context) { context.Cancel(timer_); }
  void Handle(Tick, Context& context) { ticks_->push_back(context.Now()); }
  void Handle(Fall, Context& context) { context.Fail(absl::InternalError("fell")); }

 private:
  std::vector<Instant>* ticks_;
  TimerId timer_ = 0;
};

Instant At(int64_t seconds) { return Instant() + absl::Seconds(seconds); }

TEST(TimerTest, FiresOnceAtItsTime) {
  TestSystem test;
  std::vector<Instant> ticks;
  test.system.Spawn<Clock>(&ticks).Tell(Arm{absl::Seconds(3)});
  test.simulator.RunFor(absl::Seconds(10));
  EXPECT_THAT(ticks, ElementsAre(At(3)));
}

TEST(TimerTest, RepeatsFromOnePeriodOnUntilCancelled) {
  TestSystem test;
  std::vector<Instant> ticks;
  Address<Clock> clock = test.system.Spawn<Clock>(&ticks);
  clock.Tell(Arm{absl::Seconds(2), /*repeat=*/true});
  test.simulator.RunFor(absl::Seconds(5));
  clock.Tell(Disarm{});
  test.simulator.RunFor(absl::Seconds(5));
  EXPECT_THAT(ticks, ElementsAre(At(2), At(4)));
}

TEST(TimerDeathTest, WhatRepeatsWithoutAPeriodIsABrokenPromise) {
  EXPECT_DEATH(
      {
        TestSystem test;
        std::vector<Instant> ticks;
        test.system.Spawn<Clock>(&ticks).Tell(Arm{absl::ZeroDuration(), /*repeat=*/true});
        test.Settle();
      },
      "needs a period");
}

TEST(TimerTest, EndsWithItsIncarnation) {
  TestSystem test;
  std::vector<Instant> ticks;
  Address<Clock> clock = test.system.Spawn<Clock>(&ticks);
  clock.Tell(Arm{absl::Seconds(2), /*repeat=*/true});
  clock.Tell(Fall{});
  test.simulator.RunFor(absl::Seconds(10));
  EXPECT_TRUE(clock.alive());
  EXPECT_THAT(ticks, IsEmpty());
}

// Reads a "disk" on the blocking pool and asks another actor, and answers from the continuation.
struct ReadDisk {
  using Result = std::string;
};
struct AskNotebook {
  using Result = size_t;
};
class Reader : public Actor<Reader> {
 public:
  explicit Reader(Address<Notebook> notebook) : notebook_(std::move(notebook)) {}
  void Handle(ReadDisk, Reply<std::string> reply, Context& context) {
    context.RunBlocking(
        []() -> absl::StatusOr<std::string> { return "from disk"; },
        [reply = std::move(reply)](absl::StatusOr<std::string> text) mutable { reply(std::move(text)); });
  }
  void Handle(AskNotebook, Reply<size_t> reply, Context& context) {
    context.Then(notebook_.Ask(ReadNotes{}),
                 [reply = std::move(reply)](absl::StatusOr<std::vector<std::string>> notes) mutable {
                   if (!notes.ok()) return reply(notes.status());
                   reply(notes->size());
                 });
  }
  void Handle(Fall, Context& context) { context.Fail(absl::InternalError("fell")); }

 private:
  Address<Notebook> notebook_;
};

TEST(ContinuationTest, BlockingWorkTakesVirtualTimeAndComesBackInATurn) {
  TestSystem test;
  Address<Reader> reader = test.system.Spawn<Reader>(test.system.Spawn<Notebook>());
  Instant start = test.simulator.Now();
  EXPECT_EQ(*test.Await(reader.Ask(ReadDisk{})), "from disk");
  EXPECT_GT(test.simulator.Now(), start);
}

TEST(ContinuationTest, AnAskInsideAnActorComesBackInATurn) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  notebook.Tell(Note{"1"});
  Address<Reader> reader = test.system.Spawn<Reader>(notebook);
  EXPECT_EQ(*test.Await(reader.Ask(AskNotebook{})), 1u);
}

TEST(ContinuationTest, ThatOfAnIncarnationThatIsGoneDoesNotRunAndItsAskerIsTold) {
  TestSystem test;
  Address<Reader> reader = test.system.Spawn<Reader>(test.system.Spawn<Notebook>());
  Future<std::string> answer = reader.Ask(ReadDisk{});
  test.Settle();
  reader.Tell(Fall{});
  EXPECT_TRUE(absl::IsUnknown(test.Await(std::move(answer)).status()));
}

struct ReadBrokenDisk {
  using Result = std::string;
};
class BrokenReader : public Actor<BrokenReader> {
 public:
  void Handle(ReadBrokenDisk, Reply<std::string> reply, Context& context) {
    context.RunBlocking(
        []() -> absl::StatusOr<std::string> { throw std::runtime_error("head crash"); },
        [reply = std::move(reply)](absl::StatusOr<std::string> text) mutable { reply(std::move(text)); });
  }
};

TEST(ContinuationTest, AnExceptionInBlockingWorkComesBackAsAStatus) {
  TestSystem test;
  absl::Status status = test.Await(test.system.Spawn<BrokenReader>().Ask(ReadBrokenDisk{})).status();
  EXPECT_EQ(status, absl::InternalError("std::runtime_error: head crash"));
}

TEST(ContinuationTest, AFullPoolIsAnAnswer) {
  Simulator simulator(1);
  DeterministicExecutor executor(simulator, 1, {.blocking_queue_limit = 1});
  ActorSystem system(executor);
  Address<Reader> reader = system.Spawn<Reader>(system.Spawn<Notebook>());
  std::vector<absl::StatusCode> codes;
  for (int i = 0; i < 2; ++i) {
    reader.Ask(ReadDisk{}).Then([&](absl::StatusOr<std::string> text) { codes.push_back(text.status().code()); });
  }
  simulator.RunFor(absl::Seconds(1));
  EXPECT_THAT(codes, ElementsAre(absl::StatusCode::kResourceExhausted, absl::StatusCode::kOk));
}

}  // namespace
}  // namespace troupe
