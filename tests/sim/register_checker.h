// Is a history of one node's keys one that a map could have had? A checker for runs in which requests overlap and the
// node crashes.
//
// Each key is a register of its own. For every read the checker asks whether some write explains it: one that was
// called before the read returned, and that no other write had certainly replaced by the time the read was called. A
// write "certainly" happened when it was answered with OK; one that was cut off or failed with an unknown outcome may
// have happened. Values are unique, so a read names its write. This is weaker than a search for a linearization (it
// looks at one read at a time), but it is exact on lost and resurrected writes, and runs in no time.
//
// A cas that was done read the value that it expected, so it is checked like a read; and since values are unique, one
// value can give way to one cas only. Versions of a key must grow from each write to every write that began after it,
// and never be given twice.
#ifndef TROUPE_TESTS_SIM_REGISTER_CHECKER_H_
#define TROUPE_TESTS_SIM_REGISTER_CHECKER_H_

#include <vector>

#include "absl/status/status.h"
#include "tests/sim/sim_cluster.h"

namespace troupe::sim {

// Looks at set, cas, del and get. The error tells what cannot be.
absl::Status CheckRegisters(const std::vector<Operation>& history);

}  // namespace troupe::sim

#endif  // TROUPE_TESTS_SIM_REGISTER_CHECKER_H_
