// Name -> the claims to it, over all owners, best first.
#ifndef TROUPE_CLUSTER_REGISTRY_NAME_INDEX_H_
#define TROUPE_CLUSTER_REGISTRY_NAME_INDEX_H_

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/registry/types.h"

namespace troupe {

// Owners and entries are referred to, not copied: who adds a claim removes it before either goes.
class NameIndex {
 public:
  struct Claim {
    const RegistryOwner* owner;
    const RegistryEntry* entry;
  };

  void Add(const RegistryOwner& owner, const RegistryEntry& entry);
  void Remove(const RegistryOwner& owner, const RegistryEntry& entry);

  // Ascending by (lamport, node): the same order on every node, whatever came first. Empty: nobody claims it.
  const std::vector<Claim>& Find(std::string_view name) const;
  // The names that more than one owner claims.
  const std::set<std::string, std::less<>>& contested() const { return contested_; }
  size_t size() const { return claims_.size(); }

 private:
  std::map<std::string, std::vector<Claim>, std::less<>> claims_;  // no empty lists
  std::set<std::string, std::less<>> contested_;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_REGISTRY_NAME_INDEX_H_
