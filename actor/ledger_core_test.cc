// Claims of group 1 of docs/actors.md: messages, hooks, ids, addresses, asks, stops, isolation, shutdown.
#include <future>
#include <thread>

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
using testing::ReadNotes;
using testing::TestSystem;

struct Add {
  using Result = int;
  int amount;
};
struct Describe {
  using Result = std::string;
};
struct Divide {
  using Result = int;
  int by;
};
struct Give {
  using Result = int;
  std::unique_ptr<int> gift;
};
class Sum : public Actor<Sum> {
 public:
  int Handle(Add add, Context&) { return total_ += add.amount; }
  std::string Handle(Describe, Context&) { return "a sum of " + std::to_string(total_); }
  absl::StatusOr<int> Handle(Divide divide, Context&) {
    if (divide.by == 0) return absl::InvalidArgumentError("by zero");
    return total_ / divide.by;
  }
  int Handle(Give give, Context&) { return total_ += *give.gift; }

 private:
  int total_ = 0;
};

template <typename A, typename M>
concept CanTell = requires(Address<A> address, M message) {
  address.Tell(std::move(message));
};
template <typename A, typename M>
concept CanAsk = requires(Address<A> address, M message) {
  address.Ask(std::move(message));
};

TEST(MessageTest, AnAskHasTheMessagesResultTypeAndAWrongMessageDoesNotCompile) {
  static_assert(CanTell<Sum, Add> && CanAsk<Sum, Add>);
  static_assert(!CanTell<Sum, Note> && !CanAsk<Sum, Note>);
  TestSystem test;
  absl::StatusOr<int> total = test.Await(test.system.Spawn<Sum>().Ask(Add{2}));
  EXPECT_EQ(*total, 2);
}

TEST(MessageTest, AnActorHandlesEachOfItsMessagesInItsOwnWay) {
  TestSystem test;
  Address<Sum> sum = test.system.Spawn<Sum>();
  sum.Tell(Add{40});
  EXPECT_EQ(*test.Await(sum.Ask(Add{2})), 42);
  EXPECT_EQ(*test.Await(sum.Ask(Describe{})), "a sum of 42");
}

TEST(MessageTest, MayBeOneThatCanOnlyBeMoved) {
  TestSystem test;
  EXPECT_EQ(*test.Await(test.system.Spawn<Sum>().Ask(Give{std::make_unique<int>(7)})), 7);
}

TEST(ReplyTest, AHandlerMayAnswerWithAnErrorAndHasNotFailedThen) {
  TestSystem test;
  Address<Sum> sum = test.system.Spawn<Sum>();
  EXPECT_EQ(*test.Await(sum.Ask(Add{8})), 8);
  EXPECT_EQ(test.Await(sum.Ask(Divide{0})).status(), absl::InvalidArgumentError("by zero"));
  EXPECT_EQ(*test.Await(sum.Ask(Divide{2})), 4) << "the sum is still there";
}

TEST(ReplyTest, AHandlerWithoutResultAnswersWhenItHasReturned) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  EXPECT_TRUE(test.Await(notebook.Ask(Note{"1"})).ok());
  EXPECT_THAT(*test.Await(notebook.Ask(ReadNotes{})), ElementsAre("1"));
}

// Answers whether somebody asked; passes on what it cannot answer, together with the asker.
struct AreYouAsked {
  using Result = bool;
};
struct Passed {
  Reply<std::string> reply;
};
class Clerk : public Actor<Clerk> {
 public:
  explicit Clerk(Address<Clerk> superior = {}, std::vector<bool>* asked = nullptr)
      : superior_(std::move(superior)), asked_(asked) {}
  void Handle(AreYouAsked, Reply<bool> reply, Context&) {
    asked_->push_back(reply.asked());
    reply(true);
  }
  void Handle(Describe, Reply<std::string> reply, Context&) { superior_.Tell(Passed{std::move(reply)}); }
  void Handle(Passed passed, Context& context) { passed.reply("from " + context.self().label()); }

 private:
  Address<Clerk> superior_;
  std::vector<bool>* asked_;
};

TEST(ReplyTest, KnowsATellFromAnAskAndAnAnswerToATellGoesNowhere) {
  TestSystem test;
  std::vector<bool> asked;
  Address<Clerk> clerk = test.system.Spawn<Clerk>(Address<Clerk>(), &asked);
  clerk.Tell(AreYouAsked{});
  test.Settle();
  EXPECT_TRUE(*test.Await(clerk.Ask(AreYouAsked{})));
  EXPECT_THAT(asked, ElementsAre(false, true));
  EXPECT_EQ(test.system.stats().restarts, 0u);
}

