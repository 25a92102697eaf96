// The tools of a Context beside messages: stash, idle timeout, batches, the stop token of blocking work, draining.
#include <functional>
#include <future>
#include <numeric>
#include <stop_token>
#include <thread>

#include "actor/actor.h"
#include "actor/test_actors.h"
#include "actor/thread_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::Crash;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::StopYourself;
using testing::TestSystem;
using testing::Urgent;

// Puts jobs aside until the gate opens.
struct Job {
  using Result = std::string;
  std::string name;
};
struct LaterJob {
  using Result = std::string;
  std::string name;
};
struct OpenGate {};
class Gate : public Actor<Gate> {
 public:
  static constexpr size_t kStashLimit = 3;

  explicit Gate(std::vector<std::string>* log) : log_(log) {}

  std::string Handle(Job job, Context& context) {
    if (!open_) {
      last_stash_ = context.Stash(std::move(job));
      return "goes nowhere";
    }
    log_->push_back(job.name);
    return job.name + " done";
  }
  void Handle(LaterJob job, Reply<std::string> reply, Context& context) {
    if (!open_) {
      last_stash_ = context.Stash(std::move(job), std::move(reply));
      return;
    }
    log_->push_back(job.name);
    reply(job.name + " done later");
  }
  void Handle(OpenGate, Context& context) {
    open_ = true;
    context.UnstashAll();
  }
  void Handle(Urgent urgent, Context&) { log_->push_back(urgent.text); }
  std::string Handle(Crash, Context&) { throw std::runtime_error("gate fell"); }
  std::vector<std::string> Handle(ReadNotes, Context&) { return {std::string(last_stash_.message())}; }

 private:
  std::vector<std::string>* log_;
  bool open_ = false;
  absl::Status last_stash_;
};

TEST(StashTest, WhatWasPutAsideComesBackInItsOrderBeforeTheMailThatWaits) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Gate> gate = test.system.Spawn<Gate>(&log);
  gate.Tell(Job{"1"});
  gate.Tell(LaterJob{"2"});
  gate.Tell(Job{"3"});
  gate.Tell(OpenGate{});
  gate.Tell(Job{"4"});
  test.Settle();
  EXPECT_THAT(log, ElementsAre("1", "2", "3", "4"));
}

TEST(StashTest, KeepsTheAskerAndItsDeadline) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Gate> gate = test.system.Spawn<Gate>(&log);
  Future<std::string> patient = gate.Ask(Job{"patient"}, absl::Seconds(60));
  Future<std::string> later = gate.Ask(LaterJob{"later"}, absl::Seconds(60));
  Future<std::string> hasty = gate.Ask(Job{"hasty"}, absl::Seconds(1));
  EXPECT_TRUE(absl::IsDeadlineExceeded(test.Await(std::move(hasty)).status()));
  gate.Tell(OpenGate{});
  EXPECT_EQ(*test.Await(std::move(patient)), "patient done");
  EXPECT_EQ(*test.Await(std::move(later)), "later done later");
  test.Settle();
  EXPECT_THAT(log, ElementsAre("patient", "later")) << "what nobody waits for is not handled";
  EXPECT_EQ(test.system.stats().dead_letters, 1u);
}

