// What can happen next to a cluster of Raft replicas, in words that people read and machines replay.
//
// An action names a message by what it says and not by its place, so that a script still means the same when lines
// before it are taken out: that is how a failing one is made small. What does not apply any more is skipped.
#ifndef TROUPE_TESTS_RAFT_ACTION_H_
#define TROUPE_TESTS_RAFT_ACTION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/raft/types.h"

namespace troupe::raft {

enum class ActionKind : uint8_t {
  kDeliver,
  kDuplicate,  // delivers, and the message stays under way
  kDrop,
  kWrite,  // the disk finishes its next write; the core does not hear of it yet
  kAck,    // the core hears of the oldest finished write; finishes one first if there is none
  kReady,  // takes a Ready that was left waiting
  kCrash,  // n of the writes under way still reach the disk; the state falls back by `back` entries
  kRestart,
  kCampaign,
  kTick,  // n times
  kPropose,
  kRead,
  kTransfer,  // to `other`
  kAddLearner,
  kAddVoter,
  kRemove,
  kCompact,  // up to n entries before what is applied
  kApply,
  kCut,   // n is a set of replicas, by bits: nothing passes between them and the others
  kHeal,  // ends the cut
};
inline constexpr int kActionKinds = static_cast<int>(ActionKind::kHeal) + 1;

// What a message says, as far as it takes to tell it from others.
struct MessageKey {
  MessageKind kind = MessageKind::kHeartbeat;
  uint8_t from = 0;
  uint8_t to = 0;
  bool ok = false;
  bool transfer = false;
  uint32_t term = 0;
  uint32_t index = 0;
  uint32_t log_term = 0;
  uint32_t commit = 0;
  uint32_t entries = 0;
  uint32_t round = 0;

  bool operator==(const MessageKey&) const = default;
};
MessageKey KeyOf(const Message& message);

struct Action {
  ActionKind kind = ActionKind::kHeal;
  uint8_t replica = 0;
  uint8_t other = 0;
  bool hold = false;    // the Ready that follows is left waiting
  bool prompt = false;  // the disk finishes and acks all it has at once
  bool lazy = false;    // what may be applied is left waiting
  uint32_t n = 0;
  uint32_t back = 0;
  // Of kDeliver, kDuplicate and kDrop: the place in the bag, or -1 when `message` names it.
  int slot = -1;
  MessageKey message;
};

// What a cluster begins as; the rest follows from the actions.
struct ClusterShape {
  int voters = 3;    // with ids from 1 on
  int replicas = 4;  // those above `voters` are empty disks, to be added; at most kMaxReplicas
  int election_ticks = 1;
  int max_append_entries = 1024;
  int max_window_appends = 64;
  int max_messages = 40;  // under way; past it the network loses some by itself
  uint64_t seed = 0;      // of the cores
};
inline constexpr int kMaxReplicas = 6;

// One line for the shape, then one for each action.
struct Script {
  ClusterShape shape;
  std::vector<Action> actions;
};
std::string Print(const Action& action);
std::string Print(const Script& script);
// Nothing when a line is not understood; '#' begins a comment.
std::optional<Script> ParseScript(std::string_view text);

}  // namespace troupe::raft

#endif  // TROUPE_TESTS_RAFT_ACTION_H_
