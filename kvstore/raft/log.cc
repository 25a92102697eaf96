#include "kvstore/raft/log.h"

#include "kvstore/raft/broken.h"
#include "kvstore/raft/mutants.h"

namespace troupe::raft {

Log::Log(SnapshotRef snapshot, const std::vector<EntryPtr>& entries) : snapshot_(std::move(snapshot)) {
  configurations_.emplace_back(snapshot_.index, snapshot_.configuration);
  for (const EntryPtr& entry : entries) Append(entry);
}

std::optional<Term> Log::TermAt(LogIndex index) const {
  if (index == snapshot_.index) return snapshot_.term;
  if (index < snapshot_.index || index > last_index()) return std::nullopt;
  return At(index)->term;
}

LogIndex Log::LastAtMost(LogIndex index, Term term) const {
  index = std::min(index, last_index());
  while (index > snapshot_.index && At(index)->term > term) index = index - 1;
  return index;
}

std::vector<EntryPtr> Log::From(LogIndex first, size_t max_entries, size_t max_bytes) const {
  std::vector<EntryPtr> entries;
  size_t bytes = 0;
  for (LogIndex index = first; index <= last_index() && entries.size() < max_entries; ++index) {
    const EntryPtr& entry = At(index);
    bytes += entry->bytes();
    if (!entries.empty() && bytes > max_bytes) break;
    entries.push_back(entry);
  }
  return entries;
}

void Log::Append(EntryPtr entry) {
  Require(entry->index == last_index() + 1, "an entry does not follow the log's last");
  Require(entry->term >= last_term(), "a term falls within a log");
  if (entry->kind == EntryKind::kConfiguration) configurations_.emplace_back(entry->index, entry->configuration);
  entries_.push_back(std::move(entry));
}

void Log::TruncateFrom(LogIndex first) {
  Require(first > snapshot_.index, "truncates into a snapshot");
  while (last_index() >= first) entries_.pop_back();
  if (Planted(Mutant::kConfigurationKeptAfterTruncation)) return;
  while (configurations_.size() > 1 && configurations_.back().first >= first) configurations_.pop_back();
}

void Log::CompactTo(LogIndex index, std::string reference) {
  Require(index >= snapshot_.index && index <= last_index(), "compacts to an index that is not in the log");
  const Term term = *TermAt(index);
  while (snapshot_.index < index) {
    entries_.pop_front();
    ++snapshot_.index;
  }
  snapshot_.term = term;
  snapshot_.reference = std::move(reference);
  // Keep the newest at or below the index, and all after it.
  size_t newest = 0;
  while (newest + 1 < configurations_.size() && configurations_[newest + 1].first <= index) ++newest;
  configurations_.erase(configurations_.begin(), configurations_.begin() + static_cast<std::ptrdiff_t>(newest));
  configurations_.front().first = index;
  snapshot_.configuration = configurations_.front().second;
}

void Log::Restore(SnapshotRef snapshot) {
  entries_.clear();
  if (Planted(Mutant::kSnapshotWithoutConfiguration)) snapshot.configuration = configuration();
  snapshot_ = std::move(snapshot);
  configurations_.clear();
  configurations_.emplace_back(snapshot_.index, snapshot_.configuration);
}

}  // namespace troupe::raft
