// Brings a request to the actor of its key's shard, by name, wherever that lives.
#ifndef TROUPE_KVSTORE_ROUTER_H_
#define TROUPE_KVSTORE_ROUTER_H_

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "actor/actor.h"
#include "cluster/cluster.h"
#include "kvstore/page_merger.h"
#include "kvstore/shard_actor.h"
#include "kvstore/shard_map.h"

namespace troupe {

struct PageRequest {
  std::string prefix;
  std::optional<std::string> after;
  size_t max_entries = 0;
  bool keys_only = false;
};
struct Page {
  std::vector<PageEntry> entries;
  // Whether keys remain after the last entry.
  bool more = false;
};

//   Threads:  any thread; nothing blocks.
//   Limits:   16 listings at once, each of which may hold some 64 values of 1 MiB; one more gets kResourceExhausted.
//   Errors:   every future ends by its timeout. kUnavailable says that the shard's actor is not there; nothing was
//             done.
//   Lifetime: the cluster must outlive the router, and the futures that it gives.
class Router {
 public:
  Router(Cluster& cluster, ShardMap map) : cluster_(cluster), map_(map) {}

  Future<KeyReading> Read(std::string key, Duration timeout);
  Future<WriteOutcome> Write(WriteKey write, Duration timeout);
  // One page over all shards, in byte order.
  Future<Page> List(PageRequest request, Duration timeout);
  // The states of all shards in order; none for one that does not answer in time.
  Future<std::vector<std::optional<ShardState>>> States(Duration timeout);

  const ShardMap& map() const { return map_; }

 private:
  class Listing;

  template <typename M>
  Future<ResultOf<M>> AskShard(ShardId shard, M message, Duration timeout);

  Cluster& cluster_;
  const ShardMap map_;
  std::atomic<int> listings_{0};
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_ROUTER_H_
