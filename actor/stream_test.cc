// Streams into an actor: what they promise, under the deterministic executor, against a model, and on threads.
#include "actor/stream.h"

#include <atomic>
#include <future>
#include <map>
#include <stdexcept>
#include <thread>

#include "absl/strings/str_cat.h"
#include "actor/random.h"
#include "actor/test_actors.h"
#include "actor/thread_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::Crash;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Note;
using testing::TestSystem;

using Log = std::vector<std::string>;

struct Feed {
  using Result = StreamId;
  Stream<int> numbers;
  StreamDemand demand = StreamDemand::kAutomatic;
};
struct FeedWords {
  Stream<std::string> words;
};
struct AskFor {
  using Result = bool;
  StreamId stream = 0;
  uint64_t items = 0;
};
struct GiveUp {
  using Result = bool;
  StreamId stream = 0;
};

// Writes down what comes, as "stream:item". A negative number makes it fail.
class Collector : public Actor<Collector> {
 public:
  explicit Collector(Log* log) : log_(log) {}

  StreamId Handle(Feed feed, Context& context) { return context.AddStream(std::move(feed.numbers), feed.demand); }
  void Handle(FeedWords feed, Context& context) { context.AddStream(std::move(feed.words)); }
  bool Handle(AskFor ask, Context& context) { return context.Request(ask.stream, ask.items); }
  bool Handle(GiveUp give_up, Context& context) { return context.CancelStream(give_up.stream); }
  void Handle(Note note, Context&) { log_->push_back(note.text); }
  std::string Handle(Crash, Context&) { throw std::runtime_error("crashed"); }

  void Handle(StreamItem<int> number, Context&) {
    if (number.item < 0) throw std::out_of_range("a negative number");
    log_->push_back(absl::StrCat(number.stream, ":", number.item));
  }
  void Handle(StreamFinished<int> finished, Context&) { log_->push_back(absl::StrCat(finished.stream, ":finished")); }
  void Handle(StreamFailed<int> failed, Context&) {
    log_->push_back(absl::StrCat(failed.stream, ":failed: ", failed.reason.message()));
  }
  // Neither the end nor the failure of words has a handler.
  void Handle(StreamItem<std::string> word, Context&) { log_->push_back(word.item); }

 private:
  Log* log_;
};

// A collector, with streams of numbers into it.
class StreamTest : public ::testing::Test {
 protected:
  StreamSink<int> Open(size_t capacity, StreamDemand demand = StreamDemand::kAutomatic) {
    auto [sink, numbers] = MakeStream<int>(test_.system, capacity);
    collector_.Tell(Feed{std::move(numbers), demand});
    test_.Settle();
    return std::move(sink);
  }
  // How many of the numbers from `first` on it takes before it wants no more.
  int Fill(StreamSink<int>& sink, int first) {
    int pushed = 0;
    while (sink.TryPush(first + pushed).ok()) ++pushed;
    return pushed;
  }
  absl::StatusCode Refusal(StreamSink<int>& sink) { return sink.TryPush(0).code(); }

  TestSystem test_;
  Log log_;
  Address<Collector> collector_ = test_.system.Spawn<Collector>(&log_);
};

