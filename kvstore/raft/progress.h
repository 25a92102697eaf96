// What a leader knows of one follower, and how much it may send it (Raft 5.3; flow control beyond the paper).
//
//   probe      where the logs meet is not known: one append at a time, until one is accepted
//   replicate  appends go ahead of their acks, within the window
//   snapshot   what the follower needs next is compacted away: nothing but a snapshot until it is there
#ifndef TROUPE_KVSTORE_RAFT_PROGRESS_H_
#define TROUPE_KVSTORE_RAFT_PROGRESS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "kvstore/raft/types.h"

namespace troupe::raft {

struct Progress {
  enum class State : uint8_t { kProbe, kReplicate, kSnapshot };

  State state = State::kProbe;
  // The follower has this on disk, proved in this term.
  LogIndex match;
  // The next entry to send. Above match.
  LogIndex next;
  // kProbe: an append is on its way.
  bool probe_sent = false;
  // kSnapshot: ticks since it was sent.
  int snapshot_ticks = 0;
  // Heard from since the last check of the quorum.
  bool active = false;
  // The newest round of reads that it has confirmed.
  uint64_t round = 0;
  // kReplicate: the last index and the bytes of each append under way.
  std::deque<std::pair<LogIndex, size_t>> window;
  size_t window_bytes = 0;

  void BecomeProbe() {
    // What the snapshot brought counts, if it arrived.
    next = match + 1;
    Reset(State::kProbe);
  }
  void BecomeReplicate() {
    next = match + 1;
    Reset(State::kReplicate);
  }
  void BecomeSnapshot() { Reset(State::kSnapshot); }

  void Sent(LogIndex last, size_t bytes) {
    window.emplace_back(last, bytes);
    window_bytes += bytes;
  }
  void Acked(LogIndex index) {
    while (!window.empty() && window.front().first <= index) FreeFirst();
  }
  void FreeFirst() {
    window_bytes -= window.front().second;
    window.pop_front();
  }

 private:
  void Reset(State new_state) {
    state = new_state;
    probe_sent = false;
    snapshot_ticks = 0;
    window.clear();
    window_bytes = 0;
  }
};

}  // namespace troupe::raft

#endif  // TROUPE_KVSTORE_RAFT_PROGRESS_H_
