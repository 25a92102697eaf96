#include "kvstore/cluster_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace troupe {
namespace {

// A shard that takes longer to say how it is does not serve; the caller's own deadline is for the whole answer.
constexpr Duration kShardPatience = absl::Seconds(1);

cluster::v1::MemberState ToProto(swim::State state) {
  switch (state) {
    case swim::State::kAlive:
      return cluster::v1::MEMBER_STATE_ALIVE;
    case swim::State::kSuspect:
      return cluster::v1::MEMBER_STATE_SUSPECT;
    case swim::State::kDead:
      return cluster::v1::MEMBER_STATE_DEAD;
    case swim::State::kLeft:
      return cluster::v1::MEMBER_STATE_LEFT;
  }
  return cluster::v1::MEMBER_STATE_UNSPECIFIED;
}

google::protobuf::Duration ToProto(Duration duration) {
  google::protobuf::Duration out;
  const int64_t seconds = absl::ToInt64Seconds(duration);
  out.set_seconds(seconds);
  out.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration - absl::Seconds(seconds))));
  return out;
}

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
        absl::StatusOr<Address<Store>> store = cluster_.Lookup<Store>(kStoreName);
        // Whose node is dead is said already.
        if (!store.ok()) return done(std::move(status));
        store->Ask(GetStorageStats{}, std::min(timeout, kShardPatience))
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
  AddProblems(static_cast<size_t>(router_.map().size() - serving), status);
  cluster::v1::NodeInfo& node = *status.mutable_node();
  node.set_name(self.name);
  node.set_node_id(self.node_id);
  node.set_generation(self.generation);
  node.set_address(self.address);
  node.set_version(facts_.version);
  node.mutable_uptime()->set_seconds(absl::ToInt64Seconds(cluster_.system().executor().Now() - facts_.started));
  node.set_data_dir(facts_.data_dir);
  node.set_format(facts_.format);
  for (const swim::Member& member : cluster_.Members()) {
    if (member.state == swim::State::kLeft) continue;
    status.set_nodes(status.nodes() + 1);
    if (member.state == swim::State::kAlive) status.set_nodes_alive(status.nodes_alive() + 1);
  }
  // One copy: when its node fails, nothing is served until it is back.
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

void ClusterService::AddProblems(size_t shards_out, cluster::v1::GetStatusResponse& status) const {
  auto add = [&status](std::string summary, std::string remedy) {
    cluster::v1::Problem& problem = *status.add_problems();
    problem.set_summary(std::move(summary));
    problem.set_remedy(std::move(remedy));
    status.set_health(cluster::v1::HEALTH_DEGRADED);
  };
  for (const swim::Member& member : cluster_.Members()) {
    if (member.state != swim::State::kSuspect && member.state != swim::State::kDead) continue;
    const char* state = member.state == swim::State::kDead ? " is dead" : " does not answer";
    add(absl::StrCat("node ", member.node.name, " at ", member.node.address, state),
        "start it again on its data directory");
  }
  if (shards_out == 0) return;
  const std::string shards = absl::StrCat(shards_out, " of ", router_.map().size(), " shards do not serve");
  const std::optional<Directory::Holder> holder = cluster_.Find(kStoreName);
  if (!holder.has_value()) {
    return add(absl::StrCat(shards, ", and no node is known to hold them"),
               "start the node that founded this cluster, on its own data directory");
  }
  add(absl::StrCat(shards, " on node ", holder->node.name),
      holder->reachable ? "look into that node's log; if it goes on, restart the node"
                        : "there is one copy of each: they are back when that node is");
}

void ClusterService::ListMembers(const cluster::v1::ListMembersRequest&, Duration,
                                 Done<cluster::v1::ListMembersResponse> done) {
  const Instant now = cluster_.system().executor().Now();
  // Itself it has known since it began.
  const Duration uptime = now - facts_.started;
  cluster::v1::ListMembersResponse response;
  response.set_asked(cluster_.self().name);
  for (const swim::Member& member : cluster_.Members()) {
    cluster::v1::MemberInfo& out = *response.add_members();
    out.set_name(member.node.name);
    out.set_state(ToProto(member.state));
    out.set_address(member.node.address);
    out.set_node_id(member.node.id);
    out.set_generation(member.node.generation);
    out.set_incarnation(member.incarnation);
    *out.mutable_since() = ToProto(std::min(now - member.since, uptime));
  }
  done(std::move(response));
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
          const std::optional<Directory::Holder> holder = cluster_.Find(ShardName(shard));
          if (holder.has_value()) out.add_copies(holder->node.name);
          const std::optional<ShardState>& state = (*states)[shard];
          out.set_serving(state.has_value());
          if (state.has_value() && holder.has_value()) {
            out.set_leader(holder->node.name);
            out.set_revision(state->revision);
          }
        }
        done(std::move(response));
      });
}

}  // namespace troupe
