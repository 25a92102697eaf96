// Handlers that are coroutines: what may be awaited, what gets through meanwhile, and how they end.
#include "actor/task.h"

#include <algorithm>
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
using testing::FailPolitely;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::TestSystem;
using testing::Urgent;

// Answers when it is told to, so that a test decides how long others wait.
struct Question {
  using Result = std::string;
  std::string text;
};
struct AnswerAll {
  static constexpr bool kControl = true;
};
class Oracle : public Actor<Oracle> {
 public:
  void Handle(Question question, Reply<std::string> reply, Context&) {
    waiting_.emplace_back(std::move(question.text), std::move(reply));
  }
  void Handle(AnswerAll, Context&) {
    for (auto& [text, reply] : std::exchange(waiting_, {})) reply("re: " + text);
  }

 private:
  std::vector<std::pair<std::string, Reply<std::string>>> waiting_;
};

// Writes into a log when it ends.
class Trace {
 public:
  Trace(std::vector<std::string>* log, std::string text) : log_(log), text_(std::move(text)) {}
  Trace(Trace&& other) noexcept : log_(std::exchange(other.log_, nullptr)), text_(std::move(other.text_)) {}
  ~Trace() {
    if (log_ != nullptr) log_->push_back(text_ + " destroyed");
  }

 private:
  std::vector<std::string>* log_;
  std::string text_;
};

// Its coroutines all ask the oracle.
struct Consult {
  using Result = std::string;
  std::string text;
};
struct ConsultThenCrash {
  using Result = std::string;
};
struct ConsultThenFail {
  using Result = std::string;
};
struct FailThenConsult {
  using Result = std::string;
};
struct StopThenConsult {
  using Result = std::string;
};
struct ConsultForReply {
  using Result = std::string;
};
struct UrgentConsult {
  static constexpr bool kControl = true;
  using Result = std::string;
};
struct CrashNow {
  static constexpr bool kControl = true;
};
// Waits for what the test decides.
struct WaitFor {
  Future<std::string> future;
};
struct Echo {
  using Result = std::string;
};
struct AskForEcho {
  using Result = std::string;
};
struct ConsultShortly {
  using Result = std::string;
};

template <typename Derived>
class PilgrimOf : public Actor<Derived> {
 public:
  using Context = ActorContext<Derived>;

  PilgrimOf(Address<Oracle> oracle, std::vector<std::string>* log) : oracle_(std::move(oracle)), log_(log) {}

  void Stopping(Context&) { log_->push_back("stopping"); }
  void Restarting(const absl::Status&, Context&) { log_->push_back("restarting"); }

  Task<std::string> Handle(Consult consult, Context&) {
    Trace trace(log_, consult.text);
    log_->push_back(consult.text + " begins");
    absl::StatusOr<std::string> answer = co_await oracle_.Ask<Question>(consult.text);
    log_->push_back(consult.text + " ends");
    co_return answer;
  }
  Task<std::string> Handle(ConsultThenCrash, Context&) {
    Trace trace(log_, "crash");
    (void)co_await oracle_.Ask<Question>("crash");
    throw std::runtime_error("stumbled");
  }
  Task<std::string> Handle(ConsultThenFail, Context& context) {
    (void)co_await oracle_.Ask<Question>("fail");
    context.Fail(absl::DataLossError("lost the way"));
    co_return "never seen";
  }
  Task<std::string> Handle(FailThenConsult, Context& context) {
    Trace trace(log_, "failed");
    context.Fail(absl::DataLossError("lost the way"));
    (void)co_await oracle_.Ask<Question>("too late");
    log_->push_back("went on");
    co_return "never seen";
  }
  Task<std::string> Handle(StopThenConsult, Context& context) {
    Trace trace(log_, "stopped");
    context.Stop();
    (void)co_await oracle_.Ask<Question>("too late");
    log_->push_back("went on");
    co_return "never seen";
  }
  Task<> Handle(const ConsultForReply&, Reply<std::string> reply, Context&) {
    absl::StatusOr<std::string> answer = co_await oracle_.Ask<Question>("with the reply");
    reply(std::move(answer));
  }
  Task<std::string> Handle(UrgentConsult, Context&) { co_return co_await oracle_.Ask<Question>("urgent"); }
  Task<std::string> Handle(ConsultShortly, Context&) {
    co_return co_await oracle_.AskWithin<Question>(absl::Milliseconds(10), "short");
  }
  Task<> Handle(WaitFor wait, Context&) {
    Trace trace(log_, "wait");
    (void)co_await std::move(wait.future);
    log_->push_back("went on");
  }
  Task<std::string> Handle(AskForEcho, Context& context) { co_return co_await context.self().template Ask<Echo>(); }
  std::string Handle(Echo, Context&) { return "echo"; }
  void Handle(Note note, Context&) { log_->push_back(std::move(note.text)); }
  void Handle(Urgent urgent, Context&) { log_->push_back(std::move(urgent.text)); }
  void Handle(CrashNow, Context&) { throw std::runtime_error("fell"); }
  void Handle(Terminated, Context&) { log_->push_back("told of an end"); }
  void Handle(Address<Notebook> other, Context& context) { context.Watch(other); }

