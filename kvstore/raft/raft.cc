#include "kvstore/raft/raft.h"

#include <algorithm>

#include "kvstore/raft/broken.h"
#include "kvstore/raft/mutants.h"
#include "kvstore/raft/quorum.h"
#include "kvstore/raft/well_formed.h"

namespace troupe::raft {

Raft::Raft(const Options& options, const Restored& restored)
    : options_(options),
      random_(Random(options.seed).Split("elections")),
      log_(restored.snapshot, restored.entries),
      term_(restored.hard_state.term),
      vote_(restored.hard_state.vote),
      // A commit index may be lost in a crash, but what was applied was committed.
      commit_(std::max(restored.hard_state.commit, restored.applied)),
      durable_(log_.last_index()),
      handed_(log_.last_index()),
      handed_hard_state_(restored.hard_state),
      applied_handed_(restored.applied),
      applied_(restored.applied) {
  Require(options_.id != kNobody, "a replica needs an id");
  Require(restored.applied >= log_.snapshot().index, "the state is older than the log's beginning");
  Require(commit_ <= log_.last_index(), "committed or applied past the end of the log on disk");
  if (Planted(Mutant::kTermRegressesOnRestart) && term_ > log_.last_term()) {
    term_ = term_ - 1;
    vote_ = kNobody;
  }
  BecomeFollower(term_, kNobody);
  CheckInvariants();
}

// Time.

void Raft::Tick() {
  ++election_elapsed_;
  if (role_ == Role::kLeader) {
    TickLeader();
    CheckInvariants();
  } else {
    ++contact_elapsed_;
    // Else nothing but time has changed, and a node may tick a thousand replicas at once.
    if (election_elapsed_ >= election_timeout_) Campaign();
  }
}

void Raft::TickLeader() {
  if (election_elapsed_ >= options_.election_ticks) {
    election_elapsed_ = 0;
    transferee_ = kNobody;
    // Check-quorum: a leader that a majority does not hear must not go on refusing others their elections, nor keep
    // its clients waiting (thesis 6.2).
    size_t active = IsVoter() ? 1 : 0;
    for (auto& [id, progress] : progress_) {
      if (configuration().IsVoter(id) && progress.active) ++active;
      progress.active = false;
    }
    if (active < Majority(configuration().voters.size())) {
      BecomeFollower(term_, kNobody);
      contact_elapsed_ = options_.election_ticks;
      return;
    }
  }
  for (auto& [id, progress] : progress_) {
    // A snapshot, or the word that it has arrived, may be lost. It is a reference only: once too often costs nothing.
    if (progress.state == Progress::State::kSnapshot && ++progress.snapshot_ticks >= options_.election_ticks) {
      SendSnapshot(id, progress);
    }
  }
  if (++heartbeat_elapsed_ >= options_.heartbeat_ticks) {
    heartbeat_elapsed_ = 0;
    SendHeartbeats();
  }
}

// Terms.

void Raft::Step(const Message& message) {
  if (message.to != options_.id || message.from == options_.id || message.from == kNobody) return;
  if (!WellFormed(message)) {
    ++junk_;
    return;
  }
  if (!SettleTerm(message)) return;
  switch (message.kind) {
    case MessageKind::kPreVote:
    case MessageKind::kVote:
      OnVoteRequest(message);
      break;
    case MessageKind::kPreVoteReply:
      if (role_ == Role::kPreCandidate) CountVote(message.from, message.ok);
      break;
    case MessageKind::kVoteReply:
      if (role_ == Role::kCandidate) CountVote(message.from, message.ok);
      break;
    case MessageKind::kAppend:
      OnAppend(message);
      break;
    case MessageKind::kAppendReply:
      if (role_ == Role::kLeader) OnAppendReply(message);
      break;
    case MessageKind::kHeartbeat:
      OnHeartbeat(message);
      break;
    case MessageKind::kHeartbeatReply:
      if (role_ == Role::kLeader) OnHeartbeatReply(message);
      break;
    case MessageKind::kSnapshot:
      OnSnapshot(message);
      break;
    case MessageKind::kTimeoutNow:
      OnTimeoutNow(message);
      break;
  }
  CheckInvariants();
}

// Compares the message's term with ours and does what follows from that alone (Raft 5.1). False: that was all.
bool Raft::SettleTerm(const Message& m) {
  const bool from_leader =
      m.kind == MessageKind::kAppend || m.kind == MessageKind::kHeartbeat || m.kind == MessageKind::kSnapshot;
  // Also in a term that is ours already: after a restart it may be, and what was promised before it is not known.
  if (m.term > term_ || (m.term == term_ && m.kind == MessageKind::kVote)) {
    if (Sticky(m)) return false;
  }
  if (m.term > term_) {
    // A pre-vote asks about a term that nobody is in yet, and a granted one answers so.
    if (m.kind == MessageKind::kPreVote || (m.kind == MessageKind::kPreVoteReply && m.ok)) {
      // The answer must be to what is being asked now.
      return m.kind == MessageKind::kPreVote || m.term == term_ + 1;
    }
    if (Planted(Mutant::kStepDownKeepsLeading) && role_ == Role::kLeader) return false;
    // A candidate that gets no vote must not put off a better one: whoever waits goes on waiting (Raft, figure 2: only
    // a leader's word and a granted vote begin a new wait).
    const int waited = role_ == Role::kLeader || from_leader ? 0 : election_elapsed_;
    BecomeFollower(m.term, from_leader ? m.from : kNobody);
    election_elapsed_ = waited;
    return true;
  }
  if (m.term < term_) {
    // A deposed leader learns of it, and a candidate of an old term, from our term in the answer. Without it a replica
    // that came back with a higher term could refuse its leader for ever.
    if (from_leader) {
      // Of the log it says nothing, so it names no index: the old leader may lead this term, too, and would take it for
      // the answer to an append of now.
      SendAfter({.kind = MessageKind::kAppendReply, .to = m.from, .ok = false});
    } else if (m.kind == MessageKind::kPreVote) {
      SendAfter({.kind = MessageKind::kPreVoteReply, .to = m.from, .ok = false});
    } else if (m.kind == MessageKind::kVote) {
      SendAfter({.kind = MessageKind::kVoteReply, .to = m.from, .ok = false});
    }
    return false;
  }
  if (from_leader) {
    Require(role_ != Role::kLeader, "two leaders in one term");
    if (role_ != Role::kFollower || leader_ != m.from) BecomeFollower(term_, m.from);
  }
  // Ours would be the reply to a pre-vote that lies behind us.
  return m.kind != MessageKind::kPreVoteReply || !m.ok;
}

// Roles.

void Raft::ResetForTerm(Term term) {
  if (term != term_) {
    term_ = term;
    vote_ = kNobody;
  }
  leader_ = kNobody;
  election_elapsed_ = 0;
  heartbeat_elapsed_ = 0;
  election_timeout_ = options_.election_ticks +
                      static_cast<int>(random_.Below(static_cast<uint64_t>(std::max(1, options_.election_ticks))));
  votes_.clear();
  progress_.clear();
  uncommitted_bytes_ = 0;
  transferee_ = kNobody;
  round_open_ = false;
  FailReads();
}

void Raft::BecomeFollower(Term term, ReplicaId leader) {
  ResetForTerm(term);
  role_ = Role::kFollower;
  leader_ = leader;
}

void Raft::BecomeLeader() {
  ResetForTerm(term_);
  role_ = Role::kLeader;
  leader_ = options_.id;
  contact_elapsed_ = 0;
  SyncProgress();
  // Commits what earlier terms left: those entries must not be committed by counting (Raft 5.4.2).
  if (!Planted(Mutant::kNoNoOp)) AppendOwn(EntryKind::kNoOp, "", {});
  SendAppends();
}

void Raft::FailReads() {
  for (const PendingRead& read : reads_waiting_) reads_failed_.push_back(read.id);
  reads_waiting_.clear();
}

void Raft::CommitTo(LogIndex index) {
  if (index <= commit_) return;
  Require(index <= log_.last_index(), "commits past the end of the own log");
  if (role_ == Role::kLeader) {
    for (LogIndex i = commit_ + 1; i <= index; ++i) {
      // Those of earlier terms were never counted.
      if (log_.At(i)->term == term_) uncommitted_bytes_ -= log_.At(i)->bytes();
    }
  }
  commit_ = index;
}

// Proposals.

Proposed Raft::Propose(std::string data) {
  if (role_ != Role::kLeader || !IsVoter()) return {.refusal = Refusal::kNotLeader};
  if (transferee_ != kNobody) return {.refusal = Refusal::kTransferring};
  // One is always let in, however large: else it could never be.
  if (uncommitted_bytes_ > 0 && uncommitted_bytes_ + data.size() > options_.max_uncommitted_bytes) {
    return {.refusal = Refusal::kTooMuch};
  }
  AppendOwn(EntryKind::kCommand, std::move(data), {});
  SendAppends();
  CheckInvariants();
  return {.index = log_.last_index(), .term = term_};
}

Refusal Raft::ReadIndex(uint64_t id) {
  if (role_ != Role::kLeader) return Refusal::kNotLeader;
  // Before that the commit index may be older than what earlier leaders acknowledged (thesis 6.4).
  if (!HasOwnTermCommit() && !Planted(Mutant::kReadWithoutOwnTermCommit)) return Refusal::kNotReady;
  if (reads_waiting_.size() >= options_.max_reads) return Refusal::kTooMuch;
  // Reads that come before the round's heartbeats leave share it; later ones need a new one, since an answer that is
  // already on its way says nothing about now.
  if (!round_open_ && !Planted(Mutant::kReadRoundReused)) {
    ++round_;
    round_open_ = true;
  }
  reads_waiting_.push_back({id, commit_, round_});
  if (Planted(Mutant::kReadWithoutQuorum)) {
    reads_done_.emplace_back(id, commit_);
    reads_waiting_.pop_back();
  }
  ConfirmReads();
  return Refusal::kNone;
}

// Towards the caller.

void Raft::Stamp(Message& message) const {
  message.from = options_.id;
  // Pre-votes and their answers carry the term that is asked about.
  if (message.term == Term()) message.term = term_;
}

void Raft::SendNow(Message message) {
  Stamp(message);
  send_now_.push_back(std::move(message));
}

void Raft::SendAfter(Message message) {
  Stamp(message);
  const bool early = (Planted(Mutant::kAckBeforeDurable) && message.kind == MessageKind::kAppendReply) ||
                     (Planted(Mutant::kVoteBeforeDurable) && message.kind == MessageKind::kVoteReply);
  (early ? send_now_ : send_after_).push_back(std::move(message));
}

HardState Raft::CurrentHardState() const { return {term_, Planted(Mutant::kVoteForgotten) ? kNobody : vote_, commit_}; }

bool Raft::HasReady() const {
  const LogIndex may_apply = Planted(Mutant::kAppliesBeforeDurable) ? commit_ : std::min(commit_, durable_);
  return !send_now_.empty() || !send_after_.empty() || !reads_done_.empty() || !reads_failed_.empty() || round_open_ ||
         install_pending_ || handed_ < log_.last_index() || !(CurrentHardState() == handed_hard_state_) ||
         applied_handed_ < may_apply;
}

Ready Raft::TakeReady() {
  if (round_open_) {
    round_open_ = false;
    SendHeartbeats();
  }
  Ready ready;
  ready.send_now = std::exchange(send_now_, {});
  ready.send_after = std::exchange(send_after_, {});
  ready.reads = std::exchange(reads_done_, {});
  ready.failed_reads = std::exchange(reads_failed_, {});
  if (std::exchange(install_pending_, false)) ready.install = log_.snapshot();
  const HardState hard_state = CurrentHardState();
  if (!(hard_state == handed_hard_state_)) ready.hard_state = hard_state;
  ready.append = log_.From(handed_ + 1, SIZE_MAX, SIZE_MAX);
  ready.must_sync = ready.install.has_value() || !ready.append.empty() || hard_state.term != handed_hard_state_.term ||
                    hard_state.vote != handed_hard_state_.vote;
  ready.ack = {term_, log_.last_index(), log_.last_term()};
  handed_hard_state_ = hard_state;
  handed_ = log_.last_index();
  // What is committed but not on this disk must not be applied: after a crash the state would be ahead of the log.
  const LogIndex may_apply = Planted(Mutant::kAppliesBeforeDurable) ? commit_ : std::min(commit_, durable_);
  if (applied_handed_ < may_apply) {
    ready.apply = log_.From(applied_handed_ + 1, may_apply - applied_handed_, options_.max_apply_bytes);
    applied_handed_ = ready.apply.back()->index;
  }
  return ready;
}

void Raft::Persisted(const PersistAck& ack) {
  // An ack of another term says nothing about what stands here now: entry (5, t) may have been replaced and have come
  // back, with the replacement still on its way to the disk. A new term always writes, so its ack follows.
  if (ack.term != term_ && !Planted(Mutant::kPersistAckOfAnotherTerm)) return;
  if (log_.Matches(ack.last_index, ack.last_term)) durable_ = std::max(durable_, ack.last_index);
  if (role_ == Role::kCandidate && vote_ == options_.id) CountVote(options_.id, true);
  if (role_ == Role::kLeader) MaybeCommit();
  CheckInvariants();
}

void Raft::Applied(LogIndex index) {
  Require(index <= applied_handed_, "applied what was not handed out");
  // A snapshot may have overtaken it.
  applied_ = std::max(applied_, index);
}

void Raft::Compact(LogIndex index, std::string reference) {
  Require(index <= applied_, "compacts what is not applied");
  if (index > log_.snapshot().index) log_.CompactTo(index, std::move(reference));
}

void Raft::CheckInvariants() const {
  Require(commit_ >= log_.snapshot().index, "a snapshot of what is not committed");
  Require(commit_ <= log_.last_index(), "committed past the end of the log");
  Require(durable_ <= log_.last_index(), "durable past the end of the log");
  Require(handed_ <= log_.last_index(), "handed out past the end of the log");
  Require(applied_ <= applied_handed_, "applied more than was handed out");
  Require(applied_handed_ <= commit_, "applied an entry that is not committed");
  Require(log_.last_term() <= term_, "an entry of a term that has not begun");
  Require(role_ != Role::kLeader || leader_ == options_.id, "a leader that follows another");
  Require(role_ != Role::kLeader || vote_ == options_.id, "a leader that did not vote for itself");
  Require(role_ != Role::kCandidate || vote_ == options_.id, "a candidate that did not vote for itself");
  Require(!configuration().voters.empty(), "a configuration without voters");
  Require(log_.configuration_index() <= log_.last_index() || Planted(Mutant::kConfigurationKeptAfterTruncation),
          "a configuration that is not in the log");
}

}  // namespace troupe::raft
