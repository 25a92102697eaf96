#ifndef TROUPE_APPS_CLI_EXIT_CODE_H_
#define TROUPE_APPS_CLI_EXIT_CODE_H_

namespace troupe {

// What a script can rely on; `troupe help exit-codes` prints it.
enum class ExitCode {
  kDone = 0,
  // The answer is no: the key does not exist, the condition does not hold.
  kNo = 1,
  // Wrong use, before anything was asked: a command, flag, quote or file.
  kUsage = 2,
  kNoConnection = 3,
  // No answer in time, or the key's shard cannot be reached.
  kUnavailable = 4,
  // The server refuses: a limit, too much waiting, an error of its own.
  kRefused = 5,
  // `status` found the cluster unhealthy.
  kUnhealthy = 6,
  kInterrupted = 130,
};

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_EXIT_CODE_H_
