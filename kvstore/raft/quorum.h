// The arithmetic of majorities.
#ifndef TROUPE_KVSTORE_RAFT_QUORUM_H_
#define TROUPE_KVSTORE_RAFT_QUORUM_H_

#include <algorithm>
#include <cstddef>
#include <functional>
#include <vector>

#include "kvstore/raft/types.h"

namespace troupe::raft {

inline size_t Majority(size_t voters) { return voters / 2 + 1; }

// The highest value that a majority has reached; `values` holds one for each voter, and at least one.
template <typename T>
T ReachedByMajority(std::vector<T> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(Majority(values.size()) - 1);
  std::nth_element(values.begin(), middle, values.end(), std::greater<T>());
  return *middle;
}

}  // namespace troupe::raft

#endif  // TROUPE_KVSTORE_RAFT_QUORUM_H_
