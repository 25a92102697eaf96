// Raft for one replica of one shard, as a pure state machine: what happens goes in, what must be done comes out.
//
// In go ticks, messages, proposals and acks of the disk; out comes a Ready. The core has no thread, clock, socket or
// disk; time is a count of ticks, chance a seed. The same calls give the same Readies, and that is what its proof
// rests on.
//
// The caller's duties, for each Ready, in this order:
//   1. Send `send_now`. (A leader's appends go out before its own disk has them.)
//   2. Make durable, as one and in the order of the Readies: `install`, `hard_state`, `append`. A Ready with nothing
//      of these keeps its place in that order all the same.
//   3. When that is durable: send `send_after`, then call Persisted(ack). Never earlier: those messages are promises
//      about the disk.
//   4. Apply `apply` to the state, in order, and call Applied. `reads` may be answered once everything up to their
//      index is applied. `failed_reads` and proposals that never come to `apply` get an error: "unknown" for a
//      proposal, since a later leader may still commit it.
// Several Readies may be under way at once; disk writes complete in their order. A disk error ends the process.
//
// What is left to the caller: the transport (messages may be lost, doubled, reordered), the disk, snapshots (made,
// sent and kept by reference), sessions of clients, and ids that are never used twice. The log since the last
// snapshot is in memory; Compact bounds it.
//
// A snapshot's message goes to Step once the state behind its reference is there. Until the leader hears of that, it
// repeats the message every election timeout, since it may be lost: who is fetching one lets the others pass. A leader
// that compacts past it meanwhile (see Progress::State::kSnapshot) makes the follower fetch another.
//
// A replica that was removed may not learn of it, and then asks for votes that nobody gives it, for ever. Whoever
// removes one stops it.
//
// Beyond the paper, each with its reason at the code: pre-vote (thesis 9.6), check-quorum and stickiness (thesis 6.2,
// 4.2.3), leadership transfer (thesis 3.10), ReadIndex (thesis 6.4), learners (thesis 4.2.1), membership changes one
// replica at a time (thesis 4.1) with the correction of 2015 (a change waits for an entry of the own term).
//
// Read next: types.h (words), log.h, progress.h (flow control), well_formed.h, raft.cc (terms and roles), election.cc,
// replication.cc, membership.cc, and docs/raft.md (how it is proven).
#ifndef TROUPE_KVSTORE_RAFT_RAFT_H_
#define TROUPE_KVSTORE_RAFT_RAFT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actor/random.h"
#include "kvstore/raft/log.h"
#include "kvstore/raft/progress.h"
#include "kvstore/raft/types.h"

namespace troupe::raft {

struct Options {
  ReplicaId id;
  // A follower that has not heard of a leader for one to two of these campaigns; chance decides when.
  int election_ticks = 10;
  // Well under election_ticks, so that one lost heartbeat deposes nobody.
  int heartbeat_ticks = 1;
  // Of one append.
  size_t max_append_entries = 1024;
  size_t max_append_bytes = 1 << 20;
  // Appends under way to one follower.
  size_t max_window_appends = 64;
  size_t max_window_bytes = 8 << 20;
  // Proposed but not committed; past it proposals are refused.
  size_t max_uncommitted_bytes = 16 << 20;
  // Handed out for apply in one Ready.
  size_t max_apply_bytes = 4 << 20;
  // Reads that wait for their round; past it they are refused.
  size_t max_reads = 4096;
  uint64_t seed = 0;
};

// What the disk held at a start.
struct Restored {
  HardState hard_state;
  SnapshotRef snapshot;
  std::vector<EntryPtr> entries;  // follow the snapshot
  LogIndex applied;               // at least the snapshot's index
};

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

// Names one Ready's part of the disk's work. Stamped with the term, so that a late one cannot count for what has been
// overwritten since.
struct PersistAck {
  Term term;
  LogIndex last_index;
  Term last_term;
};

struct Ready {
  std::vector<Message> send_now;

  std::optional<SnapshotRef> install;
  std::optional<HardState> hard_state;
  std::vector<EntryPtr> append;  // replaces whatever the disk has from the first one's index on
  PersistAck ack;
  // Whether 2. needs a sync: not for a commit index alone.
  bool must_sync = false;
  std::vector<Message> send_after;

  std::vector<EntryPtr> apply;
  std::vector<std::pair<uint64_t, LogIndex>> reads;  // id, index
  std::vector<uint64_t> failed_reads;
};

enum class Refusal : uint8_t {
  kNone,
  kNotLeader,
  kTransferring,   // leadership is on its way to another
  kTooMuch,        // uncommitted bytes, or reads that wait
  kNotReady,       // no entry of the own term is committed yet
  kChangePending,  // the membership change before is not committed
  kNoSuchChange,   // it changes nothing, or would leave no voter
};

struct Proposed {
  Refusal refusal = Refusal::kNone;
  // Where it will stand, if it is committed.
  LogIndex index;
  Term term;
};

struct Change {
  enum class Kind : uint8_t { kAddLearner, kAddVoter, kRemove } kind = Kind::kAddLearner;  // kAddVoter promotes, too
  ReplicaId id;
};

class Raft {
 public:
  Raft(const Options& options, const Restored& restored);

