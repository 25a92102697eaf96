// Claims of groups 2 and 3 of docs/actors.md: mailboxes, dead letters, and what the threads promise.
#include <time.h>

#include <future>
#include <thread>

#include "actor/actor.h"
#include "actor/deterministic_executor.h"
#include "actor/log_lines.h"
#include "actor/placed_executor.h"
#include "actor/recipient.h"
#include "actor/test_actors.h"
#include "actor/thread_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::AnyOf;
using testing::Crash;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::LogLines;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::TestSystem;
using testing::Urgent;

TEST(MailboxLimitTest, IsOneThousandAndTwentyFourUnlessTheSpawnSaysOtherwise) {
  const struct {
    SpawnOptions options;
    int taken;
  } kCases[] = {{{}, 1024}, {{.mailbox_capacity = 1}, 1}, {{.mailbox_capacity = 5000}, 5000}};
  for (const auto& c : kCases) {
    TestSystem test;
    Address<Notebook> notebook = test.system.Spawn<Notebook>(c.options);
    int taken = 0;
    while (notebook.Tell(Note{"another"})) ++taken;
    EXPECT_EQ(taken, c.taken);
  }
}

// Tells itself until its mailbox refuses.
struct FillYourself {
  using Result = int;
};
class Talker : public Actor<Talker> {
 public:
  int Handle(FillYourself, Context& context) {
    int taken = 0;
    while (context.self().Tell(Note{"to myself"})) ++taken;
    return taken;
  }
  void Handle(Note, Context&) {}
};

TEST(MailboxLimitTest, ATellToOneselfIsRefusedWhenFullAndNeitherBlocksNorFailsTheSender) {
  TestSystem test;
  Address<Talker> talker = test.system.Spawn<Talker>(SpawnOptions{.mailbox_capacity = 8});
  // The message in hand may still have its place.
  EXPECT_THAT(*test.Await(talker.Ask(FillYourself{})), AnyOf(7, 8));
  test.Settle();
  EXPECT_THAT(*test.Await(talker.Ask(FillYourself{})), AnyOf(7, 8)) << "it has read its mail and goes on";
  EXPECT_EQ(test.system.stats().restarts, 0u);
}

struct WatchThis {
  Address<Notebook> actor;
};
class Observer : public Actor<Observer> {
 public:
  explicit Observer(std::vector<std::string>* seen) : seen_(seen) {}
  void Handle(WatchThis watch, Context& context) { context.Watch(watch.actor); }
  void Handle(Note note, Context&) { seen_->push_back(std::move(note.text)); }
  void Handle(Urgent urgent, Context&) { seen_->push_back(std::move(urgent.text)); }
  void Handle(Terminated, Context&) { seen_->push_back("terminated"); }

 private:
  std::vector<std::string>* seen_;
};

TEST(MailboxLimitTest, NoPolicyEverDropsAControlMessageOrANotice) {
  for (Overflow overflow : {Overflow::kReject, Overflow::kDropNewest, Overflow::kDropOldest}) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      TestSystem test(seed);
      std::vector<std::string> seen;
      Address<Observer> observer =
          test.system.Spawn<Observer>(SpawnOptions{.mailbox_capacity = 1, .overflow = overflow}, &seen);
      Address<Notebook> notebook = test.system.Spawn<Notebook>();
      observer.Tell(WatchThis{notebook});
      test.Settle();
      observer.Tell(Note{"fills the mailbox"});
      notebook.Stop();
      for (int i = 0; i < 3; ++i) observer.Tell(Urgent{"urgent"});
      for (int i = 0; i < 3; ++i) observer.Tell(Note{"too much"});
      test.Settle();
      EXPECT_EQ(std::count(seen.begin(), seen.end(), "urgent"), 3) << "seed " << seed;
      EXPECT_EQ(std::count(seen.begin(), seen.end(), "terminated"), 1) << "seed " << seed;
    }
  }
}