TEST_F(StreamTest, ItemsComeOnceAndInTheirOrderAndThenTheEnd) {
  StreamSink<int> sink = Open(/*capacity=*/8);
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(sink.TryPush(int{i}).ok());
  sink.Finish();
  test_.Settle();
  EXPECT_THAT(log_, ElementsAre("1:1", "1:2", "1:3", "1:finished"));
  EXPECT_EQ(Refusal(sink), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(sink.cancelled());
}

TEST_F(StreamTest, AnActorAsksForAsManyAsTheBufferHoldsAndForMoreAsItHandlesThem) {
  auto [sink, numbers] = MakeStream<int>(test_.system, /*capacity=*/3);
  EXPECT_EQ(Refusal(sink), absl::StatusCode::kResourceExhausted) << "nobody has asked yet";
  collector_.Tell(Feed{std::move(numbers)});
  test_.Settle();
  EXPECT_EQ(Fill(sink, 1), 3);
  EXPECT_EQ(Refusal(sink), absl::StatusCode::kResourceExhausted);
  test_.Settle();
  EXPECT_EQ(Fill(sink, 4), 3);
  test_.Settle();
  EXPECT_THAT(log_, ElementsAre("1:1", "1:2", "1:3", "1:4", "1:5", "1:6"));
}

TEST_F(StreamTest, OnRequestGivesExactlyWhatWasAskedFor) {
  StreamSink<int> sink = Open(/*capacity=*/4, StreamDemand::kOnRequest);
  EXPECT_EQ(Fill(sink, 1), 0);
  EXPECT_TRUE(*test_.Await(collector_.Ask(AskFor{1, 2})));
  EXPECT_TRUE(*test_.Await(collector_.Ask(AskFor{1, 1})));
  EXPECT_EQ(Fill(sink, 1), 3);
  test_.Settle();
  EXPECT_EQ(Fill(sink, 4), 0);
  EXPECT_TRUE(*test_.Await(collector_.Ask(AskFor{1, 2})));
  EXPECT_TRUE(*test_.Await(collector_.Ask(AskFor{1, UINT64_MAX})));
  EXPECT_EQ(Fill(sink, 4), 4) << "the buffer bounds it all the same";
  sink.Finish();
  test_.Settle();
  EXPECT_EQ(log_.size(), 8u);
  EXPECT_FALSE(*test_.Await(collector_.Ask(AskFor{1, 1}))) << "it has ended";
}

TEST_F(StreamTest, WhatWasNotTakenIsStillTheCallers) {
  auto [sink, words] = MakeStream<std::string>(test_.system, 1);
  std::string word = "too long to be copied for nothing";
  EXPECT_EQ(sink.TryPush(std::move(word)).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(word, "too long to be copied for nothing");
}

TEST_F(StreamTest, AnActorTakesManyStreamsOfSeveralTypesAtOnce) {
  std::vector<StreamSink<int>> sinks;
  for (int i = 0; i < 100; ++i) sinks.push_back(Open(2));
  auto [words, stream] = MakeStream<std::string>(test_.system, 2);
  collector_.Tell(FeedWords{std::move(stream)});
  test_.Settle();
  for (StreamSink<int>& sink : sinks) EXPECT_EQ(Fill(sink, 7), 2);
  EXPECT_TRUE(words.TryPush("word").ok());
  words.Finish();  // which nobody wants to know
  for (StreamSink<int>& sink : sinks) sink.Finish();
  test_.Settle();
  EXPECT_EQ(log_.size(), 301u);
  EXPECT_EQ(std::count(log_.begin(), log_.end(), "word"), 1);
  EXPECT_EQ(std::count(log_.begin(), log_.end(), "57:8"), 1);
  EXPECT_EQ(test_.system.stats().restarts, 0u);
}

TEST_F(StreamTest, StreamsTakeTurnsAnItemEach) {
  StreamSink<int> one = Open(3);
  StreamSink<int> two = Open(3);
  Fill(one, 10);
  Fill(two, 20);
  test_.Settle();
  ASSERT_EQ(log_.size(), 6u);
  for (size_t i = 2; i < 5; ++i) EXPECT_NE(log_[i - 1][0], log_[i][0]) << i;
}

TEST_F(StreamTest, AFloodOfMessagesAndAFloodOfItemsTakeTurns) {
  StreamSink<int> sink = Open(/*capacity=*/200);
  Fill(sink, 1000);
  for (int i = 0; i < 200; ++i) collector_.Tell(Note{"mail"});
  test_.Settle();
  ASSERT_EQ(log_.size(), 400u);
  // Before the item that tells the actor of the stream, there may be mail.
  for (size_t i = 10; i + 10 < log_.size(); ++i) EXPECT_NE(log_[i] == "mail", log_[i - 1] == "mail") << i;
}

TEST_F(StreamTest, AStopOutranksTheItemsThatWait) {
  StreamSink<int> sink = Open(/*capacity=*/100);
  Fill(sink, 1);
  while (log_.size() < 3) ASSERT_TRUE(test_.simulator.Step());
  collector_.Stop();
  test_.Settle();
  EXPECT_FALSE(collector_.alive());
  EXPECT_EQ(log_.size(), 3u);
  EXPECT_TRUE(sink.cancelled());
}

TEST_F(StreamTest, CancellingDropsWhatWaitsAndTellsTheSink) {
  StreamSink<int> sink = Open(/*capacity=*/4);
  Fill(sink, 1);
  Future<void> ready = sink.Ready(absl::Hours(1));
  // Items and mail take turns, so some may be handled before this.
  EXPECT_TRUE(*test_.Await(collector_.Ask(GiveUp{1})));
  EXPECT_EQ(test_.Await(std::move(ready)).code(), absl::StatusCode::kUnavailable);
  const size_t handled = log_.size();
  EXPECT_TRUE(sink.cancelled());
  EXPECT_EQ(Refusal(sink), absl::StatusCode::kUnavailable);
  test_.Settle();
  EXPECT_EQ(log_.size(), handled) << "no item, and no notice of the end";
  EXPECT_FALSE(*test_.Await(collector_.Ask(GiveUp{1}))) << "it is gone";
}

TEST_F(StreamTest, ARestartEndsTheStreamsAndTheirSourcesAreTold) {
  StreamSink<int> sink = Open(/*capacity=*/2);
  Fill(sink, 1);
  StreamSink<int> idle = Open(/*capacity=*/2, StreamDemand::kOnRequest);
  Future<void> ready = idle.Ready(absl::Hours(1));
  test_.Settle();
  Fill(sink, 3);
  EXPECT_FALSE(test_.Await(collector_.Ask(Crash{})).ok());
  log_.clear();
  test_.Settle();
  EXPECT_THAT(log_, IsEmpty()) << "the new incarnation has not asked for them";
  EXPECT_EQ(test_.Await(std::move(ready)).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Refusal(sink), absl::StatusCode::kUnavailable);
  StreamSink<int> next = Open(/*capacity=*/2);
  EXPECT_EQ(Fill(next, 9), 2);
  test_.Settle();
  EXPECT_THAT(log_, ElementsAre("3:9", "3:10")) << "and its ids are its own";
}

TEST_F(StreamTest, AFailureInAnItemsHandlerFailsTheActorAndTheItemIsNotHandledAgain) {
  StreamSink<int> sink = Open(/*capacity=*/3);
  EXPECT_TRUE(sink.TryPush(-1).ok());
  test_.Settle();
  EXPECT_EQ(test_.system.stats().restarts, 1u);
  EXPECT_TRUE(sink.cancelled());
  EXPECT_TRUE(collector_.alive());
}

TEST_F(StreamTest, AnActorThatResumesGoesOnWithTheNextItem) {
  collector_ = test_.system.Spawn<Collector>(SpawnOptions{.on_failure = OnFailure::kResume}, &log_);
  StreamSink<int> sink = Open(/*capacity=*/3);
  EXPECT_TRUE(sink.TryPush(1).ok() && sink.TryPush(-1).ok() && sink.TryPush(2).ok());
  test_.Settle();
  EXPECT_THAT(log_, ElementsAre("1:1", "1:2"));
}

TEST_F(StreamTest, AFailureOfTheSourceComesAfterTheItemsBeforeIt) {
  StreamSink<int> sink = Open(/*capacity=*/3);
  Fill(sink, 1);
  sink.Fail(absl::DataLossError("torn"));
  sink.Finish();  // too late
  test_.Settle();
  EXPECT_THAT(log_, ElementsAre("1:1", "1:2", "1:3", "1:failed: torn"));
}

TEST_F(StreamTest, ASinkThatIsLetGoFailsItsStream) {
  { StreamSink<int> sink = Open(/*capacity=*/3); }
  test_.Settle();
  EXPECT_THAT(log_, ElementsAre("1:failed: the source of the stream ended without finishing it"));
}

TEST_F(StreamTest, AFailureThatTheActorHasNoHandlerForFailsTheActor) {
  auto [sink, words] = MakeStream<std::string>(test_.system, 1);
  collector_.Tell(FeedWords{std::move(words)});
  sink.Fail(absl::DataLossError("torn"));
  test_.Settle();
  EXPECT_EQ(test_.system.stats().restarts, 1u);
  EXPECT_EQ(test_.system.List()[0].last_failure, "torn");
}

TEST_F(StreamTest, OneThatNoActorTakesUpIsCancelled) {
  auto [sink, numbers] = MakeStream<int>(test_.system, 1);
  collector_.Stop();
  test_.Settle();
  EXPECT_FALSE(collector_.Tell(Feed{std::move(numbers)}));
  EXPECT_TRUE(sink.cancelled());
  EXPECT_EQ(test_.Await(sink.Ready(absl::Hours(1))).code(), absl::StatusCode::kUnavailable);
}

TEST_F(StreamTest, AWaitForDemandEndsAtItsDeadlineAndGivesWayToALaterOne) {
  StreamSink<int> sink = Open(/*capacity=*/1, StreamDemand::kOnRequest);
  Future<void> first = sink.Ready(absl::Hours(1));
  Future<void> second = sink.Ready(absl::Seconds(1));
  EXPECT_EQ(test_.Await(std::move(first)).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(test_.Await(std::move(second)).code(), absl::StatusCode::kDeadlineExceeded);
  Future<void> third = sink.Ready(absl::Hours(1));
  EXPECT_TRUE(*test_.Await(collector_.Ask(AskFor{1, 1})));
  EXPECT_TRUE(test_.Await(std::move(third)).ok());
}

// An actor as the source: it pushes while it may, and waits in a continuation.
struct Begin {};
class Counter : public Actor<Counter> {
 public:
  Counter(std::shared_ptr<StreamSink<int>> sink, int last) : sink_(std::move(sink)), last_(last) {}
  void Handle(Begin, Context& context) { Pump(context); }

 private:
  void Pump(Context context) {
    while (next_ <= last_ && sink_->TryPush(int{next_}).ok()) ++next_;
    if (next_ > last_) return sink_->Finish();
    context.Then(sink_->Ready(absl::Seconds(5)), [this, context](absl::Status ready) {
      if (ready.ok()) Pump(context);
    });
  }

  std::shared_ptr<StreamSink<int>> sink_;
  const int last_;
  int next_ = 1;
};

TEST_F(StreamTest, AnotherActorMayBeTheSourceWithoutBlocking) {
  for (size_t capacity : {1, 2, 5, 64}) {
    log_.clear();
    auto sink = std::make_shared<StreamSink<int>>(Open(capacity));
    test_.system.Spawn<Counter>(sink, 1000).Tell(Begin{});
    test_.Settle();
    ASSERT_EQ(log_.size(), 1001u) << "capacity " << capacity;
    EXPECT_TRUE(log_[999].ends_with(":1000"));
    EXPECT_TRUE(log_[1000].ends_with(":finished"));
  }
}

TEST(StreamDeathTest, ABlockingPushInATurnIsABrokenPromise) {
  class Blocker : public Actor<Blocker> {
   public:
    void Handle(Begin, Context& context) {
      auto [sink, numbers] = MakeStream<int>(context.system(), 1);
      sink.Push(1, absl::Seconds(1)).IgnoreError();
    }
  };
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        TestSystem test;
        test.system.Spawn<Blocker>().Tell(Begin{});
        test.Settle();
      },
      "a wait in an actor's turn");
}

// Random pushes, ends, cancels, requests, crashes and steps, against a list of what each stream was given.
class StreamModel {
 public:
  explicit StreamModel(uint64_t seed)
      : test_(seed),
        random_(seed),
        collector_(test_.system.Spawn<Collector>(SpawnOptions{.restart_limit = {1000}}, &log_)) {}

  void Run(int operations) {
    for (int i = 0; i < operations && !::testing::Test::HasFailure(); ++i) {
      Operate();
      for (uint64_t step = random_.Below(6); step > 0; --step) test_.simulator.Step();
      Compare(/*settled=*/false);
    }
    test_.Settle();
    Compare(/*settled=*/true);
  }

 private:
  struct Given {
    StreamSink<int> sink;
    size_t capacity = 0;
    int pushed = 0;  // 1 to this
    bool finished = false;
    bool given_up = false;  // it may be cancelled
  };

  void Operate() {
    const uint64_t kind = random_.Below(100);
    if (given_.empty() || kind < 6) return Add();
    auto chosen = given_.begin();
    std::advance(chosen, random_.Below(given_.size()));
    auto& [id, given] = *chosen;
    if (kind < 75) {
      if (given.sink.TryPush(given.pushed + 1).ok()) ++given.pushed;
    } else if (kind < 82) {
      given.sink.Finish();
      given.finished = true;
    } else if (kind < 87) {
      given.given_up = true;
      collector_.Tell(GiveUp{id});
    } else if (kind < 98) {
      collector_.Tell(Note{"mail"});
    } else {
      for (auto& [other, each] : given_) each.given_up = true;
      collector_.Tell(Crash{});
      test_.Settle();
    }
  }

  void Add() {
    Given given;
    given.capacity = 1 + random_.Below(4);
    auto [sink, numbers] = MakeStream<int>(test_.system, given.capacity);
    given.sink = std::move(sink);
    const StreamId id = *test_.Await(collector_.Ask(Feed{std::move(numbers)}));
    ASSERT_TRUE(given_.emplace(id, std::move(given)).second) << "an id came twice";
  }

  // What was handled of each stream is what was given, from the beginning and without a gap.
  void Compare(bool settled) {
    std::map<StreamId, std::vector<std::string>> handled;
    for (const std::string& line : log_) {
      const size_t colon = line.find(':');
      if (colon != std::string::npos) handled[std::stoull(line.substr(0, colon))].push_back(line.substr(colon + 1));
    }
    for (auto& [id, given] : given_) {
      std::vector<std::string>& items = handled[id];
      const bool ended = !items.empty() && items.back() == "finished";
      if (ended) items.pop_back();
      for (size_t i = 0; i < items.size(); ++i) ASSERT_EQ(items[i], absl::StrCat(i + 1)) << "stream " << id;
      const size_t pushed = given.pushed;
      ASSERT_LE(items.size(), pushed) << "stream " << id;
      ASSERT_TRUE(given.sink.cancelled() || pushed - items.size() <= given.capacity) << "stream " << id;
      ASSERT_TRUE(!ended || items.size() == pushed) << "stream " << id;
      if (!settled || given.given_up) continue;
      ASSERT_EQ(items.size(), pushed) << "stream " << id;
      ASSERT_EQ(ended, given.finished) << "stream " << id;
    }
  }

  Log log_;
  TestSystem test_;
  Random random_;
  Address<Collector> collector_;
  std::map<StreamId, Given> given_;
};

TEST(StreamPropertyTest, NothingIsLostDoubledReorderedOrGivenUnasked) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    StreamModel(seed).Run(/*operations=*/150);
    if (HasFailure()) return;
  }
}

