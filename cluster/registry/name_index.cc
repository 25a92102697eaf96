#include "cluster/registry/name_index.h"

#include <glog/logging.h>

#include <algorithm>
#include <tuple>

namespace troupe {

void NameIndex::Add(const RegistryOwner& owner, const RegistryEntry& entry) {
  std::vector<Claim>& claims = claims_[entry.name];
  const Claim added{&owner, &entry};
  auto precedes = [](const Claim& a, const Claim& b) {
    return std::tie(a.entry->lamport, a.owner->node) < std::tie(b.entry->lamport, b.owner->node);
  };
  claims.insert(std::upper_bound(claims.begin(), claims.end(), added, precedes), added);
  if (claims.size() == 2) contested_.insert(entry.name);
}

void NameIndex::Remove(const RegistryOwner& owner, const RegistryEntry& entry) {
  auto found = claims_.find(entry.name);
  CHECK(found != claims_.end()) << "a claim that was never added: " << entry.name;
  std::vector<Claim>& claims = found->second;
  auto claim = std::find_if(claims.begin(), claims.end(), [&](const Claim& c) { return c.entry == &entry; });
  CHECK(claim != claims.end() && claim->owner == &owner) << "a claim that was never added: " << entry.name;
  claims.erase(claim);
  if (claims.size() == 1) contested_.erase(entry.name);
  if (claims.empty()) claims_.erase(found);
}

const std::vector<NameIndex::Claim>& NameIndex::Find(std::string_view name) const {
  static const auto* const kNone = new std::vector<Claim>();
  auto found = claims_.find(name);
  return found == claims_.end() ? *kNone : found->second;
}

}  // namespace troupe
