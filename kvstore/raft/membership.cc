// Membership changes, one replica at a time: any majority of the configuration before meets any majority of the one
// after (thesis 4.1).
#include <algorithm>

#include "kvstore/raft/mutants.h"
#include "kvstore/raft/raft.h"

namespace troupe::raft {
namespace {

void Insert(std::vector<ReplicaId>& ids, ReplicaId id) { ids.insert(std::lower_bound(ids.begin(), ids.end(), id), id); }
void Erase(std::vector<ReplicaId>& ids, ReplicaId id) { std::erase(ids, id); }

}  // namespace

// None: the change changes nothing, or leaves no voter.
std::optional<Configuration> Raft::After(const Change& change) const {
  Configuration after = configuration();
  const bool voter = after.IsVoter(change.id);
  const bool learner = after.IsLearner(change.id);
  switch (change.kind) {
    case Change::Kind::kAddLearner:
      if (voter || learner) return std::nullopt;
      Insert(after.learners, change.id);
      break;
    case Change::Kind::kAddVoter:
      if (voter) return std::nullopt;
      Erase(after.learners, change.id);
      Insert(after.voters, change.id);
      break;
    case Change::Kind::kRemove:
      if (!voter && !learner) return std::nullopt;
      Erase(after.voters, change.id);
      Erase(after.learners, change.id);
      break;
  }
  if (after.voters.empty() || change.id == kNobody) return std::nullopt;
  return after;
}

Proposed Raft::ProposeChange(const Change& change) {
  if (role_ != Role::kLeader || !IsVoter()) return {.refusal = Refusal::kNotLeader};
  if (transferee_ != kNobody) return {.refusal = Refusal::kTransferring};
  if (ChangePending() && !Planted(Mutant::kTwoChangesUnderWay)) return {.refusal = Refusal::kChangePending};
  // A change that an earlier leader left behind uncommitted must not stand beside this one: with an entry of the own
  // term committed, it is committed or gone (Ongaro's correction of 2015).
  if (!HasOwnTermCommit() && !Planted(Mutant::kChangeBeforeOwnTermCommit)) return {.refusal = Refusal::kNotReady};
  std::optional<Configuration> after = After(change);
  if (!after.has_value()) return {.refusal = Refusal::kNoSuchChange};
  AppendOwn(EntryKind::kConfiguration, "", *std::move(after));
  SyncProgress();
  SendAppends();
  CheckInvariants();
  return {.index = log_.last_index(), .term = term_};
}

// One Progress for each other replica of the configuration in force. One that is being removed is kept until that is
// committed, so that it learns of it.
void Raft::SyncProgress() {
  auto add = [this](ReplicaId id) {
    if (id == options_.id) return;
    auto [entry, is_new] = progress_.try_emplace(id);
    if (!is_new) return;
    entry->second.next = log_.last_index() + 1;
    // Until it is found silent: else a new leader would depose itself at its first check.
    entry->second.active = true;
  };
  for (ReplicaId id : configuration().voters) add(id);
  for (ReplicaId id : configuration().learners) add(id);
  if (ChangePending()) return;
  std::erase_if(progress_, [this](const auto& entry) {
    return !configuration().IsVoter(entry.first) && !configuration().IsLearner(entry.first);
  });
}

// Called when something has been committed.
void Raft::LeaveIfRemoved() {
  if (ChangePending()) return;
  if (IsVoter()) return SyncProgress();
  // A leader that is no voter any more leads until its removal is committed, and no longer (thesis 4.2.2). The others
  // hear of it, and the one that has most takes over.
  SendHeartbeats();
  const std::pair<const ReplicaId, Progress>* best = nullptr;
  for (const auto& entry : progress_) {
    if (!configuration().IsVoter(entry.first)) continue;
    if (best == nullptr || entry.second.match > best->second.match) best = &entry;
  }
  if (best != nullptr) SendNow({.kind = MessageKind::kTimeoutNow, .to = best->first});
  BecomeFollower(term_, kNobody);
}

}  // namespace troupe::raft
