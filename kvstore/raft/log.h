// One replica's log: what follows its last snapshot, and the configurations that stand in it.
//
// Guarantees, checked where entries come in:
//   1. indexes are consecutive: the first is the snapshot's plus one
//   2. terms never fall
//   3. the configuration in force is that of the newest configuration entry, or the snapshot's
#ifndef TROUPE_KVSTORE_RAFT_LOG_H_
#define TROUPE_KVSTORE_RAFT_LOG_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kvstore/raft/types.h"

namespace troupe::raft {

class Log {
 public:
  // From disk. The entries follow the snapshot; one with index 0 is the empty beginning, and carries the first
  // configuration.
  Log(SnapshotRef snapshot, const std::vector<EntryPtr>& entries);

  // The index and term before the first entry here.
  const SnapshotRef& snapshot() const { return snapshot_; }
  LogIndex last_index() const { return snapshot_.index + entries_.size(); }
  Term last_term() const { return entries_.empty() ? snapshot_.term : entries_.back()->term; }

  // Nothing: compacted away, or not there yet.
  std::optional<Term> TermAt(LogIndex index) const;
  bool Matches(LogIndex index, Term term) const { return TermAt(index) == term; }
  // Whether a log that ends so has all that this one can have committed (Raft 5.4.1).
  bool IsUpToDate(LogIndex index, Term term) const {
    return term > last_term() || (term == last_term() && index >= last_index());
  }
  // The last index at or below `index` whose term is at most `term`: where a log that conflicts may still agree.
  LogIndex LastAtMost(LogIndex index, Term term) const;

  // Entries from `first` on, until the next would exceed either limit; at least one, if there is one.
  std::vector<EntryPtr> From(LogIndex first, size_t max_entries, size_t max_bytes) const;
  const EntryPtr& At(LogIndex index) const { return entries_[index - snapshot_.index - 1]; }

  void Append(EntryPtr entry);
  // Drops `first` and all after it, and the configurations among them.
  void TruncateFrom(LogIndex first);
  // Forgets entries up to `index`, which is in the log, for a snapshot of the state there.
  void CompactTo(LogIndex index, std::string reference);
  // Replaces everything by a snapshot from elsewhere.
  void Restore(SnapshotRef snapshot);

  const Configuration& configuration() const { return configurations_.back().second; }
  LogIndex configuration_index() const { return configurations_.back().first; }
  // The one before the newest, which counts while the newest is not committed; the newest when there is no other.
  const Configuration& previous_configuration() const {
    return configurations_.size() > 1 ? configurations_[configurations_.size() - 2].second : configuration();
  }

 private:
  SnapshotRef snapshot_;
  std::deque<EntryPtr> entries_;
  // Ascending by index. The first is the snapshot's own.
  std::vector<std::pair<LogIndex, Configuration>> configurations_;
};

}  // namespace troupe::raft

#endif  // TROUPE_KVSTORE_RAFT_LOG_H_
