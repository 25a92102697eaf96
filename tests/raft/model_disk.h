// What a replica has on disk, and what is on its way there.
#ifndef TROUPE_TESTS_RAFT_MODEL_DISK_H_
#define TROUPE_TESTS_RAFT_MODEL_DISK_H_

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include "kvstore/raft/raft.h"

namespace troupe::raft {

// One write: atomic, and done in the order of asking.
struct Persist {
  std::optional<SnapshotRef> install;
  std::optional<SnapshotRef> compact;  // instead of all else: the log's beginning up to here is not needed any more
  std::optional<HardState> hard_state;
  std::vector<EntryPtr> append;
  bool must_sync = false;
  PersistAck ack;
  std::vector<Message> send_after;
};

struct ModelDisk {
  HardState hard_state;
  // Without a sync a commit index may be lost again.
  LogIndex synced_commit;
  SnapshotRef snapshot;
  std::deque<EntryPtr> entries;

  LogIndex last_index() const { return snapshot.index + entries.size(); }

  // False: the write leaves a gap.
  bool Write(const Persist& persist) {
    if (persist.compact.has_value()) {
      if (persist.compact->index <= snapshot.index) return true;
      if (persist.compact->index > last_index()) return false;
      entries.erase(entries.begin(),
                    entries.begin() + static_cast<std::ptrdiff_t>(persist.compact->index - snapshot.index));
      snapshot = *persist.compact;
      return true;
    }
    if (persist.install.has_value()) {
      snapshot = *persist.install;
      entries.clear();
    }
    if (persist.hard_state.has_value()) hard_state = *persist.hard_state;
    if (!persist.append.empty()) {
      const LogIndex first = persist.append.front()->index;
      if (first <= snapshot.index || first > last_index() + 1) return false;
      entries.resize(first - snapshot.index - 1);
      entries.insert(entries.end(), persist.append.begin(), persist.append.end());
    }
    if (persist.must_sync) synced_commit = hard_state.commit;
    return true;
  }

  // Whether it has the entry, or a snapshot that covers it.
  bool Has(LogIndex index, Term term) const {
    if (index < snapshot.index) return true;
    if (index == snapshot.index) return term == snapshot.term;
    return index <= last_index() && entries[index - snapshot.index - 1]->term == term;
  }
};

}  // namespace troupe::raft

#endif  // TROUPE_TESTS_RAFT_MODEL_DISK_H_