 private:
  Address<Oracle> oracle_;
  std::vector<std::string>* log_;
};
class Pilgrim : public PilgrimOf<Pilgrim> {
 public:
  using PilgrimOf::PilgrimOf;
};
class BusyPilgrim : public PilgrimOf<BusyPilgrim> {
 public:
  static constexpr bool kReentrant = true;
  using PilgrimOf::PilgrimOf;
};

class TaskTest : public ::testing::Test {
 protected:
  template <typename A = Pilgrim>
  Address<A> Spawn(SpawnOptions options = {}) {
    return test_.system.Spawn<A>(options, oracle_, &log_);
  }
  void Settle() { test_.Settle(); }
  template <typename R>
  Outcome<R> Await(Future<R> future) {
    return test_.Await(std::move(future));
  }
  void LetTheOracleAnswer() {
    oracle_.Tell(AnswerAll{});
    Settle();
  }

  std::vector<std::string> log_;
  TestSystem test_;
  Address<Oracle> oracle_ = test_.system.Spawn<Oracle>();
};

TEST_F(TaskTest, AHandlerMayAwaitAnAskAndItsAskerGetsWhatItReturns) {
  Address<Pilgrim> pilgrim = Spawn();
  Future<std::string> answer = pilgrim.Ask<Consult>("where to?");
  Settle();
  EXPECT_THAT(log_, ElementsAre("where to? begins"));
  LetTheOracleAnswer();
  EXPECT_EQ(*Await(std::move(answer)), "re: where to?");
  EXPECT_THAT(log_, ElementsAre("where to? begins", "where to? ends", "where to? destroyed"));
}

TEST_F(TaskTest, ACoroutineMayBeGivenTheReply) {
  Future<std::string> answer = Spawn().Ask(ConsultForReply{});
  Settle();
  LetTheOracleAnswer();
  EXPECT_EQ(*Await(std::move(answer)), "re: with the reply");
}

TEST_F(TaskTest, WhileItWaitsUserMessagesWaitAndKeepTheirOrder) {
  Address<Pilgrim> pilgrim = Spawn();
  pilgrim.Tell(Consult{"first"});
  pilgrim.Tell(Note{"second"});
  pilgrim.Tell(Consult{"third"});
  pilgrim.Tell(Note{"fourth"});
  Settle();
  EXPECT_THAT(log_, ElementsAre("first begins"));
  LetTheOracleAnswer();
  EXPECT_THAT(log_, ElementsAre("first begins", "first ends", "first destroyed", "second", "third begins"));
  LetTheOracleAnswer();
  EXPECT_EQ(log_.back(), "fourth");
}

