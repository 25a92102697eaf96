// Elections: pre-vote, votes, and when not to listen to a candidate.
#include "kvstore/raft/broken.h"
#include "kvstore/raft/mutants.h"
#include "kvstore/raft/quorum.h"
#include "kvstore/raft/raft.h"

namespace troupe::raft {

// A replica that is being removed must still be able to campaign while that is not committed: in {ann, bob}, ann has
// the entry that leaves {bob}, bob does not. Bob's log is older, so only ann can win, and finish her own removal
// (thesis 4.2.2).
bool Raft::Promotable() const {
  return IsVoter() || (ChangePending() && log_.previous_configuration().IsVoter(options_.id));
}

void Raft::Campaign() {
  if (role_ == Role::kLeader) return;
  if (!Promotable() || install_pending_ || durable_ < log_.snapshot().index) {
    election_elapsed_ = 0;
    return;
  }
  StartPreVote();
  CheckInvariants();
}

// Would anyone vote for us? Asked without a new term, so that a replica that cannot win disturbs nobody (thesis 9.6).
void Raft::StartPreVote() {
  const Term term = term_;
  ResetForTerm(term);
  role_ = Role::kPreCandidate;
  AskForVotes(MessageKind::kPreVote, term_ + 1, /*transfer=*/false);
  // Nothing is promised, so nothing need be on disk.
  CountVote(options_.id, true);
}

void Raft::StartVote(bool transfer) {
  // A term for every election, a sole voter's too: two that each were once alone must not meet in one term.
  const bool keep = Planted(Mutant::kSoleVoterKeepsTerm) && configuration().voters.size() == 1;
  ResetForTerm(keep ? term_ : term_ + 1);
  role_ = Role::kCandidate;
  vote_ = options_.id;
  AskForVotes(MessageKind::kVote, term_, transfer);
  // The own vote counts once it is on disk: Persisted does that. A new term is always written.
  if (keep) CountVote(options_.id, true);
}

// A candidate's request is a promise too, that it votes for itself in this term, so it waits for the disk.
void Raft::AskForVotes(MessageKind kind, Term term, bool transfer) {
  for (ReplicaId voter : configuration().voters) {
    if (voter == options_.id) continue;
    Message request{.kind = kind,
                    .to = voter,
                    .term = term,
                    .index = log_.last_index(),
                    .log_term = log_.last_term(),
                    .transfer = transfer};
    if (kind == MessageKind::kPreVote) {
      SendNow(std::move(request));
    } else {
      SendAfter(std::move(request));
    }
  }
}

void Raft::CountVote(ReplicaId voter, bool granted) {
  votes_.emplace(voter, granted);
  size_t granted_count = 0;
  size_t refused_count = 0;
  for (const auto& [id, vote] : votes_) {
    if (!configuration().IsVoter(id) && !Planted(Mutant::kNonVoterVoteCounted)) continue;
    ++(vote ? granted_count : refused_count);
  }
  const size_t voters = configuration().voters.size();
  if (granted_count >= Majority(voters)) {
    if (role_ == Role::kPreCandidate) {
      StartVote(/*transfer=*/false);
    } else {
      BecomeLeader();
    }
  } else if (refused_count > voters - Majority(voters)) {
    BecomeFollower(term_, kNobody);
  }
}

// Whoever hears a leader does not help to replace it: a replica that was removed, or hears others but not its leader,
// would else depose a working one (thesis 4.2.3). At a start nobody knows what was heard before, so a first election
// timeout passes in the same way. A leader's own wish overrides it.
bool Raft::Sticky(const Message& message) const {
  if (message.kind != MessageKind::kVote && message.kind != MessageKind::kPreVote) return false;
  if (message.transfer) return false;
  return role_ == Role::kLeader || contact_elapsed_ < options_.election_ticks;
}

void Raft::OnVoteRequest(const Message& m) {
  const bool pre = m.kind == MessageKind::kPreVote;
  bool up_to_date = log_.IsUpToDate(m.index, m.log_term);
  if (Planted(Mutant::kVoteIgnoresLog)) up_to_date = true;
  if (Planted(Mutant::kVoteIgnoresLogLength)) up_to_date = m.log_term >= log_.last_term();
  const bool free = vote_ == m.from || (vote_ == kNobody && leader_ == kNobody);
  const bool granted = up_to_date && (pre ? m.term > term_ : free || Planted(Mutant::kTwoVotesInATerm));
  if (granted && !pre) {
    // Vote and term go to disk before the reply leaves: a replica that forgets its vote in a crash could vote twice in
    // one term, and two leaders would follow (Raft 5.2).
    vote_ = m.from;
    election_elapsed_ = 0;
    if (role_ == Role::kPreCandidate) role_ = Role::kFollower;
  }
  SendAfter({.kind = pre ? MessageKind::kPreVoteReply : MessageKind::kVoteReply,
             .to = m.from,
             .term = pre && granted ? m.term : term_,
             .ok = granted});
}

// The leader asks us to take over at once (thesis 3.10). It has brought our log up to its own.
void Raft::OnTimeoutNow(const Message& m) {
  if (role_ != Role::kFollower || leader_ != m.from || !IsVoter()) return;
  StartVote(/*transfer=*/true);
}

}  // namespace troupe::raft