TEST(ReplyTest, MayBePassedOnAndWhoeverHoldsItAnswersTheFirstAsker) {
  TestSystem test;
  Address<Clerk> superior = test.system.Spawn<Clerk>();
  ASSERT_TRUE(test.system.Register("superior", superior).ok());
  EXPECT_EQ(*test.Await(test.system.Spawn<Clerk>(superior).Ask(Describe{})), "from superior");
}

TEST(ReplyTest, ThatIsPassedOnToOneThatIsGoneEndsTheAskAtOnce) {
  TestSystem test;
  Address<Clerk> superior = test.system.Spawn<Clerk>();
  superior.Stop();
  test.Settle();
  const Instant start = test.simulator.Now();
  EXPECT_TRUE(absl::IsUnknown(test.Await(test.system.Spawn<Clerk>(superior).Ask(Describe{})).status()));
  EXPECT_EQ(test.simulator.Now(), start);
}

// Asks its partner before it answers.
struct Consult {
  using Result = int;
  int depth;
};
struct Partner {
  Address<class Twin> twin;
};
class Twin : public Actor<Twin> {
 public:
  void Handle(Partner partner, Context&) { partner_ = std::move(partner.twin); }
  void Handle(Consult consult, Reply<int> reply, Context& context) {
    if (consult.depth == 0) return reply(0);
    context.Then(partner_.Ask(Consult{consult.depth - 1}),
                 [reply = std::move(reply)](absl::StatusOr<int> depth) mutable {
                   if (!depth.ok()) return reply(depth.status());
                   reply(*depth + 1);
                 });
  }

 private:
  Address<Twin> partner_;
};

TEST(AskTest, TwoActorsThatAskEachOtherBothGetAnAnswer) {
  TestSystem test;
  Address<Twin> one = test.system.Spawn<Twin>();
  Address<Twin> two = test.system.Spawn<Twin>();
  one.Tell(Partner{two});
  two.Tell(Partner{one});
  test.Settle();
  Future<int> first = one.Ask(Consult{9});
  Future<int> second = two.Ask(Consult{9});
  EXPECT_EQ(*test.Await(std::move(first)), 9);
  EXPECT_EQ(*test.Await(std::move(second)), 9);
}

TEST(AskTest, TheDeadlineCoversTheWaitInTheMailboxToTheMillisecond) {
  TestSystem test;
  Address<Notebook> notebook =
      test.system.Spawn<Notebook>(SpawnOptions{.restart_backoff = {.initial = absl::Seconds(10)}});
  notebook.Tell(Crash{});
  test.Settle();
  const Instant start = test.simulator.Now();
  absl::Status late = test.Await(notebook.Ask(Note{"late"}, absl::Milliseconds(3)));
  EXPECT_TRUE(absl::IsDeadlineExceeded(late)) << late;
  EXPECT_EQ(test.simulator.Now() - start, absl::Milliseconds(3));
  EXPECT_THAT(*test.Await(notebook.Ask(ReadNotes{}, absl::Minutes(1))), IsEmpty()) << "it was handled all the same";
}

// Waits for somebody who never answers.
struct Mumble {
  using Result = int;
};
class Mute : public Actor<Mute> {
 public:
  void Handle(Mumble, Reply<int> reply, Context&) { replies_.push_back(std::move(reply)); }

 private:
  std::vector<Reply<int>> replies_;
};
class Patient : public Actor<Patient> {
 public:
  explicit Patient(Address<Mute> mute) : mute_(std::move(mute)) {}
  void Handle(Mumble, Reply<int> reply, Context& context) {
    context.Then(mute_.Ask(Mumble{}, absl::Seconds(60)),
                 [reply = std::move(reply)](absl::StatusOr<int> answer) mutable { reply(std::move(answer)); });
  }
  std::string Handle(Describe, Context&) { return "patient"; }

 private:
  Address<Mute> mute_;
};

