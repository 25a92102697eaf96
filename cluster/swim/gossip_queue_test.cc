#include "cluster/swim/gossip_queue.h"

#include "absl/strings/str_cat.h"
#include "cluster/swim/test_core.h"
#include "gtest/gtest.h"

namespace troupe::swim {
namespace {

constexpr auto kUrgent = GossipQueue::Urgency::kUrgent;
constexpr auto kOrdinary = GossipQueue::Urgency::kOrdinary;

TEST(GossipQueue, TellsEachFactAsOftenAsTheLimitSaysTheLeastToldFirst) {
  GossipQueue queue;
  for (const char* name : {"w", "x", "y", "z"}) queue.Put(Alive(name, 0), kOrdinary);

  EXPECT_EQ(queue.Take(3, 2).size(), 3u);
  std::vector<Update> second = queue.Take(3, 2);
  ASSERT_EQ(second.size(), 3u);
  EXPECT_EQ(second.front().node.name, "w") << "the one that was not told yet";
  EXPECT_EQ(queue.Take(3, 2).size(), 2u);
  EXPECT_EQ(queue.Take(3, 2).size(), 0u);
  EXPECT_TRUE(queue.empty());
}

TEST(GossipQueue, ReplacesWhatItHoldsOfAMemberAndCountsAnew) {
  GossipQueue queue;
  queue.Put(Alive("x", 0), kOrdinary);
  queue.Take(1, 2);
  queue.Put(Dead("x", 0), kUrgent);

  EXPECT_EQ(queue.size(), 1u);
  EXPECT_EQ(queue.Take(1, 2).front().state, State::kDead);
  EXPECT_EQ(queue.Take(1, 2).size(), 1u);
  EXPECT_TRUE(queue.empty());
}

TEST(GossipQueue, KeepsIndependentAccusersApartUntilTheFactChanges) {
  GossipQueue queue;
  queue.Put(Suspect("x", 1, "p"), kUrgent);
  queue.Put(Suspect("x", 1, "q"), kUrgent);
  queue.Put(Suspect("x", 1, "q"), kUrgent);
  EXPECT_EQ(queue.size(), 2u);

  queue.Put(Suspect("x", 2, "q"), kUrgent);
  EXPECT_EQ(queue.size(), 1u);
  queue.Put(Alive("x", 3), kUrgent);
  EXPECT_EQ(queue.size(), 1u);
}

TEST(GossipQueue, ReservesAQuarterForUrgentFacts) {
  GossipQueue queue;
  queue.Put(Dead("x", 0), kUrgent);
  queue.Take(1, 9);  // told before, so every newcomer would go first
  for (int i = 0; i < 100; ++i) queue.Put(Alive(absl::StrCat("n", i), 0), kOrdinary);

  std::vector<Update> told = queue.Take(14, 9);

  ASSERT_EQ(told.size(), 14u);
  EXPECT_EQ(told.front().node.name, "x");
}

}  // namespace
}  // namespace troupe::swim
