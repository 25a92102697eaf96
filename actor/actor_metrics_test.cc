// What a system shows of its actors: metrics by name, dead letters in the log.
#include "actor/actor_metrics.h"

#include <thread>

#include "actor/actor.h"
#include "actor/log_lines.h"
#include "actor/test_actors.h"
#include "actor/thread_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::AllOf;
using testing::Crash;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LogLines;
using ::testing::Lt;
using testing::Note;
using testing::Notebook;
using testing::TestSystem;

// Zero in everything when there is no such name.
ActorMetrics Of(const ActorSystem& system, const std::string& name) {
  for (ActorMetrics& metrics : system.Metrics().by_name) {
    if (metrics.name == name) return metrics;
  }
  return {};
}
const char kNotebook[] = "troupe::testing::Notebook";

uint64_t Letters(const ActorMetrics& metrics, DeadLetterReason reason) {
  return metrics.dead_letters[static_cast<size_t>(reason)];
}

TEST(MetricsTest, AnActorCountsUnderItsNameOrElseUnderItsType) {
  TestSystem test;
  Address<Notebook> named = test.system.Spawn<Notebook>();
  ASSERT_TRUE(test.system.Register("diary", named).ok());
  Address<Notebook> first = test.system.Spawn<Notebook>();
  Address<Notebook> second = test.system.Spawn<Notebook>();
  for (int i = 0; i < 3; ++i) named.Tell(Note{"1"});
  first.Tell(Note{"1"});
  second.Tell(Note{"1"});
  test.Settle();
  EXPECT_EQ(Of(test.system, "diary").alive, 1u);
  EXPECT_EQ(Of(test.system, "diary").handled, 3u);
  EXPECT_EQ(Of(test.system, kNotebook).alive, 2u);
  EXPECT_EQ(Of(test.system, kNotebook).handled, 2u);
  EXPECT_EQ(test.system.Metrics().total.alive, 3u);
  EXPECT_EQ(test.system.Metrics().total.handled, 5u);
}

TEST(MetricsTest, WhatAnActorHasDoneCountsUnderItsTypeWhenItHasEnded) {
  TestSystem test;
  Address<Notebook> named = test.system.Spawn<Notebook>(SpawnOptions{.mailbox_capacity = 2});
  ASSERT_TRUE(test.system.Register("diary", named).ok());
  EXPECT_TRUE(named.Tell(Note{"1"}));
  EXPECT_TRUE(named.Tell(Crash{}));
  EXPECT_FALSE(named.Tell(Note{"refused"}));
  test.Settle();
  named.Stop();
  test.Settle();
  EXPECT_EQ(Of(test.system, "diary").handled, 0u);
  const ActorMetrics ended = Of(test.system, kNotebook);
  EXPECT_EQ(ended.alive, 0u);
  EXPECT_EQ(ended.handled, 2u);
  EXPECT_EQ(ended.restarts, 1u);
  EXPECT_EQ(ended.mailbox_high_mark, 2u);
  EXPECT_EQ(Letters(ended, DeadLetterReason::kMailboxFull), 1u);
}

TEST(MetricsTest, TheHighMarkStaysWhenTheMailboxIsEmptyAgain) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  test.Settle();
  for (int i = 0; i < 7; ++i) notebook.Tell(Note{"1"});
  EXPECT_EQ(Of(test.system, kNotebook).mailbox_depth, 7u);
  EXPECT_EQ(Of(test.system, kNotebook).mailbox_high_mark, 0u);
  test.Settle();
  EXPECT_EQ(Of(test.system, kNotebook).mailbox_depth, 0u);
  EXPECT_EQ(Of(test.system, kNotebook).mailbox_high_mark, 7u);
  EXPECT_EQ(test.system.List().front().mailbox_high_mark, 7u);
}

