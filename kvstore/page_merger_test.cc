#include "kvstore/page_merger.h"

#include <map>

#include "actor/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ScanResult Chunk(std::vector<std::string> keys, bool more, uint64_t revision = 1) {
  ScanResult chunk{.revision = revision, .entries = {}, .more = more};
  for (std::string& key : keys) chunk.entries.push_back({std::move(key), Record{"v", 1}});
  return chunk;
}

std::vector<std::string> Keys(const std::vector<PageEntry>& page) {
  std::vector<std::string> keys;
  for (const PageEntry& entry : page) keys.push_back(entry.key);
  return keys;
}

TEST(PageMergerTest, WantsEveryShardFirstAndThenOnlyThoseThatRanDry) {
  PageMerger merger(3, 10, 1000);
  EXPECT_THAT(merger.Wanted(), ElementsAre(0, 1, 2));
  merger.Add(0, Chunk({"a", "d"}, /*more=*/true));
  merger.Add(1, Chunk({"b", "x"}, /*more=*/false));
  EXPECT_THAT(merger.page(), IsEmpty()) << "shard 2 may still come with a smaller key";
  merger.Add(2, Chunk({}, /*more=*/false));
  EXPECT_THAT(Keys(merger.page()), ElementsAre("a", "b", "d"));
  EXPECT_THAT(merger.Wanted(), ElementsAre(0)) << "it may have keys before x";
  EXPECT_EQ(merger.After(0), "d");
  merger.Add(0, Chunk({"z"}, /*more=*/false));
  EXPECT_THAT(Keys(merger.page()), ElementsAre("a", "b", "d", "x", "z"));
  EXPECT_FALSE(merger.more());
}

TEST(PageMergerTest, EndsAtItsEntriesAndSaysThatThereIsMore) {
  PageMerger merger(1, 2, 1000);
  merger.Add(0, Chunk({"a", "b", "c"}, /*more=*/false));
  EXPECT_THAT(Keys(merger.page()), ElementsAre("a", "b"));
  EXPECT_TRUE(merger.Wanted().empty());
  EXPECT_TRUE(merger.more());
}

TEST(PageMergerTest, EndsBeforeItsBytesButAlwaysTakesOne) {
  PageMerger merger(1, 10, 5);
  merger.Add(0, Chunk({"too long for a page", "b"}, /*more=*/false));
  EXPECT_THAT(Keys(merger.page()), ElementsAre("too long for a page"));
  EXPECT_TRUE(merger.more());
}

TEST(PageMergerTest, AFullPageThatTookEverythingIsTheLast) {
  PageMerger merger(1, 2, 1000);
  merger.Add(0, Chunk({"a", "b"}, /*more=*/false));
  EXPECT_FALSE(merger.more());
}

// Against a dumb model: all keys in one sorted map.
TEST(PageMergerTest, PagesTogetherAreTheWholeListingInOrder) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    const int shards = 1 + static_cast<int>(random.Below(5));
    std::vector<std::map<std::string, int>> disk(static_cast<size_t>(shards));
    std::map<std::string, int> all;
    for (uint64_t i = random.Below(60); i > 0; --i) {
      std::string key = std::to_string(random.Below(1000));
      int shard = static_cast<int>(std::hash<std::string>()(key) % static_cast<size_t>(shards));
      disk[static_cast<size_t>(shard)][key] = all[key] = shard;
    }
    std::vector<std::string> listed;
    std::optional<std::string> begin;
    for (bool more = true; more;) {
      PageMerger merger(shards, 1 + random.Below(10), 1 + random.Below(40));
      while (!merger.Wanted().empty()) {
        for (ShardId shard : merger.Wanted()) {
          std::optional<std::string> after = merger.After(shard).has_value() ? merger.After(shard) : begin;
          auto key = after.has_value() ? disk[shard].upper_bound(*after) : disk[shard].begin();
          std::vector<std::string> keys;
          for (uint64_t n = 1 + random.Below(4); n > 0 && key != disk[shard].end(); --n, ++key)
            keys.push_back(key->first);
          merger.Add(shard, Chunk(keys, key != disk[shard].end()));
        }
      }
      for (const PageEntry& entry : merger.page()) {
        listed.push_back(entry.key);
        EXPECT_EQ(entry.shard, all[entry.key]) << "seed " << seed;
      }
      more = merger.more();
      ASSERT_TRUE(!more || !merger.page().empty()) << "seed " << seed << ": a page without progress";
      if (more) begin = listed.back();
    }
    std::vector<std::string> expected;
    for (const auto& [key, shard] : all) expected.push_back(key);
    EXPECT_EQ(listed, expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace troupe