TEST_F(TaskTest, WhileItWaitsNoticesAndControlMessagesGetThrough) {
  Address<Pilgrim> pilgrim = Spawn();
  Address<Notebook> watched = test_.system.Spawn<Notebook>();
  pilgrim.Tell(watched);
  pilgrim.Tell(Consult{"first"});
  Settle();
  watched.Stop();
  Settle();
  pilgrim.Tell(Urgent{"urgent"});
  Future<std::string> urgent = pilgrim.Ask(UrgentConsult{});
  Settle();
  EXPECT_THAT(log_, ElementsAre("first begins", "told of an end", "urgent"));
  pilgrim.Tell(Note{"later"});
  Settle();
  EXPECT_EQ(log_.back(), "urgent") << "the lane stays shut";
  LetTheOracleAnswer();
  EXPECT_EQ(*Await(std::move(urgent)), "re: urgent") << "a control message's handler may be a coroutine too";
  EXPECT_EQ(log_.back(), "later");
}

TEST_F(TaskTest, AReentrantActorTakesMessagesMeanwhileAndHasSeveralAtOnce) {
  Address<BusyPilgrim> pilgrim = Spawn<BusyPilgrim>();
  Future<std::string> one = pilgrim.Ask<Consult>("one");
  pilgrim.Tell(Note{"between"});
  Future<std::string> two = pilgrim.Ask<Consult>("two");
  Settle();
  EXPECT_THAT(log_, ElementsAre("one begins", "between", "two begins"));
  LetTheOracleAnswer();
  EXPECT_EQ(*Await(std::move(one)), "re: one");
  EXPECT_EQ(*Await(std::move(two)), "re: two");
}

TEST_F(TaskTest, AReentrantActorMayAskItself) { EXPECT_EQ(*Await(Spawn<BusyPilgrim>().Ask(AskForEcho{})), "echo"); }

TEST_F(TaskTest, AReentrantActorHasAsManyAtOnceAsItsMailboxHoldsMessages) {
  Address<BusyPilgrim> pilgrim = Spawn<BusyPilgrim>({.mailbox_capacity = 2});
  for (const char* text : {"1", "2", "3", "4"}) {
    EXPECT_TRUE(pilgrim.Tell(Consult{text}));
    Settle();
  }
  EXPECT_THAT(log_, ElementsAre("1 begins", "2 begins")) << "the others wait in the mailbox";
  EXPECT_FALSE(pilgrim.Tell(Consult{"5"}));
  for (int i = 0; i < 2; ++i) LetTheOracleAnswer();
  EXPECT_EQ(std::count(log_.begin(), log_.end(), "4 ends"), 1);
}

TEST_F(TaskTest, ControlMessagesTooMayHaveSoManyAtOnceAndNoMore) {
  Address<Pilgrim> pilgrim = Spawn({.mailbox_capacity = 1});
  std::vector<Future<std::string>> answers;
  for (int i = 0; i < 65; ++i) answers.push_back(pilgrim.Ask(UrgentConsult{}));
  Settle();
  EXPECT_EQ(test_.system.stats().dead_letters, 1u);
  EXPECT_EQ(test_.system.Metrics().total.AllDeadLetters(), 1u);
  EXPECT_TRUE(absl::IsUnknown(Await(std::move(answers.back())).status()));
  answers.pop_back();
  LetTheOracleAnswer();
  for (Future<std::string>& answer : answers) EXPECT_EQ(*Await(std::move(answer)), "re: urgent");
}

TEST_F(TaskTest, AStopEndsItWhereItWaitsBeforeTheHookAndItsAskerIsTold) {
  Address<Pilgrim> pilgrim = Spawn();
  Future<std::string> answer = pilgrim.Ask<Consult>("long");
  Settle();
  pilgrim.Stop();
  Settle();
  EXPECT_THAT(log_, ElementsAre("long begins", "long destroyed", "stopping"));
  EXPECT_FALSE(pilgrim.alive());
  EXPECT_TRUE(absl::IsUnknown(Await(std::move(answer)).status()));
  LetTheOracleAnswer();
  EXPECT_EQ(log_.back(), "stopping") << "what it waited for wakes nobody";
}

