// Handlers that hold a worker are found while they do, and nothing looks for them while the workers sleep.
#include "actor/stall_detector.h"

#include <future>
#include <mutex>

#include "absl/strings/match.h"
#include "actor/actor.h"
#include "actor/test_actors.h"
#include "actor/thread_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using internal::StallDetector;
using internal::StalledTurn;
using internal::TurnMark;
using ::testing::IsEmpty;
using testing::Note;
using testing::Notebook;
using ::testing::SizeIs;

// A detector that looks as often as it must.
class Watch {
 public:
  std::vector<StalledTurn> LookFor(Duration time) {
    std::vector<StalledTurn> found;
    for (const Instant end = now_ + time; now_ < end;) {
      now_ = now_ + detector_.period();
      for (const StalledTurn& turn : detector_.Look(now_, {&first, &second})) found.push_back(turn);
    }
    return found;
  }
  std::vector<StalledTurn> StandStill(Duration time) {
    now_ = now_ + time;
    return detector_.Look(now_, {&first, &second});
  }

  TurnMark first;
  TurnMark second;

 private:
  StallDetector detector_{absl::Milliseconds(100)};
  Instant now_ = Instant::FromNanos(1'000'000'000);
};

TEST(StallDetectorTest, TellsOnceOfATurnThatLastsAndOnceThatItIsOver) {
  Watch watch;
  watch.LookFor(absl::Seconds(1));
  watch.first.Begin(7);
  watch.first.Handling(&typeid(Note));
  const std::vector<StalledTurn> found = watch.LookFor(absl::Seconds(1));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].actor, 7u);
  EXPECT_EQ(*found[0].message, typeid(Note));
  EXPECT_EQ(found[0].lasted, absl::Milliseconds(100));
  EXPECT_FALSE(found[0].over);
  watch.first.End();
  const std::vector<StalledTurn> over = watch.LookFor(absl::Seconds(1));
  ASSERT_THAT(over, SizeIs(1));
  EXPECT_TRUE(over[0].over);
  EXPECT_EQ(over[0].actor, 7u);
  EXPECT_GE(over[0].lasted, absl::Seconds(1));
  EXPECT_LE(over[0].lasted, absl::Milliseconds(1'050));
}

TEST(StallDetectorTest, ManyQuickTurnsOfOneActorAreNone) {
  Watch watch;
  for (int i = 0; i < 100; ++i) {
    watch.first.Begin(7);
    EXPECT_THAT(watch.LookFor(absl::Milliseconds(50)), IsEmpty());
    watch.first.End();
  }
}

TEST(StallDetectorTest, ATurnOfManyQuickHandlersIsNone) {
  Watch watch;
  watch.LookFor(absl::Seconds(1));
  watch.first.Begin(7);
  for (int i = 0; i < 100; ++i) {
    watch.first.Handling(&typeid(Note));
    EXPECT_THAT(watch.LookFor(absl::Milliseconds(50)), IsEmpty());
  }
  const std::vector<StalledTurn> found = watch.LookFor(absl::Seconds(1));
  ASSERT_THAT(found, SizeIs(1)) << "but the last of them is one";
  EXPECT_LE(found[0].lasted, absl::Milliseconds(150)) << "and is not charged with the others' time";
}

TEST(StallDetectorTest, TheTurnAfterAStallIsJudgedForItself) {
  Watch watch;
  watch.LookFor(absl::Seconds(1));
  watch.first.Begin(7);
  ASSERT_THAT(watch.LookFor(absl::Seconds(1)), SizeIs(1));
  watch.first.End();
  watch.first.Begin(8);
  EXPECT_THAT(watch.LookFor(absl::Milliseconds(50)), SizeIs(1)) << "the first is over";
  EXPECT_THAT(watch.LookFor(absl::Seconds(1)), SizeIs(1)) << "the second is found";
}

TEST(StallDetectorTest, TellsTheThreadsApart) {
  Watch watch;
  watch.LookFor(absl::Seconds(1));
  watch.first.Begin(7);
  watch.LookFor(absl::Milliseconds(50));
  watch.second.Begin(8);
  const std::vector<StalledTurn> found = watch.LookFor(absl::Seconds(1));
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].actor, 7u);
  EXPECT_EQ(found[1].actor, 8u);
}

TEST(StallDetectorTest, WhoStoodStillHimselfAccusesNobody) {
  Watch watch;
  watch.LookFor(absl::Seconds(1));
  watch.first.Begin(7);
  watch.LookFor(absl::Milliseconds(50));
  EXPECT_THAT(watch.StandStill(absl::Hours(1)), IsEmpty());
  EXPECT_THAT(watch.LookFor(absl::Milliseconds(75)), IsEmpty());
  EXPECT_THAT(watch.LookFor(absl::Milliseconds(50)), SizeIs(1));
}