// On threads.

// Sums what comes and sees that each stream's items come in their order. Crashes when told to.
struct Sums {
  using Result = std::pair<uint64_t, int>;  // of the items; streams finished
};
class Adder : public Actor<Adder> {
 public:
  explicit Adder(std::atomic<uint64_t>* disorder) : disorder_(disorder) {}
  StreamId Handle(Feed feed, Context& context) { return context.AddStream(std::move(feed.numbers), feed.demand); }
  std::string Handle(Crash, Context&) { throw std::runtime_error("crashed"); }
  std::pair<uint64_t, int> Handle(Sums, Context&) { return {sum_, finished_}; }
  void Handle(StreamItem<int> number, Context&) {
    int& last = last_[number.stream];
    if (number.item != last + 1) ++*disorder_;
    last = number.item;
    sum_ += number.item;
  }
  void Handle(StreamFinished<int>, Context&) { ++finished_; }
  void Handle(StreamFailed<int>, Context&) { ++*disorder_; }

 private:
  std::atomic<uint64_t>* disorder_;
  std::map<StreamId, int> last_;
  uint64_t sum_ = 0;
  int finished_ = 0;
};

class StreamThreadsTest : public ::testing::Test {
 protected:
  std::atomic<uint64_t> disorder_{0};
  ThreadExecutor executor_{{.workers = 4, .messages_per_turn = 3}};
  ActorSystem system_{executor_};
};

