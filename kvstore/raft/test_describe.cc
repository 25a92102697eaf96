#include "kvstore/raft/test_describe.h"

#include "kvstore/raft/test_cluster.h"

namespace troupe::raft {
namespace {

template <typename T>
std::string Number(T value) {
  return std::to_string(value.value());
}

std::string Position(LogIndex index, Term term) { return Number(index) + "/t" + Number(term); }

std::string DescribeBody(const Message& m) {
  switch (m.kind) {
    case MessageKind::kPreVote:
      return "would you vote for me? my log ends with " + Position(m.index, m.log_term);
    case MessageKind::kPreVoteReply:
      return m.ok ? "I would vote for you" : "I would not vote for you";
    case MessageKind::kVote:
      return "vote for me, my log ends with " + Position(m.index, m.log_term) +
             (m.transfer ? "; our leader asked me to" : "");
    case MessageKind::kVoteReply:
      return m.ok ? "you have my vote" : "you do not have my vote";
    case MessageKind::kAppend:
      return (m.entries.empty() ? "append nothing" : "append " + Describe(m.entries)) + ", after " +
             Position(m.index, m.log_term) + ", commit " + Number(m.commit);
    case MessageKind::kAppendReply:
      if (m.ok) return "I have up to " + Number(m.index);
      return "no, not after " + Number(m.index) + "; try " + Position(m.hint_index, m.hint_term);
    case MessageKind::kHeartbeat:
      return "heartbeat, commit " + Number(m.commit) + ", round " + std::to_string(m.round);
    case MessageKind::kHeartbeatReply:
      return "heartbeat heard, round " + std::to_string(m.round);
    case MessageKind::kSnapshot:
      return Describe(m.snapshot);
    case MessageKind::kTimeoutNow:
      return "campaign now";
  }
  return "?";
}

}  // namespace

std::string Describe(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kPreCandidate:
      return "pre-candidate";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
  }
  return "?";
}

std::string Describe(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNone:
      return "accepted";
    case Refusal::kNotLeader:
      return "refused: not the leader";
    case Refusal::kTransferring:
      return "refused: leadership is being handed over";
    case Refusal::kTooMuch:
      return "refused: too much";
    case Refusal::kNotReady:
      return "refused: nothing of its own term is committed";
    case Refusal::kChangePending:
      return "refused: the change before is not committed";
    case Refusal::kNoSuchChange:
      return "refused: no such change";
  }
  return "?";
}

std::string Describe(const Configuration& configuration) {
  std::string text;
  for (ReplicaId voter : configuration.voters) text += (text.empty() ? "" : " ") + Name(voter);
  for (ReplicaId learner : configuration.learners) text += (text.empty() ? "+" : " +") + Name(learner);
  return "{" + text + "}";
}

std::string Describe(const EntryPtr& entry) {
  const std::string position = Position(entry->index, entry->term) + " ";
  switch (entry->kind) {
    case EntryKind::kCommand:
      return position + entry->data;
    case EntryKind::kNoOp:
      return position + "no-op";
    case EntryKind::kConfiguration:
      return position + Describe(entry->configuration);
  }
  return "?";
}

std::string Describe(const std::vector<EntryPtr>& entries) {
  std::string text;
  for (const EntryPtr& entry : entries) text += (text.empty() ? "" : ", ") + Describe(entry);
  return text;
}

std::string Describe(const SnapshotRef& snapshot) {
  return "snapshot " + snapshot.reference + " up to " + Position(snapshot.index, snapshot.term) + " of " +
         Describe(snapshot.configuration);
}

std::string Describe(const Message& message) {
  return Name(message.from) + " -> " + Name(message.to) + "  term " + Number(message.term) + ": " +
         DescribeBody(message);
}

}  // namespace troupe::raft