// Holds its worker until it is let go.
struct Hold {
  std::shared_future<void> until;
};
struct HoldAndContinue {
  std::shared_future<void> until;
};
struct HoldInBatch {
  std::shared_future<void> until;
};
class Holder : public Actor<Holder> {
 public:
  void Handle(Batch<HoldInBatch>& batch, Context&) { batch[0].message.until.wait(); }
  void Handle(Hold hold, Context&) { hold.until.wait(); }
  void Handle(HoldAndContinue hold, Context& context) {
    context.Then(context.system().Spawn<Notebook>().Ask(Note{"1"}),
                 [until = std::move(hold.until)](const absl::Status&) { until.wait(); });
  }
};

class StallTest : public ::testing::TestWithParam<int> {
 protected:
  StallTest() {
    system_.OnStall([this](const Stall& stall) {
      // Not of another actor, whose worker may have lost its core for long on a busy machine.
      if (!absl::StrContains(stall.actor, "older") || seen_[stall.over]++ > 0) return;
      (stall.over ? over_ : found_).set_value(stall);
    });
  }

  int seen_[2] = {};

  std::promise<Stall> found_;
  std::promise<Stall> over_;
  ThreadExecutor executor_{{.workers = GetParam(), .stall_limit = absl::Milliseconds(40)}};
  ActorSystem system_{executor_};
  std::promise<void> release_;
  std::shared_future<void> released_ = release_.get_future().share();
};

TEST_P(StallTest, NamesTheHandlerWhileItHoldsTheWorkerAndWhenItLetsGo) {
  Address<Holder> holder = system_.Spawn<Holder>();
  ASSERT_TRUE(system_.Register("holder", holder).ok());
  holder.Tell(Hold{released_});
  const Stall found = found_.get_future().get();
  EXPECT_EQ(found.actor, "holder");
  EXPECT_EQ(found.message_type, "troupe::(anonymous namespace)::Hold");
  EXPECT_GE(found.lasted, absl::Milliseconds(40));
  EXPECT_FALSE(found.over);
  release_.set_value();
  const Stall over = over_.get_future().get();
  EXPECT_EQ(over.actor, "holder");
  EXPECT_GE(over.lasted, found.lasted);
  EXPECT_GE(system_.stats().stalls, 1u);
}

TEST_P(StallTest, OfABatchNamesItsMessagesAndNotTheOneBefore) {
  Address<Holder> holder = system_.Spawn<Holder>();
  std::promise<void> over;
  over.set_value();
  holder.Tell(Hold{over.get_future().share()});
  holder.Tell(HoldInBatch{released_});
  EXPECT_EQ(found_.get_future().get().message_type, "troupe::(anonymous namespace)::HoldInBatch");
  release_.set_value();
}

TEST_P(StallTest, OfAContinuationHasNoMessage) {
  system_.Spawn<Holder>().Tell(HoldAndContinue{released_});
  const Stall found = found_.get_future().get();
  EXPECT_EQ(found.actor, "troupe::(anonymous namespace)::Holder#1");
  EXPECT_EQ(found.message_type, "");
  release_.set_value();
}

INSTANTIATE_TEST_SUITE_P(Workers, StallTest, ::testing::Values(1, 3));

// Has one turn, which lasts until it is let go.
class OneTurn : public Runnable {
 public:
  void RunTurn(int) override {
    begun.set_value();
    release.get_future().wait();
  }
  uint64_t trace_id() const override { return 1; }

  std::promise<void> begun;
  std::promise<void> release;
};

TEST(ActivityTest, BeginsWithTheFirstTurnAfterASleepAndEndsWhenAllSleep) {
  WorkerPool pool(/*workers=*/2, /*messages_per_turn=*/1);
  std::atomic<int> begun{0};
  pool.OnActive([&] { ++begun; });
  for (int i = 1; i <= 3; ++i) {
    OneTurn turn;
    pool.Schedule(turn);
    turn.begun.get_future().wait();
    EXPECT_EQ(begun, i);
    EXPECT_FALSE(pool.asleep());
    EXPECT_FALSE(pool.EndActive()) << "a turn runs";
    turn.release.set_value();
    while (!pool.asleep()) std::this_thread::yield();
    EXPECT_TRUE(pool.EndActive());
  }
  pool.Stop();
}

}  // namespace
}  // namespace troupe
