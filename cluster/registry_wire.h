// The registry's digests and deltas as protobuf.
#ifndef TROUPE_CLUSTER_REGISTRY_WIRE_H_
#define TROUPE_CLUSTER_REGISTRY_WIRE_H_

#include <vector>

#include "cluster/registry/registry.h"
#include "troupe/internal/v1/membership.pb.h"

namespace troupe {

void ToProto(const std::vector<OwnerDigest>& owners, internal::v1::RegistryDigest& out);
std::vector<OwnerDigest> FromProto(const internal::v1::RegistryDigest& digest);

void ToProto(const std::vector<RegistryDelta>& deltas, internal::v1::RegistryDeltas& out);
std::vector<RegistryDelta> FromProto(const internal::v1::RegistryDeltas& deltas);

}  // namespace troupe

#endif  // TROUPE_CLUSTER_REGISTRY_WIRE_H_
