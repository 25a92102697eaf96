#include "cluster/lane_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace troupe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Instant At(int milliseconds) { return Instant::FromNanos(int64_t{1000000} * milliseconds); }

std::vector<uint64_t> Numbers(const std::vector<LaneQueue::Frame>& frames) {
  std::vector<uint64_t> numbers;
  for (const LaneQueue::Frame& frame : frames) numbers.push_back(frame.number);
  return numbers;
}

TEST(LaneQueueTest, FramesComeOutInTheirOrder) {
  LaneQueue queue(LaneQueue::LimitsOf(Lane::kRaft));
  for (uint64_t i = 1; i <= 3; ++i) ASSERT_TRUE(queue.Push(i, "frame", At(0)).ok());
  EXPECT_EQ(queue.first_number(), 1u);
  EXPECT_EQ(queue.last_number(), 3u);
  EXPECT_THAT(Numbers(queue.TakeBatch(At(0))), ElementsAre(1, 2, 3));
  EXPECT_TRUE(queue.empty());
}

TEST(LaneQueueTest, TheControlLaneDropsTheOldestWhenSixtyFourWait) {
  LaneQueue queue(LaneQueue::LimitsOf(Lane::kControl));
  for (uint64_t i = 1; i <= 66; ++i) ASSERT_TRUE(queue.Push(i, "ping", At(0)).ok());
  EXPECT_EQ(queue.dropped_full(), 2u);
  EXPECT_EQ(queue.first_number(), 3u);
  EXPECT_EQ(queue.TakeBatch(At(0)).size(), 64u);
}

TEST(LaneQueueTest, TheControlLaneSendsNothingThatWaitedLongerThanAQuarterSecond) {
  LaneQueue queue(LaneQueue::LimitsOf(Lane::kControl));
  ASSERT_TRUE(queue.Push(1, "too late", At(0)).ok());
  ASSERT_TRUE(queue.Push(2, "just in time", At(1)).ok());
  EXPECT_THAT(Numbers(queue.TakeBatch(At(251))), ElementsAre(2));
  EXPECT_EQ(queue.dropped_late(), 1u);
  ASSERT_TRUE(queue.Push(3, "too late", At(0)).ok());
  EXPECT_THAT(queue.TakeBatch(At(251)), IsEmpty());
}

TEST(LaneQueueTest, OtherLanesKeepFramesHoweverLongTheyWait) {
  LaneQueue queue(LaneQueue::LimitsOf(Lane::kActors));
  ASSERT_TRUE(queue.Push(1, "patient", At(0)).ok());
  EXPECT_THAT(Numbers(queue.TakeBatch(At(3600000))), ElementsAre(1));
}

TEST(LaneQueueTest, OtherLanesRefuseAFrameWhenThirtyTwoMebibytesWait) {
  LaneQueue queue(LaneQueue::LimitsOf(Lane::kBulk));
  const std::string mebibyte(1 << 20, 'x');
  uint64_t taken = 0;
  absl::Status status;
  while (status = queue.Push(taken + 1, mebibyte, At(0)), status.ok()) ++taken;
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(taken, 31u);  // the overhead takes the place of the 32nd
  EXPECT_EQ(queue.first_number(), 1u);
  EXPECT_EQ(queue.dropped_full(), 1u);
  // What leaves makes room.
  EXPECT_EQ(queue.TakeBatch(At(0)).size(), 1u);
  EXPECT_TRUE(queue.Push(99, mebibyte, At(0)).ok());
}

TEST(LaneQueueTest, EmptyFramesAreBoundedToo) {
  LaneQueue queue({.max_frames = 1000, .max_bytes = 640, .max_wait = absl::InfiniteDuration(), .drop_oldest = false});
  for (uint64_t i = 1; i <= 10; ++i) ASSERT_TRUE(queue.Push(i, "", At(0)).ok());
  EXPECT_FALSE(queue.Push(11, "", At(0)).ok());
}

TEST(LaneQueueTest, ABatchHasAtMostAThousandFrames) {
  LaneQueue queue(LaneQueue::LimitsOf(Lane::kRaft));
  for (uint64_t i = 1; i <= 1001; ++i) ASSERT_TRUE(queue.Push(i, "", At(0)).ok());
  EXPECT_EQ(queue.TakeBatch(At(0)).size(), 1000u);
  EXPECT_THAT(Numbers(queue.TakeBatch(At(0))), ElementsAre(1001));
}

TEST(LaneQueueTest, ABatchHasAtMostAQuarterMebibyteUnlessOneFrameIsLarger) {
  LaneQueue queue(LaneQueue::LimitsOf(Lane::kRaft));
  ASSERT_TRUE(queue.Push(1, std::string(1 << 20, 'x'), At(0)).ok());
  for (uint64_t i = 2; i <= 4; ++i) ASSERT_TRUE(queue.Push(i, std::string(100 << 10, 'x'), At(0)).ok());
  EXPECT_THAT(Numbers(queue.TakeBatch(At(0))), ElementsAre(1));
  EXPECT_THAT(Numbers(queue.TakeBatch(At(0))), ElementsAre(2, 3));
  EXPECT_THAT(Numbers(queue.TakeBatch(At(0))), ElementsAre(4));
}

}  // namespace
}  // namespace troupe
