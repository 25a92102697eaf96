// Timers and deadlines in shards: on a clock that moves by hand, and with threads.
#include "actor/timer_service.h"

#include <atomic>
#include <optional>
#include <thread>

#include "actor/actor.h"
#include "actor/random.h"
#include "actor/test_actors.h"
#include "actor/thread_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kScale = 20;
#else
constexpr int kScale = 1;
#endif

class Alarm final : public Deadline {
 public:
  void Expire(const absl::Status& status) override {
    ++times;
    ended = status;
  }
  int times = 0;
  std::optional<absl::Status> ended;

 private:
  void OnUnreferenced() override {}
};

constexpr Duration kLatest = absl::Microseconds(530);

class TimerServiceTest : public ::testing::Test {
 protected:
  const Instant start_ = Instant::FromNanos(987'654'321'012'345);
  TimerService timers_{start_};
};

TEST_F(TimerServiceTest, ComesOnceNeverEarlyAndSoonAfter) {
  for (const Duration after : {absl::Nanoseconds(1), absl::Microseconds(262), absl::Milliseconds(1),
                               absl::Milliseconds(250), absl::Seconds(5), absl::Minutes(10), absl::Hours(100'000)}) {
    TimerService timers(start_);
    Alarm alarm;
    ASSERT_TRUE(timers.Arm(alarm, start_ + after));
    // As its thread would: whenever something may be due.
    Instant now = start_;
    int looks = 0;
    while (alarm.times == 0 && now < start_ + after + kLatest) {
      now = std::max(timers.Earliest(), now);
      timers.FireDue(now);
      ++looks;
      EXPECT_TRUE(alarm.times == 0 || now >= start_ + after);
    }
    EXPECT_EQ(alarm.times, 1) << after;
    EXPECT_TRUE(absl::IsDeadlineExceeded(*alarm.ended));
    EXPECT_LE(now, start_ + after + kLatest);
    EXPECT_LE(looks, 9) << "a look for each wheel that it went down";
    EXPECT_EQ(timers.Earliest(), Instant::Never());
  }
}

TEST_F(TimerServiceTest, OneThatHasPassedComesAtTheNextLook) {
  Alarm alarm;
  ASSERT_TRUE(timers_.Arm(alarm, start_ + -absl::Seconds(1)));
  EXPECT_LE(timers_.Earliest(), start_);
  timers_.FireDue(start_);
  EXPECT_EQ(alarm.times, 1);
}

TEST_F(TimerServiceTest, ADisarmedOneNeverComesAndLeavesTheOthers) {
  Alarm first, second, third;
  for (Alarm* alarm : {&first, &second, &third}) ASSERT_TRUE(timers_.Arm(*alarm, start_));
  TimerService::Disarm(second);
  TimerService::Disarm(second);
  timers_.FireDue(start_ + kLatest);
  EXPECT_EQ(first.times, 1);
  EXPECT_EQ(second.times, 0);
  EXPECT_EQ(third.times, 1);
}

TEST_F(TimerServiceTest, OneThatHasComeMayBeArmedAgain) {
  Alarm alarm;
  for (int round = 1; round <= 3; ++round) {
    const Instant when = start_ + absl::Seconds(round);
    ASSERT_TRUE(timers_.Arm(alarm, when));
    timers_.FireDue(when + kLatest);
    EXPECT_EQ(alarm.times, round);
  }
}

TEST_F(TimerServiceTest, TheEndEndsAllDeadlinesDropsAllCallbacksAndRefusesMore) {
  Alarm never, later, after;
  auto held = std::make_shared<int>(0);
  bool ran = false;
  ASSERT_TRUE(timers_.Arm(never, Instant::Never()));
  ASSERT_TRUE(timers_.Arm(later, start_ + absl::Hours(1)));
  timers_.RunAt(start_, [held, &ran] { ran = true; });
  timers_.Stop();
  EXPECT_TRUE(absl::IsUnknown(*never.ended));
  EXPECT_TRUE(absl::IsUnknown(*later.ended));
  EXPECT_EQ(held.use_count(), 1);
  timers_.RunAt(start_, [held, &ran] { ran = true; });
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(ran);
  EXPECT_FALSE(timers_.Arm(after, start_));
}

TEST_F(TimerServiceTest, CallbacksComeInOrderAndACancelledOneNeverAndOnceOnly) {
  std::vector<int> came;
  const auto second = timers_.RunAt(start_ + absl::Seconds(2), [&] { came.push_back(2); });
  const auto third = timers_.RunAt(start_ + absl::Seconds(3), [&] { came.push_back(3); });
  timers_.RunAt(start_ + absl::Seconds(1), [&] {
    came.push_back(1);
    EXPECT_TRUE(timers_.Cancel(third)) << "due in the same look, but not begun";
  });
  timers_.FireDue(start_ + absl::Seconds(5));
  EXPECT_THAT(came, ElementsAre(1, 2));
  EXPECT_FALSE(timers_.Cancel(second)) << "it has come";
  EXPECT_FALSE(timers_.Cancel(third)) << "once is enough";
  EXPECT_FALSE(timers_.Cancel(0));
}

TEST_F(TimerServiceTest, ALongTimerThatIsCancelledLeavesNothingBehind) {
  Alarm alarm;
  auto held = std::make_shared<int>(0);
  ASSERT_TRUE(timers_.Arm(alarm, start_ + absl::Hours(24 * 365)));
  const auto callback = timers_.RunAt(start_ + absl::Hours(24), [held] {});
  EXPECT_NE(timers_.Earliest(), Instant::Never());
  EXPECT_TRUE(timers_.Cancel(callback));
  TimerService::Disarm(alarm);
  EXPECT_EQ(timers_.Earliest(), Instant::Never());
  EXPECT_EQ(held.use_count(), 1);
}

// One of a million: no more than what every deadline has, and a number.
class Numbered final : public Deadline {
 public:
  void Expire(const absl::Status&) override { order->push_back(this); }
  std::vector<Numbered*>* order = nullptr;
  Instant when;

 private:
  void OnUnreferenced() override {}
};

TEST_F(TimerServiceTest, AMillionArmedAtOnceFromFourThreadsAllComeInTheOrderOfTheirTime) {
  static_assert(sizeof(Deadline) <= 64, "a million deadlines take 64 MB");
  constexpr size_t kEach = 250'000 / kScale;
  std::vector<Numbered*> order;
  std::vector<Numbered> alarms(4 * kEach);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(t);
      for (size_t i = t * kEach; i < (t + 1) * kEach; ++i) {
        alarms[i].order = &order;
        alarms[i].when = start_ + absl::Microseconds(random.Below(3'600'000'000));
        ASSERT_TRUE(timers_.Arm(alarms[i], alarms[i].when));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < alarms.size(); i += 2) TimerService::Disarm(alarms[i]);
  // Seldom, so that thousands of all shards come at each look.
  for (int minute = 1; minute <= 61; ++minute) {
    const Instant now = start_ + absl::Minutes(minute);
    const size_t before = order.size();
    timers_.FireDue(now);
    for (size_t i = before; i < order.size(); ++i) ASSERT_LE(order[i]->when, now);
  }
  ASSERT_EQ(order.size(), alarms.size() / 2);
  auto tick = [](const Numbered* alarm) { return (alarm->when.nanos() - 1) >> 18; };
  for (size_t i = 1; i < order.size(); ++i) ASSERT_LE(tick(order[i - 1]), tick(order[i]));
}

// With threads.

TEST(TimerThreadsTest, EveryTimerComesOnceOrIsCancelledNeverBoth) {
  ThreadExecutor executor({.workers = 1});
  std::atomic<int> came{0}, cancelled{0}, lost{0};
  std::vector<std::thread> users;
  constexpr int kEach = 20'000 / kScale;
  for (int u = 0; u < 4; ++u) {
    users.emplace_back([&, u] {
      Random random(u);
      std::vector<std::pair<Executor::TimerId, std::shared_ptr<std::atomic<int>>>> recent;
      for (int i = 0; i < kEach; ++i) {
        auto mine = std::make_shared<std::atomic<int>>(0);
        const auto id = executor.RunAt(executor.Now() + absl::Microseconds(random.Below(2'000)), [&came, mine] {
          mine->fetch_add(1);
          came.fetch_add(1);
        });
        recent.emplace_back(id, mine);
        if (recent.size() < 8) continue;
        // One that may be coming this very moment.
        const size_t choice = random.Below(recent.size());
        if (executor.CancelTimer(recent[choice].first)) {
          cancelled.fetch_add(1);
          if (recent[choice].second->load() != 0) lost.fetch_add(1);
        }
        recent.erase(recent.begin() + static_cast<std::ptrdiff_t>(choice));
      }
    });
  }
  for (std::thread& user : users) user.join();
  // What is left is due within 2 ms; one that is armed later comes after all of them.
  std::atomic<bool> done{false};
  executor.RunAt(executor.Now() + absl::Milliseconds(5), [&] {
    done = true;
    done.notify_all();
  });
  done.wait(false);
  executor.Stop();
  EXPECT_EQ(came.load() + cancelled.load(), 4 * kEach);
  EXPECT_EQ(lost.load(), 0);
  EXPECT_GT(cancelled.load(), 0);
}

TEST(TimerThreadsTest, ADeadlineThatIsSoonerThanAllOthersIsNotSleptThrough) {
  ThreadExecutor executor({.workers = 1});
  executor.RunAt(executor.Now() + absl::Hours(1), [] {});
  for (int i = 0; i < 50; ++i) {
    const Instant begin = executor.Now();
    auto [future, reply] = MakeFuture<int>(executor, begin + absl::Milliseconds(1 + i % 3));
    EXPECT_TRUE(absl::IsDeadlineExceeded(std::move(future).Wait().status()));
    EXPECT_GE(executor.Now() - begin, absl::Milliseconds(1 + i % 3));
  }
}

struct Ring {};
struct SetAlarms {
  using Result = int;
  int alarms;
};
// Arms so many timers, and cancels every second at once.
class Sleeper : public Actor<Sleeper> {
 public:
  explicit Sleeper(std::atomic<int>* rung) : rung_(rung) {}
  int Handle(SetAlarms set, Context& context) {
    int cancelled = 0;
    for (int i = 0; i < set.alarms; ++i) {
      const TimerId timer = context.After(absl::Milliseconds(200 + i * 20), Ring{});
      if (i % 2 == 0 && context.Cancel(timer)) ++cancelled;
    }
    return cancelled;
  }
  void Handle(Ring, Context&) {
    rung_->fetch_sub(1);
    if (rung_->load() == 0) rung_->notify_all();
  }

 private:
  std::atomic<int>* rung_;
};

TEST(TimerThreadsTest, AMillionTimersOfAHundredThousandActorsComeOnceEach) {
  constexpr int kActors = 100'000 / kScale, kTimers = 10;
  std::atomic<int> left{kActors * kTimers / 2};
  std::atomic<int> cancelled{0};
  ActorSystem system;
  std::vector<Address<Sleeper>> sleepers;
  for (int i = 0; i < kActors; ++i) sleepers.push_back(system.Spawn<Sleeper>(&left));
  for (const Address<Sleeper>& sleeper : sleepers) {
    sleeper.Ask(SetAlarms{kTimers}, absl::InfiniteDuration()).Then([&cancelled](absl::StatusOr<int> count) {
      cancelled.fetch_add(*count);
    });
  }
  for (int now = left.load(); now != 0; now = left.load()) left.wait(now);
  EXPECT_EQ(cancelled.load(), kActors * kTimers / 2);
  EXPECT_TRUE(system.Shutdown(absl::Seconds(60)).ok());
  EXPECT_EQ(left.load(), 0) << "none comes twice, nor one that was cancelled";
}

}  // namespace
}  // namespace troupe