TEST_F(TaskTest, AFailureOfAnotherHandlerEndsItAndItsAskerGetsTheFailure) {
  Address<Pilgrim> pilgrim = Spawn();
  Future<std::string> answer = pilgrim.Ask<Consult>("long");
  Settle();
  pilgrim.Tell(CrashNow{});
  Settle();
  EXPECT_THAT(log_, ElementsAre("long begins", "long destroyed", "restarting"));
  EXPECT_THAT(std::string(Await(std::move(answer)).status().message()), HasSubstr("fell"));
  pilgrim.Tell(Note{"the new incarnation reads"});
  LetTheOracleAnswer();
  EXPECT_EQ(log_.back(), "the new incarnation reads");
}

TEST_F(TaskTest, AnAnswerThatIsOnItsWayWhenItEndsWakesNobody) {
  Address<Pilgrim> pilgrim = Spawn();
  auto [future, reply] = MakeFuture<std::string>(test_.executor, Instant::Never());
  pilgrim.Tell(WaitFor{std::move(future)});
  Settle();
  pilgrim.Tell(CrashNow{});
  reply("behind the message that fails");
  Settle();
  EXPECT_THAT(log_, ElementsAre("wait destroyed", "restarting"));
}

TEST_F(TaskTest, WithResumeTheOthersGoOnWhenOneFails) {
  Address<BusyPilgrim> pilgrim = Spawn<BusyPilgrim>({.on_failure = OnFailure::kResume});
  Future<std::string> crash = pilgrim.Ask(ConsultThenCrash{});
  Future<std::string> other = pilgrim.Ask<Consult>("other");
  Settle();
  LetTheOracleAnswer();
  EXPECT_THAT(std::string(Await(std::move(crash)).status().message()), HasSubstr("stumbled"));
  EXPECT_EQ(*Await(std::move(other)), "re: other");
  EXPECT_EQ(std::count(log_.begin(), log_.end(), "restarting"), 0);
}

TEST_F(TaskTest, AFailureAfterItHasWaitedFailsTheActorAndIsItsAskersError) {
  Address<Pilgrim> pilgrim = Spawn();
  Future<std::string> crash = pilgrim.Ask(ConsultThenCrash{});
  Settle();
  LetTheOracleAnswer();
  EXPECT_THAT(std::string(Await(std::move(crash)).status().message()), HasSubstr("stumbled"));
  EXPECT_THAT(log_, ElementsAre("crash destroyed", "restarting"));
  Future<std::string> fail = pilgrim.Ask(ConsultThenFail{});
  Settle();
  LetTheOracleAnswer();
  EXPECT_EQ(Await(std::move(fail)).status(), absl::DataLossError("lost the way"));
  EXPECT_EQ(test_.system.stats().restarts, 2u);
}

TEST_F(TaskTest, OneThatHasFailedOrStoppedItsActorEndsWhereItWaitsNext) {
  Address<Pilgrim> pilgrim = Spawn();
  EXPECT_EQ(Await(pilgrim.Ask(FailThenConsult{})).status(), absl::DataLossError("lost the way"));
  EXPECT_THAT(log_, ElementsAre("failed destroyed", "restarting"));
  log_.clear();
  EXPECT_TRUE(absl::IsUnknown(Await(pilgrim.Ask(StopThenConsult{})).status()));
  EXPECT_THAT(log_, ElementsAre("stopped destroyed", "stopping"));
  LetTheOracleAnswer();
  EXPECT_FALSE(pilgrim.alive());
}

TEST_F(TaskTest, TheAskersDeadlineCoversTheWait) {
  Address<Pilgrim> pilgrim = Spawn();
  const Instant start = test_.simulator.Now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(Await(pilgrim.AskWithin<Consult>(absl::Milliseconds(300), "long")).status()));
  EXPECT_EQ(test_.simulator.Now() - start, absl::Milliseconds(300));
  LetTheOracleAnswer();
  EXPECT_EQ(log_.back(), "long destroyed") << "it goes on, and its late answer goes nowhere";
}

TEST_F(TaskTest, AnAskThatItAwaitsHasADeadlineToo) {
  const Instant start = test_.simulator.Now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(Await(Spawn().Ask(ConsultShortly{})).status()));
  EXPECT_EQ(test_.simulator.Now() - start, absl::Milliseconds(10));
}

