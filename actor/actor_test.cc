// Messages, asks, names and lanes, as users of the core see them.
#include "actor/actor.h"

#include "actor/test_actors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::Crash;
using ::testing::ElementsAre;
using testing::FailPolitely;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::StopYourself;
using testing::TestSystem;
using testing::Urgent;

struct Greet {
  using Result = std::string;
  std::string name;
};

class Greeter : public Actor<Greeter> {
 public:
  std::string Handle(Greet greet, Context&) { return "Hello, " + greet.name + "!"; }
};

static_assert(Handles<Greeter, Greet>);
static_assert(!Handles<Greeter, Note>, "a wrong message must not compile");

TEST(ActorTest, TheExampleOfTheFrontDoorRunsOnThreads) {
  ActorSystem system;
  Address<Greeter> greeter = system.Spawn<Greeter>();
  EXPECT_TRUE(greeter.Tell(Greet{"World"}));
  absl::StatusOr<std::string> reply = greeter.Ask(Greet{"Cinema"}).Wait();
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(*reply, "Hello, Cinema!");
}

TEST(ActorTest, MessagesOfOneSenderKeepTheirOrder) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  for (int i = 0; i < 5; ++i) notebook.Tell(Note{std::to_string(i)});
  EXPECT_THAT(*test.Await(notebook.Ask(ReadNotes{})), ElementsAre("0", "1", "2", "3", "4"));
}

TEST(ActorTest, ControlMessagesOutrankThoseThatWait) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  notebook.Tell(Note{"first come"});
  notebook.Tell(Urgent{"first served"});
  EXPECT_THAT(*test.Await(notebook.Ask(ReadNotes{})), ElementsAre("first served", "first come"));
}

TEST(ActorTest, AFullMailboxRefusesAndTellsTheSender) {
  TestSystem test;
  std::vector<DeadLetterReason> dead;
  test.system.OnDeadLetter([&](const DeadLetter& letter) { dead.push_back(letter.reason); });
  Address<Notebook> notebook = test.system.Spawn<Notebook>(SpawnOptions{.mailbox_capacity = 2});
  EXPECT_TRUE(notebook.Tell(Note{"1"}));
  EXPECT_TRUE(notebook.Tell(Note{"2"}));
  EXPECT_FALSE(notebook.Tell(Note{"3"}));
  EXPECT_TRUE(absl::IsResourceExhausted(test.Await(notebook.Ask(ReadNotes{})).status()));
  EXPECT_TRUE(notebook.Tell(Urgent{"control is never refused"}));
  EXPECT_THAT(dead, ElementsAre(DeadLetterReason::kMailboxFull, DeadLetterReason::kMailboxFull));
  EXPECT_EQ(test.system.stats().dead_letters, 2u);
}

TEST(ActorTest, DropOldestMakesRoomAndTellsTheAskerThatLost) {
  TestSystem test;
  Address<Notebook> notebook =
      test.system.Spawn<Notebook>(SpawnOptions{.mailbox_capacity = 2, .overflow = Overflow::kDropOldest});
  Future<std::vector<std::string>> oldest = notebook.Ask(ReadNotes{});
  notebook.Tell(Note{"1"});
  EXPECT_TRUE(notebook.Tell(Note{"2"}));
  EXPECT_TRUE(absl::IsResourceExhausted(test.Await(std::move(oldest)).status()));
  test.Settle();
  EXPECT_THAT(*test.Await(notebook.Ask(ReadNotes{})), ElementsAre("1", "2"));
}

// Answers when it is told to, not when it is asked.
struct Question {
  using Result = int;
};
struct AnswerNow {
  int answer;
};
struct ForgetTheQuestion {};
class Oracle : public Actor<Oracle> {
 public:
  void Handle(Question, Reply<int> reply, Context&) { reply_ = std::move(reply); }
  void Handle(AnswerNow now, Context&) { reply_(now.answer); }
  void Handle(ForgetTheQuestion, Context&) { reply_ = Reply<int>(); }

 private:
  Reply<int> reply_;
};

TEST(AskTest, AnAnswerMayComeLater) {
  TestSystem test;
  Address<Oracle> oracle = test.system.Spawn<Oracle>();
  Future<int> answer = oracle.Ask(Question{});
  test.Settle();
  oracle.Tell(AnswerNow{42});
  EXPECT_EQ(*test.Await(std::move(answer)), 42);
}