  void Tick();
  // Anything that comes from outside goes in here. What is stale or out of place is ignored, and what no replica that
  // keeps to the protocol can have sent is junk: dropped and counted. Only what contradicts an election or a commit
  // that has taken place ends the process, since then it is not the message that must be doubted.
  void Step(const Message& message);
  void Persisted(const PersistAck& ack);
  void Applied(LogIndex index);

  Proposed Propose(std::string data);
  Proposed ProposeChange(const Change& change);
  // Comes back in a Ready under this id: in `reads`, or in `failed_reads` when leadership is lost before.
  Refusal ReadIndex(uint64_t id);
  // Hands leadership to a voter; gives up after an election timeout.
  Refusal TransferLeadership(ReplicaId to);
  // Campaigns now, as if the election timeout had passed.
  void Campaign();

  // The state as of `index`, which has been applied, is kept elsewhere under this reference.
  void Compact(LogIndex index, std::string reference);

  bool HasReady() const;
  Ready TakeReady();

  Role role() const { return role_; }
  Term term() const { return term_; }
  ReplicaId vote() const { return vote_; }
  ReplicaId leader() const { return leader_; }  // kNobody when unknown
  LogIndex commit() const { return commit_; }
  LogIndex durable() const { return durable_; }
  const Log& log() const { return log_; }
  const Configuration& configuration() const { return log_.configuration(); }
  const Options& options() const { return options_; }
  // Messages that were junk, since the start.
  uint64_t junk() const { return junk_; }
  // Of a leader: what it knows of the others.
  const std::map<ReplicaId, Progress>& progress() const { return progress_; }

  // Broken when something cannot be. Called after every step.
  void CheckInvariants() const;

 private:
  struct PendingRead {
    uint64_t id;
    LogIndex index;
    uint64_t round;
  };

  // raft.cc: terms and roles.
  bool IsVoter() const { return configuration().IsVoter(options_.id); }
  bool HasOwnTermCommit() const { return log_.TermAt(commit_) == term_; }
  bool ChangePending() const { return log_.configuration_index() > commit_; }
  bool SettleTerm(const Message& message);
  void BecomeFollower(Term term, ReplicaId leader);
  void BecomeLeader();
  void ResetForTerm(Term term);
  void FailReads();
  void TickLeader();
  HardState CurrentHardState() const;
  void SendNow(Message message);
  void SendAfter(Message message);
  void Stamp(Message& message) const;
  void CommitTo(LogIndex index);

  // election.cc
  bool Promotable() const;
  void StartPreVote();
  void StartVote(bool transfer);
  void CountVote(ReplicaId voter, bool granted);
  void AskForVotes(MessageKind kind, Term term, bool transfer);
  bool Sticky(const Message& message) const;
  void OnVoteRequest(const Message& message);
  void OnTimeoutNow(const Message& message);

  // replication.cc
  void OnAppend(const Message& message);
  void OnAppendReply(const Message& message);
  void OnHeartbeat(const Message& message);
  void OnHeartbeatReply(const Message& message);
  void OnSnapshot(const Message& message);
  void ReplyToAppend(ReplicaId to, LogIndex match);
  void AppendOwn(EntryKind kind, std::string data, Configuration configuration);
  void SendAppends();
  bool MaySend(const Progress& progress) const;
  void SendWhatIsNew(ReplicaId to, Progress& progress);
  bool SendAppend(ReplicaId to, Progress& progress);
  bool SendSnapshot(ReplicaId to, Progress& progress);
  void SendHeartbeats();
  void MaybeCommit();
  void ConfirmReads();
  void MaybeFinishTransfer(ReplicaId id, const Progress& progress);

  // membership.cc
  std::optional<Configuration> After(const Change& change) const;
  void SyncProgress();
  void LeaveIfRemoved();

  // Fixed at construction.
  const Options options_;

  Random random_;
  Log log_;

  // Durable once handed out and acked.
  Term term_;
  ReplicaId vote_;
  LogIndex commit_;

  Role role_ = Role::kFollower;
  ReplicaId leader_;
  int election_elapsed_ = 0;
  int election_timeout_ = 0;  // election_ticks to twice that, drawn for each wait
  int heartbeat_elapsed_ = 0;
  // Ticks since a leader was heard of. 0 at a start: who knows what was promised before it (thesis 6.2).
  int contact_elapsed_ = 0;

  // Of a candidate: who said what.
  std::map<ReplicaId, bool> votes_;

  // Of a leader.
  std::map<ReplicaId, Progress> progress_;  // all replicas but itself
  size_t uncommitted_bytes_ = 0;
  ReplicaId transferee_;
  uint64_t round_ = 0;
  bool round_open_ = false;  // its heartbeats have not gone out yet
  std::vector<PendingRead> reads_waiting_;

  // Towards the disk. `durable_` is the end of the log's prefix that is on disk as it stands here; `handed_` the end
  // of what has been given to the caller.
  LogIndex durable_;
  LogIndex handed_;
  bool install_pending_ = false;
  HardState handed_hard_state_;
  LogIndex applied_handed_;
  LogIndex applied_;

  uint64_t junk_ = 0;

  // Collected for the next Ready.
  std::vector<Message> send_now_;
  std::vector<Message> send_after_;
  std::vector<std::pair<uint64_t, LogIndex>> reads_done_;
  std::vector<uint64_t> reads_failed_;
};

}  // namespace troupe::raft

#endif  // TROUPE_KVSTORE_RAFT_RAFT_H_
