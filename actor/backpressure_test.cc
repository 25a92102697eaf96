// Full mailboxes: the policies, tells that wait for room, and coroutines on threads under load.
#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "actor/actor.h"
#include "actor/test_actors.h"
#include "actor/thread_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::TestSystem;

TEST(OverflowTest, DropNewestKeepsWhatWaitsAndTellsTheAskerThatLost) {
  TestSystem test;
  Address<Notebook> notebook =
      test.system.Spawn<Notebook>(SpawnOptions{.mailbox_capacity = 2, .overflow = Overflow::kDropNewest});
  test.Settle();
  for (const char* text : {"1", "2", "3"}) EXPECT_TRUE(notebook.Tell(Note{text}));
  EXPECT_TRUE(absl::IsResourceExhausted(test.Await(notebook.Ask(Note{"4"}))));
  EXPECT_EQ(test.system.stats().dead_letters, 2u);
  test.Settle();
  EXPECT_THAT(*test.Await(notebook.Ask(ReadNotes{})), ElementsAre("1", "2"));
  notebook.Stop();
  test.Settle();
  EXPECT_FALSE(notebook.Tell(Note{"too late"}));
}

// Keeps its mail until it is told to read it, since its coroutine waits.
struct Pause {};
struct GoOn {
  static constexpr bool kControl = true;
};
class Reader : public Actor<Reader> {
 public:
  explicit Reader(std::vector<std::string>* read) : read_(read) {}
  Task<> Handle(Pause, Context& context) {
    auto [future, reply] = MakeFuture<void>(context.system().executor(), Instant::Never());
    go_on_ = std::move(reply);
    (void)co_await std::move(future);
  }
  void Handle(GoOn, Context&) { go_on_(absl::OkStatus()); }
  void Handle(Note note, Context&) { read_->push_back(std::move(note.text)); }

 private:
  std::vector<std::string>* read_;
  Reply<void> go_on_;
};

// Tells the reader, waiting for room.
struct Send {
  using Result = std::string;
  std::string text;
  Duration timeout = absl::Seconds(5);
};
class Writer : public Actor<Writer> {
 public:
  explicit Writer(Address<Reader> reader) : reader_(std::move(reader)) {}
  Task<std::string> Handle(Send send, Context&) {
    absl::Status told = co_await reader_.TellWithin<Note>(send.timeout, send.text);
    co_return told.ToString();
  }

 private:
  Address<Reader> reader_;
};

class TellWaitTest : public ::testing::TestWithParam<Overflow> {
 protected:
  static constexpr int kCapacity = 8;

  // Fills the reader's mailbox with "0", "1", ...
  void Fill() {
    reader_.Tell(Pause{});
    test_.Settle();
    for (int i = 0; i < kCapacity; ++i) ASSERT_TRUE(reader_.Tell(Note{std::to_string(i)}));
  }
  Address<Writer> SpawnWriter() { return test_.system.Spawn<Writer>(reader_); }
  uint64_t dead_letters() const { return test_.system.stats().dead_letters; }

  std::vector<std::string> read_;
  TestSystem test_;
  Address<Reader> reader_ =
      test_.system.Spawn<Reader>(SpawnOptions{.mailbox_capacity = kCapacity, .overflow = GetParam()}, &read_);
};
INSTANTIATE_TEST_SUITE_P(Policies, TellWaitTest,
                         ::testing::Values(Overflow::kReject, Overflow::kDropNewest, Overflow::kDropOldest),
                         [](const auto& info) {
                           return info.param == Overflow::kReject       ? std::string("Reject")
                                  : info.param == Overflow::kDropNewest ? "DropNewest"
                                                                        : "DropOldest";
                         });

TEST_P(TellWaitTest, WithRoomItIsATellThatDoesNotWait) {
  Future<std::string> told = SpawnWriter().Ask<Send>("at once");
  test_.Settle();
  EXPECT_EQ(*test_.Await(std::move(told)), "OK");
  EXPECT_THAT(read_, ElementsAre("at once"));
}

TEST_P(TellWaitTest, WaitsUntilHalfTheMailboxIsEmptyAndDropsNothing) {
  Fill();
  std::vector<Future<std::string>> told;
  for (const char* text : {"a", "b", "c"}) {
    told.push_back(SpawnWriter().Ask<Send>(text));
    test_.Settle();
  }
  EXPECT_TRUE(read_.empty());
  reader_.Tell(GoOn{});
  for (Future<std::string>& status : told) EXPECT_EQ(*test_.Await(std::move(status)), "OK");
  test_.Settle();
  ASSERT_EQ(read_.size(), 11u);
  std::sort(read_.begin() + kCapacity, read_.end());
  EXPECT_THAT(read_, ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "a", "b", "c"));
  EXPECT_EQ(dead_letters(), 0u);
}

