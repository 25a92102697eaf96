// The timer wheel: its promises one by one, then random histories against a sorted map.
#include "actor/timer_wheel.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "actor/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr size_t kAll = SIZE_MAX;
Instant AtMs(double ms) { return Instant() + absl::Milliseconds(ms); }

std::vector<uint64_t> DueAt(TimerWheel& wheel, Instant now) {
  std::vector<uint64_t> due;
  EXPECT_FALSE(wheel.Advance(now, kAll, due));
  return due;
}

TEST(TimerWheelTest, FiresAtItsDeadlineAndNotBefore) {
  TimerWheel wheel(AtMs(0));
  wheel.Insert(AtMs(70), 7);
  EXPECT_THAT(DueAt(wheel, AtMs(69.999)), IsEmpty());
  EXPECT_THAT(DueAt(wheel, AtMs(70)), ElementsAre(7));
  EXPECT_THAT(DueAt(wheel, AtMs(1000)), IsEmpty());
}

TEST(TimerWheelTest, BetweenTwoTicksTheLaterOneCounts) {
  TimerWheel wheel(AtMs(0));
  wheel.Insert(AtMs(70.2), 7);
  EXPECT_THAT(DueAt(wheel, AtMs(70.9)), IsEmpty());
  EXPECT_THAT(DueAt(wheel, AtMs(71)), ElementsAre(7));
}

TEST(TimerWheelTest, ThosePastDueAreDueAtTheNextAdvanceEvenAtTheSameTime) {
  TimerWheel wheel(AtMs(0));
  EXPECT_THAT(DueAt(wheel, AtMs(500)), IsEmpty());
  wheel.Insert(AtMs(3), 1);
  wheel.Insert(AtMs(500), 2);
  EXPECT_EQ(wheel.NextDeadline(), AtMs(500));
  EXPECT_THAT(DueAt(wheel, AtMs(500)), ElementsAre(1, 2));
}

TEST(TimerWheelTest, OrderIsByTickThenByInsertionAlsoAcrossWheels) {
  TimerWheel wheel(AtMs(0));
  wheel.Insert(AtMs(5000), 1);
  wheel.Insert(AtMs(70), 2);
  wheel.Insert(AtMs(5000), 3);
  EXPECT_THAT(DueAt(wheel, AtMs(4999)), ElementsAre(2));
  wheel.Insert(AtMs(5000), 4);
  EXPECT_THAT(DueAt(wheel, AtMs(6000)), ElementsAre(1, 3, 4));
}

TEST(TimerWheelTest, CancelWorksOnceAndNeverOnASuccessorInTheSamePlace) {
  TimerWheel wheel(AtMs(0));
  TimerWheel::TimerId first = wheel.Insert(AtMs(10), 1);
  EXPECT_TRUE(wheel.Cancel(first));
  EXPECT_FALSE(wheel.Cancel(first));
  TimerWheel::TimerId second = wheel.Insert(AtMs(10), 2);
  EXPECT_FALSE(wheel.Cancel(first));
  EXPECT_THAT(DueAt(wheel, AtMs(10)), ElementsAre(2));
  EXPECT_FALSE(wheel.Cancel(second));
  EXPECT_FALSE(wheel.Cancel(0));
  EXPECT_FALSE(wheel.Cancel(second + (uint64_t{1} << 32))) << "an id that was never given";
  EXPECT_EQ(wheel.size(), 0u);
}

TEST(TimerWheelTest, ALimitLeavesTheRestForTheNextCall) {
  TimerWheel wheel(AtMs(0));
  for (uint64_t i = 1; i <= 3; ++i) wheel.Insert(AtMs(10), i);
  std::vector<uint64_t> due;
  EXPECT_TRUE(wheel.Advance(AtMs(20), 2, due));
  EXPECT_THAT(due, ElementsAre(1, 2));
  EXPECT_FALSE(wheel.Advance(AtMs(20), 2, due));
  EXPECT_THAT(due, ElementsAre(1, 2, 3));
}

TEST(TimerWheelTest, NeverNeverComesAndCenturiesDo) {
  TimerWheel wheel(AtMs(0), absl::Nanoseconds(1));
  wheel.Insert(Instant::Never(), 1);
  EXPECT_EQ(wheel.size(), 1u);
  const Instant late = Instant() + absl::Hours(24 * 365 * 200);
  wheel.Insert(late, 2);
  EXPECT_THAT(DueAt(wheel, Instant::FromNanos(late.nanos() - 1)), IsEmpty());
  EXPECT_THAT(DueAt(wheel, late), ElementsAre(2));
  EXPECT_THAT(DueAt(wheel, Instant::FromNanos(Instant::Never().nanos() - 1)), IsEmpty());
}

TEST(TimerWheelTest, ATickPastTheEndOfTimeIsNever) {
  TimerWheel wheel(AtMs(0));
  wheel.Insert(Instant::Never(), 1);
  EXPECT_THAT(DueAt(wheel, Instant::FromNanos(Instant::Never().nanos() - 1)), IsEmpty());
  EXPECT_EQ(wheel.NextDeadline(), Instant::Never());
}

