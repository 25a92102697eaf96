// What must be true of all replicas together, whatever happens: checked at every step, at a cost that does not grow
// with the history.
//
//   election safety        at most one leader in a term; one vote of a replica in a term, also across a restart
//   log matching           an index and a term name one entry, and one history before it
//   leader completeness    a leader has all that was committed in earlier terms
//   state machine safety   what is applied is what is committed, in order, at every replica
//   committed is for good  an index that any replica calls committed never holds anything else, and is on the disks of
//                          a majority when it is first called so
//   reads                  answered at an index that covers all acknowledged before they were asked
//   membership             at most one change under way; the configuration in force is the log's
//   acks and commits       of a follower name what the message at hand proved, and no more
//   disk                   what a core believes to be on disk is there; what was promised is remembered
#ifndef TROUPE_TESTS_RAFT_CHECKER_H_
#define TROUPE_TESTS_RAFT_CHECKER_H_

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kvstore/raft/raft.h"
#include "tests/raft/action.h"
#include "tests/raft/model_disk.h"

namespace troupe::raft {

// Thrown where a property is violated.
struct Violation {
  std::string property;
  std::string detail;
};

// How much happened, so that a run that finds nothing can be told from one in which nothing happens.
struct Coverage {
  uint64_t leaders = 0;
  uint64_t committed = 0;
  uint64_t acknowledged = 0;
  uint64_t reads = 0;      // answered
  uint64_t changes = 0;    // of membership, committed
  uint64_t replaced = 0;   // ends of logs that gave way to another leader's
  uint64_t snapshots = 0;  // from another replica, on disk
  uint64_t restarts = 0;

  Coverage& operator+=(const Coverage& other);
};

class Checker {
 public:
  explicit Checker(const Configuration& first);

  // After a start from disk, after every call of a core, after every write of its disk, ...
  void Started(int replica, const Raft& raft, LogIndex applied);
  void Look(int replica, const Raft& raft, const std::array<ModelDisk, kMaxReplicas + 1>& disks);
  void Written(int replica, const Raft& raft, const ModelDisk& disk) const;
  void Taken(int replica, const Raft& raft, const Ready& ready);
  void CheckSnapshot(const SnapshotRef& snapshot);
  void Installed(const SnapshotRef& snapshot);
  // `promise`: it waited for the disk.
  void Sent(const Message& message, bool promise);
  void Stepped(int replica, const Raft& raft, const Message& message);

  void Proposed(int replica, LogIndex index, Term term) { replicas_[replica].proposals.emplace_back(index, term); }
  void ChangeProposed(const Raft& raft, LogIndex index);
  // Gives the id to ask with.
  uint64_t ReadAsked();

  LogIndex committed() const { return LogIndex(committed_.size() - 1); }
  const Coverage& coverage() const { return coverage_; }

 private:
  struct Replica {
    Term term;
    Term led;  // the last term it was seen to lead
    LogIndex commit;
    HardState hard_state;  // handed out for the disk
    LogIndex handed;       // the same, of the log
    LogIndex applied;      // handed out for it
    LogIndex configuration_index;
    LogIndex durable;
    Term promised;  // sent after the disk
    // What appends and snapshots since the last Ready proved equal, and thus may be acked.
    std::vector<LogIndex> proved;
    std::vector<uint8_t> votes;  // by term
    std::vector<std::pair<LogIndex, Term>> proposals;
    size_t proposals_done = 0;
  };
  struct Known {
    EntryPtr entry;
    Term before;  // of the entry before
  };
  struct Committed {
    EntryPtr entry;
    Term in;  // the term in which it was first called committed
  };

  void BecameLeader(int replica, const Raft& raft);
  void Commits(int replica, const Raft& raft, const std::array<ModelDisk, kMaxReplicas + 1>& disks);
  void CheckAppended(const Raft& raft, const std::vector<EntryPtr>& entries);
  void CheckApplied(int replica, const std::vector<EntryPtr>& entries);
  void CheckConfiguration(Replica& seen, const Raft& raft);
  void CheckWindows(const Raft& raft);
  void CheckAcks(int replica, const std::vector<Message>& messages);
  void Vote(int replica, Term term, ReplicaId candidate);

  std::array<Replica, kMaxReplicas + 1> replicas_;
  std::vector<uint8_t> leaders_;                                    // by term
  std::vector<std::vector<Known>> entries_;                         // by index
  std::vector<Committed> committed_;                                // by index; [0] is the empty beginning
  std::vector<std::pair<LogIndex, Configuration>> configurations_;  // that are committed
  LogIndex acknowledged_;
  std::vector<LogIndex> read_floors_;  // by id
  Coverage coverage_;
};

}  // namespace troupe::raft

#endif  // TROUPE_TESTS_RAFT_CHECKER_H_
