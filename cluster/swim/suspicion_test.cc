#include "cluster/swim/suspicion.h"

#include "cluster/swim/gossip_queue.h"
#include "gtest/gtest.h"

namespace troupe::swim {
namespace {

using absl::Milliseconds;
using absl::Seconds;

// To the millisecond.
int64_t Millis(Duration duration) { return absl::ToInt64Milliseconds(duration + absl::Microseconds(500)); }

TEST(SuspicionTimeout, FallsWithTheLogarithmOfTheConfirmations) {
  const int64_t expected[] = {30'000, 16'000, 7'811, 2'000, 2'000, 2'000};
  for (int n = 0; n <= 5; ++n) EXPECT_EQ(Millis(SuspicionTimeout(Seconds(2), Seconds(30), n, 3)), expected[n]) << n;
  EXPECT_EQ(SuspicionTimeout(Seconds(2), Seconds(30), 0, 0), Seconds(2));
}

TEST(SuspicionTimeout, IsAsLifeguardHasItForSmallClusters) {
  auto timeout = [](size_t members, int confirmations) {
    Duration min = MinSuspicion(5, members, Milliseconds(100));
    return Millis(SuspicionTimeout(min, 2 * min, confirmations, WantedConfirmations(5, members)));
  };
  for (size_t members : {2, 3, 4}) EXPECT_EQ(timeout(members, 0), 500);
  EXPECT_EQ(timeout(5, 0), 1000);
  EXPECT_EQ(timeout(6, 0), 1000);
  EXPECT_EQ(timeout(6, 1), 750);
  EXPECT_EQ(timeout(6, 2), 604);
  EXPECT_EQ(timeout(6, 3), 500);
  EXPECT_EQ(timeout(6, 4), 500);
}

TEST(MinSuspicion, GrowsWithTheLogarithmOfTheMembers) {
  const std::pair<size_t, int64_t> expected[] = {{5, 3000},   {10, 3000},  {50, 5097},
                                                 {100, 6000}, {500, 8097}, {1000, 9000}};
  for (auto [members, millis] : expected) EXPECT_EQ(Millis(MinSuspicion(3, members, Seconds(1))), millis) << members;
}

TEST(RetransmitLimit, GrowsWithTheLogarithmOfTheMembers) {
  EXPECT_EQ(RetransmitLimit(3, 0), 0);
  EXPECT_EQ(RetransmitLimit(3, 1), 3);
  EXPECT_EQ(RetransmitLimit(3, 99), 6);
}

TEST(SyncPeriod, GrowsAboveThirtyTwoMembers) {
  for (size_t members : {1, 2, 32}) EXPECT_EQ(SyncPeriod(Seconds(10), members), Seconds(10));
  for (size_t members : {33, 64}) EXPECT_EQ(SyncPeriod(Seconds(10), members), Seconds(20));
  for (size_t members : {65, 128}) EXPECT_EQ(SyncPeriod(Seconds(10), members), Seconds(30));
}

TEST(Suspicion, CountsOnlyOtherAndNewAccusers) {
  const Instant start = Instant::FromNanos(0);
  auto deadline = [&](std::vector<std::string> accusers) {
    Suspicion suspicion(start, "me", Milliseconds(500), Seconds(2), 3);
    for (const std::string& accuser : accusers) suspicion.Confirm(accuser);
    return Millis(suspicion.Deadline() - start);
  };
  EXPECT_EQ(deadline({"me"}), 2000);
  EXPECT_EQ(deadline({"me", "foo", "foo"}), 1250);
  EXPECT_EQ(deadline({"foo", "bar"}), 811);
  EXPECT_EQ(deadline({"foo", "bar", "baz", "zoo"}), 500);
}

TEST(Suspicion, TakesNoMoreVoicesThanItWants) {
  Suspicion suspicion(Instant(), "me", Milliseconds(500), Seconds(2), 1);
  EXPECT_FALSE(suspicion.Confirm("me"));
  EXPECT_TRUE(suspicion.Confirm("foo"));
  EXPECT_FALSE(suspicion.Confirm("bar"));
}

}  // namespace
}  // namespace troupe::swim