TEST(AskTest, EndsAtItsDeadlineAndNotBefore) {
  TestSystem test;
  Address<Oracle> oracle = test.system.Spawn<Oracle>();
  Instant start = test.simulator.Now();
  absl::StatusOr<int> answer = test.Await(oracle.Ask(Question{}, absl::Milliseconds(250)));
  EXPECT_TRUE(absl::IsDeadlineExceeded(answer.status())) << answer.status();
  EXPECT_EQ(test.simulator.Now() - start, absl::Milliseconds(250));
  oracle.Tell(AnswerNow{42});  // too late, and harmless
  test.Settle();
}

TEST(AskTest, LastsFiveSecondsUnlessToldOtherwise) {
  TestSystem test;
  Address<Oracle> oracle = test.system.Spawn<Oracle>();
  const Instant start = test.simulator.Now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(test.Await(oracle.Ask(Question{})).status()));
  EXPECT_EQ(test.simulator.Now() - start, absl::Seconds(5));
}

TEST(AskTest, ADroppedReplyIsAnAnswer) {
  TestSystem test;
  Address<Oracle> oracle = test.system.Spawn<Oracle>();
  Future<int> answer = oracle.Ask(Question{});
  oracle.Tell(ForgetTheQuestion{});
  EXPECT_TRUE(absl::IsUnknown(test.Await(std::move(answer)).status()));
}

// Takes the question's Reply with it when it fails.
class Sphinx : public Actor<Sphinx> {
 public:
  void Handle(Question, Reply<int>, Context&) { throw std::runtime_error("riddle unsolved"); }
  void Handle(Greet, Reply<std::string>, Context& context) { context.Fail(absl::DataLossError("stone cracked")); }
};

TEST(AskTest, TheFailureOfAHandlerThatHadTheReplyIsTheAnswer) {
  TestSystem test;
  Address<Sphinx> sphinx = test.system.Spawn<Sphinx>();
  EXPECT_THAT(std::string(test.Await(sphinx.Ask(Question{})).status().message()), HasSubstr("riddle unsolved"));
  EXPECT_EQ(test.Await(sphinx.Ask(Greet{})).status(), absl::DataLossError("stone cracked"));
}

TEST(AskTest, AMessageWhoseAskerHasGivenUpIsNotHandled) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  test.Settle();
  // A deadline that has passed when the message is sent: the actor comes to it too late in any order.
  Future<std::vector<std::string>> hopeless = notebook.Ask(ReadNotes{}, -absl::Seconds(1));
  EXPECT_TRUE(absl::IsDeadlineExceeded(test.Await(std::move(hopeless)).status()));
  test.Settle();  // the answer may come before the turn
  EXPECT_EQ(test.system.stats().dead_letters, 1u);
}

TEST(AskTest, TheAskerOfAFailedHandlerGetsTheFailure) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  absl::StatusOr<std::string> crashed = test.Await(notebook.Ask(Crash{}));
  EXPECT_THAT(std::string(crashed.status().message()), HasSubstr("ink spilled"));
  absl::StatusOr<std::string> failed = test.Await(notebook.Ask(FailPolitely{}));
  EXPECT_EQ(failed.status(), absl::DataLossError("page torn"));
}

TEST(AskTest, AskingATerminatedActorEndsAtOnce) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  notebook.Stop();
  test.Settle();
  EXPECT_FALSE(notebook.alive());
  EXPECT_FALSE(notebook.Tell(Note{"into the void"}));
  Instant start = test.simulator.Now();
  EXPECT_TRUE(absl::IsUnavailable(test.Await(notebook.Ask(ReadNotes{})).status()));
  EXPECT_EQ(test.simulator.Now(), start);
}

TEST(AskTest, WhatWaitsWhenTheActorStopsIsAnswered) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  test.Settle();
  Future<std::vector<std::string>> waiting = notebook.Ask(ReadNotes{});
  notebook.Stop();  // outranks the question
  EXPECT_TRUE(absl::IsUnavailable(test.Await(std::move(waiting)).status()));
}

TEST(AskDeathTest, WaitingInATurnIsABrokenPromise) {
  struct AskYourself {};
  class Fool : public Actor<Fool> {
   public:
    void Handle(AskYourself, Context& context) { (void)context.self().Ask(AskYourself{}).Wait(); }
  };
  EXPECT_DEATH(
      {
        TestSystem test;
        test.system.Spawn<Fool>().Tell(AskYourself{});
        test.Settle();
      },
      "Context::Then");
}

