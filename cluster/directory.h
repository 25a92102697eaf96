// What a node knows of its cluster at this moment: who is in it, and who holds which name.
#ifndef TROUPE_CLUSTER_DIRECTORY_H_
#define TROUPE_CLUSTER_DIRECTORY_H_

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/node_identity.h"
#include "cluster/registry/registry.h"
#include "cluster/swim/message.h"

namespace troupe {

// Thread-safe. Written by the Membership actor and by whoever registers a name; read by everybody.
class Directory {
 public:
  explicit Directory(NodeIdentity self)
      : self_(std::move(self)), registry_({self_.name, self_.node_id, self_.generation}) {}

  NodeIdentity self() const {
    std::lock_guard lock(mutex_);
    return self_;
  }
  void SetSelf(const std::string& cluster_id, uint64_t generation);

  // Ascending by name.
  std::vector<swim::Member> Members() const;
  void SetMembers(std::vector<swim::Member> members);
  // Whether this very run is known, alive or not.
  bool IsMember(const RegistryOwner& run) const;

  // The holder of a name, if its node is alive or suspected; else who held it last, if that is known.
  struct Holder {
    swim::Node node;
    uint64_t actor = 0;
    std::string type;
    bool here = false;
    bool reachable = false;
    bool restarted = false;  // a later run of that node is alive, and has not claimed the name (yet)
  };
  std::optional<Holder> Find(std::string_view name) const;

  // `use` gets the registry, under the lock.
  template <typename F>
  auto WithRegistry(F use) {
    std::lock_guard lock(mutex_);
    return use(registry_);
  }
  // See Registry::TakeLost.
  std::vector<Registry::LostName> TakeLostNames() {
    std::lock_guard lock(mutex_);
    return registry_.TakeLost([this](const RegistryOwner& owner) { return Active(owner); });
  }

 private:
  bool Active(const RegistryOwner& owner) const;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  NodeIdentity self_;
  Registry registry_;
  std::map<std::string, swim::Member, std::less<>> members_;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_DIRECTORY_H_