TEST(StashTest, IsBoundedAndTheMessageTooManyIsADeadLetterWhoseAskerIsTold) {
  TestSystem test;
  std::vector<std::string> log;
  std::vector<DeadLetterReason> dead;
  test.system.OnDeadLetter([&](const DeadLetter& letter) { dead.push_back(letter.reason); });
  Address<Gate> gate = test.system.Spawn<Gate>(&log);
  for (const char* name : {"1", "2", "3"}) gate.Tell(Job{name});
  EXPECT_TRUE(absl::IsResourceExhausted(test.Await(gate.Ask(Job{"4"})).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(test.Await(gate.Ask(LaterJob{"5"})).status()));
  EXPECT_THAT((*test.Await(gate.Ask(ReadNotes{})))[0], HasSubstr("stash"));
  EXPECT_THAT(dead, ElementsAre(DeadLetterReason::kStashFull, DeadLetterReason::kStashFull));
}

TEST(StashTest, ExpiredAsksMakeRoom) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Gate> gate = test.system.Spawn<Gate>(&log);
  for (const char* name : {"1", "2", "3"}) (void)gate.Ask(Job{name}, absl::Seconds(1));
  test.simulator.RunFor(absl::Seconds(2));
  for (const char* name : {"4", "5", "6"}) gate.Tell(Job{name});
  gate.Tell(OpenGate{});
  test.Settle();
  EXPECT_THAT(log, ElementsAre("4", "5", "6"));
}

TEST(StashTest, ARestartKeepsItAndBringsItBackFirst) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Gate> gate = test.system.Spawn<Gate>(&log);
  Future<std::string> stashed = gate.Ask(Job{"stashed"}, absl::Seconds(60));
  gate.Tell(Crash{});
  gate.Tell(OpenGate{});
  gate.Tell(Job{"after"});
  // Put aside again by the new incarnation, whose gate is shut too.
  EXPECT_EQ(*test.Await(std::move(stashed)), "stashed done");
  test.Settle();
  EXPECT_THAT(log, ElementsAre("stashed", "after"));
}

// Brings back all that it has put aside with each message that it puts aside for the first time.
class Reluctant : public Actor<Reluctant> {
 public:
  explicit Reluctant(std::vector<std::string>* log) : log_(log) {}
  void Handle(Note note, Context& context) {
    log_->push_back(note.text);
    if (note.text.back() == '!') return;
    note.text += count_++ < 3 ? "" : "!";
    EXPECT_TRUE(context.Stash(std::move(note)).ok());
    if (count_ >= 3) context.UnstashAll();
  }

 private:
  std::vector<std::string>* log_;
  int count_ = 0;
};

TEST(StashTest, WhatIsPutAsideAgainComesBeforeWhatWasPutAsideAfterIt) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Reluctant> reluctant = test.system.Spawn<Reluctant>(&log);
  for (const char* text : {"1", "2", "3", "4!"}) reluctant.Tell(Note{text});
  test.Settle();
  EXPECT_THAT(log, ElementsAre("1", "2", "3", "1", "1!", "2", "2!", "3", "3!", "4!"));
}

// Fails at each job named "bad", and puts nothing aside after its first failure.
class Stumbling : public Actor<Stumbling> {
 public:
  Stumbling(std::vector<std::string>* log, bool* open) : log_(log), open_(open) {}
  void Handle(Note note, Context& context) {
    if (!*open_) return context.Stash(std::move(note)).IgnoreError();
    log_->push_back(note.text);
    if (note.text == "bad") throw std::runtime_error("bad");
  }
  void Handle(OpenGate, Context& context) {
    *open_ = true;
    context.UnstashAll();
  }

 private:
  std::vector<std::string>* log_;
  bool* open_;
};

TEST(StashTest, AFailureWhileItComesBackLosesOnlyTheMessageAtFault) {
  TestSystem test;
  std::vector<std::string> log;
  bool open = false;
  Address<Stumbling> stumbling =
      test.system.Spawn<Stumbling>(SpawnOptions{.restart_backoff = {.initial = absl::Seconds(1)}}, &log, &open);
  for (const char* text : {"1", "bad", "2"}) stumbling.Tell(Note{text});
  stumbling.Tell(OpenGate{});
  stumbling.Tell(Note{"3"});
  test.Settle();
  EXPECT_THAT(log, ElementsAre("1", "bad"));
  test.simulator.RunFor(absl::Seconds(2));
  EXPECT_THAT(log, ElementsAre("1", "bad", "2", "3"));
}

