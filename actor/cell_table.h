// The actors of a system by id.
//
//   Threads:  any thread may call anything.
//   Limits:   none; a lookup takes one lock of sixteen, chosen by the id.
#ifndef TROUPE_ACTOR_CELL_TABLE_H_
#define TROUPE_ACTOR_CELL_TABLE_H_

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/functional/function_ref.h"
#include "actor/address.h"
#include "actor/local_cell.h"

namespace troupe {

// Holds no references: a cell is in it only while it holds itself (LocalCell::self).
class CellTable {
 public:
  // Asks `wanted` under the lock that ForEach takes too. False: it did not want it.
  bool Insert(LocalCell& cell, absl::FunctionRef<bool()> wanted);
  void Erase(LocalCell& cell);
  // Null: there is none.
  std::shared_ptr<LocalCell> Find(ActorId id) const;
  // All cells, in no order. What is inserted or erased meanwhile may be among them or not.
  std::vector<std::shared_ptr<LocalCell>> All() const;
  size_t size() const;

 private:
  // Ids come one after the other, so that they spread evenly over shards and buckets without a hash.
  static constexpr size_t kShards = 16;
  struct Shard {
    mutable std::mutex mutex;
    // Guarded by mutex: chains, a power of two of them, at most one cell each on average.
    std::vector<LocalCell*> buckets = std::vector<LocalCell*>(16);
    size_t size = 0;

    LocalCell*& BucketOf(ActorId id) { return buckets[id.value / kShards & (buckets.size() - 1)]; }
    void Grow();
  };
  Shard& ShardOf(ActorId id) { return shards_[id.value % kShards]; }

  std::array<Shard, kShards> shards_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_CELL_TABLE_H_