TEST(MetricsTest, DeadLettersAreCountedByNameAndReason) {
  TestSystem test;
  Address<Notebook> full = test.system.Spawn<Notebook>(SpawnOptions{.mailbox_capacity = 1});
  Address<Notebook> gone = test.system.Spawn<Notebook>();
  ASSERT_TRUE(test.system.Register("full", full).ok());
  gone.Stop();
  test.Settle();
  full.Tell(Note{"taken"});
  full.Tell(Note{"refused"});
  full.Tell(Note{"refused"});
  gone.Tell(Note{"too late"});
  EXPECT_EQ(Letters(Of(test.system, "full"), DeadLetterReason::kMailboxFull), 2u);
  EXPECT_EQ(Letters(Of(test.system, kNotebook), DeadLetterReason::kTerminated), 1u);
  EXPECT_EQ(test.system.Metrics().total.AllDeadLetters(), 3u);
}

// Stands for an actor of another node that cannot be reached.
class LostCell : public Cell {
 public:
  explicit LostCell(ActorSystem& system) : system_(system) {}
  bool Deliver(std::unique_ptr<Envelope> envelope) override {
    system_.CountFarDeadLetter(DeadLetterReason::kUnreachable, *this, *envelope);
    return false;
  }
  void Stop() override {}
  void AddWatcher(std::shared_ptr<Cell>) override {}
  void RemoveWatcher(ActorId) override {}
  void NotifyTerminated(ActorId, absl::Status) override {}
  ActorId id() const override { return ActorId{1}; }
  bool alive() const override { return true; }
  std::string label() const override { return "diary on n2"; }
  Executor& executor() override { return system_.executor(); }

 private:
  ActorSystem& system_;
};

TEST(MetricsTest, DeadLettersOfFarActorsHaveARowOfTheirOwn) {
  TestSystem test;
  std::vector<std::string> recipients;
  test.system.OnDeadLetter([&](const DeadLetter& letter) { recipients.push_back(letter.recipient); });
  EXPECT_FALSE(Address<Notebook>(std::make_shared<LostCell>(test.system)).Tell(Note{"lost"}));
  EXPECT_THAT(recipients, ElementsAre("diary on n2"));
  EXPECT_EQ(Letters(Of(test.system, "actors of other nodes"), DeadLetterReason::kUnreachable), 1u);
  EXPECT_EQ(test.system.Metrics().total.AllDeadLetters(), 1u);
}

TEST(MetricsTest, WhoHasHandledMostComesFirstInTheTextAndTheRestIsCounted) {
  TestSystem test;
  for (const char* name : {"lazy", "busy"}) {
    Address<Notebook> notebook = test.system.Spawn<Notebook>();
    ASSERT_TRUE(test.system.Register(name, notebook).ok());
    notebook.Tell(Note{"1"});
    if (std::string_view(name) == "busy") notebook.Tell(Note{"2"});
  }
  test.Settle();
  const std::string text = test.system.Metrics().ToText();
  EXPECT_THAT(text, AllOf(HasSubstr("all actors"), HasSubstr("lazy")));
  EXPECT_LT(text.find("busy"), text.find("lazy")) << text;
  EXPECT_THAT(test.system.Metrics().ToText(/*most=*/1), HasSubstr("and 1 more"));
}

// Keeps its worker busy for so long.
struct Work {
  using Result = int;
  Duration time;
};
class Worker : public Actor<Worker> {
 public:
  int Handle(Work work, Context& context) {
    const Instant end = context.Now() + work.time;
    while (context.Now() < end) {
    }
    return 0;
  }
};

TEST(MetricsTest, HandlingTimesAreThoseOfAFairSample) {
  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  constexpr int kMessages = 4'000;
  Address<Worker> worker = system.Spawn<Worker>(SpawnOptions{.mailbox_capacity = kMessages + 1});
  // One in ten takes long, always after as many quick ones.
  for (int i = 0; i < kMessages; ++i) {
    worker.Tell(Work{i % 10 == 0 ? absl::Microseconds(200) : absl::ZeroDuration()});
  }
  ASSERT_TRUE(worker.Ask(Work{}, absl::Minutes(1)).Wait().ok());
  const ActorMetrics metrics = Of(system, "troupe::(anonymous namespace)::Worker");
  EXPECT_EQ(metrics.handled, kMessages + 1u);
  EXPECT_GT(metrics.handling_nanos.count(), kMessages / 64 / 2u);
  EXPECT_LT(metrics.handling_nanos.count(), kMessages / 64 * 2u);
  EXPECT_LT(metrics.HandlingTime(50), absl::Microseconds(150));
  EXPECT_THAT(system.Metrics().ToText(), HasSubstr("us "));
  EXPECT_GE(metrics.HandlingTime(99), absl::Microseconds(180));
}