TEST_F(StreamThreadsTest, APushBlocksUntilTheActorAsksOrItsDeadlineOrTheActorsEnd) {
  Address<Adder> adder = system_.Spawn<Adder>(&disorder_);
  auto [sink, numbers] = MakeStream<int>(system_, 1);
  EXPECT_EQ(sink.Push(1, absl::Milliseconds(5)).code(), absl::StatusCode::kDeadlineExceeded);
  std::future<absl::Status> pushed =
      std::async(std::launch::async, [&sink = sink] { return sink.Push(1, absl::Seconds(60)); });
  adder.Tell(Feed{std::move(numbers)});
  EXPECT_TRUE(pushed.get().ok());
  auto [waits, idle] = MakeStream<int>(system_, 1);
  ASSERT_TRUE(adder.Ask(Feed{std::move(idle), StreamDemand::kOnRequest}).Wait().ok());
  pushed = std::async(std::launch::async, [&waits = waits] { return waits.Push(1, absl::Seconds(60)); });
  adder.Stop();
  EXPECT_EQ(pushed.get().code(), absl::StatusCode::kUnavailable);
}

TEST_F(StreamThreadsTest, ManySourcesLoseNothing) {
  constexpr int kSources = 6;
  constexpr int kItems = 3000;
  Address<Adder> adder = system_.Spawn<Adder>(&disorder_);
  std::vector<std::thread> sources;
  for (int i = 0; i < kSources; ++i) {
    sources.emplace_back([&, capacity = 1 + i % 3] {
      auto [sink, numbers] = MakeStream<int>(system_, capacity);
      ASSERT_TRUE(adder.Tell(Feed{std::move(numbers)}));
      for (int n = 1; n <= kItems; ++n) ASSERT_TRUE(sink.Push(int{n}, absl::Seconds(60)).ok());
      sink.Finish();
    });
  }
  for (std::thread& source : sources) source.join();
  std::pair<uint64_t, int> sums;
  while (sums.second < kSources) sums = adder.Ask(Sums{}).Wait().value();
  EXPECT_EQ(sums.first, uint64_t{kSources} * kItems * (kItems + 1) / 2);
  EXPECT_EQ(disorder_, 0u);
}