TEST(DeadLetterTest, EveryDropIsOneWithItsReasonItsRecipientAndItsType) {
  TestSystem test;
  std::vector<std::string> letters;
  test.system.OnDeadLetter([&](const DeadLetter& letter) {
    EXPECT_THAT(letter.message_type, HasSubstr("Note"));
    letters.push_back(letter.recipient + " " + std::to_string(static_cast<int>(letter.reason)));
  });
  Address<Notebook> notebook = test.system.Spawn<Notebook>(SpawnOptions{.mailbox_capacity = 1});
  ASSERT_TRUE(test.system.Register("notebook", notebook).ok());
  test.Settle();
  EXPECT_TRUE(absl::IsDeadlineExceeded(test.Await(notebook.Ask(Note{"expired"}, -absl::Seconds(1)))));
  test.Settle();  // the answer may come before the turn
  notebook.Tell(Note{"unread"});
  EXPECT_FALSE(notebook.Tell(Note{"refused"}));
  notebook.Stop();
  test.Settle();
  EXPECT_FALSE(notebook.Tell(Note{"too late"}));
  auto line = [](DeadLetterReason reason) { return "notebook " + std::to_string(static_cast<int>(reason)); };
  EXPECT_THAT(letters, ElementsAre(line(DeadLetterReason::kExpired), line(DeadLetterReason::kMailboxFull),
                                   line(DeadLetterReason::kTerminated), line(DeadLetterReason::kTerminated)));
  EXPECT_EQ(test.system.stats().dead_letters, 4u);
}

TEST(DeadLetterTest, AnAskThatIsOneIsAnsweredWithTheReason) {
  EXPECT_TRUE(absl::IsUnavailable(DeadLetterStatus(DeadLetterReason::kTerminated, "a")));
  EXPECT_TRUE(absl::IsResourceExhausted(DeadLetterStatus(DeadLetterReason::kMailboxFull, "a")));
  EXPECT_TRUE(absl::IsDeadlineExceeded(DeadLetterStatus(DeadLetterReason::kExpired, "a")));
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>(SpawnOptions{.mailbox_capacity = 1});
  test.Settle();
  Future<void> unread = notebook.Ask(Note{"unread"});
  EXPECT_TRUE(absl::IsResourceExhausted(test.Await(notebook.Ask(Note{"refused"}))));
  EXPECT_TRUE(test.Await(std::move(unread)).ok());
}

TEST(DeadLetterTest, WhatStillWaitsWhenTheSystemIsDestroyedIsAnsweredAndLoggedButNotShownToTheHook) {
  LogLines log;
  int shown = 0;
  auto [answer, reply] = MakeFuture<std::vector<std::string>>();
  {
    TestSystem test;
    test.system.OnDeadLetter([&](const DeadLetter&) { ++shown; });
    Address<Notebook> notebook = test.system.Spawn<Notebook>(
        SpawnOptions{.restart_backoff = {.initial = absl::Hours(1), .max = absl::Hours(1)}});
    notebook.Tell(Crash{});
    test.Settle();
    notebook.Tell(Urgent{"put off until it has restarted"});
    test.Settle();
    notebook.Tell(Note{"in the mailbox"});
    notebook.Forward(ReadNotes{}, std::move(reply));
    log.Take();
  }
  EXPECT_TRUE(absl::IsUnavailable(std::move(answer).Wait().status()));
  EXPECT_EQ(shown, 0);
  EXPECT_THAT(log.Take(), ElementsAre("dead letters: 3 still waited when the system was destroyed"));
}

// What the threads promise. Each of these runs on real ones.

struct Numbered {
  int sender;
  int number;
};
struct CountDisorder {
  using Result = int;
};
class Checker : public Actor<Checker> {
 public:
  void Handle(Numbered message, Context&) {
    int& last = last_[message.sender];
    if (message.number != last + 1) ++disorder_;
    last = message.number;
  }
  int Handle(CountDisorder, Context&) { return disorder_; }

