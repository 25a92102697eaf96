// The timer wheel: its promises one by one, then random histories against a sorted map.
#include "actor/timer_wheel.h"

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

#include "actor/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr size_t kAll = SIZE_MAX;

struct Timer : TimerWheel::Entry {
  explicit Timer(uint64_t v) : value(v) {}
  uint64_t value;
};

// What comes at `now`, in the order in which it comes.
std::vector<uint64_t> DueAt(TimerWheel& wheel, uint64_t now, size_t limit = kAll, bool more = false) {
  std::vector<uint64_t> due;
  EXPECT_EQ(
      wheel.Advance(now, limit, [&due](TimerWheel::Entry& entry) { due.push_back(static_cast<Timer&>(entry).value); }),
      more);
  return due;
}

TEST(TimerWheelTest, FiresAtItsTickAndNotBefore) {
  TimerWheel wheel;
  Timer seven(7);
  wheel.Insert(seven, 70);
  EXPECT_THAT(DueAt(wheel, 69), IsEmpty());
  EXPECT_THAT(DueAt(wheel, 70), ElementsAre(7));
  EXPECT_THAT(DueAt(wheel, 1000), IsEmpty());
}

TEST(TimerWheelTest, ThosePastDueAreDueAtTheNextAdvanceEvenAtTheSameTime) {
  TimerWheel wheel;
  EXPECT_THAT(DueAt(wheel, 500), IsEmpty());
  Timer one(1), two(2);
  wheel.Insert(one, 3);
  wheel.Insert(two, 500);
  EXPECT_EQ(wheel.NextTick(), 500u);
  EXPECT_THAT(DueAt(wheel, 500), ElementsAre(1, 2));
}

TEST(TimerWheelTest, OrderIsByTickThenByInsertionAlsoAcrossWheels) {
  TimerWheel wheel;
  Timer one(1), two(2), three(3), four(4);
  wheel.Insert(one, 5000);
  wheel.Insert(two, 70);
  wheel.Insert(three, 5000);
  EXPECT_THAT(DueAt(wheel, 4999), ElementsAre(2));
  wheel.Insert(four, 5000);
  EXPECT_THAT(DueAt(wheel, 6000), ElementsAre(1, 3, 4));
}

TEST(TimerWheelTest, OneThatIsRemovedNeverComesAndLeavesTheOthers) {
  for (int removed = 1; removed <= 3; ++removed) {
    TimerWheel wheel;
    std::deque<Timer> timers;
    std::vector<uint64_t> left;
    for (int i = 1; i <= 3; ++i) {
      wheel.Insert(timers.emplace_back(i), 100);
      if (i != removed) left.push_back(i);
    }
    wheel.Remove(timers[removed - 1]);
    Timer last(4);
    wheel.Insert(last, 100);
    left.push_back(4);
    EXPECT_EQ(DueAt(wheel, 100), left);
    EXPECT_EQ(wheel.NextTick(), TimerWheel::kNever);
  }
}

TEST(TimerWheelTest, ALimitEndsACallAnywhereAndLosesNothing) {
  for (size_t limit = 1; limit <= 7; ++limit) {
    TimerWheel wheel;
    std::deque<Timer> timers;
    for (uint64_t i = 0; i < 10; ++i) wheel.Insert(timers.emplace_back(i), 100 + i / 4);
    std::vector<uint64_t> due;
    while (
        wheel.Advance(200, limit, [&](TimerWheel::Entry& entry) { due.push_back(static_cast<Timer&>(entry).value); })) {
      EXPECT_LE(wheel.NextTick(), 102u);
    }
    EXPECT_THAT(due, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)) << limit;
  }
}

TEST(TimerWheelTest, OneThatIsMovingDownCanBeRemoved) {
  TimerWheel wheel;
  Timer one(1), two(2), three(3);
  for (Timer* timer : {&one, &two, &three}) wheel.Insert(*timer, 100);
  EXPECT_THAT(DueAt(wheel, 99, /*limit=*/1, /*more=*/true), IsEmpty());
  wheel.Remove(one);
  wheel.Remove(three);
  EXPECT_THAT(DueAt(wheel, 100), ElementsAre(2));
}

