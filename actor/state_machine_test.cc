// What a message does depends on the state (become), and how states follow each other.
#include "actor/state_machine.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "actor/test_actors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::Crash;
using ::testing::ElementsAre;
using testing::TestSystem;

// A connection that is made, used, and breaks.
struct Connect {};
struct Connected {
  using Result = std::string;
};
struct Send {
  using Result = std::string;
  std::string text;
};
struct Break {
  bool badly = false;
};

struct Idle {
  static constexpr auto kUnhandled = Unhandled::kRefuse;
};
struct Connecting {
  static constexpr auto kUnhandled = Unhandled::kStash;
};
struct Up {
  static constexpr auto kUnhandled = Unhandled::kIgnore;
  int sent = 0;
};

class Line : public StateMachine<Line, Idle, Connecting, Up> {
 public:
  // `fault` says which hook fails.
  explicit Line(std::vector<std::string>* log, std::string fault = "") : log_(log), fault_(std::move(fault)) {}

  void On(Idle&, Connect, Context& context) { Become(Connecting{}, context); }
  std::string On(Connecting&, Connected, Context& context) {
    Become(Up{}, context);
    return "up";
  }
  void On(Up& up, Send send, Reply<std::string> reply, Context&) { reply(send.text + std::to_string(++up.sent)); }
  void On(Up&, Break how, Context& context) {
    Become(Idle{}, context);
    if (how.badly) throw std::runtime_error("broken");
  }
  std::string On(auto&, Crash, Context&) { throw std::runtime_error("fell"); }

  void Entered(Idle&, Context&) { Note("idle"); }
  void Entered(Connecting&, Context&) { Note("connecting"); }
  void Entered(Up&, Context& context) {
    Note("up");
    if (fault_ == "entered") context.Fail(absl::InternalError("no carrier"));
  }
  void Left(Up& up, Context&) { Note("left up after " + std::to_string(up.sent)); }
  void Left(Connecting&, Context&) {
    if (fault_ == "left") throw std::runtime_error("stuck");
  }

 private:
  void Note(std::string line) { log_->push_back(std::move(line)); }

  std::vector<std::string>* log_;
  const std::string fault_;
};

class StateMachineTest : public ::testing::Test {
 protected:
  Address<Line> SpawnLine(SpawnOptions options = {}, std::string fault = "") {
    return test.system.Spawn<Line>(std::move(options), &log, std::move(fault));
  }

  TestSystem test;
  std::vector<std::string> log;
};

TEST_F(StateMachineTest, AMessageIsHandledByTheStateThatTheActorIsIn) {
  Address<Line> line = SpawnLine();
  line.Tell(Connect{});
  EXPECT_EQ(*test.Await(line.Ask(Connected{})), "up");
  EXPECT_EQ(*test.Await(line.Ask(Send{"a"})), "a1");
  EXPECT_EQ(*test.Await(line.Ask(Send{"b"})), "b2") << "the state has state of its own";
}

TEST_F(StateMachineTest, HooksSeeEachStateComeAndGo) {
  Address<Line> line = SpawnLine();
  line.Tell(Connect{});
  line.Tell(Connected{});
  line.Tell(Send{"a"});
  line.Tell(Break{});
  test.Settle();
  EXPECT_THAT(log, ElementsAre("idle", "connecting", "up", "left up after 1", "idle"));
}

TEST_F(StateMachineTest, AStateThatRefusesMakesItADeadLetterAndTellsTheAsker) {
  std::vector<DeadLetterReason> dead;
  test.system.OnDeadLetter([&](const DeadLetter& letter) { dead.push_back(letter.reason); });
  Address<Line> line = SpawnLine();
  EXPECT_TRUE(absl::IsFailedPrecondition(test.Await(line.Ask(Send{"a"})).status()));
  line.Tell(Break{});
  test.Settle();
  EXPECT_THAT(dead, ElementsAre(DeadLetterReason::kUnhandled, DeadLetterReason::kUnhandled));
}

TEST_F(StateMachineTest, AStateThatIgnoresTellsTheAskerAndCountsNothing) {
  Address<Line> line = SpawnLine();
  line.Tell(Connect{});
  line.Tell(Connected{});
  line.Tell(Connect{});
  EXPECT_TRUE(absl::IsFailedPrecondition(test.Await(line.Ask(Connected{})).status()));
  EXPECT_EQ(test.system.stats().dead_letters, 0u);
}