TEST(ContinuationTest, WhileAHandlerWaitsOtherMessagesAreHandledAndAStopGetsThrough) {
  TestSystem test;
  Address<Patient> patient = test.system.Spawn<Patient>(test.system.Spawn<Mute>());
  Future<int> answer = patient.Ask(Mumble{});
  test.Settle();
  const Instant start = test.simulator.Now();
  EXPECT_EQ(*test.Await(patient.Ask(Describe{})), "patient");
  patient.Stop();
  test.Settle();
  EXPECT_FALSE(patient.alive());
  EXPECT_EQ(test.simulator.Now(), start);
  EXPECT_FALSE(test.Await(std::move(answer)).ok());
}

// Fails in the place that it is told to, in its first incarnation only.
enum class Place {
  kNone,
  kConstructor,
  kStarted,
  kHandler,
  kNoException,
  kTimer,
  kAnswer,
  kDisk,
  kRestarting,
  kStopping
};
struct FailIn {
  Place place;
};
class Fragile : public Actor<Fragile> {
 public:
  Fragile(Place place, int* incarnations) : place_(place), first_(++*incarnations == 1) { FailIf(Place::kConstructor); }

  void Started(Context&) { FailIf(Place::kStarted); }
  void Restarting(const absl::Status&, Context&) { FailIf(Place::kRestarting); }
  void Stopping(Context&) { FailIf(Place::kStopping); }
  void Handle(FailIn fail, Context& context) {
    switch (fail.place) {
      case Place::kNoException:
        throw 42;
      case Place::kTimer:
        context.After(absl::Seconds(1), FailIn{Place::kHandler});
        break;
      case Place::kAnswer:
        context.Then(context.self().Ask(Add{1}), [](auto) { throw std::runtime_error("no such answer"); });
        break;
      case Place::kDisk:
        context.RunBlocking([] { return absl::OkStatus(); }, [](auto) { throw std::runtime_error("no such disk"); });
        break;
      default:
        throw std::runtime_error("handler");
    }
  }
  int Handle(Add add, Context&) { return add.amount; }

 private:
  void FailIf(Place place) {
    if (place_ == place && first_) throw std::runtime_error("hook");
  }

  Place place_;
  bool first_;
};

TEST(IsolationTest, AFailureIsCaughtInEveryCallbackAndANewIncarnationGoesOn) {
  for (Place place : {Place::kConstructor, Place::kStarted, Place::kHandler, Place::kNoException, Place::kTimer,
                      Place::kAnswer, Place::kDisk, Place::kRestarting}) {
    TestSystem test;
    int incarnations = 0;
    Address<Fragile> fragile = test.system.Spawn<Fragile>(place, &incarnations);
    if (place != Place::kConstructor && place != Place::kStarted) fragile.Tell(FailIn{place});
    test.simulator.RunFor(absl::Seconds(5));
    EXPECT_EQ(incarnations, 2) << "place " << static_cast<int>(place);
    EXPECT_EQ(*test.Await(fragile.Ask(Add{7})), 7) << "place " << static_cast<int>(place);
  }
}

TEST(IsolationTest, AFailingStoppingHookDoesNotKeepTheActorNorItsSystemFromEnding) {
  TestSystem test;
  int incarnations = 0;
  Address<Fragile> fragile = test.system.Spawn<Fragile>(Place::kStopping, &incarnations);
  test.Settle();
  test.system.BeginShutdown();
  test.Settle();
  EXPECT_FALSE(fragile.alive());
  EXPECT_TRUE(test.system.terminated());
  EXPECT_EQ(incarnations, 1);
}

TEST(IsolationTest, OneActorsFailureLeavesItsNeighboursAndTheRestOfItsMailAlone) {
  TestSystem test;
  Address<Notebook> failing = test.system.Spawn<Notebook>();
  Address<Notebook> neighbour = test.system.Spawn<Notebook>();
  neighbour.Tell(Note{"1"});
  failing.Tell(Crash{});
  for (const char* text : {"a", "b", "c"}) failing.Tell(Note{text});
  EXPECT_THAT(*test.Await(failing.Ask(ReadNotes{})), ElementsAre("a", "b", "c"));
  EXPECT_THAT(*test.Await(neighbour.Ask(ReadNotes{})), ElementsAre("1"));
}

