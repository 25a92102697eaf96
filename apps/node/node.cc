#include "apps/node/node.h"

#include <utility>

#include "kvstore/shard_wire.h"

namespace troupe {

Node::Node(NodeIdentity identity, std::vector<std::string> seeds, NodeFacts facts, Env env)
    : system_(std::make_unique<ActorSystem>(env.executor)),
      cluster_({.self = std::move(identity),
                .seeds = std::move(seeds),
                .refused = std::move(env.refused),
                .random = env.random.Split("cluster")},
               *system_, env.transport, env.memory),
      router_(cluster_, ShardMap::Founding(kFoundingShards)),
      kv_(router_),
      cluster_service_(cluster_, router_, std::move(facts)),
      actor_service_(cluster_) {
  ExposeStore(cluster_);
  ActorService::Expose(cluster_);
  cluster_.Start();
  // Nobody else has these names here yet.
  (void)actor_service_.Start();
  if (env.storage == nullptr) return;
  store_ = system_->Spawn<Store>(SpawnOptions{}, &cluster_, router_.map(), env.storage, env.exit);
  (void)cluster_.Register(kStoreName, store_);
}

Future<void> Node::Ready(Duration timeout) {
  // The founder serves its shards whether the others are there or not.
  return store_ ? store_.Ask(AwaitStore{}, timeout) : cluster_.Joined(timeout);
}

}  // namespace troupe
