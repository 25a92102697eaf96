// A whole node without a process around it: its actors, its store and the logic of its services, built from an Env.
// The front door of apps/: production (apps/troupe_node.cc) gives it threads and RocksDB and puts gRPC in front; a
// test gives it a simulator and a map in memory, and runs it, or several, in one thread.
#ifndef TROUPE_APPS_NODE_NODE_H_
#define TROUPE_APPS_NODE_NODE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "actor/actor.h"
#include "actor/executor.h"
#include "actor/random.h"
#include "cluster/actor_service.h"
#include "cluster/cluster.h"
#include "cluster/node_identity.h"
#include "cluster/transport.h"
#include "kvstore/cluster_service.h"
#include "kvstore/commit_writer.h"
#include "kvstore/kv_service.h"
#include "kvstore/router.h"
#include "kvstore/storage.h"
#include "kvstore/store.h"

namespace troupe {

// Everything of the outside world that a node touches. All must outlive it.
struct Env {
  Executor& executor;  // threads, blocking pool, timers, the clock
  Random random;
  Transport& transport;
  NodeMemory& memory;
  Storage* storage;  // the cluster's store; null on a node that did not found the cluster
  Exit exit;         // ends the process: the disk is broken
  Exit refused;      // ends the process: the cluster will not have this node
};

inline constexpr int kFoundingShards = 64;

class Node {
 public:
  // `seeds` are the addresses of nodes to join, or to find again. An identity without a cluster id joins.
  Node(NodeIdentity identity, std::vector<std::string> seeds, NodeFacts facts, Env env);

  // Ends all actors at once, without their hooks. Whoever still waits for one is answered, while the services that
  // the answers pass through are still there. For an orderly end, system().Shutdown comes first.
  ~Node() {
    cluster_.Stop();
    system_.reset();
  }

  // Answered when the services may be called: its shards are up, or, without any, it is in its cluster and knows the
  // names there.
  Future<void> Ready(Duration timeout);

  KvService& kv() { return kv_; }
  ClusterService& cluster_service() { return cluster_service_; }
  ActorService& actor_service() { return actor_service_; }
  NodeIdentity identity() const { return cluster_.self(); }
  std::vector<swim::Member> members() const { return cluster_.Members(); }

  ActorSystem& system() { return *system_; }

 private:
  std::unique_ptr<ActorSystem> system_;
  Cluster cluster_;
  Router router_;
  Address<Store> store_;  // null: this node holds no shards
  KvService kv_;
  ClusterService cluster_service_;
  ActorService actor_service_;
};

}  // namespace troupe

#endif  // TROUPE_APPS_NODE_NODE_H_
