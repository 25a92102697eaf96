// Brings a request to the actor of its key's shard, by name, wherever that lives.
#ifndef TROUPE_KVSTORE_ROUTER_H_
#define TROUPE_KVSTORE_ROUTER_H_

#include <deque>
#include <memory>
#include <mutex>
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
//   Limits:   16 listings at once, since each may hold some 64 values of 1 MiB; 1,024 more wait, and one more gets
//             kResourceExhausted.
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

  // The shard of a key and its node, for people: "shard/17 on n1".
  std::string WhereIs(const std::string& key) const;

  const ShardMap& map() const { return map_; }

 private:
  class Listing;

  template <typename M>
  Future<ResultOf<M>> AskShard(ShardId shard, M message, Duration timeout);

  Cluster& cluster_;
  const ShardMap map_;

  void ListingEnded();

  std::mutex mutex_;
  // Guarded by mutex_.
  int listings_ = 0;
  std::deque<std::shared_ptr<Listing>> listings_waiting_;
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_ROUTER_H_
