// Replication: appends and their acks, commits, heartbeats, reads, snapshots.
#include <algorithm>

#include "kvstore/raft/broken.h"
#include "kvstore/raft/mutants.h"
#include "kvstore/raft/quorum.h"
#include "kvstore/raft/raft.h"

namespace troupe::raft {

// The follower's side.

void Raft::OnAppend(const Message& m) {
  election_elapsed_ = 0;
  contact_elapsed_ = 0;
  const LogIndex proved = m.index + m.entries.size();
  // What is committed is equal in every later leader, so there is nothing to compare, and it may be compacted away.
  if (proved <= commit_) return ReplyToAppend(m.from, commit_);
  const bool matches = m.index <= commit_ || log_.Matches(m.index, m.log_term) ||
                       (Planted(Mutant::kMatchOnIndexOnly) && m.index <= log_.last_index());
  if (!matches) {
    const LogIndex hint = log_.LastAtMost(m.index, m.log_term);
    return SendAfter({.kind = MessageKind::kAppendReply,
                      .to = m.from,
                      .index = m.index,
                      .ok = false,
                      .hint_index = hint,
                      .hint_term = log_.TermAt(hint).value_or(Term())});
  }
  if (Planted(Mutant::kTruncatesOnEveryAppend) && m.index >= commit_ && m.index < log_.last_index()) {
    log_.TruncateFrom(m.index + 1);
    durable_ = std::min(durable_, m.index);
    handed_ = std::min(handed_, m.index);
  }
  for (const EntryPtr& entry : m.entries) {
    if (entry->index < log_.snapshot().index || log_.Matches(entry->index, entry->term)) continue;
    if (entry->index <= log_.last_index()) {
      Require(entry->index > commit_, "a leader that lacks a committed entry");
      log_.TruncateFrom(entry->index);
      durable_ = std::min(durable_, entry->index - 1);
      handed_ = std::min(handed_, entry->index - 1);
    }
    log_.Append(entry);
  }
  // Only up to `proved` is our log equal to the leader's; what lies beyond may be another's.
  CommitTo(std::min(m.commit, Planted(Mutant::kCommitNotCappedToMessage) ? log_.last_index() : proved));
  ReplyToAppend(m.from, Planted(Mutant::kAckOwnLastIndex) ? log_.last_index() : proved);
}

// After the disk: the leader counts it as a copy.
void Raft::ReplyToAppend(ReplicaId to, LogIndex match) {
  SendAfter({.kind = MessageKind::kAppendReply, .to = to, .index = match, .ok = true});
}

void Raft::OnHeartbeat(const Message& m) {
  election_elapsed_ = 0;
  contact_elapsed_ = 0;
  // The leader caps it to what it knows to be equal here.
  CommitTo(std::min(m.commit, log_.last_index()));
  // It says which term we are in and promises nothing, so it need not wait for the disk: a leader of a higher term
  // that this replica helped to elect has its vote on disk.
  SendNow({.kind = MessageKind::kHeartbeatReply, .to = m.from, .round = m.round});
}

void Raft::OnSnapshot(const Message& m) {
  election_elapsed_ = 0;
  contact_elapsed_ = 0;
  const SnapshotRef& snapshot = m.snapshot;
  if (snapshot.index <= commit_) return ReplyToAppend(m.from, commit_);
  if (log_.Matches(snapshot.index, snapshot.term)) {
    // The log has it all; it only did not know that it is committed.
    CommitTo(snapshot.index);
    return ReplyToAppend(m.from, snapshot.index);
  }
  log_.Restore(snapshot);
  commit_ = snapshot.index;
  applied_handed_ = snapshot.index;
  applied_ = snapshot.index;
  handed_ = snapshot.index;
  durable_ = LogIndex();
  install_pending_ = true;
  ReplyToAppend(m.from, snapshot.index);
}

// The leader's side.

void Raft::AppendOwn(EntryKind kind, std::string data, Configuration configuration) {
  auto entry = std::make_shared<Entry>();
  entry->index = log_.last_index() + 1;
  entry->term = term_;
  entry->kind = kind;
  entry->data = std::move(data);
  entry->configuration = std::move(configuration);
  uncommitted_bytes_ += entry->bytes();
  log_.Append(std::move(entry));
  if (Planted(Mutant::kLeaderCountsUnsyncedSelf)) {
    durable_ = log_.last_index();
    MaybeCommit();
  }
}

bool Raft::MaySend(const Progress& progress) const {
  switch (progress.state) {
    case Progress::State::kProbe:
      return !progress.probe_sent;
    case Progress::State::kReplicate:
      return progress.window.size() < options_.max_window_appends && progress.window_bytes < options_.max_window_bytes;
    case Progress::State::kSnapshot:
      return false;
  }
  return false;
}

// Whatever is new, to whoever may get it.
void Raft::SendAppends() {
  for (auto& [id, progress] : progress_) {
    SendWhatIsNew(id, progress);
  }
}

void Raft::SendWhatIsNew(ReplicaId to, Progress& progress) {
  while (progress.next <= log_.last_index() && MaySend(progress)) {
    if (!SendAppend(to, progress)) return;
  }
}

// One append, empty when the window is full or nothing is new; or a snapshot. False: neither could be sent.
bool Raft::SendAppend(ReplicaId to, Progress& progress) {
  const LogIndex previous = progress.next - 1;
  const std::optional<Term> previous_term = log_.TermAt(previous);
  if (!previous_term.has_value()) return SendSnapshot(to, progress);
  Message append{
      .kind = MessageKind::kAppend, .to = to, .index = previous, .log_term = *previous_term, .commit = commit_};
  if (MaySend(progress)) {
    append.entries = log_.From(progress.next, options_.max_append_entries, options_.max_append_bytes);
  }
  if (progress.state == Progress::State::kProbe) {
    progress.probe_sent = true;
  } else if (!append.entries.empty()) {
    size_t bytes = 0;
    for (const EntryPtr& entry : append.entries) bytes += entry->bytes();
    progress.next = append.entries.back()->index + 1;
    progress.Sent(append.entries.back()->index, bytes);
  }
  SendNow(std::move(append));
  return true;
}

bool Raft::SendSnapshot(ReplicaId to, Progress& progress) {
  if (!progress.active) return false;  // it would only be lost
  progress.BecomeSnapshot();
  SendNow({.kind = MessageKind::kSnapshot, .to = to, .snapshot = log_.snapshot()});
  return true;
}

void Raft::OnAppendReply(const Message& m) {
  auto found = progress_.find(m.from);
  if (found == progress_.end()) return;
  Progress& progress = found->second;
  progress.active = true;
  if (!m.ok) {
    if (progress.state == Progress::State::kReplicate) {
      if (m.index <= progress.match) return;  // of an append that was overtaken
      progress.BecomeProbe();
    } else {
      if (progress.state == Progress::State::kSnapshot || m.index != progress.next - 1) return;
      // Where the follower may agree, and of that the part where we may agree with its hint.
      const LogIndex agreed = log_.LastAtMost(m.hint_index, m.hint_term);
      progress.next = std::max(std::min(m.index, agreed + 1), progress.match + 1);
      progress.probe_sent = false;
    }
    SendAppend(m.from, progress);
    return;
  }
  if (m.index > log_.last_index() && !Planted(Mutant::kAckOwnLastIndex)) {
    ++junk_;  // an ack of what was never sent
    return;
  }
  const LogIndex match = std::min(m.index, log_.last_index());
  const bool news = match > progress.match;
  if (news) progress.match = match;
  progress.next = std::max(progress.next, progress.match + 1);
  progress.Acked(match);
  if (progress.state == Progress::State::kProbe) {
    progress.BecomeReplicate();
  } else if (progress.state == Progress::State::kSnapshot && news) {
    // Not every snapshot that arrives reaches up to the log of now: then it takes another.
    if (log_.TermAt(match).has_value()) {
      progress.BecomeReplicate();
    } else {
      progress.BecomeProbe();
    }
  }
  MaybeCommit();
  // It was its own removal, or the sender's.
  if (role_ != Role::kLeader || !progress_.contains(m.from)) return;
  SendWhatIsNew(m.from, progress);
  MaybeFinishTransfer(m.from, progress);
}

void Raft::MaybeCommit() {
  std::vector<LogIndex> matches;
  for (ReplicaId voter : configuration().voters) {
    auto found = progress_.find(voter);
    matches.push_back(voter == options_.id ? durable_ : found != progress_.end() ? found->second.match : LogIndex());
  }
  if (Planted(Mutant::kNonVoterAckCounted)) {
    matches.clear();
    matches.push_back(durable_);
    for (const auto& [id, progress] : progress_) matches.push_back(progress.match);
    std::sort(matches.begin(), matches.end(), std::greater<>());
    matches.resize(std::min(matches.size(), configuration().voters.size()));
  }
  const LogIndex reached = ReachedByMajority(std::move(matches));
  if (reached <= commit_) return;
  // Only entries of the own term are committed by counting copies; what lies before them follows (Raft 5.4.2).
  if (log_.TermAt(reached) != term_ && !Planted(Mutant::kCommitOldTermByCounting)) return;
  CommitTo(reached);
  LeaveIfRemoved();
}

void Raft::SendHeartbeats() {
  for (auto& [id, progress] : progress_) {
    SendNow({.kind = MessageKind::kHeartbeat, .to = id, .commit = std::min(progress.match, commit_), .round = round_});
  }
}

void Raft::OnHeartbeatReply(const Message& m) {
  auto found = progress_.find(m.from);
  if (found == progress_.end()) return;
  Progress& progress = found->second;
  progress.active = true;
  if (m.round > round_) {
    ++junk_;  // a yes to what has not been asked yet
    return;
  }
  progress.round = std::max(progress.round, m.round);
  ConfirmReads();
  // Something of what was sent may be lost. An append, if only an empty one, shows where the follower stands.
  progress.probe_sent = false;
  if (progress.state != Progress::State::kSnapshot && progress.match < log_.last_index()) SendAppend(m.from, progress);
}

void Raft::ConfirmReads() {
  if (reads_waiting_.empty()) return;
  std::vector<uint64_t> rounds;
  for (ReplicaId voter : configuration().voters) {
    auto found = progress_.find(voter);
    rounds.push_back(voter == options_.id ? round_ : found != progress_.end() ? found->second.round : 0);
  }
  if (Planted(Mutant::kNonVoterReadAckCounted)) {
    rounds.assign(1, round_);
    for (const auto& [id, progress] : progress_) rounds.push_back(progress.round);
    std::sort(rounds.begin(), rounds.end(), std::greater<>());
    rounds.resize(std::min(rounds.size(), configuration().voters.size()));
  }
  const uint64_t confirmed = ReachedByMajority(std::move(rounds));
  auto done = std::stable_partition(reads_waiting_.begin(), reads_waiting_.end(),
                                    [confirmed](const PendingRead& read) { return read.round > confirmed; });
  for (auto read = done; read != reads_waiting_.end(); ++read) reads_done_.emplace_back(read->id, read->index);
  reads_waiting_.erase(done, reads_waiting_.end());
}

Refusal Raft::TransferLeadership(ReplicaId to) {
  if (role_ != Role::kLeader) return Refusal::kNotLeader;
  if (to == options_.id || !configuration().IsVoter(to)) return Refusal::kNoSuchChange;
  if (transferee_ != kNobody) return Refusal::kTransferring;
  transferee_ = to;
  election_elapsed_ = 0;
  Progress& progress = progress_.at(to);
  SendWhatIsNew(to, progress);
  MaybeFinishTransfer(to, progress);
  return Refusal::kNone;
}

void Raft::MaybeFinishTransfer(ReplicaId id, const Progress& progress) {
  if (id == transferee_ && progress.match == log_.last_index()) SendNow({.kind = MessageKind::kTimeoutNow, .to = id});
}

}  // namespace troupe::raft