TEST(SystemTest, SeveralLiveSideBySideWithNamesOfTheirOwn) {
  Simulator simulator(1);
  DeterministicExecutor left_executor(simulator, 1);
  DeterministicExecutor right_executor(simulator, 2);
  ActorSystem left(left_executor);
  ActorSystem right(right_executor);
  Address<Sum> here = left.Spawn<Sum>();
  Address<Sum> there = right.Spawn<Sum>();
  EXPECT_TRUE(left.Register("sum", here).ok());
  EXPECT_TRUE(right.Register("sum", there).ok());
  left.BeginShutdown();
  simulator.RunFor(absl::ZeroDuration());
  EXPECT_TRUE(left.terminated());
  EXPECT_TRUE(there.alive());
  EXPECT_EQ(*right.Lookup<Sum>("sum"), there);
}

TEST(IdTest, IsNeverUsedTwiceAndSurvivesARestart) {
  TestSystem test;
  ActorId last;
  for (int i = 0; i < 100; ++i) {
    Address<Notebook> notebook = test.system.Spawn<Notebook>();
    EXPECT_GT(notebook.id(), last);
    last = notebook.id();
    notebook.Tell(Crash{});
    test.Settle();
    EXPECT_EQ(test.system.Find(last)->id(), last);
    notebook.Stop();
    test.Settle();
    EXPECT_EQ(test.system.Find(last), nullptr);
  }
}

TEST(AddressTest, AnActorLivesOnWhenNobodyHoldsItsAddress) {
  TestSystem test;
  ASSERT_TRUE(test.system.Register("notebook", test.system.Spawn<Notebook>()).ok());
  test.Settle();
  absl::StatusOr<Address<Notebook>> again = test.system.Lookup<Notebook>("notebook");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(test.Await(again->Ask(Note{"still here"})).ok());
}

class Heavy : public Actor<Heavy> {
 public:
  explicit Heavy(std::shared_ptr<int> load) : load_(std::move(load)) {}
  void Handle(Note, Context&) {}

 private:
  std::shared_ptr<int> load_;
};

TEST(AddressTest, KeepsNothingOfATerminatedActorAliveButANamePlate) {
  TestSystem test;
  auto load = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = load;
  Address<Heavy> heavy = test.system.Spawn<Heavy>(std::move(load));
  test.Settle();
  EXPECT_FALSE(watched.expired());
  heavy.Stop();
  test.Settle();
  EXPECT_TRUE(watched.expired());
  EXPECT_THAT(heavy.label(), HasSubstr("Heavy"));
}

TEST(StopTest, OutranksEveryMessageThatWaits) {
  TestSystem test;
  std::vector<DeadLetterReason> dead;
  test.system.OnDeadLetter([&](const DeadLetter& letter) { dead.push_back(letter.reason); });
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  test.Settle();
  for (int i = 0; i < 100; ++i) notebook.Tell(Note{"never read"});
  notebook.Stop();
  test.Settle();
  EXPECT_FALSE(notebook.alive());
  EXPECT_EQ(dead, std::vector<DeadLetterReason>(100, DeadLetterReason::kTerminated));
}

TEST(AskTest, AStuckActorDoesNotHoldUpTheDeadlinesOfItsAskers) {
  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  std::promise<void> entered;
  std::promise<void> release;
  Address<Busy> busy = system.Spawn<Busy>(&entered, release.get_future().share());
  busy.Tell(BeBusy{});
  entered.get_future().wait();
  EXPECT_TRUE(absl::IsDeadlineExceeded(busy.Ask(BeBusy{}, absl::Milliseconds(10)).Wait()));
  release.set_value();
  EXPECT_TRUE(system.Shutdown(absl::InfiniteDuration()).ok());
}

TEST(ShutdownTest, NamesWhoIsStillBusyAtTheDeadlineAndReachesIt) {
  ThreadExecutor executor({.workers = 2});
  ActorSystem system(executor);
  std::promise<void> entered;
  std::promise<void> release;
  Address<Busy> busy = system.Spawn<Busy>(&entered, release.get_future().share());
  ASSERT_TRUE(system.Register("the busy one", busy).ok());
  busy.Tell(BeBusy{});
  entered.get_future().wait();
  const absl::Status late = system.Shutdown(absl::Milliseconds(10));
  EXPECT_TRUE(absl::IsDeadlineExceeded(late)) << late;
  EXPECT_THAT(std::string(late.message()), HasSubstr("the busy one"));
  EXPECT_TRUE(busy.alive());
  release.set_value();
  EXPECT_TRUE(system.Shutdown(absl::InfiniteDuration()).ok()) << "twice is as good as once";
  EXPECT_FALSE(busy.alive());
}

}  // namespace
}  // namespace troupe
