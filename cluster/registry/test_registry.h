// What the registry's tests are told in.
#ifndef TROUPE_CLUSTER_REGISTRY_TEST_REGISTRY_H_
#define TROUPE_CLUSTER_REGISTRY_TEST_REGISTRY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/registry/registry.h"

namespace troupe {

inline constexpr Instant kStart = Instant::FromNanos(0);
inline constexpr size_t kPlenty = 1 << 30;

inline bool Everybody(const RegistryOwner&) { return true; }
inline bool Nobody(const RegistryOwner&) { return false; }

inline RegistryOwner RunOf(const std::string& node, uint64_t generation = 1) {
  return {node, "id-" + node, generation};
}

// All that `from` would send in answer to the digest of `to` arrives there. Whether anything changed.
inline bool Pull(Registry& to, const Registry& from, size_t max_bytes = kPlenty) {
  bool changed = false;
  for (const RegistryDelta& delta : from.DeltasFor(to.Digest(), max_bytes)) changed |= to.Apply(delta);
  return changed;
}

inline void Exchange(Registry& a, Registry& b) {
  Pull(a, b);
  Pull(b, a);
}

// "node/actor" of who holds the name, "(node/actor)" of the best claim when its owner is not active, else "nobody".
inline std::string Holder(const Registry& registry, const std::string& name, Registry::IsActive is_active = Everybody) {
  const Registry::LookupResult result = registry.Lookup(name, is_active);
  auto shown = [](const Registry::Found& found) { return found.owner.node + "/" + std::to_string(found.claim.actor); };
  if (result.found.has_value()) return shown(*result.found);
  return result.inactive.has_value() ? "(" + shown(*result.inactive) + ")" : "nobody";
}

inline RegistryEntry ClaimEntry(const std::string& name, uint64_t version, uint64_t actor = 1, uint64_t lamport = 1) {
  return {.name = name, .version = version, .actor = actor, .type = "T", .lamport = lamport};
}
inline RegistryEntry Tombstone(const std::string& name, uint64_t version) {
  return {.name = name, .version = version, .tombstone = true};
}

}  // namespace troupe

#endif  // TROUPE_CLUSTER_REGISTRY_TEST_REGISTRY_H_
