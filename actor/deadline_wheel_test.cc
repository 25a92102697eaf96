#include "actor/deadline_wheel.h"

#include <optional>

#include "gtest/gtest.h"

namespace troupe {
namespace {

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

constexpr Duration kLatest = absl::Microseconds(2100);

class DeadlineWheelTest : public ::testing::Test {
 protected:
  const Instant start_ = Instant::FromNanos(987'654'321'012'345);
  DeadlineWheel wheel_;
};

TEST_F(DeadlineWheelTest, ComesOnceNeverEarlyAndSoonAfter) {
  for (const Duration after :
       {absl::Nanoseconds(1), absl::Milliseconds(1), absl::Milliseconds(250), absl::Seconds(5), absl::Minutes(10)}) {
    DeadlineWheel wheel;
    Alarm alarm;
    wheel.ExpireDue(start_);
    ASSERT_TRUE(wheel.Arm(alarm, start_ + after));
    // As its thread would: whenever something may be due.
    Instant now = start_;
    while (alarm.times == 0 && now < start_ + after + kLatest) {
      now = std::max(wheel.Earliest(), now);
      wheel.ExpireDue(now);
      EXPECT_TRUE(alarm.times == 0 || now >= start_ + after);
    }
    EXPECT_EQ(alarm.times, 1) << after;
    EXPECT_LE(now, start_ + after + kLatest);
    EXPECT_EQ(wheel.Earliest(), Instant::Never());
  }
}

TEST_F(DeadlineWheelTest, ADeadlineThatHasPassedComesAtTheNextTick) {
  wheel_.ExpireDue(start_);
  Alarm alarm;
  ASSERT_TRUE(wheel_.Arm(alarm, start_ + -absl::Seconds(1)));
  wheel_.ExpireDue(start_ + kLatest);
  EXPECT_TRUE(absl::IsDeadlineExceeded(*alarm.ended));
}

TEST_F(DeadlineWheelTest, ADisarmedOneNeverComesAndLeavesTheOthers) {
  Alarm first, second, third;
  for (Alarm* alarm : {&first, &second, &third}) ASSERT_TRUE(wheel_.Arm(*alarm, start_));
  DeadlineWheel::Disarm(second);
  DeadlineWheel::Disarm(second);
  wheel_.ExpireDue(start_ + kLatest);
  EXPECT_EQ(first.times, 1);
  EXPECT_EQ(second.times, 0);
  EXPECT_EQ(third.times, 1);
}

TEST_F(DeadlineWheelTest, TheEndEndsAllAndRefusesMore) {
  Alarm never, later, after;
  ASSERT_TRUE(wheel_.Arm(never, Instant::Never()));
  ASSERT_TRUE(wheel_.Arm(later, start_ + absl::Hours(1)));
  wheel_.Stop();
  EXPECT_TRUE(absl::IsUnknown(*never.ended));
  EXPECT_TRUE(absl::IsUnknown(*later.ended));
  EXPECT_FALSE(wheel_.Arm(after, start_));
}

}  // namespace
}  // namespace troupe
