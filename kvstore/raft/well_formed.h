// What a message must be for the core to look at it at all, judged by itself alone. Whatever else decodes it may have
// let through anything.
#ifndef TROUPE_KVSTORE_RAFT_WELL_FORMED_H_
#define TROUPE_KVSTORE_RAFT_WELL_FORMED_H_

#include "kvstore/raft/types.h"

namespace troupe::raft {

// False for what no replica that keeps to the protocol sends:
//   indexes and terms past any that are reached by counting, with which the next one would be 0
//   entries that do not follow `index` one by one, whose terms fall, or exceed the message's
//   a configuration without voters, out of order, or with an id twice
//   a snapshot of a term after the message's
bool WellFormed(const Message& message);

}  // namespace troupe::raft

#endif  // TROUPE_KVSTORE_RAFT_WELL_FORMED_H_
