// The store of one node: keeps keys and values in shards, each served by one actor. The front door of this folder.
//
// The way of one `set`: KvService (kv_service.h) checks the request; Router (router.h) finds the key's slot and shard
// and asks the actor registered as "shard/17"; ShardActor (shard_actor.h) judges the condition and hands the write to
// CommitWriter (commit_writer.h), which makes what waits of all shards one batch; Storage (storage.h), on the blocking
// pool, makes it durable with one sync; the answer goes back the same way. ARCHITECTURE.md tells it from the keyboard
// on.
//
// Read next: kv_service.h, router.h, shard_actor.h, storage.h, shard_map.h.
#ifndef TROUPE_KVSTORE_STORE_H_
#define TROUPE_KVSTORE_STORE_H_

#include <vector>

#include "actor/actor.h"
#include "cluster/cluster.h"
#include "kvstore/commit_writer.h"
#include "kvstore/shard_actor.h"
#include "kvstore/shard_map.h"
#include "kvstore/storage.h"

namespace troupe {

// Answered when all shards have been spawned and registered.
struct AwaitStore {};
struct GetStorageStats {
  using Result = StorageStats;
};

// The name of the actor in the cluster.
inline constexpr char kStoreName[] = "store";

// Supervises the commit writer and the shards, which it registers in the cluster. A shard that fails is restarted
// alone, after a pause that grows.
class Store : public Actor<Store> {
 public:
  Store(Cluster* cluster, ShardMap map, Storage* storage, Exit exit)
      : cluster_(*cluster), map_(map), storage_(storage), exit_(std::move(exit)) {}

  void Started(Context& context);

  void Handle(AwaitStore, Context&) {}
  void Handle(GetStorageStats, Reply<StorageStats> reply, Context& context);

 private:
  // Fixed at construction.
  Cluster& cluster_;
  const ShardMap map_;
  Storage* const storage_;
  const Exit exit_;

  // Counting may take the disk a while: one count at a time answers all who wait for one.
  std::vector<Reply<StorageStats>> waiting_for_stats_;
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_STORE_H_
