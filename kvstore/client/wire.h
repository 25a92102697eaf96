// The client's structs and the messages of the .proto files, into each other.
#ifndef TROUPE_KVSTORE_CLIENT_WIRE_H_
#define TROUPE_KVSTORE_CLIENT_WIRE_H_

#include "kvstore/client/kv_api.h"
#include "troupe/actor/v1/actor.pb.h"
#include "troupe/cluster/v1/cluster.pb.h"
#include "troupe/kv/v1/kv.pb.h"

namespace troupe {

// `condition` must be one: on the wire there is no kNone.
void Fill(const KvApi::Condition& condition, kv::v1::Condition* wire);

KvApi::ClusterStatus FromWire(const cluster::v1::GetStatusResponse& response);
KvApi::Member FromWire(const cluster::v1::MemberInfo& wire);
KvApi::Shard FromWire(const cluster::v1::Shard& wire);
KvApi::ActorInfo FromWire(const actor::v1::ActorInfo& wire);

}  // namespace troupe

#endif  // TROUPE_KVSTORE_CLIENT_WIRE_H_
