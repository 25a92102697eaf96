#include "kvstore/shard_map.h"

#include <glog/logging.h>
#include <xxhash.h>

namespace troupe {
namespace {

constexpr int kSlotsPerBucket = kSlots / kBuckets;

// The bucket that shard `index` of `shards` begins with; kBuckets for index == shards.
int FirstBucket(int index, int shards) { return index * kBuckets / shards; }

}  // namespace

std::string_view TagOf(std::string_view key) {
  size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  size_t close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

uint16_t SlotOf(std::string_view key) {
  std::string_view tag = TagOf(key);
  return static_cast<uint16_t>(XXH3_64bits(tag.data(), tag.size()) >> 48);
}

ShardMap ShardMap::Founding(int shards) {
  CHECK_GE(shards, 1);
  CHECK_LE(shards, kBuckets) << "a shard has at least one bucket";
  return ShardMap(shards, /*epoch=*/1);
}

ShardId ShardMap::ShardOfSlot(uint16_t slot) const {
  int bucket = slot / kSlotsPerBucket;
  // The inverse of FirstBucket: the last shard whose first bucket is not past this one.
  return static_cast<ShardId>(((bucket + 1) * size_ - 1) / kBuckets);
}

SlotRange ShardMap::RangeOf(ShardId shard) const {
  CHECK_LT(shard, size_);
  return {.first = static_cast<uint16_t>(FirstBucket(shard, size_) * kSlotsPerBucket),
          .last = static_cast<uint16_t>(FirstBucket(shard + 1, size_) * kSlotsPerBucket - 1)};
}

}  // namespace troupe
