#include "tests/raft/checker.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "kvstore/raft/quorum.h"

namespace troupe::raft {
namespace {

template <typename... Detail>
[[noreturn, gnu::cold, gnu::noinline]] void Fail(const char* property, const Detail&... detail) {
  throw Violation{property, absl::StrCat(detail...)};
}

}  // namespace

Coverage& Coverage::operator+=(const Coverage& other) {
  leaders += other.leaders;
  committed += other.committed;
  acknowledged += other.acknowledged;
  reads += other.reads;
  changes += other.changes;
  replaced += other.replaced;
  snapshots += other.snapshots;
  restarts += other.restarts;
  return *this;
}

Checker::Checker(const Configuration& first) {
  committed_.push_back({nullptr, Term()});
  configurations_.emplace_back(LogIndex(), first);
  entries_.reserve(128);
  committed_.reserve(128);
  leaders_.reserve(128);
}

void Checker::Started(int replica, const Raft& raft, LogIndex applied) {
  Replica& seen = replicas_[replica];
  if (raft.term() < seen.promised) {
    Fail("a term is never forgotten", "n", replica, " promised in term ", seen.promised.value(), " and is back in ",
         raft.term().value());
  }
  const uint64_t term = raft.term().value();
  if (term < seen.votes.size() && seen.votes[term] != 0 && raft.vote() != ReplicaId(seen.votes[term])) {
    Fail("a vote is never forgotten", "n", replica, " in term ", term);
  }
  ++coverage_.restarts;
  seen.proved.clear();
  seen.term = raft.term();
  seen.led = Term();
  seen.hard_state = {raft.term(), raft.vote(), raft.commit()};
  seen.commit = raft.commit();
  seen.applied = applied;
  seen.handed = raft.log().last_index();
  seen.configuration_index = LogIndex(UINT64_MAX);
  seen.durable = LogIndex();
  seen.proposals.clear();
  seen.proposals_done = 0;
  if (seen.commit >= LogIndex(committed_.size())) Fail("committed is for good", "n", replica, " starts beyond it");
}

void Checker::Look(int replica, const Raft& raft, const std::array<ModelDisk, kMaxReplicas + 1>& disks) {
  Replica& seen = replicas_[replica];
  if (raft.term() != seen.term) {
    if (raft.term() < seen.term) Fail("a term is never forgotten", "n", replica);
    seen.term = raft.term();
  }
  if (raft.role() == Role::kLeader && seen.led != raft.term()) BecameLeader(replica, raft);
  if (raft.commit() > seen.commit) Commits(replica, raft, disks);
  if (raft.log().configuration_index() != seen.configuration_index) CheckConfiguration(seen, raft);
  if (raft.durable() != seen.durable) {
    Written(replica, raft, disks[replica]);
    seen.durable = raft.durable();
  }
}

void Checker::Written(int replica, const Raft& raft, const ModelDisk& disk) const {
  const LogIndex durable = raft.durable();
  if (durable >= raft.log().snapshot().index && !disk.Has(durable, *raft.log().TermAt(durable))) {
    Fail("durable is on disk", "n", replica, " counts on index ", durable.value());
  }
}

void Checker::BecameLeader(int replica, const Raft& raft) {
  Replica& seen = replicas_[replica];
  seen.led = raft.term();
  const uint64_t term = raft.term().value();
  if (term >= leaders_.size()) leaders_.resize(term + 1);
  if (leaders_[term] != 0) Fail("election safety", "n", int{leaders_[term]}, " and n", replica, " lead term ", term);
  leaders_[term] = static_cast<uint8_t>(replica);
  ++coverage_.leaders;
  // What was committed in this term or later is not this leader's to have had at its election.
  size_t last = committed_.size() - 1;
  while (last > 0 && committed_[last].in >= raft.term()) --last;
  if (last == 0 || LogIndex(last) < raft.log().snapshot().index) return;
  if (raft.log().TermAt(LogIndex(last)) != committed_[last].entry->term) {
    Fail("leader completeness", "n", replica, " leads term ", term, " without index ", last, ", committed in term ",
         committed_[last].in.value());
  }
}

void Checker::Commits(int replica, const Raft& raft, const std::array<ModelDisk, kMaxReplicas + 1>& disks) {
  Replica& seen = replicas_[replica];
  const bool is_new = raft.commit() >= LogIndex(committed_.size());
  for (LogIndex index = std::max(seen.commit, raft.log().snapshot().index) + 1; index <= raft.commit(); ++index) {
    const EntryPtr& entry = raft.log().At(index);
    if (index.value() < committed_.size()) {
      if (committed_[index.value()].entry->term != entry->term) {
        Fail("committed is for good", "n", replica, " calls index ", index.value(), " of term ", entry->term.value(),
             " committed, before it was of term ", committed_[index.value()].entry->term.value());
      }
      continue;
    }
    if (index.value() > committed_.size()) Fail("committed is for good", "n", replica, " skips");
    committed_.push_back({entry, raft.term()});
    ++coverage_.committed;
    if (entry->kind != EntryKind::kConfiguration) continue;
    configurations_.emplace_back(index, entry->configuration);
    ++coverage_.changes;
  }
  seen.commit = raft.commit();
  if (!is_new) return;
  if (seen.led != raft.term()) {
    Fail("only a leader commits", "n", replica, " is the first to call index ", raft.commit().value(), " committed");
  }
  size_t copies = 0;
  const Term term = *raft.log().TermAt(raft.commit());
  const std::vector<ReplicaId>& voters = raft.configuration().voters;
  for (ReplicaId voter : voters) copies += disks[voter.value()].Has(raft.commit(), term);
  if (copies < Majority(voters.size())) {
    Fail("committed is on a majority's disks", "index ", raft.commit().value(), " is on ", copies, " of ",
         voters.size());
  }
}

void Checker::CheckConfiguration(Replica& seen, const Raft& raft) {
  const Log& log = raft.log();
  const LogIndex index = log.configuration_index();
  seen.configuration_index = index;
  const bool from_snapshot = index <= log.snapshot().index;
  if (from_snapshot ? log.configuration() == log.snapshot().configuration
                    : index <= log.last_index() && log.At(index)->kind == EntryKind::kConfiguration &&
                          log.At(index)->configuration == log.configuration()) {
    return;
  }
  Fail("the configuration in force is the log's", "n", raft.options().id.value(), " uses one of index ", index.value());
}

void Checker::Taken(int replica, const Raft& raft, const Ready& ready) {
  Replica& seen = replicas_[replica];
  if (ready.install.has_value()) seen.applied = seen.handed = ready.install->index;
  if (!ready.append.empty()) {
    CheckAppended(raft, ready.append);
    CheckConfiguration(seen, raft);
    if (ready.append.front()->index <= seen.handed) ++coverage_.replaced;
    seen.handed = ready.append.back()->index;
  }
  if (!ready.send_now.empty()) CheckWindows(raft);
  CheckAcks(replica, ready.send_now);
  CheckAcks(replica, ready.send_after);
  seen.proved.clear();
  const HardState hard_state = ready.hard_state.value_or(seen.hard_state);
  if (!ready.must_sync && (ready.install.has_value() || !ready.append.empty() ||
                           hard_state.term != seen.hard_state.term || hard_state.vote != seen.hard_state.vote)) {
    Fail("what must last is synced", "n", replica);
  }
  seen.hard_state = hard_state;
  if (!ready.apply.empty()) CheckApplied(replica, ready.apply);
  coverage_.reads += ready.reads.size();
  for (const auto& [id, index] : ready.reads) {
    if (index < read_floors_[id]) {
      Fail("reads are not stale", "n", replica, " reads at index ", index.value(), ", acknowledged before was ",
           read_floors_[id].value());
    }
  }
}

void Checker::CheckAppended(const Raft& raft, const std::vector<EntryPtr>& entries) {
  Term before = *raft.log().TermAt(entries.front()->index - 1);
  for (const EntryPtr& entry : entries) {
    const uint64_t index = entry->index.value();
    if (index >= entries_.size()) entries_.resize(index + 1);
    auto known = std::find_if(entries_[index].begin(), entries_[index].end(),
                              [&entry](const Known& k) { return k.entry->term == entry->term; });
    if (known == entries_[index].end()) {
      entries_[index].push_back({entry, before});
    } else if (known->entry != entry || known->before != before) {
      Fail("log matching", "two entries of index ", index, " and term ", entry->term.value());
    }
    if (before != entry->term && entry->kind != EntryKind::kNoOp) {
      Fail("a term begins with a no-op", "term ", entry->term.value(), " does not");
    }
    before = entry->term;
    if (entry->kind != EntryKind::kConfiguration) continue;
    for (LogIndex i = std::max(committed(), raft.log().snapshot().index) + 1; i < entry->index; ++i) {
      if (raft.log().At(i)->kind == EntryKind::kConfiguration) {
        Fail("at most one change under way", "indexes ", i.value(), " and ", index);
      }
    }
  }
}

void Checker::CheckApplied(int replica, const std::vector<EntryPtr>& entries) {
  Replica& seen = replicas_[replica];
  for (const EntryPtr& entry : entries) {
    const uint64_t index = entry->index.value();
    if (entry->index != seen.applied + 1)
      Fail("state machine safety", "n", replica, " applies ", index, " out of order");
    seen.applied = entry->index;
    if (index >= committed_.size() || committed_[index].entry != entry) {
      Fail("state machine safety", "n", replica, " applies another entry of index ", index);
    }
    while (seen.proposals_done < seen.proposals.size() && seen.proposals[seen.proposals_done].first <= entry->index) {
      const auto& [proposed, term] = seen.proposals[seen.proposals_done++];
      if (proposed != entry->index || term != entry->term) continue;
      acknowledged_ = std::max(acknowledged_, entry->index);
      ++coverage_.acknowledged;
    }
  }
}

void Checker::CheckWindows(const Raft& raft) {
  for (const auto& [id, progress] : raft.progress()) {
    if (progress.window.size() > raft.options().max_window_appends) {
      Fail("no more appends under way than the window allows", progress.window.size(), " to n", id.value());
    }
  }
}

void Checker::CheckAcks(int replica, const std::vector<Message>& messages) {
  const std::vector<LogIndex>& proved = replicas_[replica].proved;
  for (const Message& m : messages) {
    if (m.kind != MessageKind::kAppendReply || !m.ok) continue;
    if (std::find(proved.begin(), proved.end(), m.index) == proved.end()) {
      Fail("an ack names what its message proved", "n", replica, " acks index ", m.index.value());
    }
  }
}

void Checker::Installed(const SnapshotRef& snapshot) {
  ++coverage_.snapshots;
  CheckSnapshot(snapshot);
}

void Checker::CheckSnapshot(const SnapshotRef& snapshot) {
  const uint64_t index = snapshot.index.value();
  if (index >= committed_.size() || committed_[index].entry->term != snapshot.term) {
    Fail("state machine safety", "a snapshot of what is not committed, index ", index);
  }
  auto newest = configurations_.rbegin();
  while (newest->first > snapshot.index) ++newest;
  if (!(newest->second == snapshot.configuration)) {
    Fail("a snapshot has the configuration of its index", "index ", index);
  }
}

void Checker::Sent(const Message& m, bool promise) {
  const int from = static_cast<int>(m.from.value());
  if (m.kind == MessageKind::kVote) Vote(from, m.term, m.from);
  if (m.kind == MessageKind::kVoteReply && m.ok) Vote(from, m.term, m.to);
  if (m.kind == MessageKind::kSnapshot) CheckSnapshot(m.snapshot);
  // A granted pre-vote names a term that has not begun.
  if (promise && m.kind != MessageKind::kPreVoteReply)
    replicas_[from].promised = std::max(replicas_[from].promised, m.term);
}

void Checker::Vote(int replica, Term term, ReplicaId candidate) {
  std::vector<uint8_t>& votes = replicas_[replica].votes;
  if (term.value() >= votes.size()) votes.resize(term.value() + 16);
  uint8_t& vote = votes[term.value()];
  if (vote != 0 && ReplicaId(vote) != candidate) {
    Fail("one vote in a term", "n", replica, " votes for n", int{vote}, " and n", candidate.value(), " in term ",
         term.value());
  }
  vote = static_cast<uint8_t>(candidate.value());
}

// Raft, figure 2: the rules for all servers, and rules 2 and 5 of AppendEntries.
void Checker::Stepped(int replica, const Raft& raft, const Message& m) {
  Replica& seen = replicas_[replica];
  if (m.term > raft.term()) {
    // A request for a vote may be ignored, and pre-votes name terms not begun.
    if (m.kind == MessageKind::kVote || m.kind == MessageKind::kPreVote || m.kind == MessageKind::kPreVoteReply) return;
    Fail("a newer term is taken over", "n", replica, " stays in term ", raft.term().value());
  }
  if (m.term < raft.term() || (m.kind != MessageKind::kAppend && m.kind != MessageKind::kSnapshot)) return;
  const bool snapshot = m.kind == MessageKind::kSnapshot;
  // What is committed is equal everywhere, whatever the message says.
  const LogIndex proved = std::max(seen.commit, snapshot ? m.snapshot.index : m.index + m.entries.size());
  seen.proved.push_back(proved);
  const LogIndex commit = snapshot ? proved : std::min(proved, m.commit);
  if (raft.commit() > std::max(seen.commit, commit)) {
    Fail("a commit is capped to what the message proved", "n", replica, " commits index ", raft.commit().value(),
         ", proved was ", proved.value());
  }
}

void Checker::ChangeProposed(const Raft& raft, LogIndex index) {
  for (LogIndex i = std::max(committed(), raft.log().snapshot().index) + 1; i < index; ++i) {
    if (raft.log().At(i)->kind == EntryKind::kConfiguration) {
      Fail("at most one change under way", "indexes ", i.value(), " and ", index.value());
    }
  }
}

uint64_t Checker::ReadAsked() {
  read_floors_.push_back(acknowledged_);
  return read_floors_.size() - 1;
}

}  // namespace troupe::raft