TEST(MetricsTest, MayBeReadWhileActorsComeWorkAndGoAndLoseNothing) {
  ThreadExecutor executor({.workers = 2});
  ActorSystem system(executor);
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) EXPECT_LE(system.Metrics().total.handled, 2u * 500 * 3);
  });
  std::vector<std::thread> users;
  for (int u = 0; u < 2; ++u) {
    users.emplace_back([&, u] {
      for (int i = 0; i < 500; ++i) {
        Address<Notebook> notebook = system.Spawn<Notebook>();
        if (i % 2 == 0) {
          ASSERT_TRUE(system.Register(std::to_string(u) + "/" + std::to_string(i), notebook).ok());
        }
        notebook.Tell(Note{"1"});
        notebook.Tell(Note{"2"});
        ASSERT_TRUE(notebook.Ask(Note{"3"}, absl::Minutes(1)).Wait().ok());
        notebook.Stop();
      }
    });
  }
  for (std::thread& user : users) user.join();
  ASSERT_TRUE(system.Shutdown(absl::Minutes(1)).ok());
  done = true;
  reader.join();
  EXPECT_EQ(system.Metrics().total.alive, 0u);
  EXPECT_EQ(Of(system, kNotebook).handled, 2u * 500 * 3);
}

TEST(DeadLetterLogTest, ShowsTheFirstFewAndAtTheEndOfTheMinuteHowManyItDidNot) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  ASSERT_TRUE(test.system.Register("diary", notebook).ok());
  notebook.Stop();
  test.Settle();
  LogLines log;
  for (int i = 0; i < 1'000; ++i) notebook.Tell(Note{"too late"});
  const std::vector<std::string> lines = log.Take();
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines.front(), "dead letter: troupe::testing::Note for diary (terminated)");
  test.simulator.RunFor(absl::Seconds(59));
  EXPECT_THAT(log.Take(), IsEmpty());
  test.simulator.RunFor(absl::Seconds(1));
  EXPECT_THAT(log.Take(), ElementsAre("dead letters: 995 more within 1m were not shown (995 terminated)"));
  notebook.Tell(Note{"in the next interval"});
  EXPECT_EQ(log.Take().size(), 1u);
  test.simulator.RunFor(absl::Minutes(10));
  EXPECT_THAT(log.Take(), IsEmpty()) << "nothing was hidden";
}

TEST(FailureLogTest, ShowsOneASecondOrSoAndAtTheEndOfTheMinuteHowManyItDidNot) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>(SpawnOptions{.on_failure = OnFailure::kResume});
  LogLines log;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(absl::IsInternal(test.Await(notebook.Ask(Crash{})).status()));
  EXPECT_EQ(log.Take().size(), 60u);
  test.RunFor(absl::Minutes(1));
  EXPECT_THAT(log.Take(), ElementsAre("failures of actors: 940 more lines were not shown"));
}

TEST(DeadLetterLogTest, IsSilentWhileTheSystemShutsDown) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  test.Settle();
  LogLines log;
  notebook.Tell(Note{"unread"});
  test.system.BeginShutdown();
  test.Settle();
  EXPECT_EQ(test.system.stats().dead_letters, 1u);
  EXPECT_THAT(log.Take(), IsEmpty());
}

TEST(DeadLetterLogTest, LosesNoneOfACountFromManyThreads) {
  internal::DeadLetterCounts counts;
  std::atomic<uint64_t> shown{0};
  std::atomic<uint64_t> intervals{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        const auto log = counts.Count(DeadLetterReason::kExpired);
        shown += log != internal::LogLimit::Line::kHide;
        intervals += log == internal::LogLimit::Line::kShowAndBeginInterval;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counts.total(), 40'000u);
  EXPECT_EQ(shown, 5u);
  EXPECT_EQ(intervals, 1u);
  EXPECT_THAT(counts.EndInterval(), HasSubstr("39995 more"));
  EXPECT_EQ(counts.EndInterval(), "");
}

}  // namespace
}  // namespace troupe