TEST_F(StateMachineTest, WhatAStateStashesIsHandledByTheNextBeforeTheMailThatWaits) {
  Address<Line> line = SpawnLine();
  line.Tell(Connect{});
  Future<std::string> first = line.Ask(Send{"first"});
  Future<std::string> second = line.Ask(Send{"second"});
  line.Tell(Connected{});
  Future<std::string> third = line.Ask(Send{"third"});
  EXPECT_EQ(*test.Await(std::move(first)), "first1");
  EXPECT_EQ(*test.Await(std::move(second)), "second2");
  EXPECT_EQ(*test.Await(std::move(third)), "third3");
}

TEST_F(StateMachineTest, ARestartBeginsInTheFirstStateAgain) {
  Address<Line> line = SpawnLine();
  line.Tell(Connect{});
  line.Tell(Connected{});
  line.Tell(Crash{});
  EXPECT_TRUE(absl::IsFailedPrecondition(test.Await(line.Ask(Send{"a"})).status()));
  EXPECT_THAT(log, ElementsAre("idle", "connecting", "up", "idle"));
}

TEST_F(StateMachineTest, AHandlerThatFailsChangesNoState) {
  Address<Line> line = SpawnLine({.on_failure = OnFailure::kResume});
  line.Tell(Connect{});
  line.Tell(Connected{});
  line.Tell(Break{.badly = true});
  EXPECT_EQ(*test.Await(line.Ask(Send{"still up "})), "still up 1");
  EXPECT_EQ(*test.Await(line.Ask(Send{"and stays up "})), "and stays up 2");
}

TEST_F(StateMachineTest, AHookThatFailsFailsTheActorAndTheAsker) {
  for (const char* fault : {"entered", "left"}) {
    Address<Line> line = SpawnLine({.on_failure = OnFailure::kStop}, fault);
    line.Tell(Connect{});
    EXPECT_TRUE(absl::IsInternal(test.Await(line.Ask(Connected{})).status())) << fault;
    EXPECT_FALSE(line.alive()) << fault;
  }
}

TEST_F(StateMachineTest, AHookThatFailsOnTheWayOutLeavesTheStateAsItWas) {
  Address<Line> line = SpawnLine({.on_failure = OnFailure::kResume}, "left");
  line.Tell(Connect{});
  line.Tell(Connected{});
  test.Settle();
  EXPECT_THAT(log, ElementsAre("idle", "connecting"));
}

// Chooses its first state when it starts, runs through some by itself, and comes back to itself from the disk.
struct Off {
  static constexpr auto kUnhandled = Unhandled::kRefuse;
};
struct Warming {
  static constexpr auto kUnhandled = Unhandled::kRefuse;
};
struct Lit {
  static constexpr auto kUnhandled = Unhandled::kRefuse;
};
struct Spin {};
struct Press {};
class Lamp : public StateMachine<Lamp, Off, Warming, Lit> {
 public:
  Lamp(bool warm, std::vector<std::string>* log) : warm_(warm), log_(log) {}
  void Started(Context& context) {
    if (warm_) Become(Warming{}, context);
  }
  void On(Off&, Press, Context& context) {
    context.RunBlocking([] { return absl::OkStatus(); },
                        [this, context](absl::Status) mutable {
                          Become(Warming{}, context);
                          log_->push_back(In<Lit>() != nullptr ? "is on" : "is not on");
                        });
  }
  void On(auto&, Spin, Context& context) {
    spinning_ = true;
    Become(Off{}, context);
  }
  void Entered(Off&, Context& context) {
    log_->push_back("off");
    if (spinning_) Become(Off{}, context);
  }
  void Entered(Warming&, Context& context) {
    log_->push_back("warming");
    Become(Lit{}, context);
  }
  void Entered(Lit&, Context&) { log_->push_back("on"); }

 private:
  const bool warm_;
  bool spinning_ = false;
  std::vector<std::string>* log_;
};

TEST(TransitionTest, StartedMayChooseTheFirstStateAndAHookMayGoOnToAnother) {
  TestSystem test;
  std::vector<std::string> log;
  test.system.Spawn<Lamp>(true, &log);
  test.Settle();
  EXPECT_THAT(log, ElementsAre("warming", "on"));
}

TEST(TransitionTest, AContinuationMakesItsTransitionAtOnce) {
  TestSystem test;
  std::vector<std::string> log;
  test.system.Spawn<Lamp>(false, &log).Tell(Press{});
  test.simulator.RunFor(absl::Seconds(1));
  EXPECT_THAT(log, ElementsAre("off", "warming", "on", "is on"));
}

TEST(TransitionTest, ALoopOfStatesIsAFailure) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Lamp> lamp = test.system.Spawn<Lamp>(SpawnOptions{.on_failure = OnFailure::kStop}, true, &log);
  EXPECT_TRUE(absl::IsInternal(test.Await(lamp.Ask(Spin{}))));
  EXPECT_FALSE(lamp.alive());
}