TEST_P(TellWaitTest, IsToldAtOnceWhenTheActorTerminates) {
  Fill();
  Future<std::string> told = SpawnWriter().Ask<Send>("too late");
  test_.Settle();
  const Instant start = test_.simulator.Now();
  reader_.Stop();
  EXPECT_THAT(*test_.Await(std::move(told)), HasSubstr("has terminated"));
  EXPECT_EQ(test_.simulator.Now(), start);
  EXPECT_THAT(*test_.Await(SpawnWriter().Ask<Send>("later still")), HasSubstr("UNAVAILABLE"));
}

TEST_P(TellWaitTest, OneWhoseSenderIsStoppedIsNotTold) {
  Fill();
  Address<Writer> writer = SpawnWriter();
  writer.Tell(Send{"never told"});
  test_.Settle();
  writer.Stop();
  test_.Settle();
  reader_.Tell(GoOn{});
  test_.simulator.RunFor(absl::Minutes(1));
  EXPECT_EQ(read_.size(), static_cast<size_t>(kCapacity));
}

TEST_P(TellWaitTest, OthersWhoWaitAreToldAlsoWhenManyBeforeThemHaveGivenUp) {
  Fill();
  Future<std::string> told = SpawnWriter().Ask<Send>("told");
  for (int i = 0; i < 100; ++i) {
    test_.Settle();
    Address<Writer> impatient = SpawnWriter();
    impatient.Tell(Send{"never told"});
    test_.Settle();
    impatient.Stop();
  }
  Future<std::string> told_too = SpawnWriter().Ask<Send>("told too");
  test_.Settle();
  reader_.Tell(GoOn{});
  EXPECT_EQ(*test_.Await(std::move(told)), "OK");
  EXPECT_EQ(*test_.Await(std::move(told_too)), "OK");
  test_.Settle();
  EXPECT_EQ(read_.size(), kCapacity + 2u);
}

TEST_P(TellWaitTest, AtItsDeadlineItIsATellLikeOthers) {
  Fill();
  const Instant start = test_.simulator.Now();
  const std::string told = *test_.Await(SpawnWriter().Ask<Send>("late", absl::Milliseconds(300)));
  EXPECT_EQ(test_.simulator.Now() - start, absl::Milliseconds(300));
  EXPECT_EQ(dead_letters(), 1u) << "the new one, or the oldest";
  if (GetParam() == Overflow::kReject) {
    EXPECT_THAT(told, HasSubstr("DEADLINE_EXCEEDED"));
  } else {
    EXPECT_EQ(told, "OK");
  }
}

// Under load, on threads. Small mailboxes, more workers than cores.

struct Work {
  int sender;
  int number;
};
// Answered when all work has been done.
struct Report {
  static constexpr bool kControl = true;
  using Result = std::vector<int>;
};
class Sink : public Actor<Sink> {
 public:
  explicit Sink(int expected) : left_(expected) {}
  void Handle(Work work, Context&) {
    if (work.sender >= static_cast<int>(last_.size())) last_.resize(static_cast<size_t>(work.sender) + 1, -1);
    int& last = last_[static_cast<size_t>(work.sender)];
    // Once out of order it stays wrong.
    last = work.number == last + 1 ? work.number : -1'000'000'000;
    if (--left_ == 0) reply_(last_);
  }
  void Handle(Report, Reply<std::vector<int>> reply, Context&) {
    reply_ = std::move(reply);
    if (left_ == 0) reply_(last_);
  }

 private:
  int left_;
  std::vector<int> last_;
  Reply<std::vector<int>> reply_;
};

struct SendAll {
  using Result = int;
  int messages;
};
class Source : public Actor<Source> {
 public:
  Source(Address<Sink> sink, int number) : sink_(std::move(sink)), number_(number) {}
  Task<int> Handle(SendAll all, Context&) {
    for (int i = 0; i < all.messages; ++i) {
      absl::Status told = co_await sink_.TellWithin<Work>(absl::Minutes(1), number_, i);
      if (!told.ok()) co_return told;
    }
    co_return all.messages;
  }

 private:
  Address<Sink> sink_;
  int number_;
};