struct Quit {
  static constexpr bool kControl = true;
};
class Quitter : public Actor<Quitter> {
 public:
  explicit Quitter(int* handled) : handled_(handled) {}
  void Handle(Quit, Context& context) {
    ++*handled_;
    context.Stop();
  }

 private:
  int* handled_;
};

TEST(StopTest, AnActorThatStopsItselfHandlesNothingMore) {
  TestSystem test;
  int handled = 0;
  Address<Quitter> quitter = test.system.Spawn<Quitter>(&handled);
  for (int i = 0; i < 5; ++i) quitter.Tell(Quit{});
  test.Settle();
  EXPECT_EQ(handled, 1);
}

TEST(NamesTest, ANameLeadsToItsActorAndEndsWithIt) {
  TestSystem test;
  Address<Notebook> first = test.system.Spawn<Notebook>();
  Address<Notebook> second = test.system.Spawn<Notebook>();
  ASSERT_TRUE(test.system.Register("notebook", first).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(test.system.Register("notebook", second)));
  EXPECT_EQ(*test.system.Lookup<Notebook>("notebook"), first);
  first.Stop();
  test.Settle();
  EXPECT_TRUE(absl::IsNotFound(test.system.Lookup<Notebook>("notebook").status()));
  EXPECT_TRUE(test.system.Register("notebook", second).ok());
}

TEST(NamesTest, ALookupWithTheWrongTypeIsRefused) {
  TestSystem test;
  ASSERT_TRUE(test.system.Register("notebook", test.system.Spawn<Notebook>()).ok());
  absl::Status status = test.system.Lookup<Greeter>("notebook").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("Notebook"));
}

TEST(NamesTest, ATerminatedActorTakesNoName) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  notebook.Tell(StopYourself{});
  test.Settle();
  EXPECT_TRUE(absl::IsFailedPrecondition(test.system.Register("ghost", notebook)));
  EXPECT_TRUE(absl::IsNotFound(test.system.Lookup<Notebook>("ghost").status()));
}

TEST(ListTest, ShowsNamesStatesAndCounts) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  ASSERT_TRUE(test.system.Register("notebook", notebook).ok());
  notebook.Tell(Note{"1"});
  test.Settle();
  notebook.Tell(Note{"2"});
  std::vector<ActorInfo> actors = test.system.List();
  ASSERT_EQ(actors.size(), 1u);
  EXPECT_EQ(actors[0].name, "notebook");
  EXPECT_THAT(actors[0].type, HasSubstr("Notebook"));
  EXPECT_EQ(actors[0].state, ActorState::kRunning);
  EXPECT_EQ(actors[0].handled, 1u);
  EXPECT_EQ(actors[0].mailbox_depth, 1u);
}

TEST(ShutdownTest, EndsEveryActorAndRefusesNewOnes) {
  std::vector<std::string> log;
  ActorSystem system;
  Address<Notebook> notebook = system.Spawn<Notebook>(&log);
  ASSERT_TRUE(notebook.Ask(ReadNotes{}).Wait().ok());
  EXPECT_TRUE(system.Shutdown(absl::Seconds(10)).ok());
  EXPECT_TRUE(system.terminated());
  EXPECT_THAT(log, ElementsAre("started", "stopping"));
  EXPECT_FALSE(system.Spawn<Notebook>(&log).Tell(Note{"too late"}));
}

TEST(ShutdownTest, MayWaitForEver) {
  ActorSystem system;
  system.Spawn<Notebook>();
  EXPECT_TRUE(system.Shutdown(absl::InfiniteDuration()).ok());
}

TEST(ShutdownTest, AnAskThatTheExecutorOutlastsNotStillEnds) {
  std::optional<absl::Status> ended;
  std::optional<Reply<int>> kept;
  {
    TestSystem test;
    test.system.Spawn<Oracle>().Ask(Question{}).Then([&](absl::StatusOr<int> answer) { ended = answer.status(); });
    auto [future, reply] = MakeFuture<int>(test.executor, Instant::Never());
    kept = std::move(reply);
    test.Settle();
  }
  ASSERT_TRUE(ended.has_value());
  EXPECT_TRUE(absl::IsUnknown(*ended));
  (*kept)(1);  // after its executor is gone: no harm
}

}  // namespace
}  // namespace troupe
