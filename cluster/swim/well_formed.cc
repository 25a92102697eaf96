#include "cluster/swim/well_formed.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/strings/ascii.h"
#include "cluster/swim/config.h"

namespace troupe::swim {
namespace {

// Printable ASCII without space: what it stands in is read by operators, in logs and on terminals.
bool IsWord(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
}

bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= kMaxNameBytes && IsWord(name) &&
         name.find_first_of("\"'`\\") == std::string::npos;
}

bool IsAddress(const std::string& address) {
  return address.size() <= kMaxAddressBytes && IsWord(address) && address.find(':') != std::string::npos;
}

bool IsRefusal(const std::string& text) {
  return text.size() <= kMaxRefusalBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return c == '\n' || absl::ascii_isprint(static_cast<unsigned char>(c));
         });
}

bool AreWellFormed(const std::vector<Update>& updates, size_t limit) {
  return updates.size() <= limit &&
         std::all_of(updates.begin(), updates.end(), [](const Update& update) { return IsWellFormed(update); });
}

struct BodyIsWellFormed {
  bool operator()(const Ping& ping) const { return IsName(ping.target); }
  bool operator()(const PingRequest& request) const { return IsWellFormed(request.target); }
  bool operator()(const Sync& sync) const { return AreWellFormed(sync.table, kMaxTableUpdates); }
  bool operator()(const JoinAnswer& answer) const {
    return IsRefusal(answer.refusal) && answer.generation <= kMaxCount && AreWellFormed(answer.table, kMaxTableUpdates);
  }
  template <typename Body>
  bool operator()(const Body&) const {
    return true;
  }
};

}  // namespace

bool IsWellFormed(const Node& node) {
  return IsName(node.name) && node.id.size() == kIdBytes && IsWord(node.id) && node.generation <= kMaxCount &&
         IsAddress(node.address);
}

bool IsWellFormed(const Update& update) {
  return IsWellFormed(update.node) && update.incarnation <= kMaxCount && update.state <= State::kLeft &&
         (update.from.empty() || IsName(update.from));
}

bool IsWellFormed(const Message& message) {
  return message.cluster_id.size() <= kMaxClusterIdBytes && IsWord(message.cluster_id) && IsWellFormed(message.from) &&
         message.incarnation <= kMaxCount && AreWellFormed(message.gossip, kMaxGossipUpdates) &&
         std::visit(BodyIsWellFormed(), message.body);
}

}  // namespace troupe::swim
