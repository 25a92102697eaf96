#include "kvstore/cluster_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace troupe {
namespace {

// A shard that takes longer to say how it is does not serve; the caller's own deadline is for the whole answer.
constexpr Duration kShardPatience = absl::Seconds(1);

}  // namespace

void ClusterService::GetStatus(const cluster::v1::GetStatusRequest&, Duration timeout,
                               Done<cluster::v1::GetStatusResponse> done) {
  // Two waits, one after the other.
  timeout = timeout / 2;
  router_.States(std::min(timeout, kShardPatience))
      .Then([this, timeout,
             done = std::move(done)](absl::StatusOr<std::vector<std::optional<ShardState>>> shards) mutable {
        if (!shards.ok()) return done(shards.status());
        cluster::v1::GetStatusResponse status = StatusOf(*shards);
        store_.Ask(GetStorageStats{}, std::min(timeout, kShardPatience))
            .Then([status = std::move(status), done = std::move(done)](absl::StatusOr<StorageStats> stats) mutable {
              if (stats.ok()) {
                status.set_approximate_keys(stats->approximate_keys);
                status.set_approximate_bytes(stats->approximate_bytes);
              } else {
                cluster::v1::Problem& problem = *status.add_problems();
                problem.set_summary(
                    absl::StrCat("the store does not say how much it holds: ", stats.status().message()));
                problem.set_remedy("look into the node's log; if it goes on, restart the node");
              }
              done(std::move(status));
            });
      });
}

cluster::v1::GetStatusResponse ClusterService::StatusOf(const std::vector<std::optional<ShardState>>& shards) const {
  const NodeIdentity& self = cluster_.self();
  const auto serving = std::count_if(shards.begin(), shards.end(), [](const auto& shard) { return shard.has_value(); });
  cluster::v1::GetStatusResponse status;
  status.set_cluster_id(self.cluster_id);
  status.set_health(serving == router_.map().size() ? cluster::v1::HEALTH_OK : cluster::v1::HEALTH_DEGRADED);
  if (status.health() != cluster::v1::HEALTH_OK) {
    cluster::v1::Problem& problem = *status.add_problems();
    problem.set_summary(absl::StrCat(router_.map().size() - serving, " of ", router_.map().size(),
                                     " shards do not serve on node ", self.name));
    problem.set_remedy("look into the node's log; if it goes on, restart the node");
  }
  cluster::v1::NodeInfo& node = *status.mutable_node();
  node.set_name(self.name);
  node.set_node_id(self.node_id);
  node.set_generation(self.generation);
  node.set_address(self.address);
  node.set_version(facts_.version);
  const Duration uptime = cluster_.system().executor().Now() - facts_.started;
  node.mutable_uptime()->set_seconds(absl::ToInt64Seconds(uptime));
  node.set_data_dir(facts_.data_dir);
  node.set_format(facts_.format);
  // One node, one copy: when it fails, nothing is served until it is back.
  status.set_nodes(1);
  status.set_nodes_may_fail(0);
  status.set_copies_per_shard(1);
  status.set_shards(static_cast<uint32_t>(router_.map().size()));
  status.set_shards_serving(static_cast<uint32_t>(serving));
  const ActorSystemStats actors = cluster_.system().stats();
  status.set_actors(actors.alive);
  status.set_actor_restarts(actors.restarts);
  status.set_dead_letters(actors.dead_letters);
  return status;
}

void ClusterService::GetShardMap(const cluster::v1::GetShardMapRequest&, Duration timeout,
                                 Done<cluster::v1::GetShardMapResponse> done) {
  router_.States(std::min(timeout, kShardPatience))
      .Then([this, done = std::move(done)](absl::StatusOr<std::vector<std::optional<ShardState>>> states) mutable {
        if (!states.ok()) return done(states.status());
        cluster::v1::GetShardMapResponse response;
        response.set_epoch(router_.map().epoch());
        for (ShardId shard = 0; shard < router_.map().size(); ++shard) {
          const SlotRange range = router_.map().RangeOf(shard);
          cluster::v1::Shard& out = *response.add_shards();
          out.set_id(shard);
          out.set_first_slot(range.first);
          out.set_last_slot(range.last);
          out.add_copies(cluster_.self().name);
          const std::optional<ShardState>& state = (*states)[shard];
          out.set_serving(state.has_value());
          if (state.has_value()) {
            out.set_leader(cluster_.self().name);
            out.set_revision(state->revision);
          }
        }
        done(std::move(response));
      });
}

}  // namespace troupe
