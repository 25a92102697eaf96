#include "cluster/swim/well_formed.h"

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "cluster/swim/config.h"

namespace troupe::swim {
namespace {

bool IsName(const std::string& name) { return !name.empty() && name.size() <= kMaxNameBytes; }

bool AreWellFormed(const std::vector<Update>& updates, size_t limit) {
  return updates.size() <= limit &&
         std::all_of(updates.begin(), updates.end(), [](const Update& update) { return IsWellFormed(update); });
}

struct BodyIsWellFormed {
  bool operator()(const Ping& ping) const { return IsName(ping.target); }
  bool operator()(const PingRequest& request) const { return IsWellFormed(request.target); }
  bool operator()(const Sync& sync) const { return AreWellFormed(sync.table, kMaxTableUpdates); }
  bool operator()(const JoinAnswer& answer) const {
    return answer.refusal.size() <= kMaxRefusalBytes && answer.generation <= kMaxCount &&
           AreWellFormed(answer.table, kMaxTableUpdates);
  }
  template <typename Body>
  bool operator()(const Body&) const {
    return true;
  }
};

}  // namespace

bool IsWellFormed(const Node& node) {
  return IsName(node.name) && node.id.size() == kIdBytes && node.generation <= kMaxCount && !node.address.empty() &&
         node.address.size() <= kMaxAddressBytes;
}

bool IsWellFormed(const Update& update) {
  return IsWellFormed(update.node) && update.incarnation <= kMaxCount && update.state <= State::kLeft &&
         update.from.size() <= kMaxNameBytes;
}

bool IsWellFormed(const Message& message) {
  return message.cluster_id.size() <= kMaxClusterIdBytes && IsWellFormed(message.from) &&
         message.incarnation <= kMaxCount && AreWellFormed(message.gossip, kMaxGossipUpdates) &&
         std::visit(BodyIsWellFormed(), message.body);
}

}  // namespace troupe::swim
