// Which shard a key lives in. Pure arithmetic, the same on every node and in every client.
//
//   key -> slot:   a hash of 16 bits, fixed for ever: data on disk is placed by it.
//   slot -> shard: a shard holds a contiguous range of slots. Ranges are cut between buckets (the top 10 bits of
//                  the slot) only, so that state kept by bucket never has to be cut apart.
#ifndef TROUPE_KVSTORE_SHARD_MAP_H_
#define TROUPE_KVSTORE_SHARD_MAP_H_

#include <cstdint>
#include <string_view>

#include "kvstore/storage.h"

namespace troupe {

inline constexpr int kSlots = 65536;
inline constexpr int kBuckets = 1024;

// The top 16 bits of XXH3-64 (seed 0) of the key's tag.
uint16_t SlotOf(std::string_view key);

// The part of the key that is hashed: what stands between the first '{' and the first '}' after it, so that users can
// keep keys together ("{user:1}:name" and "{user:1}:mail"). The whole key when there is no such pair or nothing
// between the two.
std::string_view TagOf(std::string_view key);

// First and last belong to it.
struct SlotRange {
  uint16_t first = 0;
  uint16_t last = 0;

  bool operator==(const SlotRange&) const = default;
};

// A value: copy it freely.
class ShardMap {
 public:
  // The map of a new cluster: epoch 1, the slots cut into `shards` (1 to kBuckets) ranges that differ by at most one
  // bucket. Equal ranges when `shards` is a power of two.
  static ShardMap Founding(int shards);

  ShardId ShardOf(std::string_view key) const { return ShardOfSlot(SlotOf(key)); }
  ShardId ShardOfSlot(uint16_t slot) const;

  // `shard` is one of this map.
  SlotRange RangeOf(ShardId shard) const;

  // Shards are numbered 0 to size() - 1, in the order of their slots.
  int size() const { return size_; }

  // Grows with each change of the map.
  uint64_t epoch() const { return epoch_; }

  bool operator==(const ShardMap&) const = default;

 private:
  ShardMap(int size, uint64_t epoch) : size_(size), epoch_(epoch) {}

  int size_;
  uint64_t epoch_;
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_SHARD_MAP_H_
