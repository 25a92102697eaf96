#include "kvstore/raft/well_formed.h"

#include <algorithm>
#include <functional>

namespace troupe::raft {
namespace {

constexpr uint64_t kMost = UINT64_MAX / 2;

template <typename... T>
bool Countable(T... values) {
  return ((values.value() <= kMost) && ...);
}

// Ascending without a repetition, and none of them nobody.
bool AreIds(const std::vector<ReplicaId>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end() &&
         (ids.empty() || ids.front() != kNobody);
}

bool IsConfiguration(const Configuration& configuration) {
  const auto votes = [&configuration](ReplicaId id) { return configuration.IsVoter(id); };
  return !configuration.voters.empty() && AreIds(configuration.voters) && AreIds(configuration.learners) &&
         std::none_of(configuration.learners.begin(), configuration.learners.end(), votes);
}

bool Follow(const Message& m) {
  LogIndex index = m.index;
  Term term = m.log_term;
  for (const EntryPtr& entry : m.entries) {
    if (entry == nullptr || entry->index != ++index || entry->term < term) return false;
    if (entry->kind == EntryKind::kConfiguration && !IsConfiguration(entry->configuration)) return false;
    term = entry->term;
  }
  return term <= m.term;
}

}  // namespace

bool WellFormed(const Message& m) {
  if (!Countable(m.term, m.index, m.log_term, m.commit, m.hint_index, m.hint_term)) return false;
  if (m.kind == MessageKind::kAppend) return Follow(m);
  if (m.kind == MessageKind::kSnapshot) {
    return Countable(m.snapshot.index, m.snapshot.term) && m.snapshot.term <= m.term &&
           IsConfiguration(m.snapshot.configuration);
  }
  return true;
}

}  // namespace troupe::raft