TEST(TimerWheelTest, AMillionArmedAtOnceAllFireInOrder) {
  TimerWheel wheel(AtMs(0));
  Random random(1);
  std::vector<uint64_t> deadlines(1'000'000);
  std::vector<TimerWheel::TimerId> ids;
  for (uint64_t i = 0; i < deadlines.size(); ++i) {
    deadlines[i] = random.Below(3'600'000);
    ids.push_back(wheel.Insert(AtMs(static_cast<double>(deadlines[i])), i));
  }
  EXPECT_EQ(wheel.size(), deadlines.size());
  for (size_t i = 0; i < ids.size(); i += 2) ASSERT_TRUE(wheel.Cancel(ids[i]));
  std::vector<uint64_t> due;
  Instant now;
  while (now <= AtMs(3'600'000)) {
    now = now + absl::Seconds(1);
    EXPECT_FALSE(wheel.Advance(now, kAll, due));
  }
  ASSERT_EQ(due.size(), deadlines.size() / 2);
  for (size_t i = 1; i < due.size(); ++i) ASSERT_LE(deadlines[due[i - 1]], deadlines[due[i]]);
}

// What a wheel promises, kept in a map from tick to value. Equal keys keep the order of their insertion.
struct Model {
  std::multimap<int64_t, uint64_t> timers;
  std::unordered_map<TimerWheel::TimerId, std::multimap<int64_t, uint64_t>::iterator> by_id;
};

TEST(TimerWheelTest, AgreesWithASortedMap) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const int64_t granularity = 1 + static_cast<int64_t>(random.Below(1000));
    const int64_t start = static_cast<int64_t>(random.Below(1 << 20)) - (1 << 19);
    TimerWheel wheel(Instant::FromNanos(start), absl::Nanoseconds(granularity));
    Model model;
    std::vector<TimerWheel::TimerId> ids;
    std::unordered_map<uint64_t, TimerWheel::TimerId> id_of_value;
    int64_t now = start;
    // Distances of every size, so that every wheel has its turn.
    auto distance = [&random] { return static_cast<int64_t>(random.Next() >> (5 + random.Below(58))) >> 3; };
    for (uint64_t step = 0; step < 400; ++step) {
      const uint64_t choice = random.Below(10);
      if (choice < 5) {
        int64_t deadline = now + (random.PerMille(100) ? -distance() % 1000 : distance());
        if (deadline > INT64_MAX / 2) deadline = now;
        const TimerWheel::TimerId id = wheel.Insert(Instant::FromNanos(deadline), step);
        int64_t tick = (std::max(deadline, start) - start + granularity - 1) / granularity;
        tick = std::max(tick, (now - start) / granularity);
        model.by_id[id] = model.timers.emplace(tick, step);
        ids.push_back(id);
        id_of_value[step] = id;
      } else if (choice < 7 && !ids.empty()) {
        const TimerWheel::TimerId id = ids[random.Below(ids.size())];
        auto entry = model.by_id.find(id);
        ASSERT_EQ(wheel.Cancel(id), entry != model.by_id.end());
        if (entry != model.by_id.end()) {
          model.timers.erase(entry->second);
          model.by_id.erase(entry);
        }
      } else {
        // Half of the time just as far as the wheel asks for.
        const Instant next = wheel.NextDeadline();
        if (random.PerMille(500) && next != Instant::Never()) {
          now = std::max(now, next.nanos());
        } else {
          now = std::min(now + distance(), INT64_MAX / 4);
        }
        std::vector<uint64_t> due;
        while (wheel.Advance(Instant::FromNanos(now), 1 + random.Below(5), due)) {
        }
        std::vector<uint64_t> expected;
        while (!model.timers.empty() && model.timers.begin()->first <= (now - start) / granularity) {
          expected.push_back(model.timers.begin()->second);
          model.by_id.erase(id_of_value[expected.back()]);
          model.timers.erase(model.timers.begin());
        }
        ASSERT_EQ(due, expected) << "step " << step;
      }
      ASSERT_EQ(wheel.size(), model.timers.size());
      if (model.timers.empty()) {
        ASSERT_EQ(wheel.NextDeadline(), Instant::Never());
      } else {
        ASSERT_LE(wheel.NextDeadline().nanos(), start + model.timers.begin()->first * granularity) << "step " << step;
      }
    }
  }
}

TEST(TimerWheelTest, WhoAdvancesOnlyAtNextDeadlineMeetsEachTimerAtItsTickAfterFewSteps) {
  Random random(1);
  TimerWheel wheel(AtMs(0));
  std::vector<int64_t> deadlines;
  for (uint64_t i = 0; i < 100; ++i) {
    deadlines.push_back(static_cast<int64_t>(random.Below(uint64_t{1} << (1 + random.Below(40)))));
    wheel.Insert(Instant() + absl::Milliseconds(deadlines.back()), i);
  }
  int steps = 0;
  while (wheel.size() > 0) {
    const Instant now = wheel.NextDeadline();
    for (uint64_t value : DueAt(wheel, now)) EXPECT_EQ(Instant() + absl::Milliseconds(deadlines[value]), now);
    ASSERT_LE(++steps, 100 * 11);
  }
}

}  // namespace
}  // namespace troupe
