// What happens when an invariant does not hold: the process must not go on, since what it would do next could lose
// what others rely on.
#ifndef TROUPE_KVSTORE_RAFT_BROKEN_H_
#define TROUPE_KVSTORE_RAFT_BROKEN_H_

namespace troupe::raft {

// Called with the reason; must not return. By default it prints the reason and aborts. A test may throw instead.
using BrokenHandler = void (*)(const char* reason);
BrokenHandler SetBrokenHandler(BrokenHandler handler);

[[noreturn]] void Broken(const char* reason);

inline void Require(bool holds, const char* otherwise) {
  if (!holds) [[unlikely]]
    Broken(otherwise);
}

}  // namespace troupe::raft

#endif  // TROUPE_KVSTORE_RAFT_BROKEN_H_
