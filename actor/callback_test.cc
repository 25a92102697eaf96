// Callbacks of users outside of actors' turns: what leaves them is logged, and harms nobody.
#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>

#include "actor/actor.h"
#include "actor/callback_guard.h"
#include "actor/log_lines.h"
#include "actor/test_actors.h"
#include "actor/thread_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::BeBusy;
using testing::Busy;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::LogLines;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::TestSystem;

[[noreturn]] void Throw() { throw std::runtime_error("not my day"); }

TEST(CallbackGuardTest, LogsTheFirstSecondFourthAndSoOnWithItsNumber) {
  LogLines log;
  internal::CallbackGuard guard("the hook");
  for (int i = 0; i < 5; ++i) guard.Run(Throw);
  guard.Run([] {});
  EXPECT_THAT(log.Take(),
              ElementsAre("the hook failed (failure 1): not my day", "the hook failed (failure 2): not my day",
                          "the hook failed (failure 4): not my day"));
  for (int i = 5; i < 8; ++i) guard.Run([] { throw 7; });
  EXPECT_THAT(log.Take(), ElementsAre("the hook failed (failure 8) with an exception that is no std::exception"));
}

// Tells somebody else, in its turn, and remembers it.
struct PassOn {
  using Result = int;
};
class Gossip : public Actor<Gossip> {
 public:
  explicit Gossip(Address<Notebook> to) : to_(std::move(to)) {}
  int Handle(PassOn, Context&) {
    to_.Tell(Note{"have you heard"});
    return ++told_;
  }

 private:
  const Address<Notebook> to_;
  int told_ = 0;
};

TEST(CallbackTest, AHookForDeadLettersThatThrowsFailsNoSender) {
  TestSystem test;
  int called = 0;
  test.system.OnDeadLetter([&](const DeadLetter&) {
    ++called;
    Throw();
  });
  Address<Notebook> gone = test.system.Spawn<Notebook>();
  gone.Stop();
  test.Settle();
  LogLines log;
  EXPECT_FALSE(gone.Tell(Note{"from outside"}));
  Address<Gossip> gossip = test.system.Spawn<Gossip>(gone);
  EXPECT_EQ(*test.Await(gossip.Ask(PassOn{})), 1);
  EXPECT_EQ(*test.Await(gossip.Ask(PassOn{})), 2) << "it has not failed";
  EXPECT_EQ(called, 3);
  EXPECT_THAT(log.Take(), Contains(HasSubstr("the hook for dead letters failed")).Times(2));
}

TEST(CallbackTest, AHookForStallsThatThrowsIsCalledForTheNextStallToo) {
  std::atomic<int> called[2] = {};
  ThreadExecutor executor({.workers = 1, .stall_limit = absl::Milliseconds(20)});
  ActorSystem system(executor);
  system.OnStall([&](const Stall& stall) {
    ++called[stall.over];
    Throw();
  });
  for (int i = 1; i <= 2; ++i) {
    std::promise<void> entered, release;
    system.Spawn<Busy>(&entered, release.get_future().share()).Tell(BeBusy{});
    entered.get_future().wait();
    while (called[false] < i) std::this_thread::yield();
    release.set_value();
    while (called[true] < i) std::this_thread::yield();
  }
}

TEST(CallbackTest, OneForTheEndOfAllActorsThatThrowsKeepsNobodyFromTheirs) {
  TestSystem test;
  test.system.Spawn<Notebook>();
  test.system.BeginShutdown();
  int called = 0;
  test.system.OnTerminated([] { Throw(); });
  test.system.OnTerminated([&] { ++called; });
  test.Settle();
  EXPECT_EQ(called, 1);
  test.system.OnTerminated([] { Throw(); });
  EXPECT_TRUE(test.system.Shutdown(absl::ZeroDuration()).ok());
}

struct Never {
  using Result = int;
};
class Silent : public Actor<Silent> {
 public:
  void Handle(Never, Reply<int> reply, Context&) { kept_ = std::move(reply); }

 private:
  Reply<int> kept_;
};

TEST(CallbackTest, OfAFutureThatThrowsFailsNeitherWhoAnswersNorTheTimers) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  notebook.Tell(Note{"kept"});
  notebook.Ask(ReadNotes{}).Then([](const auto&) { Throw(); });
  EXPECT_THAT(*test.Await(notebook.Ask(ReadNotes{})), ElementsAre("kept"));

  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  Address<Silent> silent = system.Spawn<Silent>();
  silent.Ask(Never{}, absl::Milliseconds(1)).Then([](const auto&) { Throw(); });
  EXPECT_TRUE(absl::IsDeadlineExceeded(silent.Ask(Never{}, absl::Milliseconds(5)).Wait().status()));
}

TEST(CallbackTest, OfATimerOrOnTheBlockingPoolThatThrowsEndsNoThread) {
  LogLines log;
  {
    ThreadExecutor executor({.workers = 1, .blocking_threads = 1});
    std::promise<void> work, timer;
    ASSERT_TRUE(executor.RunBlocking(Throw));
    ASSERT_TRUE(executor.RunBlocking([&] { work.set_value(); }));
    work.get_future().wait();
    executor.RunAt(executor.Now(), Throw);
    executor.RunAt(executor.Now() + absl::Milliseconds(1), [&] { timer.set_value(); });
    timer.get_future().wait();
  }
  EXPECT_THAT(log.Take(), ElementsAre(HasSubstr("blocking work failed"), HasSubstr("a timer's callback failed")));
  TestSystem test;
  ASSERT_TRUE(test.executor.RunBlocking(Throw));
  test.executor.RunAt(test.simulator.Now(), Throw);
  test.RunFor(absl::Seconds(1));
  EXPECT_THAT(log.Take(), ::testing::UnorderedElementsAre(HasSubstr("blocking work failed"),
                                                          HasSubstr("a timer's callback failed")));
}

}  // namespace
}  // namespace troupe