 private:
  int last_[4] = {};
  int disorder_ = 0;
};

TEST(ThreadsTest, EachSendersMessagesKeepTheirOrder) {
  constexpr int kEach = 5'000;
  ThreadExecutor executor({.workers = 4});
  ActorSystem system(executor);
  Address<Checker> checker = system.Spawn<Checker>(SpawnOptions{.mailbox_capacity = 4 * kEach + 1});
  std::vector<std::thread> senders;
  for (int s = 0; s < 4; ++s) {
    senders.emplace_back([&checker, s] {
      for (int i = 1; i <= kEach; ++i) checker.Tell(Numbered{s, i});
    });
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(*checker.Ask(CountDisorder{}, absl::Minutes(1)).Wait(), 0);
  EXPECT_TRUE(system.Shutdown(absl::Minutes(1)).ok());
}

// Always has a next message.
struct Again {};
class Restless : public Actor<Restless> {
 public:
  void Handle(Again, Context& context) { context.self().Tell(Again{}); }
};

TEST(ThreadsTest, AFloodedActorDoesNotStarveItsNeighboursNorItsOwnStop) {
  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  Address<Restless> restless = system.Spawn<Restless>();
  for (int i = 0; i < 100; ++i) restless.Tell(Again{});
  Address<Notebook> neighbour = system.Spawn<Notebook>();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(neighbour.Ask(Note{"my turn"}, absl::Seconds(30)).Wait().ok());
  }
  EXPECT_TRUE(restless.alive());
  EXPECT_TRUE(system.Shutdown(absl::Minutes(1)).ok());
}

Duration ProcessCpu() {
  timespec used = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return absl::DurationFromTimespec(used);
}

