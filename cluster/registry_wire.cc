#include "cluster/registry_wire.h"

namespace troupe {
namespace {

void ToProto(const RegistryOwner& owner, internal::v1::RegistryOwnerProto& out) {
  out.set_node(owner.node);
  out.set_node_id(owner.node_id);
  out.set_generation(owner.generation);
}

RegistryOwner FromProto(const internal::v1::RegistryOwnerProto& owner) {
  return {owner.node(), owner.node_id(), owner.generation()};
}

}  // namespace

void ToProto(const std::vector<OwnerDigest>& owners, internal::v1::RegistryDigest& out) {
  for (const OwnerDigest& digest : owners) {
    internal::v1::RegistryDigestEntry& entry = *out.add_owners();
    ToProto(digest.owner, *entry.mutable_owner());
    entry.set_max_version(digest.max_version);
    entry.set_gc_version(digest.gc_version);
  }
}

std::vector<OwnerDigest> FromProto(const internal::v1::RegistryDigest& digest) {
  std::vector<OwnerDigest> owners;
  for (const internal::v1::RegistryDigestEntry& entry : digest.owners()) {
    owners.push_back({FromProto(entry.owner()), entry.max_version(), entry.gc_version()});
  }
  return owners;
}

void ToProto(const std::vector<RegistryDelta>& deltas, internal::v1::RegistryDeltas& out) {
  for (const RegistryDelta& delta : deltas) {
    internal::v1::RegistryDeltaProto& to = *out.add_deltas();
    ToProto(delta.owner, *to.mutable_owner());
    to.set_from_version(delta.from_version);
    to.set_gc_version(delta.gc_version);
    for (const RegistryEntry& entry : delta.entries) {
      internal::v1::RegistryEntryProto& line = *to.add_entries();
      line.set_name(entry.name);
      line.set_version(entry.version);
      line.set_tombstone(entry.tombstone);
      line.set_actor(entry.actor);
      line.set_type(entry.type);
      line.set_lamport(entry.lamport);
    }
  }
}

std::vector<RegistryDelta> FromProto(const internal::v1::RegistryDeltas& deltas) {
  std::vector<RegistryDelta> out;
  for (const internal::v1::RegistryDeltaProto& delta : deltas.deltas()) {
    RegistryDelta to{FromProto(delta.owner()), delta.from_version(), delta.gc_version(), {}};
    for (const internal::v1::RegistryEntryProto& entry : delta.entries()) {
      to.entries.push_back(
          {entry.name(), entry.version(), entry.tombstone(), entry.actor(), entry.type(), entry.lamport()});
    }
    out.push_back(std::move(to));
  }
  return out;
}

}  // namespace troupe
