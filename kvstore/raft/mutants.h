// Bugs that can be planted, one at a time, to see whether the tests find them. Only the test build has them (it
// defines TROUPE_RAFT_MUTANTS); elsewhere Planted is a constant false and the compiler drops what it guards.
#ifndef TROUPE_KVSTORE_RAFT_MUTANTS_H_
#define TROUPE_KVSTORE_RAFT_MUTANTS_H_

namespace troupe::raft {

enum class Mutant {
  kNone,
  kCommitOldTermByCounting,    // Raft 5.4.2, figure 8
  kNoNoOp,                     // nothing of an own term to commit by, or to read by
  kAckOwnLastIndex,            // a follower acks its log's end instead of what the message proved
  kCommitNotCappedToMessage,   // a follower commits beyond what the message proved
  kAckBeforeDurable,           // acks leave before the entries are on disk
  kVoteBeforeDurable,          // votes leave before they are on disk
  kLeaderCountsUnsyncedSelf,   // the leader counts its own entries before they are on disk
  kVoteForgotten,              // the vote is not part of what is made durable
  kTwoVotesInATerm,            // grants every candidate of a term
  kVoteIgnoresLog,             // grants candidates with older logs
  kVoteIgnoresLogLength,       // compares last terms only
  kSoleVoterKeepsTerm,         // a sole voter elects itself without a new term
  kTwoChangesUnderWay,         // a membership change does not wait for the one before
  kChangeBeforeOwnTermCommit,  // Ongaro's correction of 2015
  kReadWithoutQuorum,          // the leader trusts that it still leads
  kReadWithoutOwnTermCommit,   // a new leader reads at a commit index that may be old
  kReadRoundReused,            // a read is confirmed by answers to an earlier round
  kNonVoterVoteCounted,
  kNonVoterAckCounted,
  kNonVoterReadAckCounted,
  kSnapshotWithoutConfiguration,  // an installed snapshot keeps the old configuration
  kConfigurationKeptAfterTruncation,
  kPersistAckOfAnotherTerm,  // a late ack of the disk counts in a later term
  kMatchOnIndexOnly,         // an append does not check the term of the entry before
  kTruncatesOnEveryAppend,   // a reordered older append cuts off what a newer one brought
  kTermRegressesOnRestart,   // takes part with the term before the last
  kAppliesBeforeDurable,     // applies what is committed elsewhere but not on its own disk
  kStepDownKeepsLeading,     // a message of a newer term does not depose the leader; stays the last, to count them by
};

#ifdef TROUPE_RAFT_MUTANTS
// The one that is planted now; a test sets it.
extern Mutant planted_mutant;
inline bool Planted(Mutant mutant) { return planted_mutant == mutant; }
#else
constexpr bool Planted(Mutant) { return false; }
#endif

}  // namespace troupe::raft

#endif  // TROUPE_KVSTORE_RAFT_MUTANTS_H_
