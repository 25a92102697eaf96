#include "kvstore/client/wire.h"

namespace troupe {
namespace {

absl::Duration FromWire(const google::protobuf::Duration& wire) {
  return absl::Seconds(wire.seconds()) + absl::Nanoseconds(wire.nanos());
}

std::string StateName(cluster::v1::MemberState state) {
  switch (state) {
    case cluster::v1::MEMBER_STATE_ALIVE:
      return "alive";
    case cluster::v1::MEMBER_STATE_SUSPECT:
      return "suspect";
    case cluster::v1::MEMBER_STATE_DEAD:
      return "dead";
    case cluster::v1::MEMBER_STATE_LEFT:
      return "left";
    default:
      return "unknown";
  }
}

std::string StateName(actor::v1::ActorState state) {
  switch (state) {
    case actor::v1::ACTOR_STATE_STARTING:
      return "starting";
    case actor::v1::ACTOR_STATE_RUNNING:
      return "running";
    case actor::v1::ACTOR_STATE_RESTARTING:
      return "restarting";
    case actor::v1::ACTOR_STATE_STOPPING:
      return "stopping";
    default:
      return "unknown";
  }
}

KvApi::Node FromWire(const cluster::v1::NodeInfo& wire) {
  KvApi::Node node;
  node.name = wire.name();
  node.node_id = wire.node_id();
  node.generation = wire.generation();
  node.address = wire.address();
  node.version = wire.version();
  node.uptime = FromWire(wire.uptime());
  node.data_dir = wire.data_dir();
  node.format = wire.format();
  return node;
}

}  // namespace

void Fill(const KvApi::Condition& condition, kv::v1::Condition* wire) {
  using Kind = KvApi::Condition::Kind;
  switch (condition.kind) {
    case Kind::kNone:
      break;
    case Kind::kAbsent:
      wire->set_exists(false);
      break;
    case Kind::kPresent:
      wire->set_exists(true);
      break;
    case Kind::kVersion:
      wire->set_version(condition.version);
      break;
    case Kind::kValue:
      wire->set_value(condition.value);
      break;
  }
}

KvApi::ClusterStatus FromWire(const cluster::v1::GetStatusResponse& response) {
  KvApi::ClusterStatus result;
  result.cluster_id = response.cluster_id();
  result.healthy = response.health() == cluster::v1::HEALTH_OK;
  for (const cluster::v1::Problem& problem : response.problems()) {
    result.problems.push_back({problem.summary(), problem.remedy()});
  }
  result.node = FromWire(response.node());
  result.nodes = response.nodes();
  result.nodes_alive = response.nodes_alive();
  result.nodes_may_fail = response.nodes_may_fail();
  result.shards = response.shards();
  result.shards_serving = response.shards_serving();
  result.copies_per_shard = response.copies_per_shard();
  result.approximate_keys = response.approximate_keys();
  result.approximate_bytes = response.approximate_bytes();
  result.actors = response.actors();
  result.actor_restarts = response.actor_restarts();
  result.dead_letters = response.dead_letters();
  return result;
}

KvApi::Member FromWire(const cluster::v1::MemberInfo& wire) {
  return {wire.name(),       StateName(wire.state()), wire.address(),        wire.node_id(),
          wire.generation(), wire.incarnation(),      FromWire(wire.since())};
}

KvApi::Shard FromWire(const cluster::v1::Shard& wire) {
  return {
      wire.id(),       wire.first_slot(), wire.last_slot(), wire.leader(), {wire.copies().begin(), wire.copies().end()},
      wire.revision(), wire.serving()};
}

KvApi::ActorInfo FromWire(const actor::v1::ActorInfo& wire) {
  KvApi::ActorInfo info;
  info.id = wire.id();
  info.name = wire.name();
  info.type = wire.type();
  info.node = wire.node();
  info.state = StateName(wire.state());
  info.parent_id = wire.parent_id();
  info.mailbox_depth = wire.mailbox_depth();
  info.mailbox_capacity = wire.mailbox_capacity();
  info.handled = wire.handled();
  info.restarts = wire.restarts();
  info.last_failure = wire.last_failure();
  return info;
}

}  // namespace troupe