TEST_F(TaskTest, TheEndOfTheSystemEndsThoseThatWait) {
  {
    TestSystem other;
    Address<Oracle> oracle = other.system.Spawn<Oracle>();
    other.system.Spawn<Pilgrim>(SpawnOptions{}, oracle, &log_).Tell(Consult{"long"});
    other.system.Spawn<BusyPilgrim>(SpawnOptions{}, oracle, &log_).Tell(Consult{"long"});
    auto [future, reply] = MakeFuture<std::string>(other.executor, Instant::Never());
    other.system.Spawn<Pilgrim>(SpawnOptions{}, oracle, &log_).Tell(WaitFor{std::move(future)});
    other.Settle();
    reply("unread");
  }
  EXPECT_EQ(std::count(log_.begin(), log_.end(), "long destroyed"), 2);
  EXPECT_EQ(std::count(log_.begin(), log_.end(), "wait destroyed"), 1);
}

// What else may be awaited.

struct Travel {
  using Result = std::vector<std::string>;
};
struct AskYourself {
  using Result = std::vector<std::string>;
};
struct Sum {
  using Result = int;
  int depth = 0;
};
struct CatchNested {
  using Result = std::string;
};
struct Both {
  using Result = std::string;
};
struct ManySteps {
  using Result = int;
};
struct Check {};
struct Refuse {};
struct FailLate {};
class Traveller : public Actor<Traveller> {
 public:
  explicit Traveller(Address<Oracle> oracle) : oracle_(std::move(oracle)) {}