TEST(StashTest, WhatIsInItWhenTheActorTerminatesIsADeadLetterAndItsAskerIsTold) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Gate> gate = test.system.Spawn<Gate>(&log);
  Future<std::string> stashed = gate.Ask(Job{"stashed"});
  gate.Tell(Job{"told"});
  test.Settle();
  gate.Stop();
  EXPECT_TRUE(absl::IsUnavailable(test.Await(std::move(stashed)).status()));
  EXPECT_EQ(test.system.stats().dead_letters, 2u);
}

TEST(StashTest, AStopOutranksWhatComesBack) {
  TestSystem test;
  std::vector<std::string> log;
  Address<Gate> gate = test.system.Spawn<Gate>(&log);
  for (const char* name : {"1", "2", "3"}) gate.Tell(Job{name});
  gate.Tell(OpenGate{});
  while (log.empty()) test.simulator.Step();
  gate.Stop();
  test.Settle();
  EXPECT_FALSE(gate.alive());
  EXPECT_LT(log.size(), 3u);
}

// Stashes what it should not.
struct Misuse {
  int kind = 0;
};
class Misuser : public Actor<Misuser> {
 public:
  explicit Misuser(std::vector<absl::Status>* statuses) : statuses_(statuses) {}
  void Handle(Misuse misuse, Context& context) {
    if (misuse.kind == 0) {
      statuses_->push_back(context.Stash(Note{"another type"}));
    } else if (misuse.kind == 1) {
      statuses_->push_back(context.Stash(misuse));
      statuses_->push_back(context.Stash(misuse));
    } else {
      // By when it runs, the message in hand is gone.
      context.Then(ResolvedFuture<void>(absl::OkStatus()),
                   [this, context](absl::Status) mutable { statuses_->push_back(context.Stash(Misuse{})); });
    }
  }
  void Handle(Note, Context&) {}

 private:
  std::vector<absl::Status>* statuses_;
};

// Puts the message aside and keeps its asker for another answer.
struct Weigh {
  using Result = int;
};
class Splitter : public Actor<Splitter> {
 public:
  explicit Splitter(bool* came_back) : came_back_(came_back) {}
  void Handle(Weigh weigh, Reply<int> reply, Context& context) {
    if (std::exchange(first_, false)) {
      EXPECT_TRUE(context.Stash(weigh).ok());
      reply(1);
      return context.UnstashAll();
    }
    EXPECT_FALSE(reply.asked());
    *came_back_ = true;
  }

 private:
  bool* came_back_;
  bool first_ = true;
};

TEST(StashTest, AMessageMayBePutAsideWithoutItsAskerWhoIsAnsweredByTheHandlerThatHasTheReply) {
  TestSystem test;
  bool came_back = false;
  Address<Splitter> splitter = test.system.Spawn<Splitter>(&came_back);
  EXPECT_EQ(test.Await(splitter.Ask(Weigh{})).value_or(-1), 1);
  test.Settle();
  EXPECT_TRUE(came_back);
}

TEST(StashTest, OnlyTheMessageInHandCanBePutAsideAndOnlyOnce) {
  TestSystem test;
  std::vector<absl::Status> statuses;
  Address<Misuser> misuser = test.system.Spawn<Misuser>(&statuses);
  for (int kind : {0, 1, 2}) misuser.Tell(Misuse{kind});
  test.Settle();
  ASSERT_EQ(statuses.size(), 4u);
  EXPECT_TRUE(absl::IsFailedPrecondition(statuses[0]));
  EXPECT_TRUE(statuses[1].ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(statuses[2]));
  EXPECT_TRUE(absl::IsFailedPrecondition(statuses[3]));
}

// Writes down each batch that it gets.
struct Append {
  int number = 0;
};
struct Query {
  using Result = int;
  int number = 0;
};
struct Flush {};
class Journal : public Actor<Journal> {
 public:
  static constexpr size_t kMaxBatch = 4;

  explicit Journal(std::vector<std::vector<int>>* batches) : batches_(batches) {}

