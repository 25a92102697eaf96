// Where turns run: pinned threads and pools of their own. Under ThreadSanitizer in the gate.
#include "actor/dispatch.h"

#include <pthread.h>

#include <atomic>
#include <future>
#include <thread>

#include "actor/actor.h"
#include "actor/test_actors.h"
#include "actor/thread_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::Crash;
using ::testing::HasSubstr;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::TestSystem;

struct Where {
  std::thread::id thread;
  std::string name;
  bool operator==(const Where&) const = default;
};
Where Here() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof(name));
  return Where{std::this_thread::get_id(), name};
}

struct WhereAreYou {
  using Result = Where;
};
struct Block {
  std::promise<void>* begun;
  std::shared_future<void> end;
};
struct AskAndWait {
  using Result = bool;
  Address<Notebook> whom;
  Duration timeout;
};
// Keeps its questions.
struct Never {
  using Result = void;
};
class Silent : public Actor<Silent> {
 public:
  explicit Silent(std::promise<void>* asked) : asked_(asked) {}
  void Handle(Never, Reply<void> reply, Context&) {
    reply_ = std::move(reply);
    asked_->set_value();
  }

 private:
  std::promise<void>* const asked_;
  Reply<void> reply_;
};
struct WaitInVain {
  Address<Silent> whom;
  std::promise<absl::Status>* ended;
};
struct Tick {};
struct TickedWhere {
  using Result = std::vector<Where>;
};
// Does what only a thread of one's own allows.
class Worker : public Actor<Worker> {
 public:
  void Started(Context&) { here_.push_back(Here()); }
  Where Handle(WhereAreYou, Context&) { return Here(); }
  void Handle(Block block, Context&) {
    block.begun->set_value();
    block.end.wait();
  }
  bool Handle(AskAndWait ask, Context&) { return ask.whom.Ask(ReadNotes{}, ask.timeout).Wait().ok(); }
  void Handle(WaitInVain wait, Context&) {
    wait.ended->set_value(wait.whom.Ask(Never{}, absl::InfiniteDuration()).Wait());
  }
  std::string Handle(Crash, Context&) { throw std::runtime_error("slipped"); }
  void Handle(Tick, Context& context) {
    here_.push_back(Here());
    if (here_.size() < 4) context.After(absl::Milliseconds(1), Tick{});
    if (here_.size() == 4) std::exchange(ticked_, {})(here_);
  }
  void Handle(TickedWhere, Reply<std::vector<Where>> reply, Context& context) {
    ticked_ = std::move(reply);
    context.RunBlocking([] { return absl::OkStatus(); },
                        [this, context](absl::Status) mutable { context.self().Tell(Tick{}); });
  }

 private:
  std::vector<Where> here_;
  Reply<std::vector<Where>> ticked_;
};

struct LookAfter {
  std::promise<absl::Status>* reason;
  Address<Worker> other;
};
class Watcher : public Actor<Watcher> {
 public:
  void Handle(LookAfter watch, Context& context) {
    reason_ = watch.reason;
    context.Watch(watch.other);
  }
  void Handle(Terminated terminated, Context&) { reason_->set_value(terminated.reason); }

 private:
  std::promise<absl::Status>* reason_ = nullptr;
};

absl::Status HowItEnds(ActorSystem& system, const Address<Worker>& worker) {
  std::promise<absl::Status> reason;
  system.Spawn<Watcher>().Tell(LookAfter{&reason, worker});
  return reason.get_future().get();
}

TEST(PinnedTest, EveryTurnIsOnOneThreadOfTheActorsOwn) {
  ThreadExecutor executor({.workers = 2});
  ActorSystem system(executor);
  Address<Worker> pinned = system.Spawn<Worker>({.dispatch = Dispatch::Pinned("a journal of mine")});
  const Where home = *pinned.Ask(WhereAreYou{}).Wait();
  EXPECT_EQ(home.name, "a journal of mi");
  std::vector<Where> ticked = *pinned.Ask(TickedWhere{}).Wait();
  EXPECT_THAT(ticked, ::testing::SizeIs(4));
  EXPECT_THAT(ticked, ::testing::Each(home)) << "the start, a continuation, timers";
  EXPECT_NE(system.Spawn<Worker>().Ask(WhereAreYou{}).Wait()->thread, home.thread);
}

TEST(PinnedTest, ABlockedHandlerHoldsUpNobodyElse) {
  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  std::promise<void> begun, end;
  Address<Worker> pinned = system.Spawn<Worker>({.dispatch = Dispatch::Pinned()});
  pinned.Tell(Block{&begun, end.get_future().share()});
  begun.get_future().wait();
  EXPECT_TRUE(system.Spawn<Notebook>().Ask(ReadNotes{}).Wait().ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(pinned.Ask(WhereAreYou{}, absl::Milliseconds(5)).Wait().status()));
  end.set_value();
  EXPECT_TRUE(pinned.Ask(WhereAreYou{}).Wait().ok());
}

TEST(PinnedTest, AHandlerMayWaitForAnAnswer) {
  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  Address<Worker> pinned = system.Spawn<Worker>({.dispatch = Dispatch::Pinned()});
  EXPECT_TRUE(*pinned.Ask(AskAndWait{system.Spawn<Notebook>(), absl::Seconds(60)}).Wait());
}