TEST(ThreadsTest, AnIdleSystemUsesNoCpu) {
  ThreadExecutor executor({.workers = 4});
  ActorSystem system(executor);
  std::vector<Address<Notebook>> idle;
  for (int i = 0; i < 1'000; ++i) idle.push_back(system.Spawn<Notebook>());
  for (const Address<Notebook>& notebook : idle) ASSERT_TRUE(notebook.Ask(Note{"1"}, absl::Minutes(1)).Wait().ok());
  std::promise<Duration> begin;
  std::promise<Duration> end;
  // The first moments may go on parking.
  executor.RunAt(executor.Now() + absl::Milliseconds(100), [&] { begin.set_value(ProcessCpu()); });
  executor.RunAt(executor.Now() + absl::Milliseconds(600), [&] { end.set_value(ProcessCpu()); });
  const Duration used = end.get_future().get() - begin.get_future().get();
  EXPECT_LT(used, absl::Milliseconds(25)) << "of 500 ms";
}

// Its coarse clock is as far behind as it may be.
class LaggingExecutor final : public PlacedExecutor {
 public:
  explicit LaggingExecutor(Executor& home) : PlacedExecutor(home), home_(home) {}
  Instant CoarseNow() const override { return Instant::FromNanos(home_.Now().nanos() - kCoarseNanos); }
  void Schedule(Runnable& runnable) override { home_.Schedule(runnable); }
  void AtEndOfTurn(std::shared_ptr<EndOfTurnHook> hook) override { home_.AtEndOfTurn(std::move(hook)); }
  void Stop() override { home_.Stop(); }

 private:
  Executor& home_;
};

TEST(AskTest, AMessageIsNotHandledPastItsDeadlineHoweverFarBehindTheCoarseClockIs) {
  Simulator simulator(1);
  DeterministicExecutor executor(simulator, 1);
  LaggingExecutor lagging(executor);
  ActorSystem system(lagging);
  Address<Notebook> notebook = system.Spawn<Notebook>();
  simulator.RunFor(absl::Seconds(1));
  simulator.Pause(executor.node(), notebook.id().value);
  int answers = 0;
  for (const int millis : {1, 3}) {
    notebook.Ask(ReadNotes{}, absl::Milliseconds(millis)).Then([&answers](const auto& notes) {
      answers += notes.ok();
    });
  }
  simulator.RunFor(absl::Milliseconds(2));
  simulator.Resume(executor.node(), notebook.id().value);
  simulator.RunFor(absl::ZeroDuration());
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(system.stats().dead_letters, 1u);
}

// Tells who sent it something, also what it had put aside.
struct WhoIsIt {
  using Result = std::vector<uint64_t>;
};
struct Knock {
  bool put_aside = false;
};
class Porter : public Actor<Porter> {
 public:
  void Handle(Knock knock, Context& context) {
    if (std::exchange(knock.put_aside, false)) return context.Stash(knock).IgnoreError();
    senders_.push_back(context.sender().value);
    if (Address<Porter> sender = context.SenderAs<Porter>()) sender.Tell(Note{"come in"});
    notebook_ = notebook_ || context.SenderAs<Notebook>();
  }
  void Handle(Note, Context& context) { senders_.push_back(context.sender().value); }
  void Handle(Address<Porter> door, Context& context) {
    door.Tell(Knock{});
    door.Tell(Knock{.put_aside = true});
    context.After(absl::Seconds(1), Note{"it is late"});
  }
  std::vector<uint64_t> Handle(WhoIsIt, Context& context) {
    if (!std::exchange(unstashed_, true)) context.UnstashAll();
    EXPECT_FALSE(notebook_);
    return senders_;
  }

 private:
  std::vector<uint64_t> senders_;
  bool notebook_ = false;
  bool unstashed_ = false;
};

TEST(SenderTest, IsKnownToTheHandlerAlsoOfWhatWasPutAsideAndIsNobodyOutside) {
  TestSystem test;
  Address<Porter> door = test.system.Spawn<Porter>();
  Address<Porter> guest = test.system.Spawn<Porter>();
  guest.Tell(door);
  test.RunFor(absl::Seconds(2));
  door.Tell(Knock{});
  test.Settle();
  ASSERT_TRUE(test.Await(door.Ask(WhoIsIt{})).ok());
  test.Settle();
  EXPECT_THAT(*test.Await(door.Ask(WhoIsIt{})), ElementsAre(guest.id().value, 0u, guest.id().value));
  EXPECT_THAT(*test.Await(guest.Ask(WhoIsIt{})), ElementsAre(door.id().value, guest.id().value, door.id().value))
      << "two welcomes and its own timer";
}

// Whose notes outrank the rest, though a note does not say so of itself.
class Newsroom : public Actor<Newsroom> {
 public:
  using Control = ControlMessages<Note>;
  void Handle(Note note, Context&) { lines_.push_back(note.text); }
  void Handle(Knock, Context&) { lines_.push_back("knock"); }
  std::vector<std::string> Handle(ReadNotes, Context&) { return lines_; }

 private:
  std::vector<std::string> lines_;
};

TEST(LanesTest, AnActorMayDeclareMessagesOfOthersAsControlForItself) {
  TestSystem test;
  Address<Newsroom> newsroom = test.system.Spawn<Newsroom>(SpawnOptions{.mailbox_capacity = 2});
  EXPECT_TRUE(newsroom.Tell(Knock{}));
  EXPECT_TRUE(newsroom.Tell(Knock{}));
  EXPECT_FALSE(newsroom.Tell(Knock{})) << "full";
  EXPECT_TRUE(newsroom.Tell(Note{"flash"}));
  EXPECT_TRUE(Recipient<Note>(newsroom).Tell(Note{"and again"}));
  test.Settle();
  EXPECT_THAT(*test.Await(newsroom.Ask(ReadNotes{})), ElementsAre("flash", "and again", "knock", "knock"));
}

}  // namespace
}  // namespace troupe