  void Handle(Batch<Append>& batch, Context& context) {
    std::vector<int>& numbers = batches_->emplace_back();
    for (auto& [append, reply] : batch) numbers.push_back(append.number);
    if (numbers.front() == 13) throw std::runtime_error("unlucky");
    if (numbers.front() == 14) context.Fail(absl::DataLossError("unlucky too"));
    if (numbers.front() == 15) {
      context.RunBlocking([] { return absl::UnknownError("disk"); },
                          [batch = std::move(batch)](absl::Status written) mutable { batch.Answer(written); });
    }
  }
  void Handle(Batch<Query>& batch, Context&) {
    for (auto& [query, reply] : batch) {
      if (query.number % 2 == 0) reply(query.number * 10);
    }
  }
  void Handle(Flush, Context&) { batches_->emplace_back(); }

 private:
  std::vector<std::vector<int>>* batches_;
};

class BatchTest : public ::testing::Test {
 protected:
  TestSystem test;
  std::vector<std::vector<int>> batches;
  Address<Journal> journal = test.system.Spawn<Journal>(&batches);
};

TEST_F(BatchTest, IsWhatWaitsNowInItsOrderUpToItsLimitAndUpToTheNextMessageOfAnotherType) {
  for (int i = 1; i <= 6; ++i) journal.Tell(Append{i});
  journal.Tell(Flush{});
  journal.Tell(Append{7});
  test.Settle();
  EXPECT_THAT(batches, ElementsAre(ElementsAre(1, 2, 3, 4), ElementsAre(5, 6), IsEmpty(), ElementsAre(7)));
  EXPECT_EQ(test.system.List()[0].handled, 8u);
  EXPECT_EQ(test.system.List()[0].mailbox_depth, 0u);
}

TEST_F(BatchTest, WorksWithAMailboxThatDropsItsOldest) {
  Address<Journal> dropping =
      test.system.Spawn<Journal>(SpawnOptions{.mailbox_capacity = 3, .overflow = Overflow::kDropOldest}, &batches);
  for (int i = 1; i <= 5; ++i) dropping.Tell(Append{i});
  test.Settle();
  EXPECT_THAT(batches, ElementsAre(ElementsAre(3, 4, 5)));
}

TEST_F(BatchTest, AnswersWithOkOrThroughTheRepliesInIt) {
  Future<void> append = journal.Ask(Append{1});
  Future<int> even = journal.Ask(Query{2});
  Future<int> odd = journal.Ask(Query{3});
  EXPECT_TRUE(test.Await(std::move(append)).ok());
  EXPECT_EQ(*test.Await(std::move(even)), 20);
  EXPECT_TRUE(absl::IsUnknown(test.Await(std::move(odd)).status())) << "was let go without an answer";
}

TEST_F(BatchTest, AFailureIsTheAnswerToAllItsAskers) {
  for (int unlucky : {13, 14}) {
    Future<void> first = journal.Ask(Append{unlucky});
    Future<void> second = journal.Ask(Append{unlucky});
    EXPECT_THAT(std::string(test.Await(std::move(first)).message()), HasSubstr("unlucky"));
    EXPECT_THAT(std::string(test.Await(std::move(second)).message()), HasSubstr("unlucky"));
  }
  EXPECT_EQ(test.system.stats().restarts, 2u);
}

TEST_F(BatchTest, MayBeKeptAndAnsweredLater) {
  Future<void> first = journal.Ask(Append{15});
  Future<void> second = journal.Ask(Append{16});
  EXPECT_EQ(test.Await(std::move(first)).message(), "disk");
  EXPECT_EQ(test.Await(std::move(second)).message(), "disk");
  EXPECT_EQ(batches.size(), 1u);
}