TEST(PinnedTest, ARestartIsOnTheSameThreadAndAnEndIsTold) {
  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  Address<Worker> pinned = system.Spawn<Worker>({.dispatch = Dispatch::Pinned()});
  const Where home = *pinned.Ask(WhereAreYou{}).Wait();
  EXPECT_TRUE(absl::IsInternal(pinned.Ask(Crash{}).Wait().status()));
  EXPECT_EQ(*pinned.Ask(WhereAreYou{}).Wait(), home);
  pinned.Stop();
  EXPECT_EQ(HowItEnds(system, pinned), absl::OkStatus());
  EXPECT_TRUE(absl::IsUnavailable(pinned.Ask(WhereAreYou{}).Wait().status()));
}

TEST(PinnedTest, OnePastTheLimitTerminatesAtOnceWithTheReason) {
  ThreadExecutor executor({.workers = 1, .pinned_limit = 1});
  ActorSystem system(executor);
  Address<Worker> first = system.Spawn<Worker>({.dispatch = Dispatch::Pinned()});
  Address<Worker> second = system.Spawn<Worker>({.dispatch = Dispatch::Pinned()});
  EXPECT_TRUE(absl::IsResourceExhausted(HowItEnds(system, second)));
  EXPECT_TRUE(absl::IsUnavailable(second.Ask(WhereAreYou{}).Wait().status()));
  EXPECT_TRUE(first.Ask(WhereAreYou{}).Wait().ok());
}

TEST(PinnedTest, TheThreadEndsWithTheActorAndMakesRoomForAnother) {
  ThreadExecutor executor({.workers = 1, .pinned_limit = 1});
  ActorSystem system(executor);
  for (int i = 0; i < 5; ++i) {
    Address<Worker> pinned;
    // The thread of the one before may still be on its way out.
    do {
      pinned = system.Spawn<Worker>({.dispatch = Dispatch::Pinned()});
    } while (!pinned.Ask(WhereAreYou{}).Wait().ok());
    pinned.Stop();
  }
}

TEST(PinnedTest, TheEndOfTheSystemEndsWhatOneWaitsFor) {
  ThreadExecutor executor({.workers = 1});
  std::promise<void> asked;
  std::promise<absl::Status> ended;
  {
    ActorSystem system(executor);
    Address<Worker> waiting = system.Spawn<Worker>({.dispatch = Dispatch::Pinned()});
    waiting.Tell(WaitInVain{system.Spawn<Silent>(&asked), &ended});
    asked.get_future().wait();
  }
  EXPECT_TRUE(absl::IsUnknown(ended.get_future().get()));
}

TEST(PinnedTest, ThreadsThatComeAndGoWhileTheSystemEnds) {
  for (int round = 0; round < 20; ++round) {
    ThreadExecutor executor({.workers = 3, .messages_per_turn = 2, .pinned_limit = 4});
    ActorSystem system(executor);
    Address<Notebook> notebook = system.Spawn<Notebook>();
    std::vector<std::thread> users;
    for (int u = 0; u < 2; ++u) {
      users.emplace_back([&] {
        for (int i = 0; i < 10; ++i) {
          Address<Worker> pinned = system.Spawn<Worker>({.mailbox_capacity = 4, .dispatch = Dispatch::Pinned()});
          for (int k = 0; k < 3; ++k) pinned.Ask(AskAndWait{notebook, absl::Seconds(5)}).Then([](auto) {});
          if (i % 3 == 0) pinned.Tell(Crash{});
          if (i % 2 == 0) pinned.Stop();
        }
      });
    }
    for (std::thread& user : users) user.join();
  }
}

TEST(DispatchTest, APoolOfItsOwnRunsItsActorsAndHoldsUpNobodyElse) {
  ThreadExecutor executor({.workers = 1, .pools = {{.name = "reports", .workers = 2}}});
  ActorSystem system(executor);
  std::promise<void> begun[2], end;
  const std::shared_future<void> ended = end.get_future().share();
  std::vector<Address<Worker>> reports;
  for (std::promise<void>& one : begun) {
    reports.push_back(system.Spawn<Worker>({.dispatch = Dispatch::Pool("reports")}));
    EXPECT_EQ(reports.back().Ask(WhereAreYou{}).Wait()->name, "reports");
    reports.back().Tell(Block{&one, ended});
  }
  for (std::promise<void>& one : begun) one.get_future().wait();
  EXPECT_EQ(system.Spawn<Worker>().Ask(WhereAreYou{}).Wait()->name, "worker");
  end.set_value();
  for (const Address<Worker>& report : reports) EXPECT_TRUE(report.Ask(TickedWhere{}).Wait().ok());
}

TEST(DispatchTest, APoolThatNobodyDeclaredIsAnErrorOfItsActor) {
  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  absl::Status reason = HowItEnds(system, system.Spawn<Worker>({.dispatch = Dispatch::Pool("report")}));
  EXPECT_TRUE(absl::IsNotFound(reason));
  EXPECT_THAT(std::string(reason.message()), HasSubstr("no pool is named report"));
}

TEST(DispatchTest, MeansNothingUnderTheDeterministicExecutor) {
  TestSystem test;
  for (Dispatch dispatch : {Dispatch::Pinned(), Dispatch::Pool("reports"), Dispatch()}) {
    Address<Notebook> notebook = test.system.Spawn<Notebook>({.dispatch = dispatch});
    notebook.Tell(Note{"1"});
    EXPECT_THAT(*test.Await(notebook.Ask(ReadNotes{})), ::testing::ElementsAre("1"));
    notebook.Stop();
    test.Settle();
    EXPECT_FALSE(notebook.alive());
  }
}

}  // namespace
}  // namespace troupe
