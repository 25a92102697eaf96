#include "kvstore/raft/progress.h"

#include "gtest/gtest.h"
#include "kvstore/raft/test_describe.h"

namespace troupe::raft {
namespace {

TEST(ProgressTest, AnAckFreesAllThatItCovers) {
  Progress progress;
  progress.BecomeReplicate();
  progress.Sent(LogIndex(3), 30);
  progress.Sent(LogIndex(5), 20);
  progress.Sent(LogIndex(9), 40);
  progress.Acked(LogIndex(4));
  EXPECT_EQ(progress.window.size(), 2);
  EXPECT_EQ(progress.window_bytes, 60);
  progress.Acked(LogIndex(9));
  EXPECT_TRUE(progress.window.empty());
  EXPECT_EQ(progress.window_bytes, 0);
}

TEST(ProgressTest, AnotherStateBeginsWithNothingUnderWayAndWhereTheFollowerIs) {
  Progress progress;
  progress.match = LogIndex(4);
  progress.BecomeReplicate();
  progress.next = LogIndex(20);
  progress.Sent(LogIndex(19), 30);
  progress.BecomeProbe();
  EXPECT_EQ(progress.next, LogIndex(5));
  EXPECT_TRUE(progress.window.empty());
  EXPECT_EQ(progress.window_bytes, 0);
  EXPECT_FALSE(progress.probe_sent);
  progress.BecomeSnapshot();
  progress.match = LogIndex(12);
  progress.BecomeReplicate();
  EXPECT_EQ(progress.next, LogIndex(13));
}

}  // namespace
}  // namespace troupe::raft
