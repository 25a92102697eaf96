// Messages as a test writes them, from one name to another.
#ifndef TROUPE_KVSTORE_RAFT_TEST_MESSAGES_H_
#define TROUPE_KVSTORE_RAFT_TEST_MESSAGES_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvstore/raft/test_cluster.h"

namespace troupe::raft {

// A place in a log.
struct At {
  uint64_t index = 0;
  uint64_t term = 0;
};

// The same (index, term) always holds the same.
inline EntryPtr Command(uint64_t index, uint64_t term) {
  return std::make_shared<Entry>(Entry{
      .index = LogIndex(index), .term = Term(term), .data = "c" + std::to_string(index) + "/t" + std::to_string(term)});
}

inline Message Make(MessageKind kind, std::string_view from, std::string_view to, uint64_t term, At at = {}) {
  return {.kind = kind,
          .from = Id(from),
          .to = Id(to),
          .term = Term(term),
          .index = LogIndex(at.index),
          .log_term = Term(at.term)};
}

// `last` is the end of the candidate's log.
inline Message Vote(std::string_view from, std::string_view to, uint64_t term, At last, bool transfer = false) {
  Message message = Make(MessageKind::kVote, from, to, term, last);
  message.transfer = transfer;
  return message;
}

inline Message PreVote(std::string_view from, std::string_view to, uint64_t term, At last) {
  return Make(MessageKind::kPreVote, from, to, term, last);
}

inline Message Answer(MessageKind kind, std::string_view from, std::string_view to, uint64_t term, bool ok) {
  Message message = Make(kind, from, to, term);
  message.ok = ok;
  return message;
}

// Commands of `terms` that follow `previous`.
inline Message Append(std::string_view from, std::string_view to, uint64_t term, At previous,
                      const std::vector<uint64_t>& terms, uint64_t commit = 0) {
  Message message = Make(MessageKind::kAppend, from, to, term, previous);
  for (uint64_t t : terms) message.entries.push_back(Command(previous.index + 1 + message.entries.size(), t));
  message.commit = LogIndex(commit);
  return message;
}

inline Message Ack(std::string_view from, std::string_view to, uint64_t term, uint64_t index) {
  Message message = Make(MessageKind::kAppendReply, from, to, term, {index, 0});
  message.ok = true;
  return message;
}

inline Message Heartbeat(std::string_view from, std::string_view to, uint64_t term, uint64_t commit = 0,
                         uint64_t round = 0) {
  Message message = Make(MessageKind::kHeartbeat, from, to, term);
  message.commit = LogIndex(commit);
  message.round = round;
  return message;
}

inline Message Snapshot(std::string_view from, std::string_view to, uint64_t term, SnapshotRef snapshot) {
  Message message = Make(MessageKind::kSnapshot, from, to, term);
  message.snapshot = std::move(snapshot);
  return message;
}

}  // namespace troupe::raft

#endif  // TROUPE_KVSTORE_RAFT_TEST_MESSAGES_H_
