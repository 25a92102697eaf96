#include "apps/node/node.h"

#include <utility>

namespace troupe {

Node::Node(NodeIdentity identity, NodeFacts facts, Env env)
    : system_(std::make_unique<ActorSystem>(env.executor, env.random.Split("actors"))),
      cluster_(std::move(identity), *system_, env.transport),
      router_(cluster_, ShardMap::Founding(kFoundingShards)),
      store_(system_->Spawn<Store>(SpawnOptions{}, router_.map(), &env.storage, env.exit)),
      kv_(router_),
      cluster_service_(cluster_, router_, store_, std::move(facts)),
      actor_service_(cluster_) {
  // Nobody else has a name here yet.
  (void)system_->Register("store", store_);
}

Future<void> Node::Ready(Duration timeout) { return store_.Ask(AwaitStore{}, timeout); }

}  // namespace troupe
