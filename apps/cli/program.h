#ifndef TROUPE_APPS_CLI_PROGRAM_H_
#define TROUPE_APPS_CLI_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace troupe {

struct ProgramResult {
  // As a shell counts: 128 + N when signal N ended it.
  int exit_code = 0;
  // What it printed, of each the first 64 KiB.
  std::string out, err;
};

// Runs words[0], a path or a name to be found in PATH, with the other words as its arguments and without a shell, and
// waits until it ends. It reads nothing, and is in a session of its own: a Ctrl-C at this terminal is not for it. What
// it leaves running is not waited for.
//
// Errors: NOT_FOUND when it cannot be started, DEADLINE_EXCEEDED when it runs longer than `timeout`; then it is killed,
// together with what it started in its session.
absl::StatusOr<ProgramResult> RunProgram(const std::vector<std::string>& words, absl::Duration timeout);

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_PROGRAM_H_