// A door whose opening takes time: coroutines, in which the state stays while they wait.

struct Shut {
  static constexpr auto kUnhandled = Unhandled::kStash;
};
struct Open {
  static constexpr auto kUnhandled = Unhandled::kRefuse;
  int passed = 0;
};
struct OpenUp {
  using Result = int;
  bool fail = false;
};
struct Pass {
  using Result = int;
};
struct Slam {};
struct SlamSoon {};
struct Delay {
  using Result = int;
};
class Clock : public Actor<Clock> {
 public:
  Task<int> Handle(Delay, Context& context) {
    co_await context.Sleep(absl::Seconds(1));
    co_return 1;
  }
};
class Door : public StateMachine<Door, Shut, Open> {
 public:
  explicit Door(Address<Clock> clock) : clock_(std::move(clock)) {}

  Task<int> On(Shut&, OpenUp how, Context& context) {
    Become(Open{}, context);
    absl::StatusOr<int> waited = co_await clock_.Ask<Delay>();
    if (!waited.ok()) co_return waited.status();
    if (how.fail) throw std::runtime_error("jammed");
    co_return *waited;
  }
  // Answered later by a coroutine that has the Reply, in another state.
  Task<> On(Open& open, OpenUp, Reply<int> reply, Context& context) {
    co_await context.Sleep(absl::Seconds(1));
    reply(10 * ++open.passed);
  }
  int On(Open& open, Pass, Context&) { return ++open.passed; }
  void Left(Open& open, Context&) { open.passed = -1; }
  // By a timer, while a coroutine may wait.
  void On(auto&, Slam, Context& context) { Become(Shut{}, context); }
  void On(auto&, SlamSoon, Context& context) { context.After(absl::Milliseconds(500), Slam{}); }

 private:
  const Address<Clock> clock_;
};

class CoroutineStateTest : public ::testing::Test {
 protected:
  Address<Door> SpawnDoor(SpawnOptions options = {}) {
    return test_.system.Spawn<Door>(options, test_.system.Spawn<Clock>());
  }
  TestSystem test_;
};

TEST_F(CoroutineStateTest, TheTransitionComesWhenTheCoroutineHasEndedAndThenWhatWasStashed) {
  Address<Door> door = SpawnDoor();
  Future<int> passed = door.Ask(Pass{});
  Future<int> opened = door.Ask(OpenUp{});
  Future<int> behind = door.Ask(Pass{});
  EXPECT_EQ(test_.Await(std::move(opened)).value_or(-1), 1);
  EXPECT_EQ(test_.Await(std::move(passed)).value_or(-1), 1);
  EXPECT_EQ(test_.Await(std::move(behind)).value_or(-1), 2);
}

TEST_F(CoroutineStateTest, EachStateHasAFormOfItsOwnForTheSameMessage) {
  Address<Door> door = SpawnDoor();
  EXPECT_EQ(test_.Await(door.Ask(OpenUp{})).value_or(-1), 1);
  EXPECT_EQ(test_.Await(door.Ask(OpenUp{})).value_or(-1), 10);
}

TEST_F(CoroutineStateTest, OneThatFailsChangesNoState) {
  Address<Door> door = SpawnDoor({.on_failure = OnFailure::kResume});
  EXPECT_EQ(test_.Await(door.Ask(OpenUp{.fail = true})).status(), absl::InternalError("std::runtime_error: jammed"));
  Future<int> passed = door.Ask(Pass{}, absl::Seconds(1));
  EXPECT_TRUE(absl::IsDeadlineExceeded(test_.Await(std::move(passed)).status())) << "it was not stashed";
}

TEST_F(CoroutineStateTest, WhatATimerMeansToBecomeMeanwhileComesAfterIt) {
  Address<Door> door = SpawnDoor();
  EXPECT_EQ(test_.Await(door.Ask(OpenUp{})).value_or(-1), 1);
  EXPECT_EQ(test_.Await(door.Ask(Pass{})).value_or(-1), 1);
  door.Tell(SlamSoon{});
  EXPECT_EQ(test_.Await(door.Ask(OpenUp{})).value_or(-1), 20) << "its state went away while it waited";
  EXPECT_TRUE(absl::IsDeadlineExceeded(test_.Await(door.Ask(Pass{}, absl::Seconds(1))).status())) << "it is not shut";
}

TEST_F(CoroutineStateTest, AStopEndsItWhereItWaits) {
  Address<Door> door = SpawnDoor();
  Future<int> opened = door.Ask(OpenUp{});
  test_.Settle();
  door.Stop();
  EXPECT_TRUE(absl::IsUnknown(test_.Await(std::move(opened)).status()));
}

}  // namespace
}  // namespace troupe