TEST_F(BatchTest, IsNoWayAroundThoseThatADrainHandlesFirst) {
  for (int i = 1; i <= 3; ++i) journal.Tell(Append{i});
  journal.Tell(Flush{});
  journal.Tell(Append{4});
  std::static_pointer_cast<LocalCell>(journal.cell())->Drain();
  while (batches.empty()) test.simulator.Step();
  journal.Tell(Append{5});
  test.Settle();
  EXPECT_THAT(batches, ElementsAre(ElementsAre(1, 2, 3), IsEmpty(), ElementsAre(4)));
}

TEST_F(BatchTest, LeavesOutWhatNobodyWaitsForAnyMore) {
  journal.Tell(Append{1});
  (void)journal.Ask(Append{2}, absl::ZeroDuration());
  journal.Tell(Append{3});
  test.Settle();
  EXPECT_THAT(batches, ElementsAre(ElementsAre(1, 3)));
}

// Runs work that lasts until it is told to end.
struct BeginWork {};
class LongWorker : public Actor<LongWorker> {
 public:
  LongWorker(std::promise<void>* begun, std::promise<void>* ended) : begun_(begun), ended_(ended) {}
  void Handle(BeginWork, Context& context) {
    context.RunBlocking(
        [begun = begun_, ended = ended_](std::stop_token token) {
          begun->set_value();
          while (!token.stop_requested()) std::this_thread::yield();
          ended->set_value();
          return absl::OkStatus();
        },
        [](absl::Status) { FAIL() << "the incarnation is gone"; });
  }
  std::string Handle(Crash, Context&) { throw std::runtime_error("fell"); }

 private:
  std::promise<void>* begun_;
  std::promise<void>* ended_;
};

TEST(StopTokenTest, LongWorkSeesThatItsIncarnationEndsByAStopARestartOrAShutdown) {
  const std::function<void(ActorSystem&, Address<LongWorker>)> kEnds[] = {
      [](ActorSystem&, Address<LongWorker> worker) { worker.Stop(); },
      [](ActorSystem&, Address<LongWorker> worker) { worker.Tell(Crash{}); },
      [](ActorSystem& system, Address<LongWorker>) { system.BeginShutdown(); }};
  for (const auto& end : kEnds) {
    ThreadExecutor executor({.workers = 1, .blocking_threads = 1});
    ActorSystem system(executor);
    std::promise<void> begun;
    std::promise<void> ended;
    Address<LongWorker> worker = system.Spawn<LongWorker>(&begun, &ended);
    worker.Tell(BeginWork{});
    begun.get_future().wait();
    end(system, worker);
    ended.get_future().wait();
    EXPECT_TRUE(system.Shutdown(absl::Minutes(1)).ok());
  }
}

// Gives out its tokens; has a child, which ends before it.
class Holder : public Actor<Holder> {
 public:
  Holder(std::vector<std::stop_token>* tokens, std::vector<Address<Notebook>>* children)
      : tokens_(tokens), children_(children) {}
  void Started(Context& context) {
    tokens_->push_back(context.StopToken());
    children_->push_back(context.Spawn<Notebook>());
  }
  std::string Handle(Crash, Context&) { throw std::runtime_error("fell"); }

 private:
  std::vector<std::stop_token>* tokens_;
  std::vector<Address<Notebook>>* children_;
};

TEST(StopTokenTest, IsEachIncarnationsOwnAndToldBeforeItsChildrenHaveEnded) {
  TestSystem test;
  std::vector<std::stop_token> tokens;
  std::vector<Address<Notebook>> children;
  Address<Holder> holder = test.system.Spawn<Holder>(&tokens, &children);
  test.Settle();
  holder.Tell(Crash{});
  while (!tokens[0].stop_requested()) test.simulator.Step();
  EXPECT_TRUE(children[0].alive());
  test.Settle();
  ASSERT_EQ(tokens.size(), 2u);
  EXPECT_FALSE(tokens[1].stop_requested());
  holder.Stop();
  while (!tokens[1].stop_requested()) test.simulator.Step();
  EXPECT_TRUE(children[1].alive());
}

}  // namespace
}  // namespace troupe