TEST(BackpressureStressTest, ManySendersToASmallMailboxLoseNothingAndKeepTheirOrder) {
  constexpr int kSenders = 6;
  constexpr int kEach = 3'000;
  ThreadExecutor executor({.workers = 4});
  ActorSystem system(executor);
  for (const Overflow overflow : {Overflow::kReject, Overflow::kDropOldest}) {
    Address<Sink> sink =
        system.Spawn<Sink>(SpawnOptions{.mailbox_capacity = 16, .overflow = overflow}, kSenders * kEach);
    std::vector<Future<int>> done;
    for (int s = 0; s < kSenders; ++s) {
      done.push_back(system.Spawn<Source>(sink, s).AskWithin<SendAll>(absl::Minutes(5), kEach));
    }
    for (Future<int>& all : done) {
      absl::StatusOr<int> sent = std::move(all).Wait();
      ASSERT_TRUE(sent.ok()) << sent.status();
    }
    EXPECT_EQ(*sink.Ask(Report{}, absl::Minutes(1)).Wait(), std::vector<int>(kSenders, kEach - 1));
  }
  EXPECT_EQ(system.stats().dead_letters, 0u);
  EXPECT_TRUE(system.Shutdown(absl::Minutes(1)).ok());
}

// Asks a neighbour, or itself, tells with and without patience, sleeps, works, fails and stops, by chance.
struct Step {
  using Result = int;
  int hops;
};
template <typename Derived>
class DancerOf : public Actor<Derived> {
 public:
  using Context = ActorContext<Derived>;
  DancerOf(std::vector<Address<Derived>>* floor, std::atomic<int>* alive, uint64_t seed)
      : floor_(floor), alive_(alive), random_(seed) {}

  Task<int> Handle(Step step, Context& context) {
    struct Counted {
      explicit Counted(std::atomic<int>* count) : count_(count) { ++*count_; }
      ~Counted() { --*count_; }
      std::atomic<int>* count_;
    } counted(alive_);
    if (step.hops == 0) co_return 1;
    const Address<Derived>& next = (*floor_)[random_.Below(floor_->size())];
    switch (random_.Below(12)) {
      case 0:
        co_await context.Sleep(absl::Microseconds(random_.Below(300)));
        break;
      case 1:
        (void)co_await context.Blocking([]() -> absl::Status { return absl::OkStatus(); });
        break;
      case 2:
        if (random_.Below(8) == 0) throw std::runtime_error("tripped");
        break;
      case 3:
        if (random_.Below(8) == 0) context.Fail(absl::InternalError("fell"));
        break;
      case 4:
        (void)co_await next.template TellWithin<Step>(absl::Milliseconds(random_.Below(3)), step.hops - 1);
        break;
      default:
        break;
    }
    absl::StatusOr<int> rest =
        co_await next.template AskWithin<Step>(absl::Milliseconds(1 + random_.Below(20)), step.hops - 1);
    co_return rest.ok() ? *rest + 1 : 1;
  }

 private:
  std::vector<Address<Derived>>* floor_;
  std::atomic<int>* alive_;
  Random random_;
};
class Dancer : public DancerOf<Dancer> {
 public:
  using DancerOf::DancerOf;
};
class FreeDancer : public DancerOf<FreeDancer> {
 public:
  static constexpr bool kReentrant = true;
  using DancerOf::DancerOf;
};

template <typename A>
void DanceUntilAllHasEnded() {
  constexpr size_t kDancers = 12;
  std::atomic<int> alive{0};
  std::vector<Address<A>> floor;
  {
    ThreadExecutor executor({.workers = 4, .messages_per_turn = 3});
    ActorSystem system(executor);
    floor.reserve(kDancers);
    for (uint64_t i = 0; i < kDancers; ++i) {
      floor.push_back(system.Spawn<A>(SpawnOptions{.mailbox_capacity = 16,
                                                   .on_failure = i % 2 == 0 ? OnFailure::kRestart : OnFailure::kResume,
                                                   .restart_limit = {.max_restarts = 1'000'000}},
                                      &floor, &alive, i));
    }
    std::vector<Future<int>> answers;
    for (int i = 0; i < 2'000; ++i) {
      answers.push_back(floor[static_cast<size_t>(i) % kDancers].template AskWithin<Step>(absl::Seconds(1), 8));
      if (i == 1'500) floor[3].Stop();
      if (answers.size() < 24) continue;
      for (Future<int>& answer : answers) (void)std::move(answer).Wait();
      answers.clear();
    }
    EXPECT_TRUE(system.Shutdown(absl::Minutes(1)).ok());
  }
  EXPECT_EQ(alive, 0) << "coroutines that were never destroyed";
}

TEST(BackpressureStressTest, EveryCoroutineEndsHoweverItsActorDoes) { DanceUntilAllHasEnded<Dancer>(); }
TEST(BackpressureStressTest, EveryCoroutineOfAReentrantActorEndsToo) { DanceUntilAllHasEnded<FreeDancer>(); }

}  // namespace
}  // namespace troupe