TEST(TimerWheelTest, NeverNeverComesAndTheLastTickDoes) {
  TimerWheel wheel;
  Timer never(1), last(2);
  wheel.Insert(never, TimerWheel::kNever);
  EXPECT_EQ(wheel.NextTick(), TimerWheel::kNever);
  wheel.Insert(last, TimerWheel::kNever - 1);
  EXPECT_THAT(DueAt(wheel, TimerWheel::kNever - 2), IsEmpty());
  EXPECT_THAT(DueAt(wheel, TimerWheel::kNever - 1), ElementsAre(2));
  EXPECT_THAT(DueAt(wheel, UINT64_MAX), IsEmpty());
  std::vector<uint64_t> left;
  wheel.Clear([&](TimerWheel::Entry& entry) { left.push_back(static_cast<Timer&>(entry).value); });
  EXPECT_THAT(left, ElementsAre(1));
}

// What a wheel promises, kept in a sorted map. Equal ticks keep the order of their insertion.
using Model = std::multimap<uint64_t, Timer*>;

TEST(TimerWheelTest, AgreesWithASortedMap) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    uint64_t now = random.Below(1 << 20);
    TimerWheel wheel(now);
    Model model;
    std::deque<Timer> timers;
    // Distances of every size, so that every wheel has its turn.
    auto distance = [&random] { return random.Next() >> (20 + random.Below(44)); };
    for (uint64_t step = 0; step < 400; ++step) {
      const uint64_t choice = random.Below(10);
      if (choice < 5) {
        const uint64_t tick = random.PerMille(100) ? now - std::min(now, distance() % 1000) : now + distance();
        wheel.Insert(timers.emplace_back(step), tick);
        model.emplace(std::max(tick, now), &timers.back());
      } else if (choice < 7 && !model.empty()) {
        auto entry = std::next(model.begin(), static_cast<std::ptrdiff_t>(random.Below(model.size())));
        wheel.Remove(*entry->second);
        model.erase(entry);
      } else {
        // Half of the time just as far as the wheel asks for.
        const uint64_t next = wheel.NextTick();
        now = random.PerMille(500) && next != TimerWheel::kNever ? std::max(now, next)
                                                                 : std::min(now + distance(), TimerWheel::kNever / 2);
        std::vector<uint64_t> due;
        auto add = [&due](TimerWheel::Entry& entry) { due.push_back(static_cast<Timer&>(entry).value); };
        while (wheel.Advance(now, 1 + random.Below(5), add)) {
        }
        std::vector<uint64_t> expected;
        while (!model.empty() && model.begin()->first <= now) {
          expected.push_back(model.begin()->second->value);
          model.erase(model.begin());
        }
        ASSERT_EQ(due, expected) << "step " << step;
      }
      if (model.empty()) {
        ASSERT_EQ(wheel.NextTick(), TimerWheel::kNever);
      } else {
        ASSERT_LE(wheel.NextTick(), model.begin()->first) << "step " << step;
      }
    }
  }
}

TEST(TimerWheelTest, WhoAdvancesOnlyAtNextTickMeetsEachTimerAtItsTickAfterFewSteps) {
  Random random(1);
  TimerWheel wheel;
  std::deque<Timer> timers;
  // The value is the tick.
  for (int i = 0; i < 100; ++i) {
    const uint64_t tick = random.Below(uint64_t{1} << (1 + random.Below(40)));
    wheel.Insert(timers.emplace_back(tick), tick);
  }
  int steps = 0;
  while (wheel.NextTick() != TimerWheel::kNever) {
    const uint64_t now = wheel.NextTick();
    for (uint64_t value : DueAt(wheel, now)) EXPECT_EQ(value, now);
    ASSERT_LE(++steps, 100 * 8);
  }
}

}  // namespace
}  // namespace troupe
