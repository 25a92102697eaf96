// The idle timeout of an actor, in virtual time.
#include <stdexcept>
#include <string>
#include <vector>

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
using testing::ReadNotes;
using testing::TestSystem;
using testing::Urgent;

// Notes when it was idle, in the incarnation that is told to.
struct WatchIdle {};
struct CancelIdle {};
class Session : public Actor<Session> {
 public:
  Session(Simulator* simulator, std::vector<double>* idle_at) : simulator_(simulator), idle_at_(idle_at) {}
  void Started(Context& context) {
    context.Every(absl::Seconds(1), Urgent{});  // own timers are no activity
  }
  void Handle(WatchIdle, Context& context) { context.SetIdleTimeout(absl::Seconds(10)); }
  void Handle(IdleTimeout, Context&) { idle_at_->push_back(double(simulator_->Now().nanos()) / 1e9); }
  void Handle(Note, Context&) {}
  void Handle(Urgent, Context&) {}
  void Handle(CancelIdle, Context& context) { context.CancelIdleTimeout(); }
  std::string Handle(Crash, Context&) { throw std::runtime_error("lost"); }

 private:
  Simulator* simulator_;
  std::vector<double>* idle_at_;
};

TEST(IdleTimeoutTest, ComesWhenNothingWasSentForThatLongAndAgainAfterEachFurtherSuchTime) {
  TestSystem test;
  std::vector<double> idle_at;
  Address<Session> session = test.system.Spawn<Session>(&test.simulator, &idle_at);
  session.Tell(WatchIdle{});
  test.simulator.RunFor(absl::Seconds(4));
  session.Tell(Note{});
  test.simulator.RunFor(absl::Seconds(5));
  session.Tell(Note{});  // at 9 s
  test.simulator.RunFor(absl::Seconds(9));
  EXPECT_THAT(idle_at, IsEmpty());
  test.simulator.RunFor(absl::Seconds(12));
  EXPECT_THAT(idle_at, ElementsAre(19, 29));
}

TEST(IdleTimeoutTest, ArmsNoTimerForAMessage) {
  TestSystem test;
  std::vector<double> idle_at;
  Address<Session> session = test.system.Spawn<Session>(&test.simulator, &idle_at);
  session.Tell(WatchIdle{});
  test.Settle();
  const uint64_t before = test.simulator.steps();
  for (int i = 0; i < 100; ++i) session.Tell(Note{});
  test.simulator.RunFor(absl::Milliseconds(500));
  // A step for each message, and the actor's last look that finds no more.
  EXPECT_LE(test.simulator.steps() - before, 101u);
}

TEST(IdleTimeoutTest, EndsWhenCancelledAndWithItsIncarnation) {
  TestSystem test;
  std::vector<double> idle_at;
  Address<Session> session = test.system.Spawn<Session>(&test.simulator, &idle_at);
  session.Tell(WatchIdle{});
  test.simulator.RunFor(absl::Seconds(5));
  session.Tell(Crash{});
  test.simulator.RunFor(absl::Seconds(30));
  EXPECT_THAT(idle_at, IsEmpty());
  session.Tell(WatchIdle{});  // at 35 s
  test.simulator.RunFor(absl::Seconds(13));
  EXPECT_THAT(idle_at, ElementsAre(45));
  session.Tell(CancelIdle{});
  test.simulator.RunFor(absl::Minutes(1));
  EXPECT_THAT(idle_at, ElementsAre(45));
}

// Ends when it is idle for five seconds; reads for twenty.
class Visitor : public Actor<Visitor> {
 public:
  void Started(Context& context) { context.SetIdleTimeout(absl::Seconds(5)); }
  void Handle(IdleTimeout, Context& context) { context.Stop(); }
  Task<std::vector<std::string>> Handle(ReadNotes, Context& context) {
    co_await context.Sleep(absl::Seconds(20));
    co_return std::vector<std::string>{"read"};
  }
};

TEST(IdleTimeoutTest, AHandlerThatWaitsIsActivityAndIdlenessCountsFromItsEnd) {
  TestSystem test;
  Address<Visitor> visitor = test.system.Spawn<Visitor>();
  EXPECT_TRUE(test.Await(visitor.Ask(ReadNotes{}, absl::Minutes(1))).ok());
  test.RunFor(absl::Milliseconds(4900));
  EXPECT_TRUE(visitor.alive());
  test.RunFor(absl::Milliseconds(200));
  EXPECT_FALSE(visitor.alive());
}

}  // namespace
}  // namespace troupe