  Task<std::vector<std::string>> Handle(Travel, Context& context) {
    std::vector<std::string> log;
    const Instant start = context.Now();
    co_await context.Sleep(absl::Seconds(3));
    log.push_back(absl::FormatDuration(context.Now() - start));
    absl::StatusOr<int> work = co_await context.Blocking([]() -> absl::StatusOr<int> { return 42; });
    log.push_back(std::to_string(*work));
    absl::Status failed = co_await context.Blocking([]() -> absl::Status { throw std::runtime_error("disk"); });
    log.push_back(failed.ToString());
    co_return log;
  }
  Task<std::vector<std::string>> Handle(AskYourself, Context& context) {
    std::vector<std::string> log;
    log.push_back((co_await context.self().Ask<Sum>(1)).status().ToString());
    Future<int> otherwise = Recipient<Sum>(context.self()).Ask(Sum{1});
    log.push_back((co_await std::move(otherwise)).status().ToString());
    log.push_back((co_await context.self().Ask<Urgent>("mind")).ToString());
    while (context.self().Tell(Check{})) continue;
    log.push_back((co_await context.self().TellWait<Check>()).ToString());
    co_return log;
  }
  Task<int> Handle(Sum sum, Context& context) { co_return co_await SumTo(sum.depth, context); }
  Task<std::string> Handle(CatchNested, Context& context) {
    try {
      co_await Throw(context);
    } catch (const std::runtime_error& error) {
      co_return std::string("caught ") + error.what();
    }
    co_return "nothing came";
  }
  Task<std::string> Handle(Both, Context&) {
    Future<std::string> one = oracle_.Ask<Question>("one");
    Future<std::string> two = oracle_.Ask<Question>("two");
    absl::StatusOr<std::string> last = co_await std::move(two);
    absl::StatusOr<std::string> first = co_await std::move(one);
    co_return *first + ", " + *last;
  }
  Task<int> Handle(ManySteps, Context&) {
    int sum = 0;
    for (int i = 0; i < 100'000; ++i) sum += *co_await One();
    co_return sum;
  }
  // Without a result: a coroutine that ends, and one that may refuse.
  Task<> Handle(Check, Context& context) { co_await context.Sleep(absl::Milliseconds(1)); }
  Task<absl::Status> Handle(Refuse, Context& context) {
    co_await context.Sleep(absl::Milliseconds(1));
    co_return absl::PermissionDeniedError("no");
  }
  Task<> Handle(FailLate, Context& context) {
    co_await context.Sleep(absl::Milliseconds(1));
    context.Fail(absl::DataLossError("late"));
  }
  void Handle(Urgent, Context&) {}

 private:
  Task<int> SumTo(int depth, Context& context) {
    if (depth == 0) co_return 0;
    co_await context.Sleep(absl::Milliseconds(1));
    absl::StatusOr<int> rest = co_await SumTo(depth - 1, context);
    if (!rest.ok()) co_return rest.status();
    co_return depth + *rest;
  }
  Task<> Throw(Context& context) {
    co_await context.Sleep(absl::Milliseconds(1));
    throw std::runtime_error("a nested one");
  }
  Task<int> One() { co_return 1; }

  Address<Oracle> oracle_;
};

class AwaitTest : public TaskTest {
 protected:
  Address<Traveller> traveller_ = test_.system.Spawn<Traveller>(SpawnOptions{.mailbox_capacity = 4}, oracle_);
};

TEST_F(AwaitTest, ASleepLastsItsTimeAndBlockingWorkGivesWhatItReturns) {
  const std::vector<std::string> log = *Await(traveller_.Ask(Travel{}));
  ASSERT_EQ(log.size(), 3u);
  EXPECT_EQ(log[0], "3s");
  EXPECT_EQ(log[1], "42");
  EXPECT_EQ(log[2], "INTERNAL: std::runtime_error: disk");
}

TEST_F(AwaitTest, HelpersMayBeCoroutinesAndTheirExceptionsComeOutOfTheAwait) {
  EXPECT_EQ(*Await(traveller_.Ask<Sum>(20)), 210);
  EXPECT_EQ(*Await(traveller_.Ask(CatchNested{})), "caught a nested one");
  EXPECT_EQ(*Await(traveller_.Ask(ManySteps{})), 100'000) << "and take no stack";
}

TEST_F(AwaitTest, SeveralAsksMayBeUnderWayAtOnce) {
  Future<std::string> answer = traveller_.Ask(Both{});
  Settle();
  LetTheOracleAnswer();
  EXPECT_EQ(*Await(std::move(answer)), "re: one, re: two");
}

TEST_F(AwaitTest, AHandlerWithoutResultAnswersWhenItHasEndedAndMayRefuse) {
  const Instant start = test_.simulator.Now();
  EXPECT_TRUE(Await(traveller_.Ask(Check{})).ok());
  EXPECT_EQ(test_.simulator.Now() - start, absl::Milliseconds(1));
  EXPECT_EQ(Await(traveller_.Ask(Refuse{})), absl::PermissionDeniedError("no"));
  EXPECT_EQ(Await(traveller_.Ask(FailLate{})), absl::DataLossError("late"));
}

TEST_F(AwaitTest, WhatItCouldOnlyAnswerItselfIsRefusedAtOnce) {
  const Instant start = test_.simulator.Now();
  const std::vector<std::string> log = *Await(traveller_.Ask(AskYourself{}));
  EXPECT_THAT(log, ElementsAre(HasSubstr("FAILED_PRECONDITION"), HasSubstr("FAILED_PRECONDITION"), "OK",
                               HasSubstr("FAILED_PRECONDITION")));
  EXPECT_EQ(test_.simulator.Now(), start);
}

// Holds its actor to a promise: fails it when it is let go too early.
class Pledge : public Actor<Pledge> {
 public:
  struct Guard {
    ~Guard() { context->Fail(absl::AbortedError("from the grave")); }
    Context* context;
  };
  Task<std::string> Handle(FailThenConsult, Context& context) {
    Guard guard{&context};
    context.Fail(absl::DataLossError("lost the way"));
    co_await context.Sleep(absl::Seconds(1));
    co_return "never seen";
  }
  std::string Handle(Echo, Context&) { return "echo"; }
};

TEST_F(TaskTest, WhatOneSaysWhileItIsEndedFailsNoOtherHandler) {
  Address<Pledge> pledge = test_.system.Spawn<Pledge>(SpawnOptions{.on_failure = OnFailure::kResume});
  EXPECT_EQ(Await(pledge.Ask(FailThenConsult{})).status(), absl::DataLossError("lost the way"));
  EXPECT_EQ(*Await(pledge.Ask(Echo{})), "echo");
}

}  // namespace
}  // namespace troupe