TEST_F(StreamThreadsTest, SourcesOfAnActorThatCrashesAgainAndAgainAreAllToldAndBeginAnew) {
  Address<Adder> adder = system_.Spawn<Adder>(SpawnOptions{.restart_limit = {1'000'000}}, &disorder_);
  std::atomic<bool> enough{false};
  std::vector<std::thread> sources;
  for (int i = 0; i < 4; ++i) {
    sources.emplace_back([&, capacity = 1 + i % 2] {
      while (!enough) {
        auto [sink, numbers] = MakeStream<int>(system_, capacity);
        adder.Tell(Feed{std::move(numbers)});
        absl::Status pushed;
        for (int n = 1; pushed.ok() && !enough; ++n) pushed = sink.Push(int{n}, absl::Seconds(60));
        if (pushed.ok()) return sink.Finish();
        ASSERT_EQ(pushed.code(), absl::StatusCode::kUnavailable) << pushed;
      }
    });
  }
  for (int crash = 0; crash < 200; ++crash) {
    adder.Ask(Crash{}).Wait().IgnoreError();
    while (adder.Ask(Sums{}).Wait().value().first == 0) std::this_thread::yield();
  }
  enough = true;
  for (std::thread& source : sources) source.join();
  EXPECT_EQ(disorder_, 0u);
}

}  // namespace
}  // namespace troupe
