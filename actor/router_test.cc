// Choices among members, each against what it promises over many seeds.
#include "actor/router.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;

TEST(RotationTest, EveryMemberHasItsTurnAlsoWhenTheSizeChanges) {
  Rotation rotation;
  std::vector<size_t> picked;
  for (size_t members : {3, 3, 3, 3, 2, 2, 4, 4, 4, 1}) picked.push_back(rotation.Next(members));
  EXPECT_THAT(picked, ElementsAre(0, 1, 2, 0, 1, 0, 1, 2, 3, 0));
}

TEST(LeastBusyTest, ASmallestLoadIsChosenAndEqualsTakeTurns) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<size_t> loads(1 + random.Below(6));
    for (size_t& load : loads) load = random.Below(3);
    const size_t start = random.Below(10);
    const size_t smallest = *std::min_element(loads.begin(), loads.end());
    size_t expected = start % loads.size();
    while (loads[expected] != smallest) expected = (expected + 1) % loads.size();
    ASSERT_EQ(LeastBusy(loads, start), expected);
  }
}

TEST(ConsistentHashTest, AKeyHasOneMemberAndANewMemberTakesItsShareAndNothingElseMoves) {
  constexpr int kKeys = 20000;
  for (size_t members = 1; members <= 12; ++members) {
    SCOPED_TRACE(members);
    int moved = 0;
    std::vector<int> share(members);
    for (int i = 0; i < kKeys; ++i) {
      const uint64_t hash = HashOfKey(absl::StrCat("user:", i));
      const size_t before = ConsistentHash(hash, members);
      const size_t after = ConsistentHash(hash, members + 1);
      ASSERT_LT(before, members);
      ++share[before];
      if (before == after) continue;
      ASSERT_EQ(after, members) << "a key moved between members that were there before";
      ++moved;
    }
    const double fair = static_cast<double>(kKeys) / static_cast<double>(members + 1);
    EXPECT_NEAR(moved, fair, fair * 0.1);
    for (int keys : share) EXPECT_NEAR(keys, static_cast<double>(kKeys) / static_cast<double>(members), 300);
  }
}

TEST(ConsistentHashTest, TheSameKeyHasTheSameHashForEver) {
  EXPECT_EQ(HashOfKey("user:1"), HashOfKey(std::string("user:1")));
  EXPECT_NE(HashOfKey("user:1"), HashOfKey("user:2"));
  EXPECT_NE(HashOfKey("ab"), HashOfKey("ba"));
}

}  // namespace
}  // namespace troupe
