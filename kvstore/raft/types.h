// The words of Raft: what stands in a log, what replicas say to each other, what must be on disk.
//
// "Raft 5.4" is a section of Ongaro and Ousterhout's paper (extended version), "thesis 4.2" one of Ongaro's thesis.
#ifndef TROUPE_KVSTORE_RAFT_TYPES_H_
#define TROUPE_KVSTORE_RAFT_TYPES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actor/strong_int.h"

namespace troupe::raft {

using Term = StrongInt<struct TermTag>;
using LogIndex = StrongInt<struct LogIndexTag>;
// One copy of one shard, for ever: a wiped disk comes back under a new id. 0 is nobody.
using ReplicaId = StrongInt<struct ReplicaIdTag>;

inline constexpr ReplicaId kNobody{0};

// Who takes part. Voters elect and count towards commits; learners only receive. Both ascending, no id in both.
struct Configuration {
  std::vector<ReplicaId> voters;
  std::vector<ReplicaId> learners;

  bool IsVoter(ReplicaId id) const { return std::binary_search(voters.begin(), voters.end(), id); }
  bool IsLearner(ReplicaId id) const { return std::binary_search(learners.begin(), learners.end(), id); }
  bool operator==(const Configuration&) const = default;
};

enum class EntryKind : uint8_t {
  kCommand,
  kNoOp,           // the first of each term; commits what earlier terms left (Raft 5.4.2, 8)
  kConfiguration,  // in force from the moment it stands in a log (Raft 6)
};

struct Entry {
  LogIndex index;
  Term term;
  EntryKind kind = EntryKind::kCommand;
  std::string data;             // of a command
  Configuration configuration;  // of a configuration

  size_t bytes() const {
    return sizeof(Entry) + data.size() +
           (configuration.voters.size() + configuration.learners.size()) * sizeof(ReplicaId);
  }
};
// Shared between log, messages and disk; never changed.
using EntryPtr = std::shared_ptr<const Entry>;

// A state as of an index, by reference: how it is made, sent and kept is the caller's.
struct SnapshotRef {
  LogIndex index;
  Term term;
  Configuration configuration;  // as of index
  std::string reference;

  bool operator==(const SnapshotRef&) const = default;
};

// What a replica must never forget. The commit index may be lost: it is learnt again.
struct HardState {
  Term term;
  ReplicaId vote;
  LogIndex commit;

  bool operator==(const HardState&) const = default;
};

enum class MessageKind : uint8_t {
  kPreVote,
  kPreVoteReply,
  kVote,
  kVoteReply,
  kAppend,
  kAppendReply,
  kHeartbeat,
  kHeartbeatReply,
  kSnapshot,
  kTimeoutNow,
};

struct Message {
  MessageKind kind = MessageKind::kHeartbeat;
  ReplicaId from;
  ReplicaId to;
  // The sender's; of a pre-vote and its granted reply: the term that would be campaigned in.
  Term term;
  // kAppend: the entry before `entries`. kVote, kPreVote: the candidate's last entry.
  // kAppendReply: the last entry that this message proved equal and that is on disk; when rejected, the one that was
  // asked for.
  LogIndex index;
  Term log_term;
  // kAppend, kHeartbeat: the leader's, as far as the receiver may use it.
  LogIndex commit;
  std::vector<EntryPtr> entries;
  // Votes: granted. kAppendReply: false when rejected.
  bool ok = false;
  // A rejected kAppendReply: an entry at or below which the logs may agree.
  LogIndex hint_index;
  Term hint_term;
  // kVote: the old leader asked for this election, so that recent contact with it is no reason to refuse.
  bool transfer = false;
  // kHeartbeat and its reply: the round of reads that this confirms.
  uint64_t round = 0;
  SnapshotRef snapshot;
};

}  // namespace troupe::raft

#endif  // TROUPE_KVSTORE_RAFT_TYPES_H_
