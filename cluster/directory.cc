#include "cluster/directory.h"

namespace troupe {

void Directory::SetSelf(const std::string& cluster_id, uint64_t generation) {
  std::lock_guard lock(mutex_);
  self_.cluster_id = cluster_id;
  if (self_.generation == generation) return;
  self_.generation = generation;
  registry_.SetGeneration(generation);
}

std::vector<swim::Member> Directory::Members() const {
  std::lock_guard lock(mutex_);
  std::vector<swim::Member> members;
  for (const auto& [name, member] : members_) members.push_back(member);
  return members;
}

void Directory::SetMembers(std::vector<swim::Member> members) {
  std::lock_guard lock(mutex_);
  members_.clear();
  for (swim::Member& member : members) {
    std::string name = member.node.name;
    members_.emplace(std::move(name), std::move(member));
  }
}

bool Directory::IsMember(const RegistryOwner& run) const {
  std::lock_guard lock(mutex_);
  auto member = members_.find(run.node);
  return member != members_.end() && member->second.node.generation == run.generation &&
         member->second.node.id == run.node_id;
}

bool Directory::Active(const RegistryOwner& owner) const {
  if (owner.node == self_.name) return owner.generation == self_.generation && owner.node_id == self_.node_id;
  auto member = members_.find(owner.node);
  if (member == members_.end() || member->second.node.generation != owner.generation ||
      member->second.node.id != owner.node_id) {
    return false;
  }
  return member->second.state == swim::State::kAlive || member->second.state == swim::State::kSuspect;
}

std::optional<Directory::Holder> Directory::Find(std::string_view name) const {
  std::lock_guard lock(mutex_);
  const auto result = registry_.Lookup(name, [this](const RegistryOwner& owner) { return Active(owner); });
  const auto& found = result.found.has_value() ? result.found : result.inactive;
  if (!found.has_value()) return std::nullopt;
  Holder holder{.node = {found->owner.node, found->owner.node_id, found->owner.generation, ""},
                .actor = found->claim.actor,
                .type = found->claim.type,
                .here = found->owner.node == self_.name,
                .reachable = result.found.has_value()};
  if (auto member = members_.find(found->owner.node); member != members_.end()) {
    holder.node.address = member->second.node.address;
    holder.restarted = member->second.node.generation > found->owner.generation &&
                       (member->second.state == swim::State::kAlive || member->second.state == swim::State::kSuspect);
  }
  return holder;
}

}  // namespace troupe
