#include "kvstore/shard_map.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

TEST(SlotOfTest, NeverChanges) {
  struct Golden {
    std::string key;
    uint16_t slot;
  };
  // Data on disk is placed by these values. A new value here loses every key of every cluster.
  const Golden kGolden[] = {
      {"", 11526},
      {"a", 59078},
      {"user:1", 15191},
      {"user:2", 27040},
      {"hello world", 54343},
      {std::string("\x00", 1), 50251},
      {"\xff\xff", 45656},
      {"{user:1}:name", 15191},
      {std::string(17, 'x'), 35223},
      {std::string(129, 'x'), 58617},
      {std::string(4096, 'x'), 34124},
  };
  for (const Golden& golden : kGolden) {
    EXPECT_EQ(SlotOf(golden.key), golden.slot) << golden.key.substr(0, 20) << " of " << golden.key.size() << " bytes";
  }
}

TEST(TagOfTest, IsWhatStandsInTheFirstBraces) {
  struct Row {
    std::string_view key, tag;
  };
  const Row kRows[] = {
      {"", ""},
      {"plain", "plain"},
      {"{user:1}:name", "user:1"},
      {"mail:{user:1}", "user:1"},
      {"{a}{b}", "a"},
      {"{{a}}", "{a"},
      {"}{a}", "a"},
      // Nothing between the first pair: the whole key, also when a later pair has content.
      {"{}", "{}"},
      {"{}{a}", "{}{a}"},
      {"{a", "{a"},
      {"a}", "a}"},
      {"a}b{", "a}b{"},
  };
  for (const Row& row : kRows) EXPECT_EQ(TagOf(row.key), row.tag) << row.key;
}

TEST(SlotOfTest, KeysOfOneTagShareASlot) {
  EXPECT_EQ(SlotOf("{user:1}:name"), SlotOf("mail:{user:1}"));
  EXPECT_EQ(SlotOf("{user:1}:name"), SlotOf("user:1"));
  EXPECT_NE(SlotOf("{user:1}:name"), SlotOf("{user:2}:name"));
}

TEST(ShardMapTest, AFoundingMapHasEqualContiguousRanges) {
  ShardMap map = ShardMap::Founding(64);
  EXPECT_EQ(map.size(), 64);
  EXPECT_EQ(map.epoch(), 1u);
  EXPECT_EQ(map.RangeOf(0), (SlotRange{0, 1023}));
  EXPECT_EQ(map.RangeOf(1), (SlotRange{1024, 2047}));
  EXPECT_EQ(map.RangeOf(63), (SlotRange{64512, 65535}));
  EXPECT_EQ(map.ShardOfSlot(0), 0);
  EXPECT_EQ(map.ShardOfSlot(1023), 0);
  EXPECT_EQ(map.ShardOfSlot(1024), 1);
  EXPECT_EQ(map.ShardOfSlot(65535), 63);
}

TEST(ShardMapTest, EverySlotHasOneShardWhateverTheirNumber) {
  for (int shards : {1, 2, 3, 7, 63, 64, 65, 100, 1000, 1023, 1024}) {
    ShardMap map = ShardMap::Founding(shards);
    int next = 0;
    for (int shard = 0; shard < shards; ++shard) {
      SlotRange range = map.RangeOf(static_cast<ShardId>(shard));
      ASSERT_EQ(range.first, next) << shards;
      ASSERT_EQ(range.first % (kSlots / kBuckets), 0) << "a cut inside a bucket, " << shards;
      ASSERT_EQ(map.ShardOfSlot(range.first), shard) << shards;
      ASSERT_EQ(map.ShardOfSlot(range.last), shard) << shards;
      next = range.last + 1;
    }
    ASSERT_EQ(next, kSlots) << shards;
  }
}

TEST(ShardMapTest, AKeysShardIsTheOneWithItsSlot) {
  ShardMap map = ShardMap::Founding(64);
  for (int i = 0; i < 1000; ++i) {
    std::string key = absl::StrCat("user:", i);
    SlotRange range = map.RangeOf(map.ShardOf(key));
    EXPECT_LE(range.first, SlotOf(key));
    EXPECT_GE(range.last, SlotOf(key));
  }
}

TEST(ShardMapTest, KeysSpreadEvenly) {
  constexpr int kKeys = 100'000, kShards = 64;
  ShardMap map = ShardMap::Founding(kShards);
  std::vector<int> keys(kShards);
  for (int i = 0; i < kKeys; ++i) ++keys[map.ShardOf(absl::StrCat("user:", i))];
  // 1,562 each on average, standard deviation 39: five of them either way.
  auto [least, most] = std::minmax_element(keys.begin(), keys.end());
  EXPECT_GT(*least, 1562 - 200);
  EXPECT_LT(*most, 1562 + 200);
}

TEST(ShardMapDeathTest, RefusesAnImpossibleNumberOfShards) {
  EXPECT_DEATH(ShardMap::Founding(0), "shards >= 1");
  EXPECT_DEATH(ShardMap::Founding(kBuckets + 1), "at least one bucket");
  EXPECT_DEATH(ShardMap::Founding(64).RangeOf(64), "shard < size_");
}

}  // namespace
}  // namespace troupe
