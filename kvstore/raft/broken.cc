#include "kvstore/raft/broken.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "kvstore/raft/mutants.h"

namespace troupe::raft {
namespace {

void PrintAndAbort(const char* reason) {
  std::fprintf(stderr, "Raft invariant broken: %s\n", reason);
  std::abort();
}

BrokenHandler handler = PrintAndAbort;

}  // namespace

#ifdef TROUPE_RAFT_MUTANTS
Mutant planted_mutant = Mutant::kNone;
#endif

BrokenHandler SetBrokenHandler(BrokenHandler replacement) { return std::exchange(handler, replacement); }

void Broken(const char* reason) {
  handler(reason);
  std::abort();
}

}  // namespace troupe::raft
