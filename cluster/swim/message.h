// What members say to each other.
#ifndef TROUPE_CLUSTER_SWIM_MESSAGE_H_
#define TROUPE_CLUSTER_SWIM_MESSAGE_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "actor/time.h"

namespace troupe::swim {

// One run of one node.
struct Node {
  std::string name;         // unique in the cluster, chosen by its operator
  std::string id;           // made with the data directory; a wiped disk is another node
  uint64_t generation = 0;  // counts the runs
  std::string address;      // host:port at which it serves

  bool operator==(const Node&) const = default;
};

enum class State : uint8_t { kAlive, kSuspect, kDead, kLeft };

struct Member {
  Node node;
  // Raised only by the node itself, to refute; orders facts of one generation.
  uint64_t incarnation = 0;
  State state = State::kAlive;
  Instant since;  // of the state, by the local clock
};

// One fact about one member, as gossiped.
struct Update {
  Node node;
  uint64_t incarnation = 0;
  State state = State::kAlive;
  // The name of the member who says so, of a suspicion or death.
  std::string from;

  bool operator==(const Update&) const = default;
};

struct Ping {
  uint64_t seq = 0;
  std::string target;  // name: another node may serve at that address now
};
struct PingRequest {
  uint64_t seq = 0;
  Node target;
};
struct Ack {
  uint64_t seq = 0;
};
// Of a helper: the target has not answered so far.
struct Nack {
  uint64_t seq = 0;
};
// Nothing but gossip.
struct Gossip {};
// The sender's whole table.
struct Sync {
  std::vector<Update> table;
  bool answer = false;  // else the receiver sends its own back
};
struct JoinRequest {};
struct JoinAnswer {
  // Empty: admitted. Else a sentence for the operator.
  std::string refusal;
  bool final = true;        // of a refusal: asking again will not help
  uint64_t generation = 0;  // granted to the joiner
  // Of a refusal: one fact, of the node that is refused. Another node may serve at the address that it gave.
  std::vector<Update> table;
};

struct Message {
  // Of the sender's cluster; empty in the JoinRequest of a node that is in none yet, and in a refusal of such a node.
  std::string cluster_id;
  Node from;
  uint64_t incarnation = 0;  // the sender's
  std::variant<Ping, PingRequest, Ack, Nack, Gossip, Sync, JoinRequest, JoinAnswer> body;
  std::vector<Update> gossip;
};

}  // namespace troupe::swim

#endif  // TROUPE_CLUSTER_SWIM_MESSAGE_H_
