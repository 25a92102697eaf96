#include "tests/sim/plan.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe::sim {
namespace {

using ::testing::HasSubstr;

TEST(PlanTest, ReadsLinesAndSortsThemByTime) {
  auto plan = ParsePlan("# a comment\n  2s n1 kill\n\n100ms n1 set user:1 ada  # another\n");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(*plan,
            (Plan{{absl::Milliseconds(100), "n1", "set", {"user:1", "ada"}}, {absl::Seconds(2), "n1", "kill", {}}}));
}

TEST(PlanTest, NamesTheLineAtFault) {
  for (const char* text : {"1s n1 set k v\nsoon n1 kill", "\n1s n1 explode", "1s n1 start\n1s n1 set k", "\n1s n1"}) {
    absl::Status status = ParsePlan(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("line 2: ")) << text;
  }
}

TEST(PlanTest, PrintingAndParsingAreInverse) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Plan plan = DrawPlan(Random(seed), PlanShape{});
    EXPECT_EQ(*ParsePlan(PrintPlan(plan)), plan) << "seed " << seed;
  }
}

TEST(PlanTest, OneSeedIsOnePlan) {
  EXPECT_EQ(DrawPlan(Random(5), PlanShape{}), DrawPlan(Random(5), PlanShape{}));
  EXPECT_NE(DrawPlan(Random(5), PlanShape{}), DrawPlan(Random(6), PlanShape{}));
}

}  // namespace
}  // namespace troupe::sim
